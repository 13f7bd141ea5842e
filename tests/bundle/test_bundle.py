"""Bundles: what is saved comes back, and nothing damaged is loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.numpy import load_file, save_file

from woodshed.bundle import Bundle, load_bundle, save_bundle
from woodshed.codecs import NoteStepCodec
from woodshed.errors import BundleError, BundleTooNew, FileError
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig

LEAD = {"intervals": [0.5, 0.5, 0, 0, 0, 0], "favourite": 0.2, "sounding": 1, "pace": 2}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder with a tiny bundle."""
    model = NoteModel(NoteModelConfig(width=16, layers=1, head_width=8))
    bundle = Bundle(model, NoteStepCodec(), style={"bpm": 140.0}, training={"songs": 3, "held_out_nats_per_note": 2.5})
    save_bundle(bundle, tmp_path / "b")
    return tmp_path / "b"


def _change(folder: Path, **what: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **what}))


def test_a_saved_bundle_comes_back_whole(saved: Path) -> None:
    bundle = load_bundle(saved)
    assert bundle.style == {"bpm": 140.0}
    assert bundle.training["songs"] == 3
    assert not bundle.model.training
    save_bundle(bundle, saved.parent / "again")
    assert (saved.parent / "again" / "model.safetensors").read_bytes() == (saved / "model.safetensors").read_bytes()


def test_the_card_says_what_was_learned_and_how_well(saved: Path) -> None:
    card = (saved / "README.md").read_text()
    assert "3 songs" in card
    assert "2.500 nats per note" in card


def test_a_bundle_from_a_newer_woodshed_is_refused_with_the_remedy(saved: Path) -> None:
    _change(saved, format=99, woodshed_version="9.9.9")
    with pytest.raises(BundleTooNew, match=r"9\.9\.9.*pip install --upgrade woodshed"):
        load_bundle(saved)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_truncated_weights_are_refused(saved: Path, kept: int) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        load_bundle(saved)


def test_weights_of_another_size_are_refused(saved: Path) -> None:
    config = json.loads((saved / "config.json").read_text())
    _change(saved, model={**config["model"], "width": 32})
    with pytest.raises(BundleError, match="does not fit"):
        load_bundle(saved)


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("model", {"name": "note-model", "width": 10**9, "layers": 1, "head_width": 8}),
        ("model", {"name": "other"}),
        ("codec", {"name": "note-step", "version": 99}),
        ("vocabulary", {}),
        ("style", None),
        ("style", {"bpm": "fast"}),
        ("style", {"drum_pitches": [36, 400]}),
        ("style", {"backbeat": 1.5}),
        *(
            ("style", {"lead": {**LEAD, **damaged}})
            for damaged in (
                {"intervals": [1.0]},
                {"intervals": [0.5] * 6},
                {"favourite": 2},
                {"pace": -1},
                {"pace": None},
            )
        ),
        ("style", {"lead": []}),
        ("style", {"instruments": {"piano": {}}}),
        ("style", {"instruments": {"0": {"usual_range": [40]}}}),
        ("style", {"arrangements": [{"programs": [0, 1], "presence": [1.0], "bpm": 120, "meter": "4/4"}]}),
        ("style", {"arrangements": [{"programs": [0], "presence": [1.0], "bpm": 120, "meter": "0/3"}]}),
        *(
            ("style", {"arrangements": [{"programs": [0], "presence": [1.0], "bpm": 120, "meter": "4/4", **damaged}]})
            for damaged in (
                {"plays": [[4, 0]]},
                {"plays": [[0]]},
                {"plays": [[], []]},
                {"sounding": [1.5]},
                {"clashes": 1.5},
                {"clashes": []},
                {"again": [[4, 8, 5]]},
                {"again": [[4, 8]]},
                {"again": [[8, 4, 1]]},
                {"pace": [-1.0]},
                {"lengths": ["long"]},
                {"lengths": [[0.5, 0.5]]},
                {"centres": [200.0]},
                {"voices": [0]},
                {"voices": [1, 1]},
                {"reaches": [65]},
                {"note_values": [[0, 1.0]]},
                {"note_values": [[3, 1.0], [3, 1.0]]},
                {"note_values": [[3]]},
                {"velocities": [[31, 1.0]]},
                {"velocities": [[[31, 1.0]] * 7]},
                {"velocities": [[[32, 1.0]] * 8]},
                {"velocities": [[[31, 0.5]] * 8]},
                {"velocities": [[[31]] * 8]},
                {"chord": [[0.5, 0.5]]},
                {"strokes": [[36]]},
                {"strokes": [[128, 0]]},
                {"strokes": [[36, -1]]},
                {"chord": [None, None]},
                {"chords": "H | Am"},
                {"chords": ["Am"]},
                {"reaches": [0, 0]},
                {"grids": [[12]]},
                {"grids": [[]]},
                {"grids": [[0], [0]]},
            )
        ),
        ("format", "x"),
    ],
)
def test_a_damaged_config_is_refused_before_any_memory_is_asked_for(saved: Path, section: str, value: object) -> None:
    _change(saved, **{section: value})
    with pytest.raises(BundleError):
        load_bundle(saved)


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors"])
def test_a_missing_file_is_named(saved: Path, missing: str) -> None:
    (saved / missing).unlink()
    with pytest.raises(BundleError, match=missing.replace(".", r"\.")):
        load_bundle(saved)


def test_config_that_is_not_json_is_refused(saved: Path) -> None:
    (saved / "config.json").write_text("{")
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(saved)


def test_a_full_disk_leaves_the_old_bundle_whole(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    bundle = load_bundle(saved)

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(FileError, match=r"No space left.*--output"):
        save_bundle(bundle, saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert torch.is_grad_enabled()


def _without(folder: Path, *prefixes: str) -> None:
    path = folder / "model.safetensors"
    save_file({name: array for name, array in load_file(path).items() if not name.startswith(prefixes)}, path)


def test_a_bundle_from_before_there_were_votes_plays_as_it_did(saved: Path) -> None:
    _without(saved, "vote_")
    model = load_bundle(saved).model.module
    assert not model.vote_worth.any()
    assert not any(trust.weight.any() or trust.bias.any() for trust in model.vote_trust)


def test_any_other_tensor_that_is_missing_is_named(saved: Path) -> None:
    _without(saved, "vote_", "record_trust")
    with pytest.raises(BundleError, match="record_trust is missing"):
        load_bundle(saved)
