"""A stream that never comes to an end is stopped, and costs only itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import load_bundle
from woodshed.errors import LimitExceeded
from woodshed.generation import fill as room
from woodshed.generation.canvas import blank_canvas
from woodshed.generation.filters import Sampling
from woodshed.music import Song

BARS = 1


def play(tiny_bundle: Path, count: int) -> list[Song]:
    bundle, rng = load_bundle(tiny_bundle), np.random.default_rng(0)
    canvas = blank_canvas(bundle, BARS, rng)
    return room.fill(bundle, canvas, Sampling(temperature=1, top_p=1), rng, count=count)


def test_runaway_answers_are_left_out(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = play(tiny_bundle, 64)
    assert len(whole) == 64
    most = (max(map(len, whole)) - 1) // BARS
    monkeypatch.setattr(room, "NOTES_PER_BAR_LIMIT", most)
    some = play(tiny_bundle, 64)
    assert 0 < len(some) < 64
    assert max(map(len, some)) <= BARS * most


def test_if_every_answer_runs_away_it_is_said(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "NOTES_PER_BAR_LIMIT", 0)
    with pytest.raises(LimitExceeded, match="lower the temperature"):
        play(tiny_bundle, 2)
