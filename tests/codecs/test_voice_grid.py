"""What is known before each frame of a chorale: its past, and where that stood before."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.codecs.voice_grid import (
    HEARD,
    HEARD_AT,
    HISTORY_AT,
    LINES,
    LONG,
    OF_VOICE,
    POINTERS,
    REST,
    ROW,
    UNKNOWN,
    VOICES,
    Listener,
    Passages,
    listen,
    moves,
    voices_of,
)
from woodshed.errors import CodecError, OutOfRange

HEARD_TO = HEARD_AT + 12 * HEARD
GUESS, TRUST = slice(HEARD_TO, HEARD_TO + VOICES * POINTERS), slice(HEARD_TO + VOICES * POINTERS, HISTORY_AT)
BEATS_AT = HISTORY_AT + 4 * VOICES


def wander(frames: int, seed: int) -> np.ndarray:
    """Four voices that hold or step at random, with rests."""
    chance = np.random.default_rng(seed)
    steps = chance.choice([0, 0, 0, 1, -1, 2, -2], (frames, VOICES))
    cells = np.clip(np.cumsum(steps, 0) + (71, 65, 59, 51), 40, 84)
    return np.where(chance.random(cells.shape) < 0.03, REST, cells)


def test_a_full_frame_is_read_voice_by_voice_and_a_thin_one_by_who_moves_least() -> None:
    cells = voices_of([[72, 67, 60, 48], [60, 64, 55, 48], [60, 55, 48], [], [48]])
    assert cells.tolist() == [
        [72, 67, 60, 48],
        [60, 64, 55, 48],  # voices may cross
        [60, REST, 55, 48],
        [REST] * 4,
        [REST, REST, REST, 48],
    ]


def test_a_frame_that_cannot_be_told_is_named() -> None:
    with pytest.raises(CodecError, match="frame 1: 5 pitches"):
        voices_of([[60, 59, 58, 57], [60, 59, 58, 57, 56]])
    with pytest.raises(OutOfRange, match="frame 0: pitch 120 is outside 28-93"):
        voices_of([[120, 60, 59, 50]])


def test_a_row_knows_nothing_of_its_own_frame_and_of_later_ones() -> None:
    cells, other = wander(120, 1), wander(120, 2)
    passages = Passages([wander(120, 3), cells])  # its own future is there to be seen, were it looked at
    whole = listen(cells, passages)
    for cut in (1, 17, 64, 119):
        changed = listen(np.concatenate((cells[:cut], other[cut:])), passages)
        assert (changed[: cut + 1] == whole[: cut + 1]).all()
        assert cut == 119 or (changed[cut + 1] != whole[cut + 1]).any()


def test_transposed_music_has_the_same_rows_but_for_the_pitches() -> None:
    cells = wander(100, 4)
    higher = listen(np.where(cells == REST, REST, cells + 5), Passages([cells]))
    here = listen(cells, Passages([cells]))
    same = np.r_[8:HEARD_AT, HEARD_TO:BEATS_AT]
    assert (higher[:, same] == here[:, same]).all()
    beats = slice(20, None), slice(BEATS_AT, ROW)  # before a voice has sung, it stands in the middle of its range
    assert (higher[beats] == np.where(here[beats] == REST, REST, here[beats] + 5)).all()
    heard, moved = (rows[:, HEARD_AT:HEARD_TO].reshape(-1, HEARD, 12) for rows in (here, higher))
    assert (np.roll(heard, 5, axis=2) == moved).all()


def test_pitch_classes_are_heard_in_all_of_late_and_from_the_bass() -> None:
    cells = np.tile([[72, 67, 60, 48]], (32, 1))
    cells[16:] = [71, 67, 62, 43]
    in_all, of_late, bass = listen(cells)[24, HEARD_AT:HEARD_TO].reshape(HEARD, 12)
    assert {pitch: int(in_all[pitch]) for pitch in np.flatnonzero(in_all)} == {0: 50, 2: 8, 7: 33, 11: 8}
    assert of_late[11] > in_all[11]
    assert {pitch: int(bass[pitch]) for pitch in np.flatnonzero(bass)} == {0: 67, 7: 33}
    assert (listen(cells)[0, HEARD_AT:HEARD_TO] == 0).all()


def test_ages_motions_and_lags_are_those_of_the_frames_before() -> None:
    cells = np.tile([[72, 67, 60, 48]], (20, 1))
    cells[5:, 0] = 74
    cells[9:, 3] = REST
    rows = listen(cells)
    assert rows[0, :16].tolist() == [REST] * 4 + [71, 65, 59, 51] + [0] * 8
    assert rows[6, 8:12].tolist() == [1, 6, 6, 6]
    assert rows[6, 12].item() == 2
    assert rows[12, 3:8:4].tolist() == [REST, 48]
    assert rows[15:18:2, 18:22].tolist() == [[UNKNOWN] * 4, [0] * 4]


def test_a_pointer_finds_a_passage_in_another_piece_and_in_another_key() -> None:
    cells = wander(80, 5)
    rows = listen(np.where(cells == REST, REST, cells - 3), Passages([cells]))
    guess = rows[:, GUESS].reshape(-1, VOICES, POINTERS)
    trust = rows[:, TRUST].reshape(-1, VOICES, POINTERS)
    said = np.where(moves(cells) == 100, 13, np.clip(moves(cells), -12, 12))
    late = slice(30, None)
    assert (trust[late, :, 0] > 0).all()
    assert (guess[late, :, 0] == said[late]).mean() > 0.99


def test_a_piece_is_told_nothing_of_itself_as_another() -> None:
    cells = wander(80, 6)
    trust = listen(cells, Passages([cells]), own=0)[:, TRUST].reshape(-1, VOICES, POINTERS)
    assert (trust[:, :, : POINTERS // 2] == 0).all()
    twin = listen(cells, Passages([cells, cells]), own=0)[:, TRUST].reshape(-1, VOICES, POINTERS)
    assert (twin[40:, :, 0] > 0).all()


def test_a_passage_that_comes_again_is_found_in_the_piece_itself() -> None:
    phrase = wander(40, 7)
    rows = listen(np.concatenate((phrase, phrase + np.where(phrase == REST, 0, 2))))
    guess = rows[:, GUESS].reshape(-1, VOICES, POINTERS)[65:, :, POINTERS // 2 + 1]
    said = np.where(moves(phrase) == 100, 13, np.clip(moves(phrase), -12, 12))[25:]
    assert (guess == said).all()


def test_every_pointer_of_a_voice_looks_at_lines_that_it_sings() -> None:
    for voice, numbers in enumerate(OF_VOICE):
        assert all(voice in LINES[number].voices for number in numbers)


def test_a_row_has_as_many_numbers_as_the_table_says() -> None:
    assert len(Listener().row()) == ROW == 142


def test_the_moves_and_lengths_before_the_latest_are_told() -> None:
    cells = np.tile([[72, 67, 60, 48]], (32, 1))
    cells[3:, 0], cells[5:, 0], cells[17:, 0] = 74, 71, 72
    motion, motions, lengths = (listen(cells)[:, at] for at in (12, HISTORY_AT, HISTORY_AT + 2 * VOICES))
    assert [motion[4], motion[6], motion[18]] == [2, -3, 1]
    assert [motions[4], motions[6], motions[18]] == [0, 2, -3]
    assert listen(cells)[18, HISTORY_AT + VOICES] == 2
    assert [lengths[4], lengths[6], lengths[18]] == [3, 2, LONG]
    assert listen(cells)[18, HISTORY_AT + 3 * VOICES] == 2
    assert (listen(cells)[:, HISTORY_AT + 1] == 0).all()  # the alto never moves


def test_what_stood_on_the_latest_beats_is_told() -> None:
    cells = np.tile([[72, 67, 60, 48]], (16, 1))
    cells[:, 3] = np.arange(40, 56)
    bass = listen(cells)[:, BEATS_AT + 3 :: VOICES]
    assert bass[0].tolist() == [REST, REST, REST]
    assert bass[1].tolist() == [40, REST, REST]
    assert bass[9].tolist() == [48, 44, 40]
    assert bass[12].tolist() == [REST, 48, 44]  # this beat begins with the frame that is asked for
