"""The LSTM of the TensorFlow music tutorial: a window of 25 notes in; pitch, step and duration of the next one out.

One LSTM layer of 128, whose last output goes through three dense heads of 128, 1 and 1. It plays in three ways, as
`woodshed.models.window_rnn` tells.

Shape letters: B windows (or streams), L notes in a window, W width.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.keras_lstm import (
    MOST_SLIDING,
    CarriedState,
    KerasLstm,
    SlidingState,
    WindowState,
    check_sizes,
    check_window,
    initialise_dense,
    next_window,
    slide_on,
    step_on,
)
from woodshed.models.lstm_steps import Array, dense
from woodshed.models.summary import Layer

PITCHES = 128
NEGATIVE_PRESSURE = 10.0


@dataclass(frozen=True)
class PitchStepDurationConfig:
    """Sizes of a `PitchStepDuration`, and how much each of its losses counts."""

    window: int = 25
    """L."""
    width: int = 128
    """W."""
    pitch_weight: float = 0.05
    step_weight: float = 1.0
    duration_weight: float = 1.0

    def __post_init__(self) -> None:
        check_sizes(self, {"window": 25, "width": 128})
        for name in ("pitch_weight", "step_weight", "duration_weight"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise ValueError(f"model {name} {value} is below 0 or no number; {type(self).__dict__[name]} is usual")

    def as_dict(self) -> dict[str, Any]:
        """The sizes and weights as JSON."""
        return asdict(self)


Numbers = TypeVar("Numbers", Tensor, Array)


class Heads(NamedTuple, Generic[Numbers]):
    """What `PitchStepDuration` says of the next note: tensors where it learns, arrays where it plays."""

    pitch: Numbers
    """(B, 128) logits."""
    step: Numbers
    """(B,) seconds."""
    duration: Numbers
    """(B,) seconds."""


class PitchStepDuration(nn.Module):
    """`Heads` of the note after each window (B, L, 3) of (pitch / 128, step, duration).

    >>> sum(p.numel() for p in PitchStepDuration(PitchStepDurationConfig()).parameters())
    84354

    Source:
        The TensorFlow tutorial "Generate music with an RNN". Its three heads stand side by side in one matrix here.
    """

    name: ClassVar[str] = "pitch-step-duration"
    renewals: ClassVar[int] = 2
    """How many carried states begin while a window passes: one that hears all predicts worse (measured)."""

    def __init__(self, config: PitchStepDurationConfig) -> None:
        super().__init__()
        self.config = config
        self.lstm = KerasLstm(3, config.width, layers=1, dropout=0.0)
        self.heads = nn.Linear(config.width, PITCHES + 2)
        initialise_dense(self.heads, split=(PITCHES, 1, 1))
        weights = torch.tensor([config.pitch_weight, config.step_weight, config.duration_weight])
        self.register_buffer("weights", weights, persistent=False)
        self.weights: Tensor

    @property
    def loss_words(self) -> str:
        """What training makes small."""
        config = self.config
        return (
            f"{config.pitch_weight:g} x cross-entropy of the pitch from logits + {config.step_weight:g} x step + "
            f"{config.duration_weight:g} x duration: squared seconds, and {NEGATIVE_PRESSURE:g} x what is below 0"
        )

    def layer_table(self) -> list[Layer]:
        """The net as its source draws it."""
        width = self.config.width
        heads = [
            Layer(name, "Linear", (size,), size * (width + 1))
            for name, size in (("pitch", PITCHES), ("step", 1), ("duration", 1))
        ]
        return [Layer("lstm", "LSTM", (width,), self.lstm.size(0)), *heads]

    def forward(self, windows: Tensor) -> Heads[Tensor]:
        said = self.heads(self.lstm(windows)[:, -1])
        return Heads(said[:, :PITCHES], said[:, PITCHES], said[:, PITCHES + 1])

    def losses(self, windows: Tensor, targets: Tensor) -> Tensor:
        """(B, 3), not weighted: nats of the pitch, and squared seconds of step and duration with positive pressure,
        for the notes ``targets`` (B, 3) after the windows (pitches as they are, 0-127)."""
        heads = self(windows)
        pitch = F.cross_entropy(heads.pitch, targets[:, 0].long(), reduction="none")
        step = squared_with_positive_pressure(heads.step, targets[:, 1])
        return torch.stack((pitch, step, squared_with_positive_pressure(heads.duration, targets[:, 2])), -1)

    def loss(self, windows: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: the weighted sum of the mean `losses`."""
        return self.losses(windows, targets).mean(0) @ self.weights

    def read(self, windows: Array) -> tuple[Heads[Array], SlidingState | WindowState]:
        """`Heads` after the windows (B, L, 3), and the state from which `slide` goes on."""
        check_window(windows, self.config.window)
        if len(windows) > MOST_SLIDING:
            return self._reread(windows), WindowState(windows)
        output, sliding = self.lstm.read(windows, self.heads)
        return _tell(output, sliding), sliding

    def slide(self, event: Array, state: SlidingState | WindowState) -> tuple[Heads[Array], SlidingState | WindowState]:
        """`Heads` after the window that ends with ``event`` (B, 3)."""
        if isinstance(state, WindowState):
            state = next_window(state, event)
            return self._reread(state.events), state
        output, sliding = slide_on(event, state)
        return _tell(output, sliding), sliding

    @torch.inference_mode()
    def _reread(self, windows: Array) -> Heads[Array]:
        return Heads(*(head.numpy() for head in self(torch.from_numpy(windows))))

    def start(self, batch: int) -> CarriedState:
        """The state before anything was heard."""
        return self.lstm.start(batch, self.heads)

    def step(self, event: Array, state: CarriedState) -> tuple[Heads[Array], CarriedState]:
        """`Heads` after all notes up to ``event`` (B, 3)."""
        output, state = step_on(event, state)
        return _tell(output, state), state


def _tell(output: Array, state: CarriedState | SlidingState) -> Heads[Array]:
    """What the heads make of the last output (W, B) of the LSTM."""
    said = dense(state.weights.dense[0], output)
    return Heads(said[:PITCHES].T, said[PITCHES], said[PITCHES + 1])


def squared_with_positive_pressure(predicted: Tensor, true: Tensor) -> Tensor:
    """Squared error, plus ten times as much of ``predicted`` as lies below zero: time does not run backwards.

    >>> squared_with_positive_pressure(torch.tensor([-0.5, 0.5]), torch.tensor([0.5, 0.5])).tolist()
    [6.0, 0.0]
    """
    return (predicted - true) ** 2 + NEGATIVE_PRESSURE * F.relu(-predicted)
