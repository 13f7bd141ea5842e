"""Typed melodies: what the events say is what sounds."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.errors import OutOfRange
from woodshed.music import Meter, Part, melody_song, parse_melody


def test_a_note_lasts_until_the_next_a_note_off_or_the_end() -> None:
    song = melody_song(parse_melody("[-2, 60, -2, 62, -1, -1, -2, 64, -2]"), Part("Lead", 80), 100.0, Meter(3, 4))
    assert song.notes[["onset", "duration", "pitch"]].tolist() == [(120, 240, 60), (360, 120, 62), (840, 240, 64)]
    assert (song.bars, str(song.meter), song.bpm) == (1, "3/4", 100.0)


def test_a_melody_of_more_than_a_bar_fills_whole_bars() -> None:
    assert melody_song(np.full(17, 60), Part(), 120.0, Meter(4, 4)).bars == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not a list"), ("[60, 61.5]", "not a list"), ("[true]", "not a list"), ("[" * 100_000, "not a list"),
        ("[60, 128]", "event 2 is 128"), ("[-3]", "event 1 is -3"), ("[]", "has no note"), ("[-1, -2]", "has no note"),
        (f"[{'60,' * 20_000}60]", "too long"),
    ],
)  # fmt: skip
def test_what_is_no_melody_is_refused(text: str, told: str) -> None:
    with pytest.raises(OutOfRange, match=told):
        parse_melody(text)
