"""What a recipe cannot do, as a user meets it: one line, what would serve, an exit code, and outputs as they were."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from woodshed.formats import read_midi, write_midi
from woodshed.music import Part, Song
from woodshed.recipes.material import Material
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe

Refuses = Callable[..., str]
CHOIR = [Part(name, 52) for name in ("Soprano", "Alto", "Tenor", "Bass")]
PLAYED = ("--seed", 1, "--candidates", 1)


def tune(seed: int, bars: int = 8) -> Song:
    chance = np.random.default_rng(seed)
    rows = [(0, beat * 480, 480, int(chance.integers(60, 72)), 90) for beat in range(bars * 4)]
    return Song.make(rows, [Part("Flute", 73)], meters=[(0, 4, 4)])


def chorale(seed: int) -> Song:
    chords = np.array([(72, 67, 64, 48), (71, 67, 62, 55), (69, 65, 60, 53)])
    picks = np.random.default_rng(seed).integers(3, size=16)
    rows = [(v, b * 480, 480, int(pitch), 90) for b, pick in enumerate(picks) for v, pitch in enumerate(chords[pick])]
    return Song.make(rows, CHOIR, meters=[(0, 4, 4)])


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A melody net, a chain, a choir and two window nets, trained for two steps."""
    folder = tmp_path_factory.mktemp("recipes")
    lines = ("lookback-rnn", "markov", "shred", "pitch-step-duration")
    for name, make in (*((name, tune) for name in lines), ("chorale", chorale)):
        changes = ["size=tiny", *([] if name == "markov" else ["training.batch=2", "training.evaluations=1"])]
        material = Material([make(seed) for seed in range(4)], [make(9)])
        train_recipe(load_recipe(name, changes), material, folder / name, steps=2, device="cpu")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder of music that is awkward in one way each, and an output that must stay as it is."""
    kit, flute = Part("Kit", 0, True), Part("Flute", 73)
    songs = {
        "drums": Song.make([(0, 0, 120, 36, 90)], [kit]),
        "empty": Song(length=1920),
        "chords": Song.make([(0, 0, 480, 60, 90), (0, 0, 480, 64, 90)], [flute]),
        "odd": tune(1).replace(meters=np.array([(0, 7, 32)], tune(1).meters.dtype)),
        "tune": tune(2),
        "three": Song.make([(part, 0, 480, 72 - 5 * part, 90) for part in range(3)], [Part("")] * 3),
    }
    for name, song in songs.items():
        write_midi(song, tmp_path / f"{name}.mid")
    (tmp_path / "junk.mid").write_bytes(b"MThd")
    (tmp_path / "out.mid").write_bytes(b"as it was")
    return tmp_path


@pytest.mark.parametrize(
    ("code", "verb", "recipe", "words", "told"),
    [
        (2, "generate", "markov", ["--primer-melody", "[200]"], ["event 1 is 200", "outside -2 to 127"]),
        (2, "generate", "markov", ["--primer-melody", "60,62"], ["is not a list of whole numbers", "try"]),
        (2, "generate", "markov", ["--primer-melody", "[-2]"], ["has no note"]),
        (2, "generate", "markov", ["--primer-melody", "[60,-2]", "--steps", 2], ["a primer of 2 steps", "more than 2"]),
        (2, "generate", "markov", ["--bars", 4, "--steps", 64], ["--bars and --steps", "give one of them"]),
        (2, "generate", "markov", ["--beam", 65], ["beam 65 is outside 1-64"]),
        (2, "generate", "markov", ["--branch-factor", 0], ["branch-factor 0 is outside 1-64"]),
        (2, "generate", "markov", ["--tempo", 0], ["tempo 0 is outside 10-1000"]),
        (2, "generate", "markov", ["--parallels", 0.5], ["--parallels", "chorale"]),
        (2, "generate", "markov", ["--range", "tuba=40-50"], ["range 'tuba'", "is called melody or flute"]),
        (1, "generate", "markov", ["--meter", "7/32"], ["7/32", "4/4"]),
        (1, "generate", "lookback-rnn", ["--primer", "drums.mid"], ["only drums", "such as band"]),
        (1, "generate", "lookback-rnn", ["--primer", "empty.mid"], ["no notes"]),
        (1, "continue", "lookback-rnn", ["chords.mid"], ["polyphonic", "give the tune alone", "such as band"]),
        (1, "continue", "lookback-rnn", ["odd.mid"], ["7/32", "4/4"]),
        (1, "continue", "lookback-rnn", ["junk.mid"], ["junk.mid"]),
        (2, "continue", "lookback-rnn", ["tune.mid", "--steps", 16], ["a primer of 128 steps"]),
        (2, "generate", "shred", ["--tempo", 0], ["tempo 0 is outside 10-1000"]),
        (2, "generate", "pitch-step-duration", ["--tempo", 0], ["tempo 0 is outside 10-1000"]),
        (1, "continue", "shred", ["drums.mid"], ["only drums", "with a pitched part", "such as band or pianoroll"]),
        (1, "continue", "pitch-step-duration", ["drums.mid"], ["only drums", "with a pitched part", "such as band"]),
        (1, "harmonise", "lookback-rnn", ["tune.mid"], ["cannot harmonise", "recipes that can: band, chorale"]),
        (1, "continue", "chorale", ["tune.mid"], ["cannot continue", "recipes that can:", "lookback-rnn"]),
        (1, "generate", "chorale", ["--primer", "tune.mid"], ["cannot continue", "recipes that can:"]),
        (2, "generate", "chorale", ["--beam", 2], ["--beam and --branch-factor", "not for chorale"]),
        (2, "generate", "chorale", ["--steps", 16], ["use --bars"]),
        (2, "generate", "chorale", ["--parts", "bass"], ["leave --parts out"]),
        (1, "generate", "chorale", ["--range", "alto=1-2"], ["leave the alto no pitch", "widen"]),
        (1, "harmonise", "chorale", ["drums.mid"], ["only drums", "give music with a melody"]),
        (1, "harmonise", "chorale", ["empty.mid"], ["no notes"]),
        (1, "harmonise", "chorale", ["chords.mid"], ["bar 1, beat 1", "60 and 64", "one note at a time"]),
        (1, "harmonise", "chorale", ["three.mid"], ["three.mid: 3 pitched parts", "--voices 'soprano, -, -'"]),
        (2, "harmonise", "chorale", ["three.mid", "--voices", "soprano,alto,tenor,bass"], ["3 pitched parts", "only"]),
        (2, "harmonise", "chorale", ["tune.mid", "--voices", "mezzo"], ["'mezzo'", "soprano, alto, tenor, bass"]),
        (2, "harmonise", "chorale", ["tune.mid", "--voices", ""], ["no voice is named"]),
        (2, "harmonise", "chorale", ["[60]", "--meter", "0/4"], ["meter 0/4", "try 4/4"]),
        (2, "harmonise", "chorale", ["tune.mid", "--tempo", 90], ["a file keeps its own"]),
        (2, "harmonise", "chorale", ["[60]", "--parallels", 3], ["parallels 3 is outside 0-1"]),
    ],
)
def test_what_cannot_be_is_told_in_one_line_and_the_output_stays(
    refuses: Refuses,
    bundles: dict[str, Path],
    files: Path,
    code: int,
    verb: str,
    recipe: str,
    words: list[Any],
    told: list[str],
) -> None:
    given = [files / word if str(word).endswith(".mid") else word for word in words]
    line = refuses(code, verb, bundles[recipe], *given, "-o", files / "out.mid", "--force", *PLAYED)
    assert all(word in line for word in told), line
    assert (files / "out.mid").read_bytes() == b"as it was"


def test_a_melody_is_typed_and_harmonised_and_the_voice_leading_is_told(
    woodshed: Callable[..., Any], bundles: dict[str, Path], tmp_path: Path
) -> None:
    typed = "[-2,-2,-2,-2,-2,-2,-2,-2,67,-2,-2,67,69,-2,-2,-2,67,-2,-2,-2,72,-2,-2,-2,71,-2,-2,-2,-2,-2,-2,-2]"
    out = tmp_path / "birthday.mid"
    said = woodshed("harmonise", bundles["chorale"], typed, "--meter", "3/4", "-o", out, "--json", *PLAYED)
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert facts["meter"] == "3/4"
    assert {"parallel_fifths", "parallel_octaves", "crossings", "bass_out_of_range"} <= set(facts["voice_leading"])
    assert facts["fermatas"]["from"] == "phrase ends"
    for word in ("parallel fifths", "octaves", "crossings", "notes out of range", "at 1 phrase end,"):
        assert word in said.err
    song = read_midi(out)
    assert song.notes[song.notes["part"] == 0]["pitch"].tolist() == [67, 67, 69, 67, 72, 71]
    assert int(song.notes["onset"].min()) == 960


def test_a_primer_that_is_folded_is_told_to_people_and_programs(
    woodshed: Callable[..., Any], bundles: dict[str, Path], tmp_path: Path
) -> None:
    wide = ("--primer-melody", "[36,-2,60,-2,96,-2,60,-2]", "--steps", 16)
    said = woodshed("generate", bundles["lookback-rnn"], *wide, "-o", tmp_path / "wide.mid", "--json", *PLAYED)
    assert said.code == 0, said.err
    assert json.loads(said.out)["primer_notes_in_another_octave"] == 2
    assert "are heard by the bundle in another octave" in said.err
    high = ("--primer-melody", "[127,-2,120,-2]", "--steps", 16)
    said = woodshed("generate", bundles["lookback-rnn"], *high, "-o", tmp_path / "high.mid", *PLAYED)
    assert "pitches, 120-127, are not all among the 48-83" in said.out


def test_how_many_chords_were_learned_is_told_by_train(woodshed: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    for seed in range(3):
        write_midi(chorale(seed), tmp_path / "music" / f"{seed}.mid")
    tiny = ("--set", "size=tiny", "--set", "corpus.near_duplicates=false", "--steps", 1, "--json")
    said = woodshed("train", "chorale", tmp_path / "music", "-o", tmp_path / "B", *tiny)
    assert said.code == 0, said.err
    assert "3 different four-note combinations sound in them" in said.err
    assert "(108 are often quoted)" in said.err
    assert json.loads(said.out.splitlines()[-1])["four_note_combinations"]["distinct"] == 3


def test_what_a_chain_cannot_train_with_is_refused(refuses: Refuses, bundles: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    write_midi(tune(1), tmp_path / "music" / "tune.mid")
    train = ("train", "markov", tmp_path / "music", "-o", tmp_path / "B")
    assert "--from would change nothing" in refuses(2, *train, "--from", bundles["markov"])
    assert "leave out --sample-every" in refuses(2, *train, "--sample-every", 1)
    assert not (tmp_path / "B").exists() or not (tmp_path / "B" / "config.json").exists()
