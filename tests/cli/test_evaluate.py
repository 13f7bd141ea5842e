"""evaluate and report: a bundle, two bundles, anyone's clips; and what cannot be measured is said, not made up."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from woodshed.formats import write_midi
from woodshed.music import Part, Song
from woodshed.recipes.clip import LARGEST_SEED

Run = Callable[..., Any]


def facts(said: Any) -> dict[str, Any]:
    """The last line of JSON on stdout."""
    assert said.code == 0, said.err
    return dict(json.loads(said.out.splitlines()[-1]))


def finite(value: Any) -> bool:
    """Whether no number in it is NaN or infinite."""
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def test_nats_are_told_by_field_and_by_part_with_their_n(woodshed: Run, tiny_bundle: Path, music_folder: Path) -> None:
    said = woodshed("evaluate", tiny_bundle, music_folder, "--split", "all")
    assert "part: drums" in said.out
    assert "of no part: rests, the end" in said.out
    assert "nats price every note of every part" in said.out
    assert "n too small" in said.out
    measured = facts(woodshed("evaluate", tiny_bundle, music_folder, "--split", "all", "--json"))
    assert measured["parts"]["drums"]["groups"] == 6
    assert measured["caution"] == "n too small: 6 songs"
    assert measured["field_intervals"]["pitch"]["low"] <= measured["fields"]["pitch"]
    assert measured["footing"]["steps_per_quarter"] == 12
    assert finite(measured)


def test_two_bundles_are_compared_on_the_same_songs(woodshed: Run, tiny_bundle: Path, music_folder: Path) -> None:
    said = woodshed("evaluate", tiny_bundle, music_folder, tiny_bundle, "--split", "all")
    assert "too few songs to say which is better" in said.out
    assert "is surely" not in said.out
    measured = facts(woodshed("evaluate", tiny_bundle, music_folder, tiny_bundle, "--split", "all", "--json"))
    assert measured["difference"]["mean"] == 0.0
    assert measured["difference"]["groups"] == 6
    assert (measured["better"], measured["difference"]["caution"]) == ("unknown", "n too small: 6 songs")
    assert (measured["left_out"], measured["unheard"], measured["unlike"]) == (0, 0, 0)
    assert measured["first"] == measured["second"] == measured["bundles"][0]["nats_per_note"]
    assert finite(measured)


def test_anyones_clips_are_judged_beside_a_corpus(woodshed: Run, music_folder: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(music_folder, clips)
    (clips / "broken.mid").write_bytes(b"no music")
    write_midi(Song(length=1920), clips / "silent.mid")
    said = woodshed("evaluate", clips, music_folder)
    assert "judge notes:" in said.out
    assert "1 file without a note" in said.out
    assert "not read: broken.mid" in said.err
    measured = facts(woodshed("evaluate", clips, music_folder, "--bars", "4", "--json"))
    assert (measured["bars"], measured["made_songs"], measured["silent"]) == (4, 6, 1)
    assert measured["copied"]["mean"] > 0.3
    assert measured["unreadable"][0].startswith("broken.mid: ")
    assert finite(measured)


def test_one_file_of_drums_is_judged_and_what_needs_more_is_marked(
    woodshed: Run, music_folder: Path, tmp_path: Path
) -> None:
    beat = Song.make([(0, beat * 480, 120, 36, 100) for beat in range(16)], [Part("Drums", 0, True)])
    write_midi(beat, tmp_path / "beat.mid")
    said = woodshed("evaluate", tmp_path / "beat.mid", music_folder)
    assert said.code == 0
    assert "n too small" in said.out
    assert "n too small for overlapping areas" in said.out
    assert "0.000" not in said.out
    measured = facts(woodshed("evaluate", tmp_path / "beat.mid", music_folder, "--json"))
    assert measured["overlap"] is None
    assert finite(measured)


@pytest.mark.parametrize("music", ["silence", "nothing readable"])
def test_music_that_cannot_be_judged_is_named(woodshed: Run, music_folder: Path, tmp_path: Path, music: str) -> None:
    if music == "silence":
        write_midi(Song(length=1920), tmp_path / "x.mid")
    else:
        (tmp_path / "x.mid").write_bytes(b"no music")
    said = woodshed("evaluate", tmp_path / "x.mid", music_folder)
    assert said.code == 1
    assert {"silence": "has no notes", "nothing readable": "none of the files can be read"}[music] in said.err


def test_options_that_mean_nothing_here_are_refused(woodshed: Run, tiny_bundle: Path, music_folder: Path) -> None:
    said = woodshed("evaluate", tiny_bundle, music_folder, "--bars", "4")
    assert (said.code, "leave it out" in said.err) == (2, True)
    said = woodshed("evaluate", music_folder, music_folder, tiny_bundle)
    assert (said.code, "is no bundle" in said.err) == (2, True)


def test_the_page_holds_likelihood_comparison_and_clips(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    said = woodshed("report", tiny_bundle, "-o", out, "--count", "3", "--bars", "2", "--json")
    result = facts(said)
    page = out.read_text("utf-8")
    for words in (
        "How well it foresees music", "Who is hard to foresee", "Beside real music", "Can a judge tell?", "Is it new?",
        "Learned from", "n too small", "Save MIDI",
    ):  # fmt: skip
        assert words in page
    assert page.count('class="clip-head"') == 3
    assert (result["clips"], result["comparison"]["made"]) == (3, 3)
    assert result["likelihood"]["songs"] == 1
    assert finite(result)
    assert not re.search(r"\bnan\b", re.sub(r"base64,[A-Za-z0-9+/=]+", "", page), re.IGNORECASE)
    again = woodshed("report", tiny_bundle, "-o", out)
    assert (again.code, "--force" in again.err) == (2, True)


def test_without_the_music_the_page_says_what_is_missing(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_bundle, tmp_path / "b", ignore=shutil.ignore_patterns("training"))
    said = woodshed("report", tmp_path / "b", "-o", tmp_path / "r.html", "--count", "1", "--bars", "2")
    assert said.code == 0, said.err
    assert "no corpus was given" in said.err
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "no corpus was given" in page
    assert "Can a judge tell?" not in page


def test_a_page_that_cannot_be_is_refused_before_any_work(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    for arguments, reason in (
        (("-o", tmp_path / "x.pdf"), "does not end in .html"),
        (("-o", tmp_path / "x.html", "--count", "0"), "count 0 is outside 1-200"),
        (("-o", tmp_path / "x.html", "--bars", "999"), "bars 999 is outside 1-256"),
    ):
        said = woodshed("report", tiny_bundle, *arguments)
        assert (said.code, reason in said.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_it_says_when_nobody_knows_what_a_bundle_learned_from(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    assert "keeps no list" not in woodshed("evaluate", tiny_bundle, music_folder, "--split", "all").err
    bare = tmp_path / "bare.shed"
    shutil.copytree(tiny_bundle, bare)
    shutil.rmtree(bare / "training", ignore_errors=True)
    assert "bare.shed keeps no list of the songs it learned from" in woodshed("evaluate", bare, music_folder).err


def rows(said: Any) -> dict[str, list[str]]:
    """First word of each line of tables -> the other words."""
    return {words[0]: words[1:] for words in map(str.split, said.out.splitlines()) if words}


@pytest.fixture
def half_heard(tmp_path: Path) -> Path:
    """Two tunes, then three beats in which a melody recipe hears nothing."""
    folder = tmp_path / "half"
    folder.mkdir()
    for seed in range(5):
        part = Part("Lead", 80) if seed < 2 else Part("Drums", 0, True)
        notes = [(0, 240 * step, 240, (60 if seed < 2 else 36) + (step * (seed + 2)) % 7, 90) for step in range(64)]
        write_midi(Song.make(notes, [part], meters=[(0, 4, 4)], title=f"Tune {seed}"), folder / f"{seed}.mid")
    return folder


@pytest.fixture
def markov(woodshed: Run, half_heard: Path, tmp_path: Path) -> Path:
    """A chain of melodies."""
    said = woodshed("train", "markov", half_heard, "-o", tmp_path / "chain.shed")
    assert said.code == 0, said.err
    return tmp_path / "chain.shed"


def test_songs_in_which_nothing_is_heard_are_told_from_those_of_which_other_notes_are_counted(
    woodshed: Run, markov: Path, half_heard: Path
) -> None:
    said = woodshed("evaluate", markov, half_heard, markov, "--split", "all")
    assert "3 songs left out, in which one of them or both hear nothing of their kind" in said.out
    assert "count other notes" not in said.out
    measured = facts(woodshed("evaluate", markov, half_heard, markov, "--split", "all", "--json"))
    assert (measured["left_out"], measured["unheard"], measured["unlike"]) == (0, 3, 0)


def test_first_second_and_difference_of_a_row_are_of_the_same_songs(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from woodshed.evaluation import paired

    pair = paired.pair

    def other_notes_of_one(first: Any, second: Any, *more: Any) -> Any:
        songs = list(second.by_song)
        songs[0] = dataclasses.replace(songs[0], notes=songs[0].notes + 1)
        return pair(first, dataclasses.replace(second, by_song=tuple(songs)), *more)

    monkeypatch.setattr(paired, "pair", other_notes_of_one)
    said = woodshed("evaluate", tiny_bundle, music_folder, tiny_bundle, "--split", "all")
    assert "1 song left out, of which they count other notes" in said.out
    table = {name: [float(cell) for cell in rows(said)[name][:3]] for name in ("all", "pitch", "duration")}
    assert all(second - first == pytest.approx(apart, abs=2e-3) for first, second, apart in table.values())
    measured = facts(woodshed("evaluate", tiny_bundle, music_folder, tiny_bundle, "--split", "all", "--json"))
    assert sum(measured["first_fields"].values()) == pytest.approx(measured["first"])
    assert table["pitch"][0] == pytest.approx(measured["first_fields"]["pitch"], abs=1e-3)
    assert measured["unlike"] == 1


def test_every_row_of_fewer_than_ten_songs_is_marked(woodshed: Run, tiny_bundle: Path, music_folder: Path) -> None:
    alone = woodshed("evaluate", tiny_bundle, music_folder)
    both = woodshed("evaluate", tiny_bundle, music_folder, tiny_bundle, "--split", "all")
    several = woodshed("evaluate", tiny_bundle, music_folder, "--split", "all")
    beside = woodshed("evaluate", music_folder / "song-1.mid", music_folder)
    names = ((alone, "pitch"), (alone, "notes"), (both, "pitch"), (several, "pitch"), (several, "notes"))
    for said, name in (*names, (beside, "notes_per_bar"), (beside, "pitch_class_histogram")):
        assert rows(said)[name][-3:] == ["n", "too", "small"], (name, said.out)
    assert rows(alone)["notes"][1:4] == ["-", "-", "1"], "one song has no spread"
    assert "[" not in rows(beside)["notes_per_bar"][1], "one song has no interval"


def test_the_figures_of_the_music_are_called_percentiles_and_counts_are_whole(
    woodshed: Run, tiny_bundle: Path, tmp_path: Path
) -> None:
    notes = [(0, 120 * step, 120, 60 + step % 12, 90) for step in range(2213)]
    write_midi(Song.make(notes, [Part("Lead", 80)], meters=[(0, 4, 4)]), tmp_path / "long.mid")
    said = woodshed("evaluate", tiny_bundle, tmp_path / "long.mid")
    assert "95th percentile" in said.out
    assert rows(said)["notes"][0] == "2,213"


def test_the_same_songs_on_both_sides_are_suspected(woodshed: Run, music_folder: Path) -> None:
    said = woodshed("evaluate", music_folder, music_folder)
    assert "both sides share songs, or parts of songs" in said.out


def test_it_says_when_too_few_songs_are_held_out_to_stand_beside(woodshed: Run, music_folder: Path) -> None:
    assert "held-out real songs: too few of" in woodshed("evaluate", music_folder, music_folder).out


@pytest.mark.parametrize("seed", [-1, LARGEST_SEED + 1])
def test_a_seed_outside_its_range_is_refused_everywhere(
    refuses: Callable[..., str], tiny_bundle: Path, music_folder: Path, tmp_path: Path, seed: int
) -> None:
    out = tmp_path / "out.html"
    for words in (
        ("evaluate", tiny_bundle, music_folder),
        ("evaluate", tiny_bundle, music_folder, tiny_bundle),
        ("evaluate", music_folder, music_folder),
        ("novelty", music_folder / "song-0.mid", music_folder),
        ("report", tiny_bundle, "-o", out),
        ("train", "markov", music_folder, "-o", out),
        ("corpus", "build", music_folder, "-o", out),
    ):
        said = refuses(2, *words, "--seed", seed)
        assert "'--seed'" in said
        assert str(max(min(seed, LARGEST_SEED), 0)) in said, "the range is named"
    assert not out.exists()


def test_a_bundle_that_is_not_there_is_said_to_be_neither_a_bundle_nor_music(
    refuses: Callable[..., str], tiny_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    for more in ((), (tiny_bundle,)):
        said = refuses(1, "evaluate", tmp_path / "nope", music_folder, *more)
        assert "does not exist: neither a bundle nor music is there" in said


def test_a_page_of_too_few_clips_says_so(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    said = woodshed("report", tiny_bundle, "-o", tmp_path / "r.html", "--count", "1", "--bars", "2")
    assert "n too small to set beside real music" in said.out
    assert "0.00" not in said.out
