"""Every recipe, whatever it is: two steps on a few songs, then it is measured, plays, and plays on the air."""

from __future__ import annotations

import random
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import load_bundle
from woodshed.evaluation.likelihood import measure_likelihood
from woodshed.formats import read_midi, write_midi
from woodshed.music import Part, Song
from woodshed.music.chord_sheet import chord_rows, parse_chords
from woodshed.recipes.files import write_clip
from woodshed.recipes.judge import judge
from woodshed.recipes.material import Material
from woodshed.recipes.play import generate
from woodshed.recipes.radio import play_radio
from woodshed.recipes.recipe import load_recipe, recipe_names
from woodshed.recipes.runs import as_learned, train_recipe
from woodshed.recipes.wish import Wish

BAR, BARS = 1920, 18
SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def band(seed: int) -> Song:
    """Drums, a bass, and a lead guitar over Am F C G."""
    chance = random.Random(seed)
    notes = []
    for bar in range(BARS):
        start, root = bar * BAR, (45, 41, 48, 43)[bar % 4]
        notes += [(0, start + beat * 480, 120, 36 if beat % 2 == 0 else 38, 100) for beat in range(4)]
        notes += [(0, start + eighth * 240, 120, 42, 80) for eighth in range(8) if chance.random() < 0.9]
        notes += [(1, start + beat * 480, 480, root - 12, 96) for beat in range(4)]
        notes += [(2, start + beat * 240, 240, chance.choice(SCALE), 90) for beat in range(8)]
    parts = [Part("Drums", 0, True, "drums"), Part("Bass", 33, False, "bass"), Part("Guitar", 30, False, "lead")]
    chords = chord_rows(parse_chords("Am F C G"), BARS, BAR)
    return Song.make(notes, parts, tempos=[(0, 120.0)], meters=[(0, 4, 4)], chords=chords, title=f"Band {seed}")


def choir(seed: int) -> Song:
    """Four voices in half notes."""
    chance = random.Random(seed)
    voices = [(0, (72, 74, 76)), (1, (65, 67, 69)), (2, (57, 59, 60)), (3, (45, 48, 50))]
    notes = [(voice, half * 960, 960, chance.choice(pitches), 80) for half in range(16) for voice, pitches in voices]
    parts = [Part(name, 52, False, "voice") for name in ("Soprano", "Alto", "Tenor", "Bass")]
    return Song.make(notes, parts, tempos=[(0, 90.0)], meters=[(0, 4, 4)], title=f"Choir {seed}")


@pytest.mark.parametrize("name", recipe_names())
def test_it_learns_is_measured_plays_and_is_on_the_air(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name, ["size=tiny", "training.batch=2", "training.evaluations=1"])
    material = Material([band(1), band(2), choir(1), choir(2)], [band(3), choir(3)])
    train_recipe(recipe, material, tmp_path / "b", steps=2, seed=1, device="cpu")
    bundle = load_bundle(tmp_path / "b")
    assert bundle.recipe == name
    found = measure_likelihood(bundle, as_learned(recipe, material).held_out)
    assert found.notes > 0
    assert 0 < found.nats_per_note < 200
    (tmp_path / "songs").mkdir()
    for song in material.held_out:
        write_midi(song, tmp_path / "songs" / f"{song.title}.mid")
    again = judge(bundle, tmp_path / "songs", split="all").likelihood
    # `evaluate` hears what training held out; but MIDI keeps no chords, and training takes a clip of two songs once.
    near = 0.02 if name == "chord-melody" or name.startswith("vae") else 1e-4
    assert again.nats_per_note == pytest.approx(found.nats_per_note, rel=near)
    clips = [generate(bundle, Wish(bars=2), seed=3, candidates=2)[0] for _ in range(2)]
    assert clips[0].song == clips[1].song
    assert clips[0].song.bars in (2, 16)  # sixteen, where a clip cannot be shorter
    write_clip(clips[0], tmp_path / "c.mid")
    assert len(read_midi(tmp_path / "c.mid")) == len(clips[0].song)
    if name == "pitch-step-duration":
        return  # after two steps the next note comes after 0 seconds, and no bar ever ends
    bars = list(islice(play_radio(bundle, Wish(), seed=4).bars, 3))
    assert [bar.number for bar in bars] == [bars[0].number + step for step in range(3)]
    assert np.diff([bar.start for bar in bars]).min() > 0
