"""A track's figures show its notes in seconds, all of them, and name what is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import OutOfRange, UnknownName, UsageError
from woodshed.music import Part, Song
from woodshed.recipes.files import render_song, track_of
from woodshed.rendering.pictures import find_style
from woodshed.rendering.track_figures import _figure, draw_track_figures


def track(notes: int = 150) -> Song:
    """A note each quarter that lasts an eighth, the last after a long rest; twice as fast from note 100 on."""
    rows = [(0, 480 * n + 9600 * (n == notes - 1), 240, 48 + n % 12, 90) for n in range(notes)]
    return Song.make(rows, [Part("Lead", 30)], tempos=[(0, 60.0), (48000, 120.0)], title="Long $1")


def test_time_is_in_seconds_by_the_tempo_map_and_the_distributions_add_up() -> None:
    figure = _figure(track(), None, find_style("light"))
    first, whole, pitch, step, duration = figure.axes
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [
        "first 100 notes", "whole track: 150 notes", "pitch: 12 different", "step, 1 longer ones left out", "duration",
    ]  # fmt: skip
    starts = first.lines[0].get_xdata()
    assert np.allclose(starts, np.arange(100))
    assert np.allclose(whole.lines[0].get_xdata()[100:149], 100 + np.arange(49) / 2)
    assert sum(bar.get_height() for bar in pitch.patches) == 150
    assert sum(bar.get_height() for bar in step.patches) == 148
    assert sum(bar.get_height() for bar in duration.patches) == 150
    assert duration.get_xlim()[1] == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
@pytest.mark.parametrize("notes", [1, 2])
def test_the_shortest_tracks_are_drawn_too(tmp_path: Path, suffix: str, notes: int) -> None:
    path = tmp_path / f"x.{suffix}"
    draw_track_figures(track(notes), path, title="A $ title")
    assert path.stat().st_size > 1000


def test_the_first_pitched_part_is_shown_unless_another_is_named(tmp_path: Path) -> None:
    song = Song.make(
        [(0, 0, 480, 36, 90), (1, 0, 480, 60, 90), (2, 0, 480, 64, 90), (2, 480, 480, 65, 90)],
        [Part("Kit", 0, True), Part("Keys", 4), Part("", 30), Part("Silent", 40)],
        title="Band",
    )
    assert track_of(song, None, "x").parts == (Part("Keys", 4),)
    assert len(track_of(song, "guitar", "x")) == 2
    assert len(track_of(song, "30", "x")) == 2
    with pytest.raises(UnknownName, match=r"x: no part 'violin' sounds; there is Kit \(1 notes\), Keys"):
        track_of(song, "violin", "x")
    with pytest.raises(UnknownName, match=r"x: no pitched part sounds; there is Kit"):
        track_of(song.with_notes(song.notes[:1]), None, "x")
    with pytest.raises(UnknownName, match="there is no note"):
        track_of(song.with_notes(song.notes[:0]), None, "x")
    render_song(song, tmp_path / "t.svg", style="track", part="guitar")
    assert "whole track: 2 notes" in (tmp_path / "t.svg").read_text() or (tmp_path / "t.svg").stat().st_size > 1000


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutOfRange, match="0 notes"):
        draw_track_figures(track().with_notes(track().notes[:0]), tmp_path / "x.png")
    with pytest.raises(UnknownName, match="style 'fancy' is not one of roll, track"):
        render_song(track(), tmp_path / "x.png", style="fancy")
    with pytest.raises(UsageError, match="--style track is for pictures"):
        render_song(track(), tmp_path / "x.wav", style="track")
    with pytest.raises(UsageError, match="--part chooses what --style track shows"):
        render_song(track(), tmp_path / "x.png", part="lead")
    assert not list(tmp_path.iterdir())
