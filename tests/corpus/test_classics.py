"""The scores that music21 installs: found without importing it, read only where nothing is reserved, cached."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from woodshed.corpus import classics
from woodshed.corpus.classics import SCORES, Score, build_classics, music21_scores, open_classics, read_score
from woodshed.corpus.store import Corpus
from woodshed.errors import CorpusError, FormatError, MissingDependency


def score_text(parts: int, start: str, rights: str = "") -> str:
    """Eight bars of quarter notes for each part, on a scale that begins on ``start``."""
    letters = "CDEFGAB"
    first = letters.index(start)
    names = "".join(f"<score-part id='P{n}'><part-name>Part {n}</part-name></score-part>" for n in range(1, parts + 1))
    bars = []
    for bar in range(1, 9):
        attributes = (
            "<attributes><divisions>1</divisions><time><beats>4</beats><beat-type>4</beat-type></time></attributes>"
        )
        notes = "".join(
            f"<note><pitch><step>{letters[(first + bar * step) % 7]}</step><octave>4</octave></pitch>"
            "<duration>1</duration></note>"
            for step in range(4)
        )
        bars.append(f"<measure number='{bar}'>{attributes if bar == 1 else ''}{notes}</measure>")
    told = f"<identification><rights>{rights}</rights></identification>" if rights else ""
    body = "".join(f"<part id='P{n}'>{''.join(bars)}</part>" for n in range(1, parts + 1))
    return f"<score-partwise version='3.1'>{told}<part-list>{names}</part-list>{body}</score-partwise>"


def write_score(folder: Path, name: str, **what: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("score.xml", score_text(**what))  # type: ignore[arg-type]


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    """A folder with two quartets, a trio and a score whose rights are reserved."""
    folder = tmp_path / "scores"
    write_score(folder, "one/a.mxl", parts=4, start="C")
    write_score(folder, "one/b.mxl", parts=4, start="F")
    write_score(folder, "one/trio.mxl", parts=3, start="G")
    write_score(folder, "one/reserved.mxl", parts=4, start="D", rights="© 2004, all rights reserved")
    return folder


CHOSEN = (
    Score("one/a.mxl", "The first", 90), Score("one/b.mxl", "The second", held_out=True),
    Score("one/trio.mxl", "A trio"), Score("one/reserved.mxl", "Not ours"), Score("one/absent.mxl", "Not there"),
)  # fmt: skip


def test_quartets_become_a_corpus_and_what_is_left_out_is_told(scores: Path, tmp_path: Path) -> None:
    left_out = build_classics(tmp_path / "corpus", scores, scores=CHOSEN, workers=0)
    corpus = Corpus.open(tmp_path / "corpus")
    assert [(entry.title, entry.split) for entry in corpus.entries] == [
        ("The first", "train"),
        ("The second", "held_out"),
    ]
    assert [line.split(":")[0] for line in left_out] == ["one/trio.mxl", "one/reserved.mxl", "one/absent.mxl"]
    assert "reserves rights" in left_out[1]


def test_a_score_gets_its_tempo_and_the_four_instruments(scores: Path) -> None:
    song = read_score(scores, CHOSEN[0])
    assert song.bpm == 90
    assert [part.name for part in song.parts] == ["Violin I", "Violin II", "Viola", "Cello"]
    assert [part.program for part in song.parts] == [40, 40, 41, 42]


def test_rights_written_into_a_score_keep_it_out(scores: Path) -> None:
    with pytest.raises(FormatError, match="2004, all rights reserved"):
        read_score(scores, CHOSEN[3])


def test_nothing_usable_is_an_error_that_names_the_remedy(scores: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="--corpus FOLDER"):
        build_classics(tmp_path / "corpus", scores, scores=CHOSEN[2:], workers=0)
    assert not (tmp_path / "corpus").exists()


def test_the_corpus_is_built_once_and_then_read_from_the_cache(
    scores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(classics, "SCORES", CHOSEN)
    told: list[str] = []
    assert len(open_classics(scores=scores, workers=0, progress=lambda stage, done, total: told.append(stage))) == 2
    assert "scores" in told
    told.clear()
    assert len(open_classics(scores=tmp_path / "gone", progress=lambda stage, done, total: told.append(stage))) == 2
    assert not told
    assert [path.parent for path in (tmp_path / "cache").glob("*/*")] == [tmp_path / "cache" / "woodshed"]


def test_without_music21_the_extra_and_the_other_way_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r'pip install "woodshed\[demo\]".*--corpus FOLDER'):
        music21_scores()


def test_the_scores_are_found_without_importing_music21() -> None:
    code = "import sys; from woodshed.corpus import classics as c; c.music21_scores(); print('music21' in sys.modules)"
    if importlib.util.find_spec("music21") is None:
        pytest.skip("music21 is not installed")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


def test_all_chosen_scores_are_there_and_reserve_nothing() -> None:
    if importlib.util.find_spec("music21") is None:
        pytest.skip("music21 is not installed")
    folder = music21_scores()
    assert not [score.path for score in SCORES if classics.rights_reserved(folder / score.path)]
    assert sum(score.held_out for score in SCORES) == 3
    assert len({score.path for score in SCORES}) == len({score.title for score in SCORES}) == len(SCORES)
