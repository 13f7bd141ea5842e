"""Drawing frames of a roll: exact likelihood over many draws, thresholds without luck, no cell that is not playable."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.codecs.piano_roll import PianoRollCodec
from woodshed.errors import InfeasibleCanvas
from woodshed.generation.binarise import BERNOULLI, THRESHOLD, chances
from woodshed.generation.rolls import Binariser, _draw_frame, _draw_starts, _Net, play_tracks
from woodshed.models.piano_roll import PianoRollConfig, PianoRollNet

DRAWS = 40_000


def test_starts_that_move_one_another_come_as_often_as_the_product_of_their_chances_says() -> None:
    logits = np.array([-0.5, 0.3, -1.0])
    beside = np.triu(np.array([[0, 1.5, -2.0], [0, 0, 1.0], [0, 0, 0]]), 1)
    generator = np.random.default_rng(0)
    drawn = _draw_starts(np.tile(logits, (DRAWS, 1)), np.ones((DRAWS, 3), bool), beside, generator.random((DRAWS, 3)))
    for cells in itertools.product((0, 1), repeat=3):
        expected, moved = 1.0, logits.copy()
        for cell, on in enumerate(cells):
            chance = chances(moved[cell : cell + 1])[0]
            expected *= chance if on else 1 - chance
            moved = moved + on * beside[cell]
        share = (drawn == np.array(cells, bool)).all(1).mean()
        assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / DRAWS)


def test_cells_that_are_on_stay_on_as_often_as_their_chance_says() -> None:
    nothing = _Net(np.zeros((2, 2)), np.zeros((2, 2)))
    start, stay = np.full((DRAWS, 6, 2), -np.inf), np.zeros((DRAWS, 6, 2))
    before = np.tile([True, False], (DRAWS, 1))
    frame = _draw_frame(start, stay, before, nothing, Binariser(BERNOULLI), 1.0, np.random.default_rng(0))
    assert not frame[:, 1].any()
    lengths = np.bitwise_count(frame[:, 0])
    shares = np.bincount(lengths, minlength=7) / DRAWS
    expected = np.array([*(0.5 ** (n + 1) for n in range(6)), 0.5**6])
    assert (np.abs(shares - expected) < 5 * np.sqrt(expected / DRAWS)).all()


def test_by_threshold_a_cell_comes_on_from_it_and_ends_when_that_is_likelier() -> None:
    nothing = _Net(np.zeros((3, 3)), np.zeros((3, 3)))
    start = np.full((1, 6, 3), -np.inf)
    start[0, 2] = np.log(np.array([0.3, 0.2999, 0.9]) / (1 - np.array([0.3, 0.2999, 0.9])))
    stay = np.full((1, 6, 3), 2.0)
    stay[0, 4] = -0.1
    frame = _draw_frame(start, stay, np.zeros((1, 3), bool), nothing, Binariser(THRESHOLD, 0.3 - 1e-9), 1.0, None)  # type: ignore[arg-type]
    assert frame.tolist() == [[0b001100, 0, 0b001100]]


@pytest.fixture
def bundle() -> Bundle:
    """Untrained, with lively weights."""
    codec = PianoRollCodec(tracks=2)
    torch.manual_seed(0)
    sizes = PianoRollConfig(codec.given, codec.cells, 2, width=8, embedding=4, dropout=0.0)
    model = PianoRollNet(sizes).eval()
    model.output_bias.data[: codec.cells] += 3
    return Bundle(model, codec, "pianoroll")


def test_tracks_keep_to_the_density_that_is_wanted_whatever_the_net_thinks(bundle: Bundle) -> None:
    codec, wanted = bundle.codec, np.array([0.25, 1.0])
    bundle.model.output_bias.data[: codec.cells] -= 5  # left to itself it starts a note in ten frames
    given = codec.known(160, np.ones((3, 2)))

    def shares(how: Binariser) -> np.ndarray:
        frames = play_tracks(bundle, given, how, 1.0, np.random.default_rng(0), count=4, wanted=wanted)
        halves = frames.reshape(4, 160, 2, -1).transpose(0, 2, 1, 3)
        return np.array([[codec.starts(track).mean() for track in own] for own in halves]).mean(0)

    assert (np.abs(np.log2(shares(Binariser(BERNOULLI)) / wanted)) < 1.2).all()
    assert (shares(Binariser(THRESHOLD, 0.002)) > 0).all()  # no more silence for ever


def test_only_playable_cells_come_on_the_primer_is_kept_and_the_seed_decides(bundle: Bundle) -> None:
    codec = bundle.codec
    playable = np.zeros(codec.cells, bool)
    playable[[3, 50, 90]] = True
    primer = np.zeros((16, codec.cells), np.uint8)
    primer[::4, 7] = 0b111
    given = codec.known(32, np.ones((3, 2)))

    def play(seed: int, how: str = BERNOULLI) -> np.ndarray:
        chance = np.random.default_rng(seed)
        return play_tracks(bundle, given, Binariser(how, 0.3), 1.0, chance, count=3, playable=playable, primer=primer)

    frames = play(1)
    assert frames.shape == (3, 32, codec.cells)
    assert (frames[:, :16] == primer).all()
    assert set(np.flatnonzero(frames[:, 16:].any((0, 1))).tolist()) == {3, 50, 90}
    assert np.array_equal(frames, play(1))
    assert not np.array_equal(frames, play(2))
    assert np.array_equal(play(1, THRESHOLD), play(2, THRESHOLD))
    with pytest.raises(InfeasibleCanvas, match="no pitch may be played"):
        play_tracks(bundle, given, Binariser(), 1.0, np.random.default_rng(0), playable=np.zeros(codec.cells, bool))
