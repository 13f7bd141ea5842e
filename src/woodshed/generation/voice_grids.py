"""Four voices on a grid, drawn from nets: from nothing, or around a soprano that is given.

Source: ancestral sampling from `woodshed.models.voice_grid`; nothing is filtered, ranked or drawn again.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from woodshed.codecs.voice_grid import REST, VOICES, Listener, Passages
from woodshed.codecs.voice_grid_ahead import AHEAD, ahead
from woodshed.codecs.voice_grid_counts import Counts, Following
from woodshed.errors import OutOfRange
from woodshed.models.voice_grid import VoiceGridNet

ORDER = (0, 3, 1, 2)
"""Soprano, bass, alto, tenor."""


@torch.no_grad()
def draw_grids(
    nets: Sequence[VoiceGridNet],
    lengths: Sequence[int],
    generator: torch.Generator,
    *,
    sopranos: Sequence[NDArray[np.int64]] = (),
    passages: Passages | None = None,
    counts: Counts | None = None,
    temperature: float = 1.0,
    strictness: float = 1.0,
    order: tuple[int, ...] = ORDER,
) -> list[NDArray[np.int64]]:
    """Pieces of so many frames, all side by side: (T, 4) cells each.

    Args:
        nets: one, or several whose logits are averaged for each cell; all of them shown the soprano, or none.
        lengths: frames of each piece.
        generator: the only source of chance.
        sopranos: (T,) cells of each piece's soprano, for nets that are shown it.
        passages: of learned pieces, for the pointers; without them the pointers look only into the piece itself.
        counts: of learned pieces, for nets that hear of them.
        temperature: above 0; 1 draws from what was learned as it is.
        strictness: at least 0; how much of what the nets learned of two voices' motion counts, 1 for as it is. Left to
            itself a net comes to places that nobody wrote, where it knows less of parallels than on paper.
        order: of the voices within a frame.

    Raises:
        OutOfRange: for a temperature that is not above 0, a strictness below 0, or sopranos not as long as asked.
    """
    if not temperature > 0:
        raise OutOfRange(f"temperature {temperature} is not above 0; 1 is usual")
    if not strictness >= 0:
        raise OutOfRange(f"strictness {strictness} is below 0; 1 is as learned")
    if nets[0].config.shown and [len(soprano) for soprano in sopranos] != list(lengths):
        raise OutOfRange("each piece needs a soprano of as many frames as the piece has")
    nets = [_stricter(net, strictness) for net in nets]
    batch, most = len(lengths), max(lengths, default=0)
    shift = torch.zeros(batch, dtype=torch.int64)
    shown = torch.full((batch, most), REST)
    for row, soprano in zip(shown, sopranos, strict=False):
        row[: len(soprano)] = torch.from_numpy(soprano)
    looks = [net.look_at(shown, shift) for net in nets]
    states = [net.start(batch) for net in nets]
    listeners = [Listener(passages) for _ in lengths]
    told_ahead = _told_ahead(sopranos, most) if nets[0].config.shown else None
    following = None if counts is None else Following(counts)
    cells = torch.full((batch, most, VOICES), REST)
    for at in range(most):
        rows = torch.tensor([listener.row() for listener in listeners])
        if told_ahead is not None:
            rows = torch.cat((rows, told_ahead[:, at]), 1)
        known = []
        for number, net in enumerate(nets):
            look = looks[number]
            now, states[number] = net.step(rows, shift, states[number], None if look is None else look[:, at : at + 1])
            known.append(now[:, None])
        given = {0: shown[:, at]} if looks[0] is not None else {}
        cells[:, at] = _frame(nets, known, rows, shift, given, order, following, temperature, generator)
        if following is not None:
            following.hear(rows.numpy(), cells[:, at].numpy())
        for listener, frame in zip(listeners, cells[:, at].tolist(), strict=True):
            listener.hear(frame)
    return [piece[:length].numpy() for piece, length in zip(cells, lengths, strict=True)]


def _stricter(net: VoiceGridNet, times: float) -> VoiceGridNet:
    """A net whose table of motion counts so many times; the net itself for 1."""
    if times == 1:
        return net
    other = copy.deepcopy(net)
    other.counterpoint.mul_(times)
    return other


def _told_ahead(sopranos: Sequence[NDArray[np.int64]], frames: int) -> Tensor:
    """(B, T, AHEAD) of each soprano, the shorter ones filled up at their end."""
    told = torch.zeros(len(sopranos), frames, AHEAD, dtype=torch.int64)
    for row, soprano in zip(told, sopranos, strict=True):
        row[: len(soprano)] = torch.from_numpy(ahead(soprano).astype(np.int64))
    return told


def _frame(
    nets: Sequence[VoiceGridNet],
    known: Sequence[Tensor],
    rows: Tensor,
    shift: Tensor,
    given: dict[int, Tensor],
    order: tuple[int, ...],
    following: Following | None,
    temperature: float,
    generator: torch.Generator,
) -> Tensor:
    """(B, V) one frame of each piece, voice after voice; the given ones stay."""
    decided = {voice: pitch[:, None] for voice, pitch in given.items()}
    for voice in order:
        if voice in decided:
            continue
        told = None
        if following is not None:
            found = following.of(rows.numpy(), voice, {other: pitch[:, 0].numpy() for other, pitch in decided.items()})
            told = torch.from_numpy(found.logs)[:, None], torch.from_numpy(found.trust.astype(np.int64))[:, None]
        logits = torch.stack(
            [
                net.logits(now, rows[:, None], shift, voice, decided, told)[:, 0].log_softmax(-1)
                for net, now in zip(nets, known, strict=True)
            ]
        ).mean(0)
        drawn = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
        decided[voice] = torch.where(drawn == 0, REST, drawn + nets[0].config.lowest - 1)
    return torch.cat([decided[voice] for voice in range(VOICES)], 1)
