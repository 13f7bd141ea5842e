"""The net of piano rolls: causal from cell to cell, one frame at a time as all at once, and it learns."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from woodshed.models import build_model
from woodshed.models.piano_roll import LOOKBACKS, RECENT, STEPS, PianoRollConfig, PianoRollNet, unpacked

SIZES: dict[str, Any] = {"given": 3, "cells": 8, "tracks": 2, "width": 6, "embedding": 5, "layers": 2, "dropout": 0.0}
FRAMES = 70


def net(**changes: Any) -> PianoRollNet:
    """With every weight away from zero, so that each has something to say."""
    torch.manual_seed(0)
    model = PianoRollNet(PianoRollConfig(**{**SIZES, **changes})).eval()
    for parameter in model.parameters():
        parameter.data += 0.3 * torch.randn(parameter.shape)
    return model


def batch(frames: int = FRAMES) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    given = (torch.rand(2, frames, 3, generator=chance) < 0.5).float()
    return given, torch.randint(0, 64, (2, frames, 8), generator=chance, dtype=torch.uint8)


def logits(model: PianoRollNet, given: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model.logits(given, frames, *unpacked(frames))


def test_bytes_become_cells_starts_and_what_was_on_before() -> None:
    frames = torch.tensor([[[0b110000], [0b000011]]], dtype=torch.uint8)  # on in steps 4, 5 and 6, 7
    bits, starts, before = unpacked(frames)
    assert bits.flatten().tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0]
    assert starts.flatten().tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert before.flatten().tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0]


def test_no_cell_is_told_of_itself_or_of_what_comes_after_it() -> None:
    model, (given, frames) = net(), batch()
    plain = logits(model, given, frames)
    assert plain.shape == (2, FRAMES, STEPS, 8)
    flat = plain.flatten(2)
    for frame, step, cell in ((5, 0, 0), (5, 2, 3), (40, 5, 7), (66, 1, 4)):
        changed = frames.clone()
        changed[:, frame, cell] ^= 1 << step
        moved = logits(model, given, changed).flatten(2)
        place = step * 8 + cell
        assert torch.equal(moved[:, :frame], flat[:, :frame])
        assert torch.equal(moved[:, frame, : place + 1], flat[:, frame, : place + 1])
        assert not torch.equal(moved, flat)


def test_what_was_played_bars_ago_is_heard() -> None:
    model, (given, frames) = net(), batch(LOOKBACKS[-1] + 2)
    changed = frames.clone()
    changed[:, 0] = 63 - changed[:, 0]
    before, after = logits(model, given, frames), logits(model, given, changed)
    assert not torch.allclose(before[:, LOOKBACKS[-1]], after[:, LOOKBACKS[-1]])


def test_one_frame_at_a_time_it_says_the_same_as_in_one_pass() -> None:
    model, (given, frames) = net(), batch()
    whole = logits(model, given, frames)
    _, starts, before = unpacked(frames)
    oldest = LOOKBACKS[-1] + 1
    history = torch.cat((torch.zeros(2, oldest, 8, dtype=torch.uint8), frames), 1)
    state = model.start(2)
    with torch.no_grad():
        for frame in range(FRAMES):
            at = oldest + frame
            past = torch.stack([history[:, at - back - 1 : at - back + 1] for back in (1, *LOOKBACKS)])
            started = starts.amax(2)
            recent = torch.stack([started[:, max(frame - span, 0) : frame].sum(1) > 0 for span in RECENT], 1)
            chances, state = model.step(given[:, frame], past, recent, state)
            now = starts[:, frame]
            start = chances.start + now @ model.beside.triu(1) + (now.cumsum(1) - now) @ model.since
            stepped = torch.where(before[:, frame] > 0, chances.stay, start)
            assert torch.allclose(stepped, whole[:, frame], atol=1e-4)


def test_nats_are_those_of_every_step_of_every_cell() -> None:
    model, (given, frames) = net(), batch(6)
    chance, bits = logits(model, given, frames).sigmoid(), unpacked(frames)[0]
    expected = -torch.where(bits > 0, chance, 1 - chance).log().sum(2)
    assert torch.allclose(model.nats(given, frames).detach(), expected, atol=1e-3)


def test_chances_of_starts_are_those_of_cells_that_were_off() -> None:
    model, (given, frames) = net(), batch(6)
    chance, came = model.start_chances(given, frames)
    _, starts, before = unpacked(frames)
    assert len(chance) == len(came) == int((before == 0).sum())
    assert int(came.sum()) == int(starts.sum())


def test_it_learns_two_bars_by_heart() -> None:
    given, _ = batch(32)
    frames = torch.zeros(2, 32, 8, dtype=torch.uint8)
    frames[:, ::4, 1], frames[:, ::2, 6], frames[:, 16:20, 3] = 0b111, 0b1, 0b111111
    torch.manual_seed(0)
    model = PianoRollNet(PianoRollConfig(**{**SIZES, "width": 24, "layers": 1}))
    optimiser = torch.optim.Adam(model.parameters(), 0.03)
    first = float(model.nats(given, frames).mean().detach())
    for _ in range(80):
        optimiser.zero_grad()
        loss = model.nats(given, frames).mean()
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < first / 10


@pytest.mark.parametrize("change", [{"width": 0}, {"cells": 7}, {"tracks": 65}, {"dropout": -0.1}, {"embedding": 1.5}])
def test_sizes_that_cannot_be_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"model {next(iter(change))}"):
        build_model({"name": "piano-roll", **SIZES, **change})
