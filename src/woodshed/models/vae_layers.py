"""What a MusicVAE is made of: its sizes, encoder, conductor and decoders. See `woodshed.models.music_vae`.

Shape letters: B clips, P parts, T steps, U segments, L steps of a segment, D decoders, V tokens, Z latent, C context,
W width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.lstm import Bidirectional, LSTMLayer, Packing, ends, glorot, pack

State = tuple[Tensor, ...]
"""Output and cell (B, W) of each layer."""

SIZE_LIMITS = {
    "steps": (1, 65536),
    "segments": (1, 4096),
    "latent": (1, 4096),
    "encoder_width": (1, 4096),
    "encoder_layers": (1, 8),
    "encoder_levels": (1, 2),
    "conductor_width": (1, 4096),
    "decoder_width": (1, 4096),
    "decoder_layers": (1, 8),
    "places": (0, 1024),
}
"""No size may be larger: a damaged config must not ask for all memory."""
USUAL = {
    "steps": 32, "segments": "1, or 16 for 16 bars", "latent": "32 to 512", "encoder_width": 256, "encoder_layers": 1,
    "encoder_levels": 1, "conductor_width": 256, "decoder_width": 256, "decoder_layers": 2, "places": "0 or 32",
}  # fmt: skip
END = 0
"""The token after which a part of a band is complete: what follows is neither heard nor scored."""
FIRST_LOG_VARIANCE = -3.0
"""Where learning starts. A decoder that at first hears little but noise in z learns not to listen, so the means are
started wide apart too, by tokens that matter to the encoder's gates and by wide weights from its last outputs; and so
are the conductor's vectors."""
MOST_PARTS, MOST_TOKENS = 64, 65536


