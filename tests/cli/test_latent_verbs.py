"""vary, interpolate and generate of a bundle with a latent space, on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle, save_bundle
from woodshed.codecs.clip_drums import ClipDrumsCodec
from woodshed.formats import read_midi, write_midi
from woodshed.models import build_model
from woodshed.music import Part, Song


@pytest.fixture(scope="module")
def drums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that plays drums by chance."""
    config = {
        "name": "music-vae",
        "vocabulary": [512],
        "steps": 32,
        "latent": 4,
        "encoder_width": 8,
        "decoder_width": 8,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build_model(config).eval()
    vector = {"mean": 0.0, "spread": 1.0, "vector": [1.0, 0.0, 0.0, 0.0]}
    folder = tmp_path_factory.mktemp("latent") / "drums.shed"
    save_bundle(Bundle(model, ClipDrumsCodec(), "vae-drums-2bar", {}, {"attributes": {"density": vector}}), folder)
    return folder


@pytest.fixture
def loops(tmp_path: Path) -> list[Path]:
    """Four drum loops of two bars."""
    paths = []
    for seed in range(4):
        chance = np.random.default_rng(seed)
        hits = [(0, step * 120, 60, pitch, 90) for step in range(32) for pitch in (36, 38, 42) if chance.random() < 0.3]
        loop = Song.make([(0, 0, 60, 36, 100), *hits], [Part("Kit", 0, is_drum=True)], length=3840)
        paths.append(tmp_path / f"loop-{seed}.mid")
        write_midi(loop, paths[-1])
    return paths


def notes(path: Path) -> list[Any]:
    """What is played."""
    return read_midi(path).notes.tolist()


def test_interpolate_writes_one_file_or_one_for_each_step(
    woodshed: Callable[..., Any], drums: Path, loops: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "way.mid"
    said = woodshed("interpolate", drums, loops[0], loops[1], "--steps", 4, "-o", out, "--seed", 1, "--json")
    assert said.code == 0, said.err
    facts = json.loads(said.out)
    assert (facts["bars"], facts["settings"]["steps"], facts["seed"]) == (8, 4, 1)
    whole = read_midi(out)
    assert (whole.length, len(whole.markers)) == (8 * 1920, 4)
    assert whole.slice(0, 3840).notes.tolist() == notes(loops[0])
    assert whole.slice(3 * 3840, 4 * 3840).notes.tolist() == notes(loops[1])
    assert woodshed("interpolate", drums, *loops[:2], "--steps", 4, "-o", out, "--seed", 1, "--separate").code == 0
    assert notes(tmp_path / "way-1.mid") == notes(loops[0])
    assert notes(tmp_path / "way-4.mid") == notes(loops[1])
    assert read_midi(tmp_path / "way-2.mid").length == 3840


def test_a_grid_is_a_folder_of_loops_and_a_picture(
    woodshed: Callable[..., Any], refuses: Callable[..., str], drums: Path, loops: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "grid"
    said = woodshed("interpolate", "--grid", 3, drums, *loops, "-o", out, "--seed", 1)
    assert said.code == 0, said.err
    assert "wrote 9 loops of 2 bars" in said.out
    assert sorted(path.name for path in out.iterdir()) == sorted(
        ["grid.png", *(f"row-{row}-column-{column}.mid" for row in (1, 2, 3) for column in (1, 2, 3))]
    )
    assert all(read_midi(path).length == 3840 for path in out.glob("*.mid"))
    for path, (row, column) in zip(loops, ((1, 1), (1, 3), (3, 1), (3, 3)), strict=True):
        assert notes(out / f"row-{row}-column-{column}.mid") == notes(path)
    assert "--force" in refuses(2, "interpolate", "--grid", 3, drums, *loops, "-o", out)


def test_vary_by_nothing_is_the_clip_itself(
    woodshed: Callable[..., Any], drums: Path, loops: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "varied.mid"
    assert woodshed("vary", drums, loops[0], "--by", 0, "-o", out).code == 0
    assert notes(out) == notes(loops[0])
    said = woodshed(
        "vary", drums, loops[0], "--count", 2, "--seed", 4, "-o", out, "--json", "--attribute", "density=+1"
    )
    first, second = map(json.loads, said.out.splitlines())
    assert first["settings"]["by"] == 0.3
    assert first["settings"]["attributes"] == {"density": 1.0}
    assert [Path(file).name for facts in (first, second) for file in facts["files"]] == ["varied-1.mid", "varied-2.mid"]


def test_generate_plays_clips_in_a_row(woodshed: Callable[..., Any], drums: Path, tmp_path: Path) -> None:
    out = tmp_path / "new.mid"
    said = woodshed("generate", drums, "--bars", 5, "-o", out, "--attribute", "density=-1", "--seed", 2)
    assert said.code == 0, said.err
    assert read_midi(out).length == 5 * 1920


def test_what_cannot_be_is_refused_and_leaves_files_as_they_were(
    refuses: Callable[..., str], drums: Path, loops: list[Path], tmp_path: Path
) -> None:
    out, waltz = tmp_path / "kept.mid", tmp_path / "waltz.mid"
    write_midi(read_midi(loops[0]), out)
    write_midi(Song.make([(0, 0, 60, 36, 90)], [Part("", 0, True)], meters=[(0, 3, 4)], length=2880), waltz)
    before = out.read_bytes()
    two = loops[:2]
    for code, arguments, words in (
        (2, ("interpolate", drums, *two, "-o", out), "--force"),
        (2, ("interpolate", drums, loops[0], "-o", out, "--force"), "name 2, or four"),
        (2, ("interpolate", drums, *two, "--grid", 3, "-o", tmp_path / "grid"), "name 4"),
        (2, ("interpolate", drums, *loops, "--grid", 3, "--steps", 5, "-o", tmp_path / "grid"), "leave them out"),
        (2, ("interpolate", drums, *loops, "--grid", 3, "-o", out, "--force"), "needs a folder"),
        (2, ("interpolate", drums, *two, "--steps", 1, "-o", out, "--force"), "steps 1 is outside 2-1000"),
        (1, ("interpolate", drums, loops[0], waltz, "-o", out, "--force"), "3/4"),
        (1, ("vary", drums, waltz, "-o", out, "--force"), "lookback-rnn"),
        (2, ("vary", drums, loops[0], "--by", 2, "-o", out, "--force"), "by 2 is outside 0-1"),
        (2, ("vary", drums, loops[0], "--attribute", "loud=1", "-o", out, "--force"), "density, register"),
        (2, ("vary", drums, loops[0], "--attribute", "register=1", "-o", out, "--force"), "it has density"),
        (1, ("continue", drums, loops[0], "-o", out, "--force"), "recipes that can"),
        (2, ("generate", drums, "--key", "C major", "-o", out, "--force"), "no pitches"),
    ):
        assert words in refuses(code, *arguments)
        assert out.read_bytes() == before
    assert not (tmp_path / "grid").exists()


def test_messages_and_pictures_name_files_as_many_loops_have_one_title(
    woodshed: Callable[..., Any], refuses: Callable[..., str], drums: Path, loops: list[Path], tmp_path: Path
) -> None:
    out, long, tune = tmp_path / "out.mid", tmp_path / "long.mid", tmp_path / "tune.mid"
    beats = [(0, beat * 480, 60, 36, 90) for beat in range(16)]
    write_midi(Song.make(beats, [Part("", 0, True)], title="Beat"), long)
    write_midi(Song.make(beats, [Part("", 0)], title="Beat"), tune)
    assert "long.mid has 4 bars" in refuses(
        1, "interpolate", drums, *loops[:3], long, "--grid", 3, "-o", tmp_path / "g"
    )
    assert "tune.mid has no drums" in refuses(1, "interpolate", drums, long, tune, "-o", out)
    assert "tune.mid has no drums" in refuses(1, "vary", drums, tune, "-o", out)
    assert woodshed("vary", drums, long, "-o", out).code == 0
    assert read_midi(out).title == "Beat"
    said = woodshed("interpolate", drums, loops[0], long, "--steps", 3, "-o", tmp_path / "way.mid")
    assert "note: loop-0.mid has 2 bars and long.mid 4; the 3 clips grow" in said.err
    assert "9 bars in all" in said.err
    way = read_midi(tmp_path / "way.mid")
    assert (way.bars, way.title) == (9, "A: loop-0.mid to B: long.mid")
    assert "note" not in woodshed("interpolate", drums, *loops[:2], "-o", tmp_path / "same.mid").err


def test_a_bundle_without_a_latent_space_names_recipes_that_have_one(
    refuses: Callable[..., str], tiny_bundle: Path, loops: list[Path], tmp_path: Path
) -> None:
    out = ("-o", tmp_path / "x.mid")
    assert "vae-drums-2bar" in refuses(1, "interpolate", tiny_bundle, *loops[:2], *out)
    for arguments in (("generate", tiny_bundle), ("vary", tiny_bundle, loops[0])):
        assert "--attribute" in refuses(2, *arguments, "--attribute", "density=1", *out)


def test_what_only_a_band_can_vary_is_refused(
    refuses: Callable[..., str], drums: Path, loops: list[Path], tmp_path: Path
) -> None:
    for words, told in ((("--what", "pitches"), "--what"), (("--grid", "1/8"), "--grid"), (("--key", "C"), "--key")):
        assert told in refuses(2, "vary", drums, loops[0], *words, "-o", tmp_path / "x.mid")
