"""The note model: causal, the same in pieces as in one, exact, and indifferent to what a canvas hides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import DRUM_PROGRAM, SIZES
from woodshed.codecs.past import ANCHORS, POINTERS, RECORDS, TALLIES
from woodshed.codecs.past_state import VOTERS
from woodshed.codecs.past_votes import VOTE_CLASSES
from woodshed.codecs.study import song_inputs
from woodshed.models import note_sizes
from woodshed.models.note_model import Inputs, NoteModel, Scan
from woodshed.models.note_sizes import NoteModelConfig, shapes_of
from woodshed.music import Song

CODEC = NoteStepCodec()


@pytest.fixture(scope="module")
def model() -> NoteModel:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return NoteModel(NoteModelConfig(width=24, layers=2, head_width=16, dropout=0.0)).eval()


def _batch(song: Song) -> Inputs:
    return Inputs(*(torch.from_numpy(np.array(table))[None] for table in song_inputs(CODEC, CODEC.arrange(song))))


def _losses(model: NoteModel, inputs: Inputs) -> Tensor:
    with torch.inference_mode():
        return model.losses(inputs)[0][0]


def test_the_sizes_are_those_of_the_codec() -> None:
    assert note_sizes.FIELD_SIZES == SIZES
    assert (note_sizes.POINTERS, note_sizes.RECORDS) == (POINTERS, RECORDS)
    assert (note_sizes.ANCHORS, note_sizes.TALLIES) == (ANCHORS, TALLIES)
    assert (note_sizes.VOTERS, note_sizes.VOTE_CLASSES) == (VOTERS, VOTE_CLASSES)
    assert note_sizes.DRUM_PROGRAM == DRUM_PROGRAM


@pytest.mark.parametrize("layers", [1, 3])
def test_the_shapes_of_all_tensors_are_known_without_torch(layers: int) -> None:
    config = NoteModelConfig(width=24, layers=layers, head_width=16)
    built = {name: tuple(tensor.shape) for name, tensor in NoteModel(config).state_dict().items()}
    assert shapes_of(config) == built


def test_rows_to_come_change_nothing(model: NoteModel, band_song: Song) -> None:
    inputs = _batch(band_song)
    other = inputs.rows.clone()
    other[:, 40:, 2:] = 5
    before, after = (_losses(model, batch) for batch in (inputs, inputs._replace(rows=other)))
    assert torch.equal(before[:39], after[:39])
    assert not torch.equal(before[39:], after[39:])


def test_a_song_in_pieces_costs_what_it_costs_in_one(model: NoteModel, band_song: Song) -> None:
    whole = song_inputs(CODEC, CODEC.arrange(band_song))
    expected, state, found = _losses(model, _batch(band_song)), None, []
    for start in range(0, len(whole.expected), 7):
        batch = Inputs(*(torch.from_numpy(np.array(table))[None] for table in whole.span(start, 7)))
        with torch.inference_mode():
            losses, state = model.losses(batch, state)
        found.append(losses[0])
    assert torch.allclose(torch.cat(found), expected, atol=1e-4)


def test_the_chances_of_each_field_sum_to_one(model: NoteModel, band_song: Song) -> None:
    inputs = _batch(band_song)
    with torch.inference_mode():
        for field, logits in enumerate(model.logits(inputs, model.states(inputs)[0])):
            assert logits.shape[-1] == SIZES[field]
            assert torch.allclose(logits.softmax(-1).sum(-1), torch.ones(logits.shape[:2]), atol=1e-5)


def test_what_a_field_costs_does_not_depend_on_itself(model: NoteModel, band_song: Song) -> None:
    """A head reads the fields before its own, never its own or later ones."""
    inputs = _batch(band_song)
    for field in range(1, 6):
        changed = inputs.rows.clone()
        changed[:, -2, field:] = 3
        with torch.inference_mode():
            pair = [
                model.logits(batch, model.states(batch)[0])[field][0, -2]
                for batch in (inputs, inputs._replace(rows=changed))
            ]
        assert torch.equal(*pair)


def test_the_scan_is_the_recurrence_and_so_is_its_gradient() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        keep, new, start = torch.rand(2, 9, 3).double(), torch.randn(2, 9, 3).double(), torch.randn(2, 3).double()
    keep.requires_grad_()
    new.requires_grad_()
    state, states = start, []
    for t in range(9):
        state = keep[:, t] * state + new[:, t]
        states.append(state)
    assert torch.allclose(Scan.apply(keep, new, start), torch.stack(states, 1))  # type: ignore[no-untyped-call]
    assert torch.autograd.gradcheck(lambda k, n: Scan.apply(k, n, start), (keep, new))  # type: ignore[no-untyped-call]


def test_sizes_out_of_bounds_are_named() -> None:
    with pytest.raises(ValueError, match="width"):
        NoteModelConfig(width=10**9)
    with pytest.raises(ValueError, match="dropout"):
        NoteModelConfig(dropout=1.0)
