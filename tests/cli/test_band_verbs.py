"""infill, accompany, solo, harmonise, vary and humanise of a band, and what generate obeys, as a user types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from woodshed.formats import read_comment, read_midi, write_midi
from woodshed.music import Key, Song

Run = Callable[..., Any]
QUICK = ("--candidates", 2, "--seed", 3)


@pytest.fixture
def given(band_song: Song, tmp_path: Path) -> Path:
    """Four bars of a band, as a file."""
    write_midi(band_song, tmp_path / "given.mid")
    return tmp_path / "given.mid"


def made(said: Any) -> dict[str, Any]:
    """What the last clip is told to be."""
    assert said.code == 0, said.err
    return dict(json.loads(said.out.splitlines()[-1]))


def rows(song: Song, parts: range) -> list[tuple[int, ...]]:
    return [tuple(row) for row in song.notes.tolist() if row[0] in parts]


@pytest.mark.parametrize(
    ("verb", "words", "told"),
    [
        ("infill", ("--bars", "2-3", "--parts", "guitar"), {"open_parts": ["Guitar"], "open_bars": [2, 3]}),
        ("infill", ("--bars", "2-", "--parts", "bass", "--what", "pitch"), {"what": "pitches", "open_bars": [2, 4]}),
        ("infill", ("--parts", "drums", "--add", "hats"), {"add": [42, 44]}),
        ("accompany", ("--parts", "bass", "--bars", "1-2", "--grid", "1/8"), {"parts": ["Bass"], "grid": "1/8"}),
        ("accompany", ("--taps", "bass"), {"taps": "bass"}),
        ("solo", ("--bars", "1-4", "--key", "E minor", "--density", "mid"), {"at_bar": 1, "key_of_solo": "E minor"}),
        ("harmonise", ("--parts", "guitar", "--bars", "1-2"), {"open_bars": [1, 2], "polyphony": 1}),
        ("vary", ("--by", "0.2", "--parts", "guitar, bass"), {"by": 0.2, "what": "notes"}),
        ("vary", ("--share", "0.2", "--what", "velocity"), {"by": 0.2, "what": "velocities"}),
        ("continue", ("--bars", "2", "--chords", "Em C"), {"bars": 2, "chords": "Em | C"}),
    ],
)
def test_a_verb_writes_what_it_was_asked_and_tells_it(
    woodshed: Run,
    tiny_bundle: Path,
    given: Path,
    tmp_path: Path,
    verb: str,
    words: tuple[str, ...],
    told: dict[str, Any],
) -> None:
    out = tmp_path / "out.mid"
    facts = made(woodshed(verb, tiny_bundle, given, *words, "-o", out, *QUICK, "--json"))
    assert facts["files"] == [str(out)]
    settings = json.loads(str(read_comment(out)))
    assert settings == facts["settings"]
    assert settings["verb"] == verb
    for name, value in told.items():
        assert settings[name] == value, name
    song, before = read_midi(out), read_midi(given)
    assert song.parts[: len(before.parts)] == before.parts or "--taps" in words
    assert facts["notes"] == len(song)
    again = tmp_path / "again.mid"
    assert woodshed(verb, tiny_bundle, given, *words, "-o", again, *QUICK).code == 0
    assert again.read_bytes() == out.read_bytes()


def test_what_is_given_is_in_the_file_that_is_made_note_for_note(
    woodshed: Run, tiny_bundle: Path, given: Path, tmp_path: Path
) -> None:
    before = read_midi(given)
    for verb, words in (("accompany", ("--parts", "guitar")), ("solo", ())):
        out = tmp_path / f"{verb}.mid"
        assert woodshed(verb, tiny_bundle, given, *words, "-o", out, *QUICK).code == 0
        assert rows(read_midi(out), range(3)) == rows(before, range(3))
    markers = read_midi(tmp_path / "solo.mid").markers
    assert [marker.text for marker in markers] == ["solo in E minor", "end of solo"]


def test_humanise_at_no_strength_gives_the_notes_back(
    woodshed: Run, tiny_bundle: Path, given: Path, tmp_path: Path
) -> None:
    for strength, same in ((0, True), (1, False)):
        out = tmp_path / f"{strength}.mid"
        said = woodshed("humanise", tiny_bundle, given, "--strength", strength, "-o", out, "--seed", 1)
        assert said.code == 0, said.err
        assert (read_midi(out).notes.tolist() == read_midi(given).notes.tolist()) == same
    steady = ("--steady", "--what", "velocity", "--parts", "drums")
    facts = made(woodshed("humanise", tiny_bundle, given, *steady, "-o", tmp_path / "s.mid", "--json"))
    assert (facts["settings"]["steady"], facts["settings"]["what"]) == (True, ["velocity"])
    assert rows(read_midi(tmp_path / "s.mid"), range(1, 3)) == rows(read_midi(given), range(1, 3))


def test_generate_obeys_what_a_canvas_can(woodshed: Run, tiny_bundle: Path, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mid"
    wishes = ("--bars", 3, "--meter", "7/8,4/4", "--grid", "1/8", "--chords", "Am F", "--without", "guitar")
    said = woodshed("generate", tiny_bundle, "-o", out, *wishes, "--density", "low..high", *QUICK, "--json")
    assert made(said)["levels"]["density"]["asked"] == [3, 6, 9]
    song = read_midi(out)
    assert song.bar_lines().tolist() == [0, 1680, 3600, 5280]
    assert all(part.program not in (29,) for part in song.parts if not part.is_drum)
    like = tmp_path / "like.mid"
    facts = made(woodshed("generate", tiny_bundle, "-o", like, "--like", given, "--bars", 2, *QUICK, "--json"))
    assert (facts["bars"], facts["parts"], facts["bpm"]) == (2, ["Drums", "Bass", "Guitar"], 140.0)
    over = made(woodshed("generate", tiny_bundle, "-o", tmp_path / "o.mid", "--chords-from", given, *QUICK, "--json"))
    assert over["bars"] == 4


def test_variations_are_numbered_and_differ(woodshed: Run, tiny_bundle: Path, given: Path, tmp_path: Path) -> None:
    said = woodshed(
        "infill", tiny_bundle, given, "--parts", "guitar", "-o", tmp_path / "v.mid", "--count", 4, *QUICK, "--json"
    )
    assert said.code == 0, said.err
    files = [json.loads(line)["files"][0] for line in said.out.splitlines()]
    assert files == [str(tmp_path / f"v-{number}.mid") for number in range(1, 5)]
    assert len({tuple(rows(read_midi(Path(file)), range(2, 3))) for file in files}) == 4


@pytest.mark.parametrize(
    ("code", "verb", "words", "told"),
    [
        (2, "infill", (), "--bars 5-8 --parts guitar"),
        (2, "infill", ("--bars", "3-9"), "bars 3-9 are not within 1-4, the bars of given.mid"),
        (2, "infill", ("--bars", "x"), "write 5-8, 5 or 5-"),
        (2, "infill", ("--parts", "kazoo"), "there is Drums, Bass, Guitar"),
        (2, "infill", ("--parts", "drums", "--add", "kazoo"), "no drum and no pitch"),
        (2, "infill", ("--bars", "1", "--grid", "1/7"), "1/16"),
        (2, "infill", ("--bars", "1", "--loudness", "99"), "loudness '99' is no level"),
        (2, "infill", ("--bars", "1-2", "--density", "1,2,3"), "3 levels for 2 bars"),
        (
            1,
            "infill",
            ("--bars", "1", "--parts", "bass", "--range", "bass=C4-C4", "--key", "B major"),
            "widen the range",
        ),
        (2, "accompany", (), "--parts 'bass, drums'"),
        (2, "accompany", ("--parts", "banjo"), "the nearest is"),
        (2, "accompany", ("--taps", "bass, drums"), "name one"),
        (2, "accompany", ("--taps", "bass", "--bars", "1-2"), "leave --bars out"),
        (2, "solo", ("--bars", "1-9"), "has 1-4"),
        (2, "solo", ("--instrument", "drums"), "one pitched part"),
        (2, "harmonise", (), "--parts 'alto, tenor'"),
        (2, "harmonise", ("--parts", "bass", "--voices", "alto"), "--voices is for recipe chorale"),
        (2, "vary", ("--by", "2"), "by 2 is outside 0-1"),
        (2, "vary", ("--what", "tempo"), "one of notes, pitches"),
        (2, "humanise", ("--strength", "2"), "strength 2 is outside 0-1.5"),
        (2, "humanise", ("--what", "pitch"), "velocity, timing"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    refuses: Run,
    tiny_bundle: Path,
    given: Path,
    tmp_path: Path,
    code: int,
    verb: str,
    words: tuple[str, ...],
    told: str,
) -> None:
    assert told in refuses(code, verb, tiny_bundle, given, *words, "-o", tmp_path / "out.mid")
    assert not (tmp_path / "out.mid").exists()


def test_keys_hold_in_what_is_written(woodshed: Run, tiny_bundle: Path, given: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mid"
    assert (
        woodshed("accompany", tiny_bundle, given, "--parts", "guitar", "--key", "C blues", "-o", out, *QUICK).code == 0
    )
    new = [row[3] % 12 for row in rows(read_midi(out), range(3, 4))]
    assert new
    assert set(new) <= set(Key.parse("C blues").pitch_classes)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("infill", ("--bars", "2", "--parts", "bass")),
        ("accompany", ("--parts", "bass")),
        ("solo", ()),
        ("harmonise", ("--parts", "guitar")),
        ("vary", ()),
        ("humanise", ()),
        ("continue", ()),
        ("generate", ("--like",)),
    ],
)
def test_no_verb_of_a_band_waits_for_torch(
    tiny_bundle: Path, given: Path, tmp_path: Path, verb: str, words: tuple[str, ...]
) -> None:
    music = [*words, str(given)] if "--like" in words else [str(given), *words]
    arguments = [verb, str(tiny_bundle), *music, "-o", str(tmp_path / "x.mid"), "--candidates", "1"]
    if verb == "humanise":
        arguments = arguments[:-2]
    code = (
        f"import sys; from woodshed.cli.app import run; assert run({arguments!r}) == 0; print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("verb", "words"),
    [("continue", ("--bars", "1")), ("generate", ("--bars", "1", "--primer", "cut.mid"))],
)
def test_music_of_which_a_part_is_missing_is_played_on_and_told(
    woodshed: Run, tiny_bundle: Path, given: Path, tmp_path: Path, verb: str, words: tuple[str, ...]
) -> None:
    cut = tmp_path / "cut.mid"
    cut.write_bytes(given.read_bytes()[:-200])
    music = (str(cut),) if verb == "continue" else ()
    words = tuple(str(cut) if word == "cut.mid" else word for word in words)
    said = woodshed(verb, str(tiny_bundle), *music, "-o", str(tmp_path / "on.mid"), *words, *QUICK)
    assert said.code == 0, said.err
    assert "note: cut.mid is damaged (" in said.err
    assert "woodshed doctor cut.mid" in said.err
    whole = woodshed("continue", str(tiny_bundle), str(given), "-o", str(tmp_path / "whole.mid"), "--bars", "1", *QUICK)
    assert "damaged" not in whole.err
