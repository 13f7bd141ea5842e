"""The snare on two and four, or on three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from woodshed.music import METER, Part, Song
from woodshed.music.backbeat import backbeats

QUARTER, BAR = 480, 1920


def drummed(strokes: Sequence[tuple[float, int]], bars: int = 1, is_drum: bool = True) -> Song:
    """Strokes as quarters from the start and a pitch."""
    notes = [(0, round(at * QUARTER), 60, pitch, 90) for at, pitch in strokes]
    return Song.make(notes, [Part("Drums", 0, is_drum=is_drum)], length=bars * BAR)


@pytest.mark.parametrize(
    ("strokes", "has"),
    [
        ([(0, 36), (1, 38), (2, 36), (3, 38)], True),
        ([(0, 36), (2, 40)], True),  # half time
        ([(1.04, 38), (2.97, 38)], True),  # a little beside the beat
        ([(0, 36), (1, 38), (2, 36), (3, 36)], False),
        ([(1.5, 38), (3.5, 38)], False),
        ([(1, 42), (2, 36), (3, 42)], False),
    ],
)
def test_a_bar_has_a_backbeat_where_the_snare_answers(strokes: list[tuple[float, int]], has: bool) -> None:
    assert backbeats(drummed(strokes)).tolist() == [has]


def test_bars_in_which_no_drums_play_are_not_counted() -> None:
    assert backbeats(drummed([(1, 38), (3, 38), (9, 36)], bars=4)).tolist() == [True, False]
    assert backbeats(drummed([(1, 38), (3, 38)], is_drum=False)).tolist() == []
    assert backbeats(Song()).tolist() == []


def test_bars_that_are_not_four_quarters_long_are_not_counted() -> None:
    waltz = drummed([(1, 38), (2, 38)], bars=3).replace(meters=np.array([(0, 3, 4)], METER))
    assert backbeats(waltz).tolist() == []