@dataclass(frozen=True)
class MusicVAEConfig:
    """Sizes of a `MusicVAE`."""

    vocabulary: tuple[int, ...]
    """V of each of the P parts."""
    steps: int
    """T, tokens of each part."""
    segments: int = 1
    """U, how many equal stretches of time start anew from the conductor; 1: no conductor."""
    per_part: bool = False
    """The conductor goes over the parts instead of time, and all parts share one decoder."""
    latent: int = 256
    """Z."""
    encoder_width: int = 256
    """W, of each direction."""
    encoder_layers: int = 1
    encoder_levels: int = 1
    """1: one encoder over all steps. 2: one within segments, and one over them; only where there are segments."""
    conductor_width: int = 256
    """W, of each of the conductor's layers, of which there are as many as a decoder has."""
    decoder_width: int = 256
    decoder_layers: int = 2
    dropout: float = 0.0
    """On what the decoder's layers hand on."""
    places: int = 0
    """R, through how many numbers of their own for each step of a segment the nets hear z there; 0: as in the papers,
    where they must count to know where they are."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "vocabulary", tuple(self.vocabulary))  # JSON knows lists alone
        for name, (low, high) in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ValueError(f"model {name} {value!r} is outside {low}-{high}; {USUAL[name]} is usual")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model dropout {self.dropout} is outside 0 to below 1; 0 is usual")
        self._check_shape()

    def _check_shape(self) -> None:
        if not 1 <= len(self.vocabulary) <= MOST_PARTS:
            raise ValueError(f"model vocabulary names {len(self.vocabulary)} parts, outside 1-{MOST_PARTS}")
        for size in self.vocabulary:
            if type(size) is not int or not 1 <= size <= MOST_TOKENS:
                raise ValueError(f"model vocabulary {size!r} is outside 1-{MOST_TOKENS}; 90 is usual for a melody")
        if self.steps % self.segments:
            raise ValueError(f"model segments {self.segments} do not divide {self.steps} steps; take a divisor")
        if self.per_part and (self.segments > 1 or len(set(self.vocabulary)) > 1):
            raise ValueError("model per_part allows 1 segment, and one vocabulary for all parts")
        if self.per_part and self.encoder_levels == 1:
            raise ValueError("model encoder_levels 1 cannot hear parts one by one; per_part needs 2")
        if self.per_part and self.encoder_layers > 1:
            raise ValueError(f"model encoder_layers {self.encoder_layers}: with per_part it must be 1")
        if self.encoder_levels == 2 and not self.per_part and self.segments == 1:
            raise ValueError("model encoder_levels 2 needs more than 1 segment; 1 is usual for flat models")

    @property
    def units(self) -> int:
        """How often decoders start: once per part of a band, or per segment."""
        return len(self.vocabulary) if self.per_part else self.segments

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return {**asdict(self), "vocabulary": list(self.vocabulary)}


class Encoder(nn.Module):
    """Tokens (B, P, T) -> the last outputs of both directions (B, 2 W)."""

    def __init__(self, config: MusicVAEConfig) -> None:
        super().__init__()
        self.config = config
        width, sizes = config.encoder_width, config.vocabulary
        self.first_ids = [0] * len(sizes) if config.per_part else [sum(sizes[:i]) for i in range(len(sizes))]
        inputs = (sizes[0] if config.per_part else sum(sizes), *[2 * width] * (config.encoder_layers - 1))
        self.layers = nn.ModuleList(Bidirectional(size, width) for size in inputs)
        for layer in (self.layers[0].there, self.layers[0].back):
            nn.init.normal_(layer.kernel.data[: inputs[0]])  # type: ignore[union-attr,index]
        self.over = Bidirectional(2 * width, width) if config.encoder_levels == 2 else None
        units = config.segments if config.encoder_levels == 2 else 1
        self.places = nn.Parameter(torch.zeros(config.steps // units, 8 * width)) if config.places else None
        placed = config.places and self.over is not None
        self.places_over = nn.Parameter(torch.zeros(config.units, 8 * width)) if placed else None

    def forward(self, tokens: Tensor) -> Tensor:
        """Parts that sound together are heard together; in a band, each part is a sequence of its own."""
        first, *rest = self.layers
        if self.config.per_part:
            rows = tokens.flatten(0, 1)
            heard = first.ends_of(rows, pack(lengths_of(rows)), self.places)  # type: ignore[operator]
            return self._over(heard.view(*tokens.shape[:2], -1))
        stretches = self._stretches(tokens)
        batch, units = stretches.shape[:2]
        x: Tensor = first.hear(stretches.flatten(0, 1).transpose(0, 1), self.places)  # type: ignore[operator]
        for layer in rest:
            x = layer(x)
        heard = self._summed(x)  # (B U, 2 W)
        return heard if self.over is None else self._over(heard.view(batch, units, -1))

    def _over(self, heard: Tensor) -> Tensor:
        """What was heard in each unit (B, U, 2 W) -> what was heard in all (B, 2 W)."""
        return self._summed(self.over(heard.transpose(0, 1), self.places_over))  # type: ignore[misc]

    def _summed(self, x: Tensor) -> Tensor:
        """Outputs (T, B, 2 W) -> what was heard last (B, 2 W), and with places what was on average too."""
        return ends(x) if self.places is None else ends(x) + x.mean(0)

    def _stretches(self, tokens: Tensor) -> Tensor:
        """The inputs (B, U, L, K) that are on in each stretch that the first level reads in one go."""
        units = self.config.segments if self.config.encoder_levels == 2 else 1
        ids = tokens + torch.tensor(self.first_ids, device=tokens.device)[:, None]
        return ids.transpose(1, 2).reshape(len(tokens), units, -1, ids.shape[1])


class Stack(nn.Module):
    """LSTM layers whose start follows from a context, which the first of them also hears at every step."""

    def __init__(self, inputs: int, context: int, width: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.inputs, self.dropout = inputs, dropout
        sizes = (inputs + context, *[width] * (layers - 1))
        self.layers = nn.ModuleList(LSTMLayer(size, width) for size in sizes)
        self.begin = nn.Linear(context, 2 * layers * width)

    def start(self, context: Tensor) -> State:
        """Outputs and cells (B, W) before the first step, given what is heard all along (B, C)."""
        state: Tensor = self.begin(context).tanh()
        return state.chunk(2 * len(self.layers), 1)

    def always(self, context: Tensor) -> Tensor:
        """What the context (B, C) adds to the first layer's gates (B, 4 W) at every step, bias and all."""
        first = self._layers()[0]
        return torch.addmm(first.bias, context, first.kernel[self.inputs : first.inputs])

    def forward(self, gates: Tensor, context: Tensor, counts: Sequence[int]) -> Tensor:
        """The first layer's gates (S, 4 W) of packed steps, and contexts in that order (B, C) -> outputs (S, W)."""
        state, (first, *rest) = self.start(context), self._layers()
        x = first.run(gates, (state[0], state[1]), counts)
        for i, layer in enumerate(rest, 1):
            x = layer.run(layer.gates(self._drop(x)), (state[2 * i], state[2 * i + 1]), counts)
        return self._drop(x)

    def step(self, gates: Tensor, state: State) -> State:
        """The first layer's gates (B, 4 W), but for its own output's share -> the state; its last output is [-2]."""
        after: list[Tensor] = []
        for i, layer in enumerate(self._layers()):
            output, cell = state[2 * i : 2 * i + 2]
            if i:
                gates = torch.addmm(layer.bias, after[-2], layer.kernel[: layer.inputs])
            after += layer.step(torch.addmm(gates, output, layer.kernel[layer.inputs :]), cell)
        return tuple(after)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout) if self.training and self.dropout else x

    def _layers(self) -> list[LSTMLayer]:
        return list(self.layers)  # type: ignore[arg-type]


class Places(nn.Module):
    """What z means at each step: R numbers of it, each weighed anew at each step, and the step itself."""

    def __init__(self, config: MusicVAEConfig, steps: int, width: int) -> None:
        super().__init__()
        self.ask, self.tell = glorot(config.latent, config.places), glorot(config.places, 4 * width)
        self.weights = nn.Parameter(torch.randn(steps, config.places))
        self.bias = nn.Parameter(torch.zeros(steps, 4 * width))

    def forward(self, context: Tensor, rows: Tensor, steps: Tensor) -> Tensor:
        """Contexts (B, C), and of each of S steps which of them it has and which step it is (S,) -> gates (S, 4 W)."""
        asked = (context @ self.ask).index_select(0, rows) * self.weights.index_select(0, steps)
        return asked @ self.tell + self.bias.index_select(0, steps)

    def at(self, context: Tensor, step: int) -> Tensor:
        """Contexts (B, C) -> gates (B, 4 W) of one step."""
        return torch.addmm(self.bias[step], (context @ self.ask) * self.weights[step], self.tell)


