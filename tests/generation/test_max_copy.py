"""What is played within a limit of copying never holds a longer passage, whatever it would have played without."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.errors import OutOfRange
from woodshed.generation.canvas import Canvas, Constraints, blank_canvas, continuation_canvas
from woodshed.generation.copy_limit import CopyLimit, parse_limit
from woodshed.generation.engine import Stream, copy_stream
from woodshed.generation.fill import Answer, answers
from woodshed.generation.filters import Sampling
from woodshed.generation.max_copy import held
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.music import Part, Song
from woodshed.music.units import TICKS_PER_QUARTER

LEAD, BASS = Part("Lead", 30), Part("Bass", 33)
STYLE: dict[str, Any] = {
    "bpm": 120.0,
    "instruments": {str(program): {"notes": 9, "songs": 1, "name": f"p{program}"} for program in (30, 33)},
}
FREE = Sampling(temperature=1, top_p=1)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """An untrained model with short time shifts and short notes, so that its bars are full."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NoteModel(NoteModelConfig(width=16, layers=1, head_width=8))
    with torch.no_grad():
        model.head_out[0].bias[1:5] += 9
    return Bundle(model.eval(), NoteStepCodec(), style=STYLE)


def index_of(songs: list[Song]) -> PassageIndex:
    return PassageIndex.build((IndexedSong(str(number), song.title), song) for number, song in enumerate(songs))


def play(bundle: Bundle, canvas: Canvas, seed: int, limit: CopyLimit | None) -> list[Answer]:
    """Two answers."""
    limited = Canvas(canvas.song, canvas.open_from, canvas.open_parts, Constraints(copying=limit))
    return answers(bundle, limited, FREE, np.random.default_rng(seed), count=2)


@pytest.fixture(scope="module")
def canvas(bundle: Bundle) -> Canvas:
    return blank_canvas(bundle, 6, np.random.default_rng(0), parts=[LEAD, BASS])


def longest(limit: CopyLimit, song: Song) -> tuple[float, int]:
    """Quarter notes of the longest copy, and notes of the longest passage, that `woodshed novelty` finds."""
    found, onset = limit.index.find(song), song.notes["onset"]
    beats = [float(np.ptp(onset[copy.notes])) / TICKS_PER_QUARTER for copy in found.copies]
    return max(beats, default=0.0), 0 if found.longest is None else len(found.longest.notes)


@pytest.mark.parametrize("limit", ["2beats", "4beats", "20notes", "5notes"])
def test_no_answer_of_many_holds_a_longer_passage(bundle: Bundle, canvas: Canvas, limit: str) -> None:
    """Each would have been a copy from the first note to the last: the index holds what these seeds play."""
    beats, notes = parse_limit(limit)
    redrawn = 0
    for seed in range(6):
        copied = [one.song for one in play(bundle, canvas, seed, None)]
        index = index_of(copied)
        within = CopyLimit(index, "copied", beats, notes)
        assert longest(within, copied[0])[0] > 8
        for one in play(bundle, canvas, seed, within):
            found = longest(within, one.song)
            assert found[0] <= (beats or 99)
            assert found[1] <= max(notes or 9999, 11)
            assert not within.excess(one.song).any()
            assert one.copied == within.longest(one.song)
            assert one.copied[0] <= (beats or 99)
            assert one.copied[1] <= (notes or 9999)
            assert len(one.song)
            redrawn += one.redrawn
    assert redrawn >= 12


