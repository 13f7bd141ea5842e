"""evaluate and report: a bundle, two bundles, anyone's clips; and what cannot be measured is said, not made up."""

from __future__ import annotations

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
    assert "neither is surely better" in said.out
    measured = facts(woodshed("evaluate", tiny_bundle, music_folder, tiny_bundle, "--split", "all", "--json"))
    assert measured["difference"]["mean"] == 0.0
    assert measured["difference"]["groups"] == 6
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
    assert finite(facts(woodshed("evaluate", tmp_path / "beat.mid", music_folder, "--json")))


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
