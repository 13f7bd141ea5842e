"""The flagship: a gated linear recurrence over notes, whose heads fill in a note field by field.

References:
    Hsiao et al. 2021 (one step per compound event), Waite 2016 (Lookback RNN), De et al. 2024 (Griffin: gated linear
    recurrences), Thickstun et al. 2023 (Anticipatory Music Transformer), Zhang & Sennrich 2019 (RMSNorm). We differ
    from Hsiao et al. in giving each head the fields decided before it, so that the product of the heads is the
    exact joint likelihood of a note, and in scoring parts by what instrument they hold. Each head sees which symbols
    fifteen pointers into the song's own past expect, and how reliable each was of late, and adds to their logits. For
    pitches it may also add to intervals from some anchors and to pitch classes that were heard or are given ahead, so
    that what it learns in one key holds in all. What a canvas gives ahead is shown as one more pointer, as tallies, and
    as what each part is: open or fixed.

Shape letters: B songs, T rows (notes), D width, H head width, V ids of a field, P parts, E pointers.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.note_sizes import (
    ANCHORS,
    BAR_NUMBERS,
    BEATS,
    CONTROLS,
    DRUM_PROGRAM,
    FIELD_SIZES,
    INTERVALS,
    LEVELS,
    NO_PROGRAM,
    OCCURRENCES,
    OPEN,
    OPENNESS,
    POINTERS,
    POSITIONS,
    PROGRAMS,
    RECORDS,
    TALLIES,
    VOTE_CLASSES,
    VOTERS,
    WORTH_UNIT,
    NoteModelConfig,
)

FASTEST_GATE, SLOWEST_GATE = -1.0, 6.0
"""Bias of the keep gates of the first and the last channel: they remember one row, and some 400."""
LAST_SHIFT = 191
"""Rows with a larger time shift (rests and the end) hold no note: their other fields cost nothing."""


class Inputs(NamedTuple):
    """What the model reads of B songs; the first of T + 1 rows is not scored (START at the beginning of a song)."""

    rows: Tensor
    """(B, T + 1, 6) int64: ids of time shift, part, pitch, duration, velocity, microtiming."""
    places: Tensor
    """(B, T + 1, 3) int64: position in the bar (steps), bar number, bar length (steps)."""
    programs: Tensor
    """(B, P, 3) int64: each part's program (128 drums, 129 none), occurrence, and whether it is open (1) or given (2)
    in a canvas that gives something ahead (0: it does not)."""
    levels: Tensor
    """(B, T + 1, 8) int64: levels asked of each row's bar, then of the bar after it; -1 none."""
    expected: Tensor
    """(B, T, 6, E), of rows 1..T: the symbol that each pointer expects in each field, -1 none."""
    records: Tensor
    """(B, T, 6, E): how well each pointer did of late, 0-15."""
    anchors: Tensor
    """(B, T, 5): pitches from which an interval may be taken, -1 none."""
    tallies: Tensor
    """(B, T, 5, 12) float32: centred log share of each pitch class; 0 for drums."""
    votes: Tensor
    """(B, T, 96, 4): symbols that came after the same facts, -1 none, of 16 voters a field, see `past_votes`."""
    vote_classes: Tensor
    """(B, T, 96, 4): how often each came, 0-127."""


class Scan(torch.autograd.Function):
    """h[t] = keep[t] h[t - 1] + new[t] over (B, T, D), from h[-1] = start (B, D)."""

    @staticmethod
    def forward(ctx: Any, keep: Tensor, new: Tensor, start: Tensor) -> Tensor:
        states = torch.empty_like(new)
        state = start
        for t in range(new.shape[1]):
            state = torch.addcmul(new[:, t], keep[:, t], state)
            states[:, t] = state
        ctx.save_for_backward(keep, states, start)
        return states

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, None]:
        keep, states, start = ctx.saved_tensors
        of_new = torch.empty_like(slope)
        later = slope[:, -1]
        of_new[:, -1] = later
        for t in range(slope.shape[1] - 2, -1, -1):
            later = torch.addcmul(slope[:, t], keep[:, t + 1], later)
            of_new[:, t] = later
        before = torch.cat((start[:, None], states[:, :-1]), 1)
        return of_new * before, of_new, None