def test_where_playing_again_does_not_help_notes_go(
    bundle: Bundle, canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("woodshed.generation.max_copy.MOST_REDRAWN", 0)
    within = CopyLimit(index_of([one.song for one in play(bundle, canvas, 0, None)]), "copied", beats=2.0)
    for one in play(bundle, canvas, 0, within):
        assert (one.redrawn, one.removed > 0) == (0, True)
        assert not within.excess(one.song).any()


def test_a_limit_that_is_never_met_changes_nothing(bundle: Bundle, canvas: Canvas) -> None:
    free = play(bundle, canvas, 3, None)
    other = CopyLimit(index_of([play(bundle, canvas, 99, None)[0].song]), "other", beats=8.0)
    within = play(bundle, canvas, 3, other)
    assert [one.song for one in within] == [one.song for one in free]
    assert [(one.redrawn, one.removed) for one in within] == [(0, 0), (0, 0)]


def test_however_many_bars_few_states_of_the_player_are_kept(
    bundle: Bundle, canvas: Canvas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is of some megabytes: 512 bars with all of theirs did not fit into a laptop."""
    kept: list[weakref.ref[Any]] = []
    most = 0

    def watched(stream: Stream) -> Stream:
        nonlocal most
        copied = copy_stream(stream)
        kept.append(weakref.ref(copied.row))
        most = max(most, sum(one() is not None for one in kept))
        return copied

    monkeypatch.setattr("woodshed.generation.max_copy.copy_stream", watched)
    monkeypatch.setattr("woodshed.generation.max_copy.BARS_KEPT", 3)
    within = CopyLimit(index_of([one.song for one in play(bundle, canvas, 0, None)]), "copied", beats=2.0)
    long = blank_canvas(bundle, 24, np.random.default_rng(0), parts=[LEAD, BASS])
    answers(bundle, replace(long, constraints=Constraints(copying=within)), FREE, np.random.default_rng(0))
    assert len(kept) >= 24
    assert most <= 3 + 2


def test_the_same_seed_holds_the_limit_in_the_same_way(bundle: Bundle, canvas: Canvas) -> None:
    within = CopyLimit(index_of([one.song for one in play(bundle, canvas, 1, None)]), "copied", beats=3.0)
    assert play(bundle, canvas, 1, within) == play(bundle, canvas, 1, within)


def test_what_is_given_stays_though_it_is_a_copy(bundle: Bundle, canvas: Canvas) -> None:
    given = play(bundle, canvas, 5, None)[0].song
    within = CopyLimit(index_of([given]), "copied", beats=2.0)
    going_on = continuation_canvas(given, 2)
    for one in play(bundle, going_on, 5, within):
        assert set(map(tuple, given.notes.tolist())) <= set(map(tuple, one.song.notes.tolist()))


def test_notes_that_go_are_new_ones_after_the_limit() -> None:
    chance = np.random.default_rng(0)
    line = [
        (0, 240 * n, 100, int(pitch), 90) for n, pitch in enumerate(50 + np.cumsum(chance.integers(-4, 5, 40)) % 24)
    ]
    song = Song.make(line, (LEAD,))
    within = CopyLimit(index_of([song]), "itself", beats=8.0)
    kept, removed = held(song, Canvas(Song(parts=(LEAD,)), 0, (0,)), within)
    assert removed == 40 - 17
    assert kept.notes["onset"].tolist() == [240 * n for n in range(17)]


def test_parts_that_copy_one_after_the_other_copy_together() -> None:
    """Eight beats of the lead, then eight of the bass: of each part no more than eight, of the song sixteen."""
    chance = np.random.default_rng(1)
    pitches = 50 + np.cumsum(chance.integers(-4, 5, (2, 80)), axis=1) % 24
    source = Song.make(
        [(part, 120 * n, 100, int(pitch), 90) for part in range(2) for n, pitch in enumerate(pitches[part])],
        (LEAD, BASS),
    )
    taken = source.replace(notes=source.notes[(source.notes["onset"] >= 3840) == (source.notes["part"] == 1)])
    within = CopyLimit(index_of([source]), "source", beats=8.0)
    beats, notes = within.longest(taken)
    assert (beats, notes) == (19.75, 48)
    kept, removed = held(taken, Canvas(Song(parts=(LEAD, BASS)), 0, (0, 1)), within)
    assert within.longest(kept)[0] == 7.75, "of the bass one note is left, which is no passage"
    assert (len(kept), removed) == (33, 80 - 33)
    assert not CopyLimit(index_of([source]), "source", notes=48).excess(taken).any()


def test_limits_are_read_from_words() -> None:
    assert parse_limit("8beats") == parse_limit(" 8 Beats") == (8.0, None)
    assert parse_limit("1.5beat") == (1.5, None)
    assert parse_limit("24notes") == (None, 24)
    for wrong in ("8", "beats", "0beats", "4notes", "9.5notes", "5000notes", "8bars"):
        with pytest.raises(OutOfRange, match="write 8beats"):
            parse_limit(wrong)
