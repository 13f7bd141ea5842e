"""listen-test, as a user types it: make a page, answer it as its script would, score the answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from woodshed.evaluation.listening_results import read_key, results_checksum

QUICK = ("--clips", "1", "--seconds", "3", "--seed", "4", "--checks", "0")


@pytest.fixture
def folders(music_folder: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two pieces in a folder called real, two in one called model."""
    for name, files in (("real", sorted(music_folder.iterdir())[:2]), ("model", sorted(music_folder.iterdir())[2:4])):
        (tmp_path / name).mkdir()
        for file in files:
            (tmp_path / name / file.name).write_bytes(file.read_bytes())
    return tmp_path / "real", tmp_path / "model"


def answered(folder: Path, reader: str, experience: str = "plays") -> Path:
    """The results of a reader who prefers the real one, or tells it from the machine's."""
    key = read_key(folder / "key.json")
    answers = [
        {
            "trial": number, "clips": list(trial), "known": False, "took_ms": 1000,
            "heard_ms": [3000] * len(trial), "plays": [1] * len(trial), "at": "2026-01-01T00:00:00.000Z",
            "answer": next((clip for clip in trial if key.source_of(clip) == key.real), trial[0]) if len(trial) > 1
            else "human" if key.source_of(trial[0]) == key.real else "machine",
        }
        for number, trial in enumerate(key.trials)
    ]  # fmt: skip
    found = {
        "format": "woodshed listening results", "version": 1, "test": key.test, "question": key.question,
        "reader": reader, "sheet": 0,
        "experience": experience, "equipment": "headphones", "asked": len(answers), "answers": answers,
    }  # fmt: skip
    (folder / "results").mkdir(exist_ok=True)
    path = folder / "results" / f"{reader}.json"
    path.write_text(json.dumps({**found, "checksum": results_checksum(found)}), encoding="utf-8")
    return path


def test_a_test_is_made_answered_and_scored(
    woodshed: Callable[..., Any], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "test"
    said = woodshed("listen-test", "make", *folders, "-o", out, *QUICK)
    assert said.code == 0, said
    assert said.out.splitlines() == [
        f"wrote {out}/listen.html: 1 pair to judge, 1 of real, 1 of model; 3.0 s each, 12 seconds a reader",
        f"wrote {out}/key.json: says whose the clips are; give readers the page alone",
    ]
    files = [answered(out, reader) for reader in ("ann", "ben", "cy", "dee", "eve")]
    said = woodshed("listen-test", "score", out, *files, "-o", tmp_path / "score.svg")
    assert said.code == 0, said
    assert "real (real)" in said.out
    assert "real to model" in said.out
    assert "alpha not known (not defined: all answers are the same)" in said.out
    assert (
        "real was preferred to machines in 5 of 5 answers of 5 readers: 100% (48% to 100% exact, 100% to 100% over "
        "readers), which may be chance; n too small: 5 answers" in said.out
    )
    assert said.out.splitlines()[-1] == f"wrote {tmp_path}/score.svg"
    assert (tmp_path / "score.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_both_speak_json(woodshed: Callable[..., Any], folders: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "test"
    real, model = folders
    said = woodshed("listen-test", "make", f"a={model}", f"b={real}", "--real", "b", "-o", out, "--json",
                    "--question", "turing", *QUICK)  # fmt: skip
    made = json.loads(said.out)
    assert (made["clips"], made["real"], made["trials"], made["seconds"]) == ({"b": 1, "a": 1}, "b", 2, 3.0)
    answered(out, "ann", "professional")
    said = woodshed("listen-test", "score", out / "key.json", out / "results", "--json")
    assert said.code == 0, said
    found = json.loads(said.out)
    assert (found["accuracy"]["share"], found["accuracy"]["count"]) == (1.0, 2)
    assert found["sources"][0]["name"] == "b"
    assert found["by_experience"]["professional"]["count"] == 2
    assert found["cautions"] == ["n too small: 1 reader", "n too small: 2 answers"]
    assert "note: n too small: 1 reader" in said.err


def test_mistakes_are_named_in_one_line(
    woodshed: Callable[..., Any], refuses: Callable[..., str], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "test"
    assert "1 source: give the real music and" in refuses(2, "listen-test", "make", folders[0], "-o", out)
    assert "gone does not exist" in refuses(1, "listen-test", "make", folders[0], tmp_path / "gone", "-o", out)
    assert not out.exists()
    assert woodshed("listen-test", "make", *folders, "-o", out, *QUICK).code == 0
    assert "use --force" in refuses(2, "listen-test", "make", *folders, "-o", out, *QUICK)
    path = answered(out, "ann")
    assert "too; keep the later file" in refuses(2, "listen-test", "score", out, path, out / "results")
    assert "no results there" in refuses(1, "listen-test", "score", out, out)
    assert "is no woodshed listening key" in refuses(1, "listen-test", "score", path, path)
    assert "light, dark" in refuses(2, "listen-test", "score", out, path, "--style", "pink")
    assert "one of .png, .svg, .pdf" in refuses(2, "listen-test", "score", out, path, "-o", "score.txt")
    content = path.read_text(encoding="utf-8")
    path.write_text(content.replace('"took_ms": 1000', '"took_ms": 1001'), encoding="utf-8")
    assert "was changed after the page saved it" in refuses(1, "listen-test", "score", out, path)


def test_a_key_of_one_source_is_refused_and_no_figure_is_made_up(
    woodshed: Callable[..., Any], refuses: Callable[..., str], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "test"
    assert woodshed("listen-test", "make", *folders, "-o", out, *QUICK).code == 0
    path, key = answered(out, "ann"), json.loads((out / "key.json").read_text(encoding="utf-8"))
    for clip in key["clips"].values():
        clip["source"] = "real"
    (out / "key.json").write_text(json.dumps({**key, "sources": ["real"]}), encoding="utf-8")
    assert "was changed after it was written" in refuses(1, "listen-test", "score", out, path)
    del key["checksum"]
    (out / "key.json").write_text(json.dumps({**key, "sources": ["real"]}), encoding="utf-8")
    said = refuses(1, "listen-test", "score", out, path, "--json", "-o", tmp_path / "score.svg")
    assert 'sources ["real"] is not a list of two or more different names' in said
    assert not (tmp_path / "score.svg").exists()


def test_one_answer_is_told_of_in_the_singular(
    woodshed: Callable[..., Any], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "test"
    assert woodshed("listen-test", "make", *folders, "-o", out, *QUICK).code == 0
    said = woodshed("listen-test", "score", out, answered(out, "ann"))
    assert "in 1 of 1 answer of 1 reader: 100%" in said.out
    assert said.out.rstrip().endswith("n too small: 1 answer")
    assert "note: n too small: 1 answer" in said.err.splitlines()
