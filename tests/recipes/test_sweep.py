"""One setting tried with several values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from woodshed.bundle import load_bundle
from woodshed.errors import CorpusError, OutOfRange, UnknownName
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener
from woodshed.recipes.sweep import Sweep, run_sweep

TINY = ["size=tiny", "training.batch=2", "training.evaluations=2"]


def test_the_value_that_reads_held_out_songs_best_is_kept(music_folder: Path, tmp_path: Path) -> None:
    recipe, out = load_recipe("band", TINY), tmp_path / "b"
    told: list[str] = []
    sweep = Sweep.parse("learning_rate=0.00001,0.003", recipe)
    tried = run_sweep(recipe, sweep, music_folder, out, steps=12, device="cpu", on_value=told.append)
    assert told == ["0.00001", "0.003"]
    assert tried[1].best < tried[0].best
    kept = load_bundle(out).training
    assert kept["held_out_nats_per_note"] == tried[1].best
    assert kept["changed"][-1] == "training.learning_rate=0.003"
    facts = json.loads((out / "training" / "sweep.json").read_text())
    assert facts["key"] == "training.learning_rate"
    assert [len(one["held_out"]) for one in facts["tried"]] == [2, 2]
    assert (out / "training" / "sweep.svg").read_text().count("best") >= 2


def test_an_earlier_value_stays_if_later_ones_are_worse(music_folder: Path, tmp_path: Path) -> None:
    recipe = load_recipe("band", TINY)
    sweep = Sweep.parse("training.learning_rate=0.003,0.00001", recipe)
    tried = run_sweep(recipe, sweep, music_folder, tmp_path / "b", steps=12, device="cpu")
    assert load_bundle(tmp_path / "b").training["held_out_nats_per_note"] == tried[0].best < tried[1].best


def test_a_value_with_which_nothing_is_learned_is_told_and_the_others_are_tried(
    music_folder: Path, tmp_path: Path
) -> None:
    recipe = load_recipe("band", TINY)
    warnings: list[str] = []
    sweep = Sweep.parse("model.layers=0,1", recipe)
    listener = Listener(on_warning=warnings.append)
    tried = run_sweep(recipe, sweep, music_folder, tmp_path / "b", steps=2, device="cpu", listener=listener)
    assert tried[0].outcome is None
    assert tried[1].best < float("inf")
    assert any(line.startswith("model.layers = 0: ") for line in warnings)
    with pytest.raises(OutOfRange, match="layers"):
        run_sweep(recipe, Sweep.parse("model.layers=0,65", recipe), music_folder, tmp_path / "c", steps=2, device="cpu")


@pytest.mark.parametrize(
    ("text", "error", "match"),
    [
        ("learning_rate", OutOfRange, "key=value,value"),
        ("learning_rate=0.1", OutOfRange, "2 to 32 different values"),
        ("learning_rate=0.1,0.1", OutOfRange, "different"),
        ("louder_rate=1,2", UnknownName, "no setting"),
        ("learnrate=0.01", UnknownName, "'learnrate'.* did you mean training.learning_rate"),
        ("training.learnrate=0.01,0.1", UnknownName, "did you mean training.learning_rate"),
        ("dropout=0.1,0.2", None, ""),
        ("training.lerning_rate=1,2", UnknownName, "training.learning_rate"),
    ],
)
def test_what_no_sweep_can_be_is_named(
    text: str, error: type[Exception] | None, match: str, music_folder: Path, tmp_path: Path
) -> None:
    recipe = load_recipe("band", TINY)
    if error is None:
        assert Sweep.parse(text, recipe).key == "model.dropout"
        return
    with pytest.raises(error, match=match):
        run_sweep(recipe, Sweep.parse(text, recipe), music_folder, tmp_path / "b", steps=1)
    assert not (tmp_path / "b").exists()


def test_a_sweep_without_held_out_songs_is_refused_and_leaves_nothing(music_folder: Path, tmp_path: Path) -> None:
    recipe = load_recipe("band", [*TINY, "corpus.held_out_fraction=0.0"])
    with pytest.raises(CorpusError, match="held out"):
        run_sweep(recipe, Sweep.parse("batch=1,2", recipe), music_folder, tmp_path / "b", steps=1)
    assert not (tmp_path / "b").exists()
