"""What each instrument usually does at each place of the bar, and a steady hand that goes by it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.generation.canvas import TIMING, VELOCITY
from woodshed.generation.filters import Sampling
from woodshed.generation.openings import humanise_canvas
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.music import Part, Song
from woodshed.recipes.feel import blended, humanise, usually
from woodshed.training.usual_feel import usual_feel

CODEC = NoteStepCodec()
DRUMS = Part("Drums", 0, is_drum=True)
BAR = 1920


def _played() -> Song:
    """Sixteen bars: the kick on time and loud, the snare 12 ticks late and soft, on beats 1 and 3 and on 2 and 4."""
    hits = [
        (0, bar * BAR + beat * 480 + 12 * (beat % 2), 40, 38 if beat % 2 else 36, 62 if beat % 2 else 102)
        for bar in range(16)
        for beat in range(4)
    ]
    return Song.make(hits, (DRUMS,), length=16 * BAR)


def test_the_median_touch_of_each_drum_at_each_place_is_found() -> None:
    assert usual_feel(CODEC, [_played()]) == {"128.36": [0, 102, 0, 24, 102, 0], "128.38": [12, 62, 12, 36, 62, 12]}


def test_a_place_with_few_notes_says_nothing_and_a_score_says_nothing_of_timing() -> None:
    few = _played().with_notes(_played().notes[:12])
    assert usual_feel(CODEC, [few]) == {}
    stiff = _played().notes.copy()
    stiff["onset"] = stiff["onset"] // 480 * 480
    found = usual_feel(CODEC, [_played().with_notes(stiff)])
    assert [row[2::3] for row in found.values()] == [[0, 0], [0, 0]]
    assert usual_feel(CODEC, []) == {}


def _bundle() -> Bundle:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NoteModel(NoteModelConfig(width=16, layers=1, head_width=8))
    style = {"feel": usual_feel(CODEC, [_played()]), "instruments": {"128": {"notes": 64}}, "drum_pitches": [36, 38]}
    return Bundle(model.eval(), CODEC, style=style)


def _stiff() -> Song:
    hits = [(0, beat * 480, 40, 38 if beat % 2 else 36, 80) for beat in range(8)]
    return Song.make([*hits, (0, 120, 40, 42, 80)], (DRUMS,), length=2 * BAR)


def test_what_instruments_usually_do_is_done_to_open_notes_alone() -> None:
    song = _stiff()
    onset, velocity = usually(_bundle(), humanise_canvas(song, what=VELOCITY))
    assert np.isnan(onset).all()
    drum = song.notes["pitch"]
    assert set(velocity[drum == 36]) == {102}
    assert set(velocity[drum == 38]) == {62}
    assert np.isnan(velocity[drum == 42]).all(), "nobody knows the hi-hat"
    onset, velocity = usually(_bundle(), humanise_canvas(song, what=TIMING))
    assert np.isnan(velocity).all()
    assert set(onset[drum == 38] % 480) == {12}


def test_where_nobody_knows_the_model_alone_decides() -> None:
    song = _stiff()
    drawn = song.notes.copy()
    drawn["velocity"] = 40
    known = np.full((2, len(song)), np.nan)
    known[1, song.notes["pitch"] == 36] = 100
    made = blended(song, [song.with_notes(drawn)], 1.0, known)
    loud = {drum: set(made.notes["velocity"][made.notes["pitch"] == drum].tolist()) for drum in (36, 38)}
    assert loud == {36: {70}, 38: {40}}


def test_a_steady_hand_does_the_same_whatever_the_seed() -> None:
    bundle = _bundle()
    sampling = Sampling(temperature=1, top_p=1)
    notes = [humanise(bundle, _stiff(), sampling, steady=True, seed=seed)[0].song.notes for seed in (1, 2)]
    assert np.array_equal(*notes)
    drawn = [humanise(bundle, _stiff(), replace(sampling), seed=seed)[0].song.notes for seed in (1, 2)]
    assert not np.array_equal(*drawn)
