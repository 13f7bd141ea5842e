"""The flagship's first model: a causal transformer over notes, whose heads fill in a note field by field.

References:
    Vaswani et al. 2017 (attention), Su et al. 2021 (rotary positions), Zhang & Sennrich 2019 (RMSNorm),
    Shazeer 2020 (SwiGLU), Hsiao et al. 2021 (one step per compound event). We differ from the last in
    giving each head the fields decided before it, so that the product of the heads is the exact
    joint likelihood of a note, and in scoring parts by what instrument they hold. Waite 2016 (Lookback RNN):
    each head also sees which symbols the song's own past expects, and may add to their logits. For pitches
    it may also add to intervals from the latest pitches and to pitch classes that were heard, so that
    what it learns in one key holds in all.

Shape letters: B songs, T rows (notes), D width, H head width, V ids of a field, W attention window, P parts,
E pointers into the past.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIELD_SIZES = (195, 16, 128, 384, 32, 10)
PROGRAMS, NO_PROGRAM, DRUM_PROGRAM = 130, 129, 128
OCCURRENCES = 8
POINTERS, RECORDS = 5, 16
ANCHORS, INTERVALS, TALLIES = 3, 24, 2
POSITIONS, BEATS, BAR_NUMBERS = 192, 12, 16
SIZE_LIMITS = {"width": 4096, "layers": 64, "heads": 64, "head_width": 4096, "window": 65536}
"""No size may be larger: a damaged config must not ask for all memory."""
LAST_SHIFT = 191
"""Rows with a larger time shift (rests and the end) hold no note: their other fields cost nothing."""


@dataclass(frozen=True)
class NoteTransformerConfig:
    """Sizes of a `NoteTransformer`."""

    width: int = 128
    """D, the residual stream."""
    layers: int = 3
    heads: int = 4
    """Attention heads; must divide the width."""
    head_width: int = 128
    """H, the hidden layer that each field's head has."""
    window: int = 256
    """W: a note attends to itself and at most W - 1 notes before it."""
    dropout: float = 0.1

    def __post_init__(self) -> None:
        for name, limit in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= limit:
                raise ValueError(f"model {name} {value!r} is outside 1-{limit}; {type(self).__dict__[name]} is usual")
        if self.width % (2 * self.heads):
            raise ValueError(f"model width {self.width} is no multiple of twice its {self.heads} heads")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model dropout {self.dropout} is outside 0 to below 1; 0.1 is usual")

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


class Inputs(NamedTuple):
    """What the model reads of B songs; the first of T + 1 rows is not scored (START at the beginning of a song)."""

    rows: Tensor
    """(B, T + 1, 6) int64: ids of time shift, part, pitch, duration, velocity, microtiming."""
    places: Tensor
    """(B, T + 1, 3) int64: position in the bar (steps), bar number, bar length (steps)."""
    programs: Tensor
    """(B, P, 2) int64: each part's program (128 drums, 129 none) and occurrence."""
    expected: Tensor
    """(B, T, 6, E) int64, of rows 1..T: the symbol that each pointer expects in each field, -1 none."""
    records: Tensor
    """(B, T, 6, E) int64: which of its last 4 expectations came true, as bits (0-15)."""
    anchors: Tensor
    """(B, T, 3) int64: pitches from which an interval may be taken, -1 none."""
    tallies: Tensor
    """(B, T, 2, 12) float32: log share of each pitch class, short and long; 0 for drums."""

    def span(self, start: int, stop: int) -> Inputs:
        """Rows ``start`` to ``stop``, both with; as many as there are."""
        seen, told = slice(start, stop + 1), slice(start, stop)
        hints = (table[:, told] for table in self[3:])
        return Inputs(self.rows[:, seen], self.places[:, seen], self.programs, *hints)


class Hints(NamedTuple):
    """What the past says of one field of the next row: slices of `Inputs`."""

    expected: Tensor
    """(B, T, E)"""
    records: Tensor
    """(B, T, E)"""
    anchors: Tensor
    """(B, T, 3); read for the pitch only, like the tallies."""
    tallies: Tensor
    """(B, T, 2, 12)"""


@dataclass
class Cache:
    """What attention remembers: the last W - 1 keys and values of each layer, (B, heads, <= W - 1, D / heads)."""

    keys: list[Tensor]
    values: list[Tensor]
    seen: int = 0
    """Rows that went through so far: the next row's rotary position."""


