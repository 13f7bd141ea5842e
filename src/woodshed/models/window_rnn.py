"""Classic LSTMs that read a window of events and say what comes next, layer for layer as their authors had them.

=================== ====================================================================== ===================
net                 layers                                                                 window, inputs
=================== ====================================================================== ===================
`Shred`             LSTM 128, dropout 0.2, LSTM 128, flatten, dense 256, dropout 0.3,      50, 1
                    dense V
`DeepRock`          LSTM 256, dropout 0.3, LSTM 256 (its last output), dense 128,          50 (100 there), 1
                    dropout 0.3, dense V
`PitchStepDuration` LSTM 128 (its last output), heads of 128, 1 and 1; in                  25, 3
                    `woodshed.models.pitch_step_duration`
=================== ====================================================================== ===================

No dense layer has an activation: with dropout off, two of them in a row are one linear map. That is so in DeepRock's
code, and in the Keras tutorial (Skúli 2017) that shred's net follows.

Each net can play in up to three ways. `forward` reads a whole window for each event, as the sources do. ``read`` and
``slide`` say the same and remember what they can: one or two streams advance all windows that the next event belongs to
together, so that L steps one after another become one step of L rows, while more streams do best to read the window
anew. ``step`` carries one state from the first event on and never forgets; a net trained on windows has not heard such
states, so it is another player, though a much faster one. These three take and give numpy arrays.

Shape letters: B windows (or streams), L events in a window, I inputs per event, V ids, W width, K layers, H hidden.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
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
    size_of,
    slide_on,
    step_on,
)
from woodshed.models.lstm_steps import Array, DenseWeights, Memory, PlayingWeights, dense, nothing, slide
from woodshed.models.summary import Layer

LOSS = "categorical cross-entropy of the next event (softmax over the V ids)"


@dataclass(frozen=True)
class ShredConfig:
    """Sizes of a `Shred`."""

    vocabulary: int
    """V, how many events there are."""
    window: int = 50
    """L."""
    width: int = 128
    """W, of both LSTM layers."""
    hidden: int = 256
    """H, the dense layer after flattening."""
    layer_dropout: float = 0.2
    """After the first LSTM layer."""
    dropout: float = 0.3
    """After the dense layer."""

    def __post_init__(self) -> None:
        check_sizes(self, {"vocabulary": "len(codec.vocabulary)", "window": 50, "width": 128, "hidden": 256})

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


@dataclass(frozen=True)
class DeepRockConfig:
    """Sizes of a `DeepRock`."""

    vocabulary: int
    """V, how many events there are."""
    window: int = 50
    """L. DeepRock's code has 100."""
    width: int = 256
    """W, of both LSTM layers."""
    hidden: int = 128
    """H, the dense layer."""
    layer_dropout: float = 0.3
    """After the first LSTM layer."""
    dropout: float = 0.3
    """After the dense layer."""

    def __post_init__(self) -> None:
        check_sizes(self, {"vocabulary": "len(codec.vocabulary)", "window": 50, "width": 256, "hidden": 128})

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


class ShredState(NamedTuple):
    """A `SlidingState`, and what the dense layer has summed up of each window so far."""

    weights: PlayingWeights
    """With one matrix (L, H, W) of the dense layer for each place in the window."""
    memory: tuple[Memory, ...]
    """Of each LSTM layer, L + 1 places of B columns."""
    sums: Array
    """(L + 1, H, B), place l of l outputs, the bias included."""


