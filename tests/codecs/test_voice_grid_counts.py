"""Counts over pieces: chances that add up, of any key, of the past only, and never of the piece itself."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.codecs.voice_grid import REST, VOICES, listen
from woodshed.codecs.voice_grid_ahead import ahead
from woodshed.codecs.voice_grid_counts import CHAINS, SHOWN_CHAINS, Counts, Following
from woodshed.codecs.voice_grid_views import LEVELS, MOVES, SHOWN_VIEWS, VIEWS, move_classes

HARMONY, RANGE = VIEWS.index("harmony"), VIEWS.index("range")


def wander(frames: int, seed: int) -> np.ndarray:
    """Four voices that hold or step at random, with rests."""
    chance = np.random.default_rng(seed)
    steps = chance.choice([0, 0, 0, 1, -1, 2, -2], (frames, VOICES))
    cells = np.clip(np.cumsum(steps, 0) + (71, 65, 59, 51), 40, 84)
    return np.where(chance.random(cells.shape) < 0.03, REST, cells)


def rows_of(cells: np.ndarray) -> np.ndarray:
    return listen(cells).astype(np.int64)


def counts_of(*pieces: np.ndarray) -> Counts:
    return Counts([listen(piece) for piece in pieces], pieces)


def asked(counts: Counts, cells: np.ndarray, voice: int, *others: int) -> tuple[np.ndarray, np.ndarray]:
    return counts.of_piece(rows_of(cells), cells, voice, others)


@pytest.mark.parametrize(("voice", "others"), [(0, ()), (3, (0,)), (1, (0, 3)), (2, (3, 1, 0))])
def test_the_chances_of_all_moves_sum_to_one_whether_met_or_not(voice: int, others: tuple[int, ...]) -> None:
    logs, trust = asked(counts_of(wander(60, 0), wander(60, 1)), wander(50, 2), voice, *others)
    assert logs.shape == (50, CHAINS, MOVES)
    assert np.exp(logs).sum(-1) == pytest.approx(1, abs=1e-5)
    assert {*np.unique(trust)} <= {*range(LEVELS + 1)}


def test_a_place_that_was_met_before_is_known_and_a_new_one_is_not() -> None:
    piece = wander(60, 3)
    logs, trust = asked(counts_of(piece, piece, piece), piece, 1, 0, 3)
    moved = move_classes(piece, rows_of(piece)[:, 4:8])[:, 1]
    assert (trust[:, HARMONY] == LEVELS).all()
    assert (logs[:, HARMONY].argmax(-1) == moved).mean() > 0.95
    _, strange = asked(counts_of(piece), wander(60, 99), 1, 0, 3)
    assert strange[:, HARMONY].mean() < LEVELS / 2


def test_transposed_music_is_told_the_same_but_by_the_range_of_a_voice() -> None:
    learned, piece = counts_of(wander(80, 4), wander(80, 5)), wander(60, 6)
    higher = np.where(piece == REST, REST, piece + 5)
    rows, moved = rows_of(piece), rows_of(higher)
    rows[:20, 4:8], moved[:20, 4:8] = 60, 65  # before a voice has sung, it stands in the middle of its range
    here, there = (learned.of_piece(*some, 2, (0,)).logs for some in ((rows, piece), (moved, higher)))
    others = [at for at in range(CHAINS) if at != RANGE]
    assert np.allclose(here[:, others], there[:, others])
    assert not np.allclose(here[:, RANGE], there[:, RANGE])


def test_what_came_before_in_the_piece_itself_is_counted() -> None:
    phrase = wander(40, 13)
    piece = np.concatenate((phrase, phrase, phrase))
    logs, trust = asked(counts_of(wander(60, 14)), piece, 1, 0, 3)
    own = len(VIEWS) + HARMONY
    moved = move_classes(piece, rows_of(piece)[:, 4:8])[:, 1]
    assert trust[0, len(VIEWS) :].max() == 0
    assert (trust[82:, own] == LEVELS).all()
    assert (logs[82:, own].argmax(-1) == moved[82:]).mean() > 0.95


def test_frame_by_frame_is_the_same_as_all_at_once() -> None:
    learned, pieces = counts_of(wander(60, 15), wander(60, 16)), [wander(70, 17), wander(70, 18)]
    following, order = Following(learned), (3, 0, 1, 2)
    rows, cells = np.stack([rows_of(piece) for piece in pieces]), np.stack(pieces)
    whole = {voice: [asked(learned, piece, voice, *order[:at]) for piece in pieces] for at, voice in enumerate(order)}
    for frame in range(70):
        for at, voice in enumerate(order):
            logs, trust = following.of(rows[:, frame], voice, {other: cells[:, frame, other] for other in order[:at]})
            for number, (all_logs, all_trust) in enumerate(whole[voice]):
                assert np.allclose(logs[number], all_logs[frame], atol=1e-6)
                assert np.array_equal(trust[number], all_trust[frame])
        following.hear(rows[:, frame], cells[:, frame])


def test_later_frames_and_the_voice_itself_change_nothing() -> None:
    learned, piece, other = counts_of(wander(80, 7)), wander(60, 8), wander(60, 9)
    for cut in (1, 30, 59):
        mixed = np.concatenate((piece[:cut], other[cut:]))
        mixed[cut, [0, 3]] = piece[cut, [0, 3]]
        before, after = (asked(learned, cells, 1, 0, 3)[0] for cells in (piece, mixed))
        assert np.array_equal(before[: cut + 1], after[: cut + 1])


def test_a_learned_piece_is_told_of_the_others_alone() -> None:
    pieces = [wander(60, seed) for seed in (10, 11, 12)]
    found = counts_of(*pieces).of_learned(3, (0,))
    for number, piece in enumerate(pieces):
        others = counts_of(*(some for at, some in enumerate(pieces) if at != number))
        logs, trust = asked(others, piece, 3, 0)
        mine = slice(60 * number, 60 * number + 60)
        assert np.allclose(found.logs[mine], logs, atol=1e-6)
        assert np.array_equal(found.trust[mine], trust)


def test_a_rest_is_a_move_of_its_own_and_wide_leaps_are_octaves() -> None:
    cells = np.array([[REST, 90, 40, 60]])
    assert move_classes(cells, np.array([[60, 60, 60, 60]])).tolist() == [[MOVES - 1, 24, 0, 12]]


def test_what_one_piece_alone_holds_is_not_told_where_two_are_asked_for() -> None:
    piece, shared = wander(60, 19), wander(60, 20)
    pieces = [piece, shared, np.where(shared == REST, REST, shared + 2)]  # the same in another key
    learned = Counts([listen(some) for some in pieces], pieces, pieces=2)
    alone, twice = (asked(learned, some, 1, 0, 3)[1][:, HARMONY] for some in (piece, shared))
    assert alone[20:].max() < LEVELS
    assert (twice[20:] == LEVELS).all()


def shown_rows_of(cells: np.ndarray) -> np.ndarray:
    return np.column_stack((rows_of(cells), ahead(cells[:, 0])))


def test_where_the_soprano_is_shown_what_it_sings_next_is_seen() -> None:
    pieces = [wander(80, 21), wander(80, 22)]
    learned = Counts([shown_rows_of(some) for some in pieces], pieces)
    logs, trust = learned.of_piece(shown_rows_of(pieces[0]), pieces[0], 3, [0])
    assert logs.shape == (80, SHOWN_CHAINS, MOVES)
    following = slice(len(VIEWS), len(VIEWS) + len(SHOWN_VIEWS))
    assert (trust[:, following] == LEVELS).all()
    later = pieces[0].copy()
    later[41:, 0] = 80
    other, _ = learned.of_piece(shown_rows_of(later), later, 3, [0])
    assert not np.allclose(logs[40, following], other[40, following])
