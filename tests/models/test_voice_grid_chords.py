"""Four voices with the chord of each frame as a fifth: exact, causal, the chord before the notes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from woodshed.codecs.voice_grid import REST, listen
from woodshed.models.voice_grid import VoiceGridConfig
from woodshed.models.voice_grid_chords import CHORDS, NONE, ChordedVoiceGridNet

ORDER = (0, 3, 1, 2)
NO_SHIFT = torch.zeros(1, dtype=torch.int64)


def tiny(**sizes: int) -> ChordedVoiceGridNet:
    torch.manual_seed(0)
    return ChordedVoiceGridNet(VoiceGridConfig(width=8, hidden=8, **sizes)).eval()


def piece(frames: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    chance = np.random.default_rng(seed)
    cells = np.cumsum(chance.choice([0, 0, 1, -1], (frames, 4)), 0) + (71, 65, 59, 51)
    chorded = np.column_stack((cells, chance.integers(0, CHORDS, frames)))
    return torch.from_numpy(listen(cells).astype(np.int64))[None], torch.from_numpy(chorded)[None]


def test_the_chances_of_all_chords_and_all_frames_sum_to_one() -> None:
    net = tiny(cells=2, lowest=60)
    rows = torch.from_numpy(listen(np.full((1, 4), 60)).astype(np.int64))[None]
    rows[..., 4:8] = 60
    frames = torch.tensor([*product((REST, 60), (REST, 60), (REST, 60), (REST, 60), range(CHORDS))])[:, None]
    nats = net.nats(rows.expand(len(frames), -1, -1), frames, NO_SHIFT.expand(len(frames)), ORDER)
    assert (-nats.sum(-1)).exp().sum().item() == pytest.approx(1, abs=1e-4)


def test_notes_hear_their_chord_and_the_chord_none_of_its_notes() -> None:
    net, (rows, cells) = tiny(), piece(12)
    before = net.nats(rows, cells, NO_SHIFT, ORDER)
    other_chord, other_note = cells.clone(), cells.clone()
    other_chord[0, 11, 4] = (cells[0, 11, 4] + 5) % CHORDS
    other_note[0, 11, 2] += 1
    assert not torch.allclose(net.nats(rows, other_chord, NO_SHIFT, ORDER)[0, 11, :4], before[0, 11, :4], atol=1e-5)
    assert net.nats(rows, other_note, NO_SHIFT, ORDER)[0, 11, 4] == before[0, 11, 4]


def test_a_later_chord_changes_nothing_before_it() -> None:
    net, (rows, cells) = tiny(), piece(20)
    other = cells.clone()
    other[0, 10:, 4] = NONE
    here, there = (net.nats(rows, x, NO_SHIFT, ORDER) for x in (cells, other))
    assert torch.equal(here[:, :10], there[:, :10])
    assert not torch.allclose(here[:, 10:], there[:, 10:])