class Shred(nn.Module):
    """Logits (B, V) of the event after each window (B, L, 1) of ids divided by V.

    >>> sum(p.numel() for p in Shred(ShredConfig(vocabulary=100)).parameters())
    1862500

    There is no ``step``: the dense layer sees all L outputs of the second layer, each by its place in the window, so a
    carried state would have to hold the last L outputs, all of them made by states that began before the window did:
    inputs that this dense layer was never trained on. It would take training on long sequences, with each output read
    together with the L - 1 before it.

    Source:
        Subramanian, "Deep Learned Shred Solo", after Skúli's "How to Generate Music using a LSTM Neural Network in
        Keras".
    """

    name: ClassVar[str] = "shred"
    loss_words: ClassVar[str] = LOSS

    def __init__(self, config: ShredConfig) -> None:
        super().__init__()
        self.config = config
        self.lstm = KerasLstm(1, config.width, layers=2, dropout=config.layer_dropout)
        self.dense = nn.Linear(config.window * config.width, config.hidden)
        self.out = nn.Linear(config.hidden, config.vocabulary)
        initialise_dense(self.dense, self.out)

    def forward(self, windows: Tensor) -> Tensor:
        return self._say(self.lstm(windows, self.training), self.training)

    def layer_table(self) -> list[Layer]:
        """The net as its source draws it."""
        length, width, hidden = self.config.window, self.config.width, self.config.hidden
        return [
            Layer("lstm 1", "LSTM", (length, width), self.lstm.size(0)),
            Layer(f"dropout {self.config.layer_dropout:g}", "Dropout", (length, width), 0),
            Layer("lstm 2", "LSTM", (length, width), self.lstm.size(1)),
            Layer("flatten", "Flatten", (length * width,), 0),
            Layer("dense", "Linear", (hidden,), size_of(self.dense)),
            Layer(f"dropout {self.config.dropout:g}", "Dropout", (hidden,), 0),
            Layer("out", "Linear", (self.config.vocabulary,), size_of(self.out)),
        ]

    def _say(self, outputs: Tensor, drop: bool) -> Tensor:
        """Logits (B, V) for outputs (B, L, W) of the last LSTM layer."""
        hidden = self.dense(outputs.flatten(1))
        logits: Tensor = self.out(F.dropout(hidden, self.config.dropout, drop))
        return logits

    def losses(self, windows: Tensor, targets: Tensor) -> Tensor:
        """Nats (B, 1) of the events ``targets`` (B,) after the windows."""
        return F.cross_entropy(self(windows), targets, reduction="none")[:, None]

    def loss(self, windows: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: the mean of `losses`."""
        return self.losses(windows, targets).mean()

    def read(self, windows: Array) -> tuple[Array, ShredState | WindowState]:
        """Logits (B, V) after the windows (B, L, 1), and the state from which `slide` goes on. Nothing is dropped."""
        check_window(windows, self.config.window)
        if len(windows) > MOST_SLIDING:
            return self._reread(windows), WindowState(windows)
        state: ShredState | WindowState = self._begin(len(windows))
        for event in windows.swapaxes(0, 1):  # what is said before the end is of windows that are not full yet
            said, state = self.slide(event, state)
        return said, state

    def _begin(self, batch: int) -> ShredState:
        """The state before anything was heard."""
        size = self.config
        layers, (dense, out) = self.lstm.playing_weights(self.dense, self.out)
        by_place = dense.matrix.reshape(size.hidden, size.window, size.width).transpose(1, 0, 2)
        weights = PlayingWeights(layers, (DenseWeights(np.ascontiguousarray(by_place), dense.bias), out))
        memory = tuple(nothing(layer, size.window + 1, batch) for layer in layers)
        return ShredState(weights, memory, np.tile(dense.bias, (size.window + 1, 1, batch)))

    @torch.inference_mode()
    def _reread(self, windows: Array) -> Array:
        logits: Array = self._say(self.lstm(torch.from_numpy(windows)), drop=False).numpy()
        return logits

    def slide(self, event: Array, state: ShredState | WindowState) -> tuple[Array, ShredState | WindowState]:
        """Logits (B, V) after the window that ends with ``event`` (B, 1)."""
        if isinstance(state, WindowState):
            return self.read(next_window(state, event).events)
        by_place, out = state.weights.dense
        outputs, memory = slide(state.weights.layers, event.T, state.memory)
        places = outputs.reshape(self.config.width, self.config.window, -1).transpose(1, 0, 2)  # (L, W, B)
        sums = np.empty_like(state.sums)
        sums[0] = by_place.bias
        np.matmul(by_place.matrix, places, out=sums[1:])
        sums[1:] += state.sums[:-1]
        return dense(out, sums[-1]).T, ShredState(state.weights, memory, sums)


class DeepRock(nn.Module):
    """Logits (B, V) of the event after each window (B, L, 1) of standardised ids.

    >>> sum(p.numel() for p in DeepRock(DeepRockConfig(vocabulary=100)).parameters())
    835300

    Source:
        Nayak, DeepRock (``train.py``). We differ in the length of the window, which is ours to choose.
    """

    name: ClassVar[str] = "deeprock"
    renewals: ClassVar[int] = 0
    """How many carried states begin while a window passes: none, as one that hears all predicts better (measured)."""
    loss_words: ClassVar[str] = LOSS

    def __init__(self, config: DeepRockConfig) -> None:
        super().__init__()
        self.config = config
        self.lstm = KerasLstm(1, config.width, layers=2, dropout=config.layer_dropout)
        self.dense = nn.Linear(config.width, config.hidden)
        self.out = nn.Linear(config.hidden, config.vocabulary)
        initialise_dense(self.dense, self.out)

    def forward(self, windows: Tensor) -> Tensor:
        return self._say(self.lstm(windows, self.training)[:, -1], self.training)

    def layer_table(self) -> list[Layer]:
        """The net as its source draws it."""
        length, width, hidden = self.config.window, self.config.width, self.config.hidden
        return [
            Layer("lstm 1", "LSTM", (length, width), self.lstm.size(0)),
            Layer(f"dropout {self.config.layer_dropout:g}", "Dropout", (length, width), 0),
            Layer("lstm 2", "LSTM", (width,), self.lstm.size(1)),
            Layer("dense", "Linear", (hidden,), size_of(self.dense)),
            Layer(f"dropout {self.config.dropout:g}", "Dropout", (hidden,), 0),
            Layer("out", "Linear", (self.config.vocabulary,), size_of(self.out)),
        ]

    def _say(self, output: Tensor, drop: bool) -> Tensor:
        """Logits (B, V) for the last output (B, W) of the last LSTM layer."""
        logits: Tensor = self.out(F.dropout(self.dense(output), self.config.dropout, drop))
        return logits

    def losses(self, windows: Tensor, targets: Tensor) -> Tensor:
        """Nats (B, 1) of the events ``targets`` (B,) after the windows."""
        return F.cross_entropy(self(windows), targets, reduction="none")[:, None]

    def loss(self, windows: Tensor, targets: Tensor) -> Tensor:
        """What training makes small: the mean of `losses`."""
        return self.losses(windows, targets).mean()

    def read(self, windows: Array) -> tuple[Array, SlidingState | WindowState]:
        """Logits (B, V) after the windows (B, L, 1), and the state from which `slide` goes on. Nothing is dropped."""
        check_window(windows, self.config.window)
        if len(windows) > MOST_SLIDING:
            return self._reread(windows), WindowState(windows)
        output, sliding = self.lstm.read(windows, self.dense, self.out)
        return _tell(output, sliding), sliding

    @torch.inference_mode()
    def _reread(self, windows: Array) -> Array:
        logits: Array = self._say(self.lstm(torch.from_numpy(windows))[:, -1], drop=False).numpy()
        return logits

    def slide(self, event: Array, state: SlidingState | WindowState) -> tuple[Array, SlidingState | WindowState]:
        """Logits (B, V) after the window that ends with ``event`` (B, 1)."""
        if isinstance(state, WindowState):
            state = next_window(state, event)
            return self._reread(state.events), state
        output, sliding = slide_on(event, state)
        return _tell(output, sliding), sliding

    def start(self, batch: int) -> CarriedState:
        """The state before anything was heard."""
        return self.lstm.start(batch, self.dense, self.out)

    def step(self, event: Array, state: CarriedState) -> tuple[Array, CarriedState]:
        """Logits (B, V) after all events up to ``event`` (B, 1). Nothing is dropped."""
        output, state = step_on(event, state)
        return _tell(output, state), state


def _tell(output: Array, state: CarriedState | SlidingState) -> Array:
    """What the dense layers make of the last output (W, B) of the last LSTM layer."""
    first, last = state.weights.dense
    return dense(last, dense(first, output)).T
