"""Filling a canvas: constraints hold over many draws, what is fixed stays, the same seed gives the same song."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.errors import InfeasibleCanvas, OutOfRange, UnknownName
from woodshed.formats import read_midi, write_midi
from woodshed.generation.canvas import Canvas, Constraints, blank_canvas, continuation_canvas
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.generation.finish import shorten
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.music import CONTROL, NOTE, TEMPO, Key, Marker, Meter, Part, Song, parse_part

BAND = [parse_part("drums"), Part("Bass", 33), Part("Guitar", 30)]
STYLE: dict[str, Any] = {
    "bpm": 120.0,
    "instruments": {str(p): {"notes": 9, "songs": 1, "name": f"p{p}"} for p in (30, 33, 128)},
    "drum_pitches": [36, 38, 42],
    "arrangements": [{"programs": [128, 33, 30], "bpm": 99.0, "meter": "4/4", "presence": [1.0, 0.9, 0.8]}],
}


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """An untrained model: as wild as can be, so that only the constraints hold it."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NoteModel(NoteModelConfig(width=16, layers=1, head_width=8))
    with torch.no_grad():
        model.head_out[0].bias[:13] += 4  # but with short time shifts, so that bars are full
    return Bundle(model.eval(), NoteStepCodec(), style=STYLE)


def _play(bundle: Bundle, canvas: Canvas, seed: int = 0, count: int = 1) -> list[Song]:
    return fill(bundle, canvas, Sampling(temperature=1, top_p=1), np.random.default_rng(seed), count=count)


def _canvas(bundle: Bundle, bars: int = 2, **wishes: object) -> Canvas:
    return blank_canvas(bundle, bars, np.random.default_rng(0), parts=BAND, **wishes)  # type: ignore[arg-type]


def _most_at_once(notes: np.ndarray) -> int:
    """How many of the notes sound together at most."""
    ends = notes["onset"] + notes["duration"]
    return max((int(((notes["onset"] <= t) & (ends > t)).sum()) for t in notes["onset"]), default=0)


def test_constraints_hold_in_every_note_of_many_draws(bundle: Bundle) -> None:
    key = Key.parse("F# minor pentatonic")
    canvas = _canvas(bundle, bars=12, key=key, meter=Meter(7, 8), bpm=133.0, polyphony=1)
    canvas = Canvas(
        canvas.song,
        0,
        canvas.open_parts,
        Constraints(key, {1: (28, 50), 2: (52, 76)}, canvas.constraints.polyphony),
    )
    songs = [song for seed in range(4) for song in _play(bundle, canvas, seed, count=16)]
    assert sum(map(len, songs)) > 1000
    for song in songs:
        notes = song.notes
        assert song.length == 12 * Meter(7, 8).bar_ticks
        assert (song.ends <= song.length).all()
        pitched = notes[notes["part"] != 0]
        assert set((pitched["pitch"] % 12).tolist()) <= set(key.pitch_classes)
        assert set(notes["pitch"][notes["part"] == 0].tolist()) <= {36, 38, 42}
        for part, (low, high) in ((1, (28, 50)), (2, (52, 76))):
            own = notes[notes["part"] == part]
            assert ((own["pitch"] >= low) & (own["pitch"] <= high)).all()
            assert _most_at_once(own) <= 1


def test_the_same_seed_gives_the_same_song_and_another_another(bundle: Bundle) -> None:
    canvas = _canvas(bundle)
    assert _play(bundle, canvas, 3) == _play(bundle, canvas, 3)
    assert _play(bundle, canvas, 3) != _play(bundle, canvas, 4)


def test_what_is_fixed_comes_back_bit_for_bit(bundle: Bundle, band_song: Song) -> None:
    odd = band_song.notes.copy()
    odd["onset"][1:] += 7  # off the grid, and velocities that the codec would round
    odd["velocity"] -= 1
    song = band_song.with_notes(odd)
    canvas = continuation_canvas(song, 3)
    for played in _play(bundle, canvas, count=3):
        kept = played.notes[played.notes["onset"] < canvas.open_from]
        assert np.array_equal(kept, song.notes)
        assert played.bars == 7
        assert played.parts == song.parts
        assert len(played) > len(song)


def test_a_continuation_of_unknown_instruments_keeps_them(bundle: Bundle) -> None:
    song = Song.make(
        [(1, 0, 480, 60, 80), (2, 480, 480, 64, 80)], [Part("mute", 3), Part("Lead", 81), Part("Lead", 81)]
    )
    played = _play(bundle, continuation_canvas(song, 1))[0]
    assert played.parts == song.parts
    assert set(played.notes["part"].tolist()) <= {1, 2}


