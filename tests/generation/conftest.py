"""A model for the player's tests: small, quick, and free of what any song is like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.codecs import NoteStepCodec
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig

TIME_SHIFT_HEAD = 0
NEVER = -12.0


@pytest.fixture(scope="session")
def unlearned() -> Callable[..., Bundle]:
    """A bundle that has learned nothing, from the biases of a few time shifts and of what heads always say."""

    def make(shifts: Mapping[int, float], always: Mapping[int, int] | None = None) -> Bundle:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = NoteModel(NoteModelConfig(width=16, layers=1, head_width=16, dropout=0.0))
            biases = {TIME_SHIFT_HEAD: shifts} | {head: {symbol: 0.0} for head, symbol in (always or {}).items()}
            with torch.no_grad():
                for head, symbols in biases.items():
                    model.head_out[head].bias[:] = NEVER
                    model.head_out[head].bias[list(symbols)] = torch.tensor(list(symbols.values()))
        return Bundle(model.eval(), NoteStepCodec())

    return make
