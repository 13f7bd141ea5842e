"""`train --part`, `train --explain`, `generate --over` and `render --style track`, as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from woodshed.formats import read_comment, read_midi, write_midi
from woodshed.music import Part, Song

Run = Callable[..., Any]


def song(seed: int) -> Song:
    chance = np.random.default_rng(seed)
    rows = [(0, 480 * beat, 120, 36, 100) for beat in range(32)]
    rows += [(1, 240 * n, 240, int(chance.choice([40, 43, 45, 47, 52, 55, 57, 59])), 90) for n in range(64)]
    return Song.make(rows, [Part("Drums", 0, True), Part("Lead", 30)], meters=[(0, 4, 4)])


@pytest.fixture
def music(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    folder.mkdir()
    for seed in range(4):
        write_midi(song(seed), folder / f"{seed}.mid")
    return folder


def test_a_guitar_is_explained_then_learned_then_plays_over_a_backing(woodshed: Run, music: Path) -> None:
    tiny = ("--set", "size=tiny", "--part", "guitar")
    said = woodshed("train", "shred", music, "--explain", *tiny)
    assert said.code == 0, said.err
    assert "(n - 8, 8, 1) -> (n - 8, V) for each part of n events" in said.out
    assert "('guitar' by program " in said.out
    told = json.loads(woodshed("train", "shred", music, "--explain", "--json", *tiny).out)
    assert (told["kind"], told["recipe"], told["size"]) == ("explanation", "shred", "tiny")
    bundle, backing, out = (music.parent / name for name in ("B", "back.mid", "out.mid"))
    assert woodshed("train", "shred", music, "-o", bundle, "--steps", 2, "--threads", 1, *tiny).code == 0
    write_midi(song(7).transpose(1), backing)
    before = backing.read_bytes()
    said = woodshed(
        "generate", bundle, "--over", backing, "--key", "F minor", "-o", out, "--at-bar", 3, "--seed", 4, "--json"
    )
    assert said.code == 0, said.err
    facts, played = json.loads(said.out), read_midi(out)
    assert (facts["over"], facts["at_bar"], facts["key_of_solo"]) == ("back.mid", 3, "F minor")
    assert facts["solo_notes"] == (played.notes["part"] == 2).sum()
    assert played.parts[2].name == "Solo"
    assert json.loads(read_comment(out) or "{}")["over"] == "back.mid"
    assert backing.read_bytes() == before


def test_what_cannot_be_is_said_in_one_line_and_files_stay(refuses: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    backing, drums, out = tmp_path / "b.mid", tmp_path / "d.mid", tmp_path / "out.mid"
    write_midi(song(1), backing)
    write_midi(Song(parts=(Part(),), length=1920), drums)
    out.write_bytes(b"mine")
    common = ("-o", out, "--force")
    assert "leave out --primer" in refuses(2, "solo", tiny_bundle, backing, "--primer", backing, *common)
    assert "name that music with --over" in refuses(2, "generate", tiny_bundle, "--at-bar", 2, *common)
    assert "--primer-melody or --over" in refuses(
        2, "generate", tiny_bundle, "--over", backing, "--primer-melody", "[60]", *common
    )
    assert "no-such.mid" in refuses(1, "generate", tiny_bundle, "--over", tmp_path / "no-such.mid", *common)
    assert out.read_bytes() == b"mine"
    before = backing.read_bytes()
    assert "choose another --output" in refuses(2, "generate", tiny_bundle, "--over", backing, "-o", backing, "--force")
    assert backing.read_bytes() == before
    assert "say where the trained model goes" in refuses(2, "train", "shred", tmp_path)
    assert "--explain trains nothing" in refuses(2, "train", "shred", tmp_path, "--explain", "--resume")
    assert "recipe band does not learn one part" in refuses(2, "train", "band", tmp_path, "--part", "x", "--explain")


def test_a_track_is_drawn_in_seconds(woodshed: Run, refuses: Run, tmp_path: Path) -> None:
    path, picture = tmp_path / "b.mid", tmp_path / "b.png"
    write_midi(song(1), path)
    said = woodshed("render", path, "-o", picture, "--style", "track", "--part", "lead")
    assert said.code == 0, said.err
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "not one of roll, track" in refuses(2, "render", path, "-o", picture, "--style", "x", "--force")
    assert "is for pictures" in refuses(2, "render", path, "-o", tmp_path / "b.wav", "--style", "track")
    assert "drawn into a picture" in refuses(2, "render", path, "--style", "track")
    assert "no part 'tuba' sounds" in refuses(
        2, "render", path, "-o", tmp_path / "c.png", "--style", "track", "--part", "tuba"
    )
    assert not (tmp_path / "c.png").exists()
