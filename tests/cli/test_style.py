"""``--style a.shed:0.5,b.shed:0.5`` in the place of BUNDLE, as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from woodshed.bundle import load_bundle
from woodshed.bundle.heritage import fingerprint
from woodshed.formats import read_comment, read_midi, write_midi
from woodshed.music import Song

Run = Callable[..., Any]
QUICK = ("--candidates", 2, "--seed", 3)


@pytest.fixture(scope="module")
def fine(tiny_bundle: Path, music_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle, trained for two more steps."""
    from woodshed.recipes.recipe import load_recipe
    from woodshed.recipes.runs import train_recipe

    folder = tmp_path_factory.mktemp("fine") / "fine.shed"
    recipe = load_recipe("band", ["training.evaluations=1", "training.batch=2"])
    train_recipe(recipe, music_folder, folder, steps=2, device="cpu", base=tiny_bundle)
    return folder


@pytest.fixture
def given(band_song: Song, tmp_path: Path) -> Path:
    """Four bars of a band, as a file."""
    write_midi(band_song, tmp_path / "given.mid")
    return tmp_path / "given.mid"


def test_a_fine_tune_records_the_weights_that_it_began_from(tiny_bundle: Path, fine: Path) -> None:
    base = load_bundle(fine).training["base"]
    assert (base["bundle"], base["weights"]) == ("tiny.shed", fingerprint(load_bundle(tiny_bundle)))
    assert fingerprint(load_bundle(fine)) != base["weights"]


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("generate", ("--bars", 2)),
        ("continue", ("--bars", 2)),
        ("infill", ("--bars", "2-3", "--parts", "guitar")),
        ("accompany", ("--parts", "bass")),
        ("solo", ("--key", "E minor")),
        ("harmonise", ("--parts", "guitar", "--bars", "1-2")),
        ("vary", ("--by", 0.2)),
        ("humanise", ("--strength", 0.5)),
    ],
)
def test_every_verb_of_a_band_plays_a_blend(
    woodshed: Run, tiny_bundle: Path, fine: Path, given: Path, tmp_path: Path, verb: str, words: tuple[Any, ...]
) -> None:
    music = () if verb == "generate" else (given,)
    quick = QUICK[2:] if verb == "humanise" else QUICK
    style = f"{tiny_bundle}:1,{fine}:3"
    said = woodshed(verb, "--style", style, *music, *words, "-o", tmp_path / "out.mid", *quick, "--json")
    assert said.code == 0, said.err
    settings = json.loads(str(read_comment(tmp_path / "out.mid")))
    assert settings["bundle"] == "tiny.shed:0.25,fine.shed:0.75"
    assert (settings["verb"], settings["recipe"]) == (verb, "band")
    if music:
        assert len(read_midi(tmp_path / "out.mid").parts) >= 3
    again = woodshed(verb, *music, *words, f"--style={style}", "-o", tmp_path / "again.mid", *quick)
    assert again.code == 0, again.err
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "out.mid").read_bytes()


def test_radio_plays_a_blend(woodshed: Run, tiny_bundle: Path, fine: Path, tmp_path: Path) -> None:
    said = woodshed("radio", "--style", f"{tiny_bundle}:1,{fine}:1", "-o", tmp_path / "r.mid", "--bars", 2, "--seed", 1)
    assert said.code == 0, said.err
    assert len(read_midi(tmp_path / "r.mid"))


def test_a_bundle_whose_name_has_colons_and_commas_is_a_bundle(
    woodshed: Run, tiny_bundle: Path, fine: Path, tmp_path: Path
) -> None:
    odd = Path(shutil.copytree(tiny_bundle, tmp_path / "a:0.5,b:0.5"))
    for words in ((odd,), ("--style", odd), ("--style", f"{odd}:0.5,{fine}:0.5")):
        said = woodshed("generate", *words, "--bars", 1, "-o", tmp_path / "x.mid", "--force", *QUICK)
        assert said.code == 0, said.err


def test_a_bundle_beside_a_style_is_refused(refuses: Run, tiny_bundle: Path, given: Path, tmp_path: Path) -> None:
    style = f"{tiny_bundle}:1"
    for verb, music in (("generate", ()), ("continue", (given,))):
        line = refuses(2, verb, tiny_bundle, *music, "--style", style, "-o", tmp_path / "x.mid")
        assert "give either BUNDLE or --style" in line
    assert not (tmp_path / "x.mid").exists()


def test_without_either_the_bundle_is_missed(refuses: Run, given: Path, tmp_path: Path) -> None:
    assert "BUNDLE" in refuses(2, "generate", "-o", tmp_path / "x.mid")
    assert "INPUT" in refuses(2, "continue", "--style", "base", "-o", tmp_path / "x.mid")


def test_a_style_of_what_does_not_fit_is_refused_before_anything_is_written(
    refuses: Run, tiny_bundle: Path, fine: Path, music_folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.mid"
    assert "has share 0.0" in refuses(2, "generate", "--style", f"{tiny_bundle}:0,{fine}:1", "-o", out)
    assert "nowhere.shed is not a bundle" in refuses(1, "generate", "--style", f"nowhere.shed:1,{fine}:1", "-o", out)
    assert "differ in model" in refuses(1, "generate", "--style", f"base:1,{fine}:1", "-o", out)
    apart = tmp_path / "apart.shed"
    from woodshed.recipes.recipe import load_recipe
    from woodshed.recipes.runs import train_recipe

    changes = ["size=tiny", "training.evaluations=1", "training.batch=2"]
    train_recipe(load_recipe("band", changes), music_folder, apart, steps=1, device="cpu", seed=5)
    line = refuses(1, "generate", "--style", f"{apart}:1,{fine}:1", "-o", out)
    assert "apart.shed" in line
    assert "did not begin from one bundle" in line
    assert "--from base" in line
    assert not out.exists()


def test_a_blend_does_not_wait_for_torch(tiny_bundle: Path, fine: Path, tmp_path: Path) -> None:
    style = f"{tiny_bundle}:0.5,{fine}:0.5"
    arguments = ["generate", "--style", style, "--bars", "1", "-o", str(tmp_path / "x.mid"), "--candidates", "1"]
    code = (
        f"import sys; from woodshed.cli.app import run; assert run({arguments!r}) == 0; print('torch' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.splitlines()[-1] == "False"