class Worths(torch.autograd.Function):
    """table[ids]; its slope is summed by counting, which is many times faster than by adding row by row."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, ids: Tensor) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.size = len(table)
        return table[ids]

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (ids,) = ctx.saved_tensors
        return torch.bincount(ids.flatten(), slope.flatten().double(), ctx.size).to(slope.dtype), None


class Layer(nn.Module):
    """Pre-norm gated linear recurrence: what to keep, what to add, what to let out, all from the row alone."""

    def __init__(self, config: NoteModelConfig) -> None:
        super().__init__()
        width = config.width
        self.dropout = config.dropout
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.gates = nn.Linear(width, 4 * width)
        self.output = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, D), state (B, D) -> both after T rows."""
        # In float32 even under autocast: a gate that keeps 0.998 of a state would round to 1 or 0.996.
        keep, value, let_in, let_out = self.gates(self.norm(x)).float().chunk(4, -1)
        keep = torch.sigmoid(keep)
        states = Scan.apply(keep, (1 - keep) * torch.sigmoid(let_in) * value, state)  # type: ignore[no-untyped-call]
        heard = self.output(states * F.silu(let_out))
        return x + F.dropout(heard, self.dropout, self.training), states[:, -1]


class NoteModel(nn.Module):
    """Logits for the six fields of the next note, given the notes so far and the fields already decided.

    The body reads the rows of `Inputs` and gives (B, T, D), see `states`. `logits` are those of all fields of the rows
    after them, `losses` their cost in nats.

    >>> sum(p.numel() for p in NoteModel(NoteModelConfig()).parameters())
    3004791
    """

    name: ClassVar[str] = "note-model"
    kept_in: ClassVar[torch.dtype] = torch.float16
    """On disk, and so in play: half as much for a player to read for each note."""

    def __init__(self, config: NoteModelConfig) -> None:
        super().__init__()
        self.config = config
        width, hidden = config.width, config.head_width
        shift, _, pitch, duration, velocity, microtiming = FIELD_SIZES
        self.row_in = nn.ModuleList(nn.Embedding(n, width) for n in (shift, 2 * pitch, duration, velocity, microtiming))
        self.part_in = nn.ModuleList(nn.Embedding(n, width) for n in (PROGRAMS, OCCURRENCES, OPENNESS))
        self.place_in = nn.ModuleList(nn.Embedding(n, width) for n in (POSITIONS, BEATS, BAR_NUMBERS, POSITIONS))
        self.body = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head_in = nn.Linear(width, 6 * hidden)
        # What each later head is told of the fields before it: one table per field, a slice per head.
        self.shift_then = nn.Embedding(shift, 5 * hidden)
        self.place_then = nn.ModuleList(nn.Embedding(n, 5 * hidden) for n in (POSITIONS, BEATS, BAR_NUMBERS))
        self.part_then = nn.ModuleList(nn.Embedding(n, 4 * hidden) for n in (PROGRAMS, OCCURRENCES, OPENNESS))
        self.pitch_then = nn.Embedding(2 * pitch, 3 * hidden)
        self.duration_then = nn.Embedding(duration, 2 * hidden)
        self.velocity_then = nn.Embedding(velocity, hidden)
        # What all heads are told of the canvas: which instruments are open, and what is asked of the bar.
        self.open_then = nn.Embedding(PROGRAMS, 6 * hidden)
        self.level_then = nn.Embedding(CONTROLS * LEVELS, 6 * hidden)
        self.next_level_then = nn.Embedding(CONTROLS * LEVELS, hidden)
        self.part_key = nn.ModuleList(nn.Embedding(n, hidden) for n in (PROGRAMS, OCCURRENCES, OPENNESS))
        # One table per field, holding one row per pointer and symbol (0: none), then one per pointer and record.
        self.expected_then = nn.ModuleList(nn.Embedding(POINTERS * (n + 1 + RECORDS), hidden) for n in FIELD_SIZES)
        self.trust = nn.ModuleList(nn.Linear(hidden, POINTERS) for _ in FIELD_SIZES)
        self.record_trust = nn.Parameter(torch.zeros(len(FIELD_SIZES), POINTERS, RECORDS))
        # What a vote of each class adds to the logit of its symbol, and how much more or less of that here.
        self.vote_worth = nn.Parameter(torch.zeros(len(FIELD_SIZES), VOTERS, VOTE_CLASSES))
        with torch.random.fork_rng(devices=[]):  # a seed makes what it made before there were votes
            self.vote_trust = nn.ModuleList(nn.Linear(hidden, VOTERS) for _ in FIELD_SIZES)
        self.interval = nn.Linear(hidden, ANCHORS * (2 * INTERVALS + 1))
        self.tally = nn.Linear(hidden, TALLIES)
        self.head_out = nn.ModuleList(nn.Linear(hidden, n) for f, n in enumerate(FIELD_SIZES) if f != 1)
        self._initialise()

    def _initialise(self) -> None:
        for name, module in self.named_modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.05 if "_in" in name else 0.02)
            elif isinstance(module, nn.Linear):
                scale = 0.5 if "head_out" in name or name.endswith("output") else 0.7
                if "vote_trust" in name:
                    nn.init.zeros_(module.weight)
                else:
                    nn.init.normal_(module.weight, std=scale * module.in_features**-0.5)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with torch.no_grad():
            for module in self.modules():
                gates: Any = getattr(module, "gates", None)
                if gates is not None:
                    gates.bias[: self.config.width].copy_(torch.linspace(FASTEST_GATE, SLOWEST_GATE, self.config.width))

    def start(self, batch: int) -> list[Tensor]:
        """The state of the body before the first row: for each layer (B, D)."""
        weight = self.head_in.weight
        return [torch.zeros(batch, self.config.width, dtype=weight.dtype, device=weight.device) for _ in self.body]

    def states(self, inputs: Inputs, state: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """(B, T, D) what is known after each of the first T rows; with the body's state after them.

        With ``state`` the rows go on from those that left it.
        """
        x = self._embed(inputs.rows[:, :-1], inputs.places[:, :-1], inputs.programs)
        after = []
        for layer, before in zip(self.body, state or self.start(len(x)), strict=True):
            x, last = layer(x, before.float())
            after.append(last)
        return self.norm(x), after

    def _embed(self, rows: Tensor, places: Tensor, programs: Tensor) -> Tensor:
        shift, part, pitch, *rest = rows.unbind(-1)
        who = part_features(programs, part)
        columns = (shift, pitch + 128 * (who[0] == DRUM_PROGRAM), *rest)
        tables = [*self.row_in, *self.part_in, *self.place_in]
        ids = [*columns, *who, *place_features(places)]
        x: Tensor = sum(table(symbols) for table, symbols in zip(tables, ids, strict=True))
        return x

    def logits(self, inputs: Inputs, states: Tensor) -> list[Tensor]:
        """For each field (B, T, V) of rows 1..T, given the rows before and the row's earlier fields.

        Parts that do not exist get minus infinity.
        """
        hidden = (self.head_in(states) + self._canvas(inputs)).chunk(6, -1)
        told, expected, records = self._told(inputs), inputs.expected.long(), inputs.records.long()
        return [
            self._head(field, hidden[field] + told[field], expected[:, :, field], records[:, :, field], inputs)
            for field in range(6)
        ]

    def _canvas(self, inputs: Inputs) -> Tensor:
        """(B, T, 6 H): what is asked of the bar, and the mean of the open instruments where something is given."""
        program, _, openness = inputs.programs.unbind(-1)
        is_open = (openness == OPEN).to(self.open_then.weight.dtype)
        share = is_open / is_open.sum(-1, keepdim=True).clamp(min=1)
        open_then = torch.einsum("bp,bph->bh", share, self.open_then(program))[:, None]
        control = torch.arange(CONTROLS, device=program.device) * LEVELS + 1
        levels = inputs.levels
        now = bags(self.level_then, control + levels[:, :-1, :CONTROLS])
        then = bags(self.level_then, control + levels[:, 1:, :CONTROLS])
        after = bags(self.next_level_then, control + levels[:, :-1, CONTROLS:])
        hidden = self.config.head_width
        return open_then + torch.cat((now[..., :hidden] + after, then[..., hidden:]), -1)

    def _told(self, inputs: Inputs) -> list[Any]:
        """For each field (B, T, H): what the fields before it, and the place where the row stands, add to its head."""
        row, hidden = inputs.rows[:, 1:], self.config.head_width
        shift, part, pitch, duration, velocity, _ = row.unbind(-1)
        who = part_features(inputs.programs, part)
        position, beat, bar, _ = place_features(inputs.places[:, 1:])
        tables = [
            sum((t(i) for t, i in zip(self.place_then, (position, beat, bar), strict=True)), self.shift_then(shift)),
            sum(t(i) for t, i in zip(self.part_then, who, strict=True)),
            self.pitch_then(pitch + 128 * (who[0] == DRUM_PROGRAM)),
            self.duration_then(duration),
            self.velocity_then(velocity),
        ]
        return [
            sum(tables[i][..., (field - 1 - i) * hidden : (field - i) * hidden] for i in range(field))
            for field in range(6)
        ]

    def _head(self, field: int, z: Tensor, expected: Tensor, records: Tensor, inputs: Inputs) -> Tensor:
        """(B, T, V); ``expected`` and ``records`` (B, T, E) are this field's."""
        size, pointer = FIELD_SIZES[field] + 1, torch.arange(POINTERS, device=z.device)
        ids = torch.cat((pointer * size + expected + 1, POINTERS * size + pointer * RECORDS + records), -1)
        z = z + bags(self.expected_then[field], ids)
        z = F.dropout(F.relu(z), self.config.dropout, self.training)
        if field == 1:
            keys = sum(t(i) for t, i in zip(self.part_key, part_columns(inputs.programs), strict=True))
            logits = torch.einsum("bth,bph->btp", z, keys)
        else:
            logits = self.head_out[field - (field > 1)](z).float()
        if field == 2:
            logits = self._add_intervals(logits, z, inputs)
        trust = (self.trust[field](z) + self.record_trust[field][pointer, records]) * (expected >= 0)
        logits = logits.scatter_add(-1, expected.clamp(min=0), trust.to(logits.dtype))
        logits = self._add_votes(field, logits, z, inputs)
        if field == 1:
            logits = logits.masked_fill((inputs.programs[..., 0] == NO_PROGRAM)[:, None], float("-inf"))
        return logits

    def _add_votes(self, field: int, logits: Tensor, z: Tensor, inputs: Inputs) -> Tensor:
        """Add what each vote is worth to the symbol that it is for."""
        banks = *inputs.votes.shape[:2], 2, len(FIELD_SIZES), VOTERS // 2, inputs.votes.shape[3]
        votes, classes = (
            told.view(banks)[:, :, :, field].flatten(2, 3).long() for told in (inputs.votes, inputs.vote_classes)
        )
        voter = torch.arange(VOTERS, device=z.device)[:, None] * VOTE_CLASSES
        worth = Worths.apply(self.vote_worth[field].flatten(), voter + classes)  # type: ignore[no-untyped-call]
        trust = 1 + self.vote_trust[field](z).float()
        worth = WORTH_UNIT * worth * (votes >= 0) * trust[..., None]
        return logits.scatter_add(-1, votes.clamp(min=0).flatten(-2), worth.flatten(-2).to(logits.dtype))

    def _add_intervals(self, logits: Tensor, z: Tensor, inputs: Inputs) -> Tensor:
        """Add to the pitches around each anchor, and to pitch classes by how often they were heard."""
        steps, anchors = torch.arange(-INTERVALS, INTERVALS + 1, device=z.device), inputs.anchors.long()
        pitch = anchors[..., None] + steps  # (B, T, anchors, intervals)
        inside = (anchors[..., None] >= 0) & (pitch >= 0) & (pitch < logits.shape[-1])
        favour = (self.interval(z).view(pitch.shape) * inside).flatten(-2).to(logits.dtype)
        logits = logits.scatter_add(-1, pitch.clamp(0, logits.shape[-1] - 1).flatten(-2), favour)
        heard = torch.einsum("btk,btkc->btc", self.tally(z).float(), inputs.tallies)
        return logits + heard[..., torch.arange(logits.shape[-1], device=z.device) % 12]

    def losses(self, inputs: Inputs, state: list[Tensor] | None = None) -> tuple[Tensor, list[Tensor]]:
        """Nats (B, T, 6) of rows 1..T, field by field; fields of rests and of the end that mean nothing cost 0.

        Also the body's state after all rows but the last.
        """
        states, after = self.states(inputs, state)
        target = inputs.rows[:, 1:]
        nats = [
            F.cross_entropy(logits.flatten(0, 1).float(), target[..., field].flatten(), reduction="none")
            for field, logits in enumerate(self.logits(inputs, states))
        ]
        table = torch.stack(nats, -1).view(target.shape)
        is_note = (target[..., 0] <= LAST_SHIFT)[..., None]
        is_shift = torch.arange(len(FIELD_SIZES), device=target.device) == 0
        return table.masked_fill(~(is_note | is_shift), 0.0), after


def bags(table: nn.Module, ids: Tensor) -> Tensor:
    """(..., H): for each set of ids (..., N) the sum of their rows in an embedding's table."""
    weight = table.weight
    assert isinstance(weight, Tensor)
    return F.embedding_bag(ids.flatten(0, -2), weight, mode="sum").view(*ids.shape[:-1], -1)


def part_columns(programs: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Program, occurrence, openness (B, P) as the tables take them."""
    return programs[..., 0], programs[..., 1].clamp(max=OCCURRENCES - 1), programs[..., 2]


def part_features(programs: Tensor, part: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Program, occurrence and openness of each row's part (B, T)."""
    first, second, third = (column.gather(1, part) for column in part_columns(programs))
    return first, second, third


def place_features(places: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Position in the bar, position in the beat, bar number within sixteen, bar length, as the tables take them."""
    position, bar, size = places.unbind(-1)
    return position.clamp(max=POSITIONS - 1), position % BEATS, bar % BAR_NUMBERS, size.clamp(max=POSITIONS - 1)