def test_by_default_a_learned_line_up_plays_at_its_tempo(bundle: Bundle) -> None:
    canvas = blank_canvas(bundle, 4, np.random.default_rng(0))
    assert [(p.program, p.is_drum) for p in canvas.song.parts] == [(0, True), (33, False), (30, False)]
    assert canvas.song.bpm == 99
    assert canvas.song.bars == 4


def test_parts_keep_to_the_register_in_which_they_were_heard(bundle: Bundle) -> None:
    heard = {**STYLE["instruments"], "33": {"name": "Bass", "usual_range": [28, 45]}, "30": {"usual_range": [60, 64]}}
    low = Bundle(bundle.model, bundle.codec, style={**STYLE, "instruments": heard})
    canvas = blank_canvas(low, 4, np.random.default_rng(0), key=Key.parse("C major"))
    assert canvas.constraints.pitch_ranges == {1: (28, 45), 2: (55, 69)}
    basses = _play(low, canvas)[0].notes
    assert basses[basses["part"] == 1]["pitch"].max() <= 45


@pytest.mark.parametrize("bars", [0, -1, 5000])
def test_bars_outside_their_range_are_refused(bundle: Bundle, bars: int) -> None:
    with pytest.raises(OutOfRange, match=f"bars {bars} is outside 1-4096"):
        blank_canvas(bundle, bars, np.random.default_rng(0))


def test_an_instrument_never_heard_is_refused_with_those_that_were(bundle: Bundle) -> None:
    with pytest.raises(UnknownName, match=r"Flute.*Distortion Guitar"):
        blank_canvas(bundle, 1, np.random.default_rng(0), parts=[parse_part("flute")])


def test_a_range_without_a_playable_pitch_is_named(bundle: Bundle) -> None:
    canvas = _canvas(bundle)
    narrow = Canvas(canvas.song, 0, canvas.open_parts, Constraints(Key.parse("C major"), {1: (61, 61)}))
    with pytest.raises(InfeasibleCanvas, match="Bass: no pitch lies in 61-61 and in C major"):
        _play(bundle, narrow)


def test_what_a_file_says_long_after_its_last_note_does_not_make_a_continuation_longer(band_song: Song) -> None:
    late = 40 * 1920
    song = band_song.replace(
        length=late,
        controls=np.array([(0, 100, 64, 127), (0, late, 64, 0)], CONTROL),
        tempos=np.array([(0, 140.0), (late, 60.0)], TEMPO),
        markers=(Marker(0, "start"), Marker(late, "end")),
    )
    canvas = continuation_canvas(song, 3)
    assert canvas.song.length == canvas.open_from + 3 * 1920
    assert read_midi(write_midi(canvas.song)).length == canvas.song.length
    assert len(canvas.song.controls) == len(canvas.song.tempos) == len(canvas.song.markers) == 1


def test_a_song_without_notes_cannot_be_continued() -> None:
    with pytest.raises(InfeasibleCanvas, match="no notes to go on from"):
        continuation_canvas(Song(length=1920), 4)


def test_notes_of_the_primer_that_still_ring_count_among_those_that_sound_at_once(bundle: Bundle) -> None:
    song = Song.make([(0, 0, 1900, 30, 80), (0, 960, 4000, 40, 80), (0, 1440, 3000, 45, 80)], [Part("Bass", 33)])
    canvas = continuation_canvas(song, 3, polyphony=3)
    played = [answer for seed in range(4) for answer in _play(bundle, canvas, seed, count=8)]
    assert max(_most_at_once(answer.notes[answer.notes["part"] == 0]) for answer in played) == 3


def test_shortening_keeps_the_polyphony_and_no_pitch_overlaps_itself() -> None:
    notes = np.array([(0, 0, 900, 60, 80), (0, 100, 900, 64, 80), (0, 200, 900, 60, 80), (0, 200, 50, 67, 80)], NOTE)
    cut = shorten(notes, 2)
    assert _most_at_once(cut) <= 2
    assert cut["duration"].tolist() == [200, 100, 900, 50]


def test_answers_are_the_same_however_many_cores_play_them(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for cores in (1, 4):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        found.append([song.notes.tobytes() for song in _play(bundle, _canvas(bundle), 5, count=6)])
    assert found[0] == found[1]
    assert len(set(found[0])) == 6


def test_an_interrupt_stops_all_draws_at_once(bundle: Bundle) -> None:
    """Ctrl-C comes to the main thread: the draws at work end, and it goes on upwards."""

    def press(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(bundle, _canvas(bundle, bars=400), Sampling(), np.random.default_rng(0), count=4, on_step=press)