class Block(nn.Module):
    """Pre-norm attention and SwiGLU."""

    def __init__(self, config: NoteTransformerConfig) -> None:
        super().__init__()
        width = config.width
        hidden = -(-width * 8 // 3 // 32) * 32
        self.heads, self.window, self.dropout = config.heads, config.window, config.dropout
        self.attention_norm = nn.RMSNorm(width, eps=1e-5)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.feed_norm = nn.RMSNorm(width, eps=1e-5)
        self.gate_up = nn.Linear(width, 2 * hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(
        self, x: Tensor, turn: tuple[Tensor, Tensor], mask: Tensor | None, past: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, T, D), ``past`` keys and values (B, heads, S, D / heads) -> x and the W - 1 last keys and values."""
        batch, time, width = x.shape
        parts = self.query_key_value(self.attention_norm(x)).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)  # (B, heads, T, D / heads)
        query, key = rotate(query, turn), rotate(key, turn)
        if past is not None:
            key, value = torch.cat((past[0], key), 2), torch.cat((past[1], value), 2)
        causal = mask is None and time > 1
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal)
        x = x + self._drop(self.output(attended.transpose(1, 2).reshape(batch, time, width)))
        gate, up = self.gate_up(self.feed_norm(x)).chunk(2, -1)
        x = x + self._drop(self.down(F.silu(gate) * up))
        first_kept = max(key.shape[2] - (self.window - 1), 0)
        return x, key[:, :, first_kept:], value[:, :, first_kept:]

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class NoteTransformer(nn.Module):
    """Logits for the six fields of the next note, given the notes so far and the fields already decided.

    The body reads the rows of `Inputs` and gives ``h`` (B, T, D), see `states`. `head` gives the logits of one field of
    the next row from ``h``, that row so far, its place, and `Hints`. `losses` is all of it in one pass.

    >>> sum(p.numel() for p in NoteTransformer(NoteTransformerConfig()).parameters())
    2113952
    """

    name: ClassVar[str] = "note-transformer"

    def __init__(self, config: NoteTransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, hidden = config.width, config.head_width
        shift, _, pitch, duration, velocity, microtiming = FIELD_SIZES
        self.place_sizes = (POSITIONS, BEATS, BAR_NUMBERS, POSITIONS)
        self.row_in = nn.ModuleList(nn.Embedding(n, width) for n in (shift, 2 * pitch, duration, velocity, microtiming))
        self.part_in = nn.ModuleList(nn.Embedding(n, width) for n in (PROGRAMS, OCCURRENCES))
        self.place_in = nn.ModuleList(nn.Embedding(n, width) for n in self.place_sizes)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head_in = nn.Linear(width, 6 * hidden)
        # What each later head is told of the fields before it: one table per field, a slice per head.
        self.shift_then = nn.Embedding(shift, 5 * hidden)
        self.place_then = nn.ModuleList(nn.Embedding(n, 5 * hidden) for n in self.place_sizes[:3])
        self.part_then = nn.ModuleList(nn.Embedding(n, 4 * hidden) for n in (PROGRAMS, OCCURRENCES))
        self.pitch_then = nn.Embedding(2 * pitch, 3 * hidden)
        self.duration_then = nn.Embedding(duration, 2 * hidden)
        self.velocity_then = nn.Embedding(velocity, hidden)
        self.part_key = nn.ModuleList(nn.Embedding(n, hidden) for n in (PROGRAMS, OCCURRENCES))
        # One table per field, holding one row per pointer and symbol (0: none), then one per pointer and record.
        self.expected_then = nn.ModuleList(
            nn.Embedding(POINTERS * (size + 1 + RECORDS), hidden) for size in FIELD_SIZES
        )
        self.trust = nn.ModuleList(nn.Linear(hidden, POINTERS) for _ in FIELD_SIZES)
        self.interval = nn.Linear(hidden, ANCHORS * (2 * INTERVALS + 1))
        self.tally = nn.Linear(hidden, TALLIES)
        self.head_out = nn.ModuleList(nn.Linear(hidden, n) for f, n in enumerate(FIELD_SIZES) if f != 1)
        self._initialise()

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02 if "then" in name else 0.05)
            elif isinstance(module, nn.Linear):
                scale = 0.5 if "head_out" in name or name.endswith(("output", "down")) else 0.7
                nn.init.normal_(module.weight, std=scale * module.in_features**-0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def states(self, rows: Tensor, places: Tensor, programs: Tensor, cache: Cache | None = None) -> Tensor:
        """(B, T, D): what is known after each row. With a cache, ``rows`` go on from those already seen."""
        x = self._embed(rows, places, programs)
        time, seen = rows.shape[1], cache.seen if cache else 0
        turn = rotary(seen, time, self.config.width // self.config.heads, x.device, x.dtype)
        past = min(seen, self.config.window - 1) if cache else 0
        mask = band(past, time, self.config.window, x.device)
        for i, block in enumerate(self.blocks):
            x, keys, values = block(x, turn, mask, (cache.keys[i], cache.values[i]) if cache and cache.seen else None)
            if cache:
                cache.keys[i], cache.values[i] = keys, values
        if cache:
            cache.seen += time
        out: Tensor = self.norm(x)
        return out

    def new_cache(self) -> Cache:
        """An empty memory for `states`."""
        nothing = [torch.empty(0)] * self.config.layers
        return Cache(list(nothing), list(nothing))

    def _embed(self, rows: Tensor, places: Tensor, programs: Tensor) -> Tensor:
        shift, part, pitch, *rest = rows.unbind(-1)
        program, occurrence = part_features(programs, part)
        columns = (shift, pitch + 128 * (program == DRUM_PROGRAM), *rest)
        x: Tensor = sum(table(ids) for table, ids in zip(self.row_in, columns, strict=True))
        x = x + self.part_in[0](program) + self.part_in[1](occurrence)
        for table, ids in zip(self.place_in, place_features(places), strict=True):
            x = x + table(ids)
        return x

    def head(self, field: int, hidden: Tensor, row: Tensor, place: Tensor, programs: Tensor, hints: Hints) -> Tensor:
        """Logits (B, T, V) of one field of the next row; fields of ``row`` (B, T, 6) from ``field`` on are not read.

        ``hidden`` (B, T, 6 H) is ``head_in(states)``; ``place`` (B, T, 3) is the next row's, once its time shift is
        known. Parts that do not exist get minus infinity.
        """
        z = hidden.chunk(6, -1)[field] + self._expectation(field, hints.expected, hints.records)
        for told in self._told(field, row, place, programs):
            z = z + told
        z = F.dropout(F.relu(z), self.config.dropout, self.training)
        if field == 1:
            keys = self.part_key[0](programs[..., 0]) + self.part_key[1](programs[..., 1].clamp(max=OCCURRENCES - 1))
            logits = torch.einsum("bth,bph->btp", z, keys)
        else:
            logits = self.head_out[field - (field > 1)](z)
        if field == 2:
            logits = self._add_intervals(logits, z, hints)
        trust = self.trust[field](z) * (hints.expected >= 0)
        logits = logits.scatter_add(-1, hints.expected.clamp(min=0), trust.to(logits.dtype))
        if field == 1:
            logits = logits.masked_fill((programs[..., 0] == NO_PROGRAM)[:, None], float("-inf"))
        return logits

    def _add_intervals(self, logits: Tensor, z: Tensor, hints: Hints) -> Tensor:
        """Add to the pitches around each anchor, and to pitch classes by how often they were heard."""
        steps = torch.arange(-INTERVALS, INTERVALS + 1, device=z.device)
        pitch = hints.anchors[..., None] + steps  # (B, T, anchors, intervals)
        inside = (hints.anchors[..., None] >= 0) & (pitch >= 0) & (pitch < logits.shape[-1])
        favour = (self.interval(z).view(pitch.shape) * inside).flatten(-2).to(logits.dtype)
        logits = logits.scatter_add(-1, pitch.clamp(0, logits.shape[-1] - 1).flatten(-2), favour)
        heard = torch.einsum("btk,btkc->btc", self.tally(z), hints.tallies.to(z.dtype))
        return logits + heard[..., torch.arange(logits.shape[-1], device=z.device) % 12]

    def _expectation(self, field: int, expected: Tensor, records: Tensor) -> Tensor:
        """(B, T, H): what the pointers expect in one field, and how well they did of late."""
        size = FIELD_SIZES[field] + 1
        pointer = torch.arange(POINTERS, device=expected.device)
        ids = torch.cat((pointer * size + expected + 1, POINTERS * size + pointer * RECORDS + records), -1)
        table = self.expected_then[field].weight
        assert isinstance(table, Tensor)
        bags = F.embedding_bag(ids.flatten(0, -2), table, mode="sum")
        return bags.view(*ids.shape[:-1], -1)

    def _told(self, field: int, row: Tensor, place: Tensor, programs: Tensor) -> list[Tensor]:
        """What the decided fields add to one head's hidden layer."""
        if field == 0:
            return []
        shift, part, pitch, duration, velocity, _ = row.unbind(-1)
        position, beat, bar, _ = place_features(place)
        told = [_slice(self.shift_then, shift, field - 1, 5)]
        told += [_slice(t, i, field - 1, 5) for t, i in zip(self.place_then, (position, beat, bar), strict=True)]
        if field > 1:
            program, occurrence = part_features(programs, part)
            told += [_slice(t, i, field - 2, 4) for t, i in zip(self.part_then, (program, occurrence), strict=True)]
        if field > 2:
            told.append(_slice(self.pitch_then, pitch + 128 * (program == DRUM_PROGRAM), field - 3, 3))
        if field > 3:
            told.append(_slice(self.duration_then, duration, field - 4, 2))
        if field > 4:
            told.append(self.velocity_then(velocity))
        return told

    def losses(self, inputs: Inputs, cache: Cache | None = None) -> Tensor:
        """Negative log-likelihood in nats, (B, T, 6), of rows 1..T given all before them.

        Fields that a rest or the end does not have cost 0.
        """
        rows, places, programs = inputs[:3]
        hidden = self.head_in(self.states(rows[:, :-1], places[:, :-1], programs, cache))
        target, place = rows[:, 1:], places[:, 1:]
        nats = []
        for field in range(6):
            told = (inputs.expected[:, :, field], inputs.records[:, :, field], inputs.anchors, inputs.tallies)
            logits = self.head(field, hidden, target, place, programs, Hints(*told)).float()
            losses = F.cross_entropy(logits.flatten(0, 1), target[..., field].flatten(), reduction="none")
            nats.append(losses.view(target.shape[:2]))
        counted = torch.ones(6, dtype=torch.bool, device=rows.device).expand(*target.shape).clone()
        counted[..., 1:] &= (target[..., 0] <= LAST_SHIFT)[..., None]
        return torch.where(counted, torch.stack(nats, -1), 0.0)


@torch.no_grad()
def score(model: NoteTransformer, inputs: Inputs, chunk: int = 1024) -> Tensor:
    """`NoteTransformer.losses` of whole songs, a chunk at a time, so that memory does not grow with length.

    Exact: attention reaches over the seams through the cache. Leaves the model in the mode it was in.
    """
    training = model.training
    model.eval()
    cache = model.new_cache()
    starts = range(0, inputs.rows.shape[1] - 1, chunk)
    nats = [model.losses(inputs.span(start, start + chunk), cache) for start in starts]
    model.train(training)
    return torch.cat(nats, 1)


def _slice(table: nn.Module, ids: Tensor, index: int, count: int) -> Tensor:
    """The ``index``-th of ``count`` equal slices of an embedding."""
    weight = table.weight
    assert isinstance(weight, Tensor)
    size = weight.shape[1] // count
    return F.embedding(ids, weight[:, index * size : (index + 1) * size])


def part_features(programs: Tensor, part: Tensor) -> tuple[Tensor, Tensor]:
    """Program and occurrence of each row's part: programs (B, P, 2), part (B, T) -> two of (B, T)."""
    chosen = torch.gather(programs, 1, part[..., None].expand(*part.shape, 2))
    return chosen[..., 0], chosen[..., 1].clamp(max=OCCURRENCES - 1)


def place_features(places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Position in the bar, step within the quarter, bar number modulo 16, bar length; clipped to their tables."""
    position, bar, size = places.unbind(-1)
    return position.clamp(0, POSITIONS - 1), position % BEATS, bar % BAR_NUMBERS, size.clamp(0, POSITIONS - 1)


def rotary(start: int, count: int, size: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine (T, size / 2) of the rotary angles at positions start .. start + count - 1."""
    frequency = 10000.0 ** (-torch.arange(0, size, 2, device=device, dtype=torch.float32) / size)
    angle = torch.arange(start, start + count, device=device, dtype=torch.float32)[:, None] * frequency
    return angle.cos().to(dtype), angle.sin().to(dtype)


def rotate(x: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Rotate pairs (x_i, x_{i + half}) of (..., T, size) by the angles of `rotary`."""
    cosine, sine = turn
    one, two = x.chunk(2, -1)
    return torch.cat((one * cosine - two * sine, one * sine + two * cosine), -1)


def band(past: int, time: int, window: int, device: torch.device) -> Tensor | None:
    """(T, past + T) bool: a query sees itself and the ``window`` - 1 keys before it; None: plain causal will do."""
    if time == 1 or (past == 0 and time <= window):
        return None
    query = torch.arange(past, past + time, device=device)[:, None]
    key = torch.arange(past + time, device=device)
    return (key <= query) & (key > query - window)
