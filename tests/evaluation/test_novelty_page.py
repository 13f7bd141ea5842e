"""The page of a song's runs: one file, nothing from a network, titles as text, both passages to hear."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from pathlib import Path

import pytest

from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.evaluation.novelty import measure_novelty
from woodshed.evaluation.novelty_page import write_page
from woodshed.music import Part, Song

LINE = [(0, 64), (240, 67), (480, 69), (600, 64), (960, 71), (1200, 69), (1440, 67), (1560, 62), (1920, 64), (2160, 67),
        (2400, 70), (2520, 64), (2880, 69), (3120, 67), (3240, 66), (3600, 62)]  # fmt: skip
EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def page(tmp_path: Path) -> str:
    source = Song.make([(0, on, 200, p, 90) for on, p in LINE], [Part(EVIL, 30)], title=EVIL, tempos=[(0, 60.0)])
    song = Song.make([(0, 2 * on, 200, p + 3, 90) for on, p in LINE], [Part("Lead", 30)], title=EVIL)
    index = PassageIndex.build([(IndexedSong("a", EVIL), source)])
    found = measure_novelty(song, index, lambda number: source)
    write_page(
        tmp_path / "x.html", song=song, name=EVIL, against=EVIL, novelty=found, baseline=None,
        source_of=lambda number: source, remarks=(EVIL,),
    )  # fmt: skip
    return (tmp_path / "x.html").read_text("utf-8")


def test_titles_are_text_and_nothing_comes_from_a_network(page: str) -> None:
    assert EVIL not in page
    assert html.escape(EVIL) in page
    body = re.sub(r'src(set)?="data:[^"]*"', "", page)
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", body)
    assert "default-src 'none'" in page


def test_the_policy_allows_the_pages_own_script_alone(page: str) -> None:
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page


def test_both_passages_are_there_to_play_each_at_its_tempo(page: str) -> None:
    here, there = (json.loads(html.unescape(notes)) for notes in re.findall(r'data-notes="([^"]*)"', page))
    assert [note[2] for note in here] == [pitch + 3 for _, pitch in LINE]
    assert [note[2] for note in there] == [pitch for _, pitch in LINE]
    assert [note[0] for note in here] == [2 * onset / 960 for onset, _ in LINE]  # 120 BPM
    assert [note[0] for note in there] == [onset / 480 for onset, _ in LINE]  # 60 BPM
    assert all(note[4] == 1 for note in here + there)
    assert page.count('data-label="Play"') == 2


def test_a_song_that_shares_nothing_says_so(tmp_path: Path) -> None:
    song = Song.make([(0, 0, 10, 60, 90)], [Part("Lead", 30)])
    found = measure_novelty(song, PassageIndex.build([]), lambda number: song)
    write_page(
        tmp_path / "x.html", song=song, name="x", against="nothing", novelty=found, baseline=None,
        source_of=lambda number: song,
    )  # fmt: skip
    page = (tmp_path / "x.html").read_text("utf-8")
    assert "Nothing in it also stands there" in page
    assert "n too small" in page
