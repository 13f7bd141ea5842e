"""The page of a song's runs, in a real browser: what is copied has a colour, both passages are heard, one at a time.

Chromium is driven as `test_listening_browser` does it; where there is none these tests are skipped with it.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.evaluation.novelty import measure_novelty
from woodshed.evaluation.novelty_page import write_page
from woodshed.music import Part, Song


def _driver() -> ModuleType:
    """The module beside this file that drives a browser; test folders are no packages."""
    name = "woodshed_test_listening_browser"
    if name not in sys.modules:
        place = Path(__file__).with_name("test_listening_browser.py")
        spec = importlib.util.spec_from_file_location(name, place)
        if spec is None or spec.loader is None:
            raise ImportError(str(place))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


chromium, browser = _driver().chromium, _driver().browser
Browser = Any

NOTES, CHANGED = 40, 17
"""Notes of the lead, and which of them the song has changed."""
BUTTONS = "[...document.querySelectorAll('button[data-label]')]"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lead and its drums, copied a tone higher and twice as fast with one note changed; and a song of its own."""
    chance = np.random.default_rng(3)
    onsets = np.cumsum(chance.choice((120, 240), NOTES))
    pitches = 60 + np.cumsum(chance.integers(-4, 5, NOTES)) % 18
    hits = chance.choice((36, 38, 42, 45, 47, 49), NOTES)
    parts = (Part("Lead", 30), Part("Drums", 0, True))

    def song(higher: int, factor: float, changed: int = -1) -> Song:
        lead = [
            (0, int(on * factor), 100, int(pitch) + higher + (number == changed), 90)
            for number, (on, pitch) in enumerate(zip(onsets, pitches, strict=True))
        ]
        drums = [(1, int(on * factor), 60, int(hit), 90) for on, hit in zip(onsets, hits, strict=True)]
        return Song.make(lead + drums, parts, tempos=[(0, 240.0)], title="Song")

    source, copied = song(0, 1.0), song(2, 0.5, CHANGED)
    index = PassageIndex.build([(IndexedSong("source.mid", "Source"), source)])
    found = measure_novelty(copied, index, lambda number: source)
    assert len(found.runs) == 1
    path = tmp_path_factory.mktemp("novelty") / "novelty.html"
    write_page(
        path, song=copied, name="song.mid", against="one song", novelty=found, baseline=None,
        source_of=lambda number: source,
    )  # fmt: skip
    return path


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    browser.ask("Page.navigate", url=page.as_uri())
    browser.wait("document.readyState === 'complete' && document.querySelectorAll('.side').length === 2")
    return browser


def test_the_page_opens_offline_without_a_fault(opened: Browser, page: Path) -> None:
    assert opened.run("document.querySelector('h1').textContent") == "Is song.mid new?"
    assert opened.run("document.querySelectorAll('article').length") == 1
    assert opened.faults() == []
    assert {url for url in opened.requests() if not url.startswith(("data:", "blob:"))} == {page.as_uri()}


def test_what_is_copied_has_a_colour_and_what_is_not_has_none(opened: Browser) -> None:
    notes = "[...document.querySelectorAll('.side')[{}].querySelectorAll('rect')]"
    for side in (0, 1):
        rects = notes.format(side)
        assert opened.run(f"{rects}.length") == 2 * NOTES
        assert opened.run(f"{rects}.filter((one) => one.classList.contains('same')).length") == 2 * NOTES - 1
        same, other = (
            opened.run(f"[...new Set({rects}.filter((one) => {no}one.classList.contains('same'))"
                       ".map((one) => getComputedStyle(one).fill))]")
            for no in ("", "!")
        )  # fmt: skip
        assert (len(same), len(other)) == (1, 1)
        assert same != other
        assert opened.run(f"{rects}.every((one) => one.getBoundingClientRect().width > 0)")


@pytest.mark.parametrize(("width", "beside"), [(1200, True), (360, False)])
def test_both_passages_stand_side_by_side_where_there_is_room(opened: Browser, width: int, beside: bool) -> None:
    opened.ask("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)
    here, there = opened.run(
        "[...document.querySelectorAll('.side')].map((one) => one.getBoundingClientRect().toJSON())"
    )
    assert (here["top"] == there["top"]) == beside
    assert (here["right"] <= there["left"]) == beside
    assert opened.run("document.documentElement.scrollWidth") <= width


def test_each_passage_is_heard_with_the_keyboard_one_at_a_time(opened: Browser) -> None:
    sounding = "playing && [" + BUTTONS + ".indexOf(playing.button), playing.sounds.length]"
    labels = f"{BUTTONS}.map((one) => [one.textContent, one.getAttribute('aria-pressed')])"
    assert opened.run(labels) == [["Play", "false"], ["Play", "false"]]
    assert opened.run(f"{BUTTONS}[0].getAttribute('aria-label')").startswith("Play Here: Lead and Drums, bar")
    opened.run(f"{BUTTONS}[0].focus()")
    opened.press("Enter")
    opened.wait("context && context.state === 'running'")
    assert opened.run(sounding) == [0, 2 * NOTES]
    assert opened.run(labels) == [["Stop", "true"], ["Play", "false"]]
    opened.wait("parseFloat(playing.head.style.left) > 5")
    assert opened.run("getComputedStyle(playing.head).opacity") == "0.9"
    opened.press("Tab", "Enter")
    assert opened.run(sounding) == [1, 2 * NOTES]
    assert opened.run(labels) == [["Play", "false"], ["Stop", "true"]]
    assert opened.run("document.querySelectorAll('.playhead')[0].style.opacity") == "0"
    opened.press("Enter")
    assert opened.run("playing") is None
    assert opened.run(labels) == [["Play", "false"], ["Play", "false"]]
    assert opened.faults() == []


def test_a_passage_is_heard_and_ends_by_itself(opened: Browser) -> None:
    """The sound itself is listened to, on its way to the loudspeaker."""
    opened.run(f"{BUTTONS}[0].closest('.side').dataset.seconds = '0.6'")
    opened.run(f"{BUTTONS}[0].focus()")
    opened.run(
        "window.connect = AudioNode.prototype.connect;"
        "AudioNode.prototype.connect = function (to, ...rest) {"
        "  if (to === this.context.destination) {"
        "    window.meter = window.meter || this.context.createAnalyser();"
        "    window.connect.call(this, window.meter);"
        "  }"
        "  return window.connect.call(this, to, ...rest);"
        "}; 0"
    )
    opened.press("Enter")
    opened.run("window.wave = new Float32Array(2048); 0")
    opened.wait("window.meter && (meter.getFloatTimeDomainData(wave), Math.max(...wave) > 0.02)")
    opened.wait("playing === null")
    assert opened.run(f"{BUTTONS}[0].textContent") == "Play"