class Conductor(nn.Module):
    """z (B, Z) -> one vector for each of the units (B, U, Z)."""

    def __init__(self, config: MusicVAEConfig) -> None:
        super().__init__()
        self.units = config.units
        self.stack = Stack(0, config.latent, config.conductor_width, config.decoder_layers, config.dropout)
        self.output = nn.Linear(config.conductor_width, config.latent)
        nn.init.normal_(self.output.weight, std=5 / config.conductor_width**0.5)
        self.places = Places(config, config.units, config.conductor_width) if config.places else None

    def forward(self, z: Tensor) -> Tensor:
        """It hears z all along and nothing that the decoders say, as in Magenta's models."""
        gates = self.stack.always(z).repeat(self.units, 1)
        if self.places is not None:
            gates = gates + self.places(z, *_every(len(z), self.units, z.device))
        outputs: Tensor = self.output(self.stack(gates, z, [len(z)] * self.units))
        return outputs.view(self.units, len(z), -1).transpose(0, 1)


class Decoder(nn.Module):
    """One part's tokens, each given those before it in its segment and the segment's context (C = Z)."""

    def __init__(self, config: MusicVAEConfig, vocabulary: int) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        self.stack = Stack(vocabulary, config.latent, config.decoder_width, config.decoder_layers, config.dropout)
        self.output = nn.Linear(config.decoder_width, vocabulary)
        steps = config.steps // config.segments
        self.places = Places(config, steps, config.decoder_width) if config.places else None

    def forward(self, given: Tensor, context: Tensor) -> Tensor:
        """Tokens (B, L), of which step t is given those before it, and contexts (B, C) -> logits (B, L, V)."""
        batch, steps = given.shape
        rows = F.embedding(given[:, :-1].t().flatten(), self._table())
        gates = F.pad(rows, (0, 0, batch, 0)) + self.stack.always(context).repeat(steps, 1)
        if self.places is not None:
            gates = gates + self.places(context, *_every(batch, steps, given.device))
        logits: Tensor = self.output(self.stack(gates, context, [batch] * steps))
        return logits.view(steps, batch, -1).transpose(0, 1)

    def packed(self, given: Tensor, context: Tensor, packing: Packing) -> Tensor:
        """The same of rows of different lengths -> logits (S, V)."""
        batch = len(given)
        rows = F.embedding(given[packing.rows[batch:], packing.steps[batch:] - 1], self._table())
        gates = F.pad(rows, (0, 0, batch, 0)) + self.stack.always(context).index_select(0, packing.rows)
        if self.places is not None:
            gates = gates + self.places(context, packing.rows, packing.steps)
        logits: Tensor = self.output(self.stack(gates, context[packing.order], packing.counts))
        return logits

    def sample(self, context: Tensor, uniforms: Tensor, temperature: float, allowed: Tensor | None) -> Tensor:
        """Contexts (B, C) and a number from 0 to below 1 for each draw (B, L) -> tokens (B, L), one step at a time."""
        tokens = torch.empty(uniforms.shape, dtype=torch.int64, device=context.device)
        always, state = self.stack.always(context), self.stack.start(context)
        forbidden = None if allowed is None else ~allowed
        gates = always
        for t in range(tokens.shape[1]):
            if self.places is not None:
                gates = gates + self.places.at(context, t)
            state = self.stack.step(gates, state)
            logits = self.output(state[-2])
            if forbidden is not None:
                logits = logits.masked_fill(forbidden, -torch.inf)
            tokens[:, t] = _draw(logits, uniforms[:, t], temperature)
            gates = always + self._table()[tokens[:, t]]
        return tokens

    def _table(self) -> Tensor:
        """What each token, as the one before, adds to the first layer's gates (V, 4 W)."""
        return self.stack.layers[0].kernel[: self.vocabulary]  # type: ignore[index]


def lengths_of(rows: Tensor) -> Tensor:
    """(B,) how many tokens rows (B, T) have until their first `END` and with it."""
    ended = rows == END
    return torch.where(ended.any(1), ended.int().argmax(1) + 1, rows.shape[1])


def _every(batch: int, steps: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Of all steps of so many rows, one step after the other (S,): which row, and which step."""
    return torch.arange(batch, device=device).repeat(steps), torch.arange(steps, device=device).repeat_interleave(batch)


def _draw(logits: Tensor, uniforms: Tensor, temperature: float) -> Tensor:
    """(B, V) and (B,) -> the token (B,) in whose share of the distribution each number falls."""
    if not temperature:
        return logits.argmax(1)
    shares = (logits.double() / temperature).softmax(1).cumsum(1)
    return torch.searchsorted(shares, uniforms[:, None] * shares[:, -1:], right=True)[:, 0]
