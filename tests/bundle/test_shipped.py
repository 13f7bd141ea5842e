"""The weights that are shipped: small, readable without torch, and a band in any key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import load_bundle
from woodshed.bundle.bundle import MODEL_FILE, SHIPPED, bundle_folder
from woodshed.music import Key, parse_part
from woodshed.recipes.play import generate
from woodshed.recipes.wish import Wish

BASE = SHIPPED / "base"


def test_the_base_is_named_base_unless_a_bundle_here_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert bundle_folder("base") == BASE
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").mkdir()
    assert bundle_folder("base") == BASE  # a folder with clips hides nothing
    (tmp_path / "base" / "config.json").write_text("{}")
    assert bundle_folder("base") == Path("base")


def test_the_base_is_small_and_says_what_it_learned() -> None:
    assert (BASE / MODEL_FILE).stat().st_size < 16e6
    told = (BASE / "DATA.md").read_text("utf-8")
    assert "Sources and licences" in told
    bundle = load_bundle("base")
    assert f"{bundle.training['songs']:,} songs, {bundle.training['notes']:,} notes" in told
    assert not any("openewld" in name for name in bundle.training["licences"])


@pytest.mark.parametrize("key", ["E minor", "Bb minor", "F# major"])
def test_the_base_plays_sixteen_bars_of_a_rock_band_in_any_key(key: str) -> None:
    parts = tuple(map(parse_part, ("drums", "bass", "distortion guitar")))
    (clip,) = generate(load_bundle("base"), Wish(16, parts, Key.parse(key)), seed=1, candidates=2)
    song = clip.song
    assert song.bars == 16
    notes = song.notes
    pitched = notes[~np.array([part.is_drum for part in song.parts])[notes["part"]]]
    assert set((pitched["pitch"] % 12).tolist()) <= set(Key.parse(key).pitch_classes)
    assert set(notes["part"].tolist()) == {0, 1, 2}


def test_the_base_plays_with_dynamics_where_its_line_ups_do() -> None:
    """Half of the songs for games are as loud from end to end; of several clips some are not."""
    clips = [generate(load_bundle("base"), Wish(8), seed=seed, candidates=1)[0].song for seed in range(6)]
    assert sum(len(np.unique(song.notes["velocity"])) > 2 for song in clips) >= 2
