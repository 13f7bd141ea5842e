"""Shared fixtures: where the real music is, and a small band song made on the spot."""

from __future__ import annotations

import os
import random
from pathlib import Path

# Tiny models gain nothing from a second thread, and spinning threads make a busy machine crawl.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
from hypothesis import settings

from woodshed.formats import write_midi
from woodshed.music import Part, Song

# The same examples every time, so that a run says something about the change; `HYPOTHESIS=deep` looks for new ones.
settings.register_profile("quick", max_examples=50, deadline=None, derandomize=True)
settings.register_profile("deep", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS", "quick"))

REPOSITORY = Path(__file__).resolve().parent.parent
NO_MUSIC = "no music at"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was not covered because the licensed music is not on this machine."""
    skipped = [report for report in terminalreporter.getreports("skipped") if NO_MUSIC in str(report.longrepr)]
    if skipped:
        rooms = sorted({Path(report.nodeid.split("::")[0]).parent.name for report in skipped})
        terminalreporter.write_line(
            f"not covered: {len(skipped)} tests on real music ({', '.join(rooms)}); set WOODSHED_DATA to a data folder"
        )


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of licensed music named by WOODSHED_DATA (default ../shared/data); skips where there is none."""
    folder = Path(os.environ.get("WOODSHED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"{NO_MUSIC} {folder}; set WOODSHED_DATA to cover real files")
    return folder


@pytest.fixture
def band_song() -> Song:
    """Four bars of 4/4 at 140: drums, bass in E, a distorted guitar; all on the grid of sixteenths."""
    notes: list[tuple[int, int, int, int, int]] = []
    for bar in range(4):
        start = bar * 1920
        notes += [(0, start + beat * 480, 120, 36 if beat % 2 == 0 else 38, 100) for beat in range(4)]
        notes += [(0, start + eighth * 240, 120, 42, 80) for eighth in range(8)]
        notes += [(1, start + eighth * 240, 240, 40 + (0, 0, 3, 5)[bar], 96) for eighth in range(8)]
        notes += [
            (2, start + step * 480, 360, pitch + (0, 0, 3, 5)[bar], 90) for step in range(4) for pitch in (52, 59)
        ]
    parts = [
        Part("Drums", 0, True, "drums"),
        Part("Bass", 33, False, "bass"),
        Part("Guitar", 30, False, "rhythm guitar"),
    ]
    return Song.make(
        notes, parts, tempos=[(0, 140.0)], meters=[(0, 4, 4)], keys=[(0, 4, True)], title="Four Bars", length=7680
    )


def small_song(seed: int, bars: int = 8) -> Song:
    """A band song of its own: no two seeds give versions of one song."""
    chance = random.Random(seed)
    root = chance.randrange(28, 40)
    notes: list[tuple[int, int, int, int, int]] = []
    for bar in range(bars):
        start, step = bar * 1920, chance.choice((0, 3, 5, 7))
        notes += [(0, start + beat * 480, 120, 36 if beat % 2 == 0 else 38, 100) for beat in range(4)]
        notes += [(0, start + eighth * 240, 120, 42, 80) for eighth in range(8)]
        notes += [(1, start + eighth * 240, 240, root + step, 96) for eighth in range(8) if chance.random() < 0.8]
        notes += [(2, start + beat * 480, 360, root + 24 + chance.randrange(12), 90) for beat in range(4)]
    parts = [Part("Drums", 0, True), Part("Bass", 33), Part("Guitar", 30)]
    return Song.make(notes, parts, tempos=[(0, 120.0 + seed)], meters=[(0, 4, 4)], title=f"Song {seed}")


@pytest.fixture(scope="session")
def music_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six MIDI files of a small band."""
    folder = tmp_path_factory.mktemp("music")
    for seed in range(6):
        write_midi(small_song(seed), folder / f"song-{seed}.mid")
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(music_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that was trained for ten steps on `music_folder`: it plays, if not well. Not to be changed."""
    from woodshed.recipes.recipe import load_recipe
    from woodshed.recipes.runs import train_recipe

    folder = tmp_path_factory.mktemp("bundles") / "tiny.shed"
    changes = ["size=tiny", "training.evaluations=1", "training.batch=2"]
    train_recipe(load_recipe("band", changes), music_folder, folder, steps=10, device="cpu")
    return folder
