"""Four voices frame by frame: an LSTM over frames, and within a frame one voice after another, in any order.

The LSTM hears a row of what is known before each frame (`woodshed.codecs.voice_grid` says what): the frame before, how
long each voice has held, the place in the bar, what was there one, two and four bars ago, and what pointers into the
past and into other pieces guess, and which pitch classes were heard. From its output, the row, and the voices of this
frame that are already decided, follows a distribution over the next voice's cell. Its logits are sums of what speaks
for a pitch as such, for its distance from what the voice sang last, for its distance from each voice (in pitch
classes), for how it moves against each voice, for its place among the pitch classes heard and sounding, for what each
pointer guesses, and of what was counted (`woodshed.codecs.voice_grid_counts`): transposed music is
nearly the same music. Any order of the voices gives the exact likelihood of a frame.

Optionally voice 0 is *shown*: all of it is known beforehand, LSTMs in both directions read it, and the others are drawn
around it.

References:
    N. Boulanger-Lewandowski, Y. Bengio and P. Vincent, "Modeling temporal dependencies in high-dimensional sequences"
    (ICML 2012): a recurrent net over frames, and a distribution over the notes of a frame on top.
    B. Uria, I. Murray and H. Larochelle, "A deep and tractable density estimator" (ICML 2014): one net for any order of
    the variables, and the mean over orders as an ensemble. Ours are orders of the four voices of a frame.
    O. Peracha, "Improving polyphonic music models with feature-rich encoding" (ISMIR 2020): TonicNet, a GRU over voices
    that is told how long each note has sounded.
    G. Hinton, "Training products of experts by minimizing contrastive divergence" (Neural Computation 2002): experts
    whose logs are added. Ours are counts, and the net says at each place how much each of them is worth.
    A. See, P. Liu and C. Manning, "Get to the point" (ACL 2017): pointers. Ours add to logits, and matching finds them.

Shape letters: B pieces, T frames, V voices, C cells of a voice (0 rest, then pitches), W width, H hidden, K chains of
counts, M classes of moves, N numbers that a pitch class is summed up in.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.lstm import Bidirectional, LSTMLayer

State = tuple[Tensor, ...]
REACH = 24
"""Semitones from what the voice sang last that have a logit of their own; wider leaps share the outermost."""
SHIFTS = 12
"""Transpositions that a piece can be in, -6 to +5 semitones."""
STEEP = 4.0
"""How much faster the tables that add to logits learn than other weights."""
TONAL = 24
"""N: what is known of each pitch class before a frame."""
WORTH = 0.5
"""What all chains of counts together are worth before anything is learned: 1 would be their geometric mean."""
CountedBatch = tuple[Tensor, Tensor]
"""Of one voice: the log of each move's chance (B, T, K, M) and how long a context was met (B, T, K), as counted."""


@dataclass(frozen=True)
class VoiceGridConfig:
    """Sizes of a `VoiceGridNet`; all before the width are facts of the codec."""

    voices: int = 4
    lowest: int = 28
    """The pitch of cell 1."""
    cells: int = 67
    """C: a rest and the pitches."""
    ages: int = 33
    moves: int = 28
    """What a motion, lag or guess can be: its lowest is -12."""
    lags: int = 3
    pointers: int = 6
    trusts: int = 55
    heard: int = 3
    history: int = 28
    """Columns of a row that only counts are made from."""
    chains: int = 22
    """K; 0 for a net that hears nothing of counts."""
    levels: int = 5
    """How long a context can be met, none included."""
    width: int = 128
    """W, of each LSTM layer."""
    layers: int = 1
    hidden: int = 256
    """H, of what a frame is summed up in, and of what decides a cell."""
    dropout: float = 0.4
    shown: bool = False
    intervals: int = 3
    """Kinds of interval that matter where voices move against each other: 12, or 3: octaves, fifths and all others."""

    def __post_init__(self) -> None:
        if self.intervals not in (3, 12):
            raise ValueError(f"model intervals {self.intervals} is neither 3 nor 12; 3 is usual")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model dropout {self.dropout} is outside 0 to below 1; 0.4 is usual")

    @property
    def profiles(self) -> int:
        """Kinds of how much is heard of each pitch class; one more where all of a voice is known."""
        return self.heard + self.shown

    @property
    def anchors(self) -> int:
        """Pitches that classes are seen from: those sung last, and two to come of a voice that is shown."""
        return self.voices + 2 * self.shown

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


class VoiceGridNet(nn.Module):
    """Rows (B, T, R) and cells (B, T, V) as MIDI pitches, -1 a rest, both int64 -> float32 nats (B, T, V).

    >>> sum(p.numel() for p in VoiceGridNet(VoiceGridConfig()).parameters())
    1437768
    """

    name: ClassVar[str] = "voice-grid"

    def __init__(self, config: VoiceGridConfig) -> None:
        super().__init__()
        self.config = c = config
        v, small = c.voices, 16
        self.pitch = nn.ModuleList(nn.Embedding(c.cells, 32) for _ in range(v))
        self.age = nn.ModuleList(nn.Embedding(c.ages, small) for _ in range(v))
        self.motion = nn.ModuleList(nn.Embedding(c.moves, small) for _ in range(v))
        self.between = nn.Embedding(v * (v - 1) // 2 * 49, small)
        self.place = nn.Embedding(16 * 3, 32)
        self.bar = nn.Embedding(48, 32)
        self.shift = nn.Embedding(SHIFTS, small)
        self.lag = nn.Embedding(c.lags * v * c.moves, 8)
        self.guess = nn.Embedding(v * c.pointers * c.moves, 8)
        self.trust = nn.Embedding(v * c.pointers * c.trusts, 8)
        told = (
            v * (32 + small + small)
            + v * (v - 1) // 2 * small
            + 32
            + 32
            + small
            + 8 * v * (c.lags + c.pointers)
            + 12 * c.profiles
        )
        self.told = nn.Linear(told + (c.hidden if c.shown else 0), c.hidden)
        self.told_norm = nn.LayerNorm(c.hidden)
        self.layers = nn.ModuleList(LSTMLayer(c.hidden if i == 0 else c.width, c.width) for i in range(c.layers))
        if c.shown:
            self.look = Bidirectional(32 + 32 + 2 * small, c.hidden // 2)
        self.state = nn.ModuleList(nn.Linear(c.width + c.hidden, c.hidden) for _ in range(v))
        self.decided = nn.ModuleList(nn.Embedding(c.cells, c.hidden) for _ in range(v))
        self.moved = nn.ModuleList(nn.Embedding(c.moves, c.hidden) for _ in range(v))
        self.asked = nn.Embedding(v * 2**v, c.hidden)
        """Which voice is asked for, and which are decided."""
        self.deeper = nn.ModuleList(nn.Linear(c.hidden, c.hidden) for _ in range(v))
        self.norms = nn.ModuleList(nn.LayerNorm(c.hidden) for _ in range(2 * v))
        self.tonal = nn.Linear(12 * (c.profiles + c.anchors), 64)
        self.tonal_out = nn.Linear(64, TONAL)
        self.parts = (c.cells, 2 * REACH + 1, 12 * v, c.pointers, TONAL, c.chains)
        self.decide = nn.ModuleList(nn.Linear(c.hidden, sum(self.parts)) for _ in range(v))
        self.belief = nn.Parameter(torch.zeros(v * c.pointers * c.trusts))
        """What a pointer's guess adds to a logit, by its trust. Flat, as biases are, so that nobody decays it."""
        self.worth = nn.Parameter(torch.full((v * c.chains * c.levels,), WORTH / STEEP / max(c.chains, 1)))
        """What a chain's logs are multiplied by, by how long a context was met. Flat for the same reason."""
        self.counterpoint = nn.Parameter(torch.zeros(v * v * c.intervals * 3 * 3 * c.intervals))
        """What two voices' motion adds: who, the interval before, where the other goes, where one goes, the interval
        after; intervals without octaves. Parallels are told apart by this alone. Flat for the same reason."""
        for table in (*self.decided, *self.moved, self.asked):
            nn.init.normal_(table.get_parameter("weight"), std=0.05)

    def _drop(self, x: Tensor, share: float = 1.0) -> Tensor:
        """The same numbers are dropped from all frames of a piece (Gal and Ghahramani 2016); that costs less, too."""
        keep = 1 - share * self.config.dropout
        if not self.training or keep == 1:
            return x
        return x * (torch.rand(x.shape[0], 1, x.shape[2], device=x.device) < keep).to(x.dtype).div_(keep)

    # rows ------------------------------------------------------------------------------------------------------

    def _columns(self, rows: Tensor) -> dict[str, Tensor]:
        c, v = self.config, self.config.voices
        sizes = {"last": v, "anchor": v, "age": v, "motion": v, "place": 2, "lag": c.lags * v,
                 "heard": 12 * c.heard, "guess": v * c.pointers, "trust": v * c.pointers}  # fmt: skip
        ends = sum(sizes.values())
        said = dict(zip(sizes, torch.split(rows[..., :ends], list(sizes.values()), -1), strict=True))
        if c.shown:
            ahead = rows[..., ends + c.history :]
            said |= {"heard": torch.cat((said["heard"], ahead[..., -12:]), -1), "coming": ahead[..., 1:4:2]}
        return said

    def _ids(self, pitches: Tensor, shift: Tensor) -> Tensor:
        """MIDI pitches, -1 a rest, and (B,) semitones -> cells."""
        moved = pitches - self.config.lowest + 1 + shift.view(-1, *[1] * (pitches.ndim - 1))
        return torch.where(pitches < 0, 0, moved)

    def _told(self, rows: Tensor, shift: Tensor, look: Tensor | None) -> Tensor:
        """(B, T, H) a row as one vector."""
        c, v = self.config, self.config.voices
        said = self._columns(rows)
        last = self._ids(said["last"], shift)
        anchor = said["anchor"]
        upper, lower = torch.triu_indices(v, v, 1, device=rows.device)
        apart = (anchor[..., upper] - anchor[..., lower]).clamp(-12, 36) + 12
        pairs = torch.arange(len(upper), device=rows.device) * 49
        beat, sixteenth = said["place"][..., 1], said["place"][..., 0]
        frames = beat * 4 + sixteenth % 4
        parts = [self.pitch[i](last[..., i]) for i in range(v)]
        parts += [self.age[i](said["age"][..., i]) for i in range(v)]
        parts += [self.motion[i](said["motion"][..., i] + 12) for i in range(v)]
        parts.append(self.between(apart + pairs).flatten(-2))
        parts += [self.place(sixteenth * 3 + (beat // 4).clamp(max=2)), self.bar(frames % 48)]
        parts.append(self.shift(shift + SHIFTS // 2)[:, None].expand(-1, rows.shape[1], -1))
        parts.append(self.lag(_numbered(said["lag"] + 12, c.moves)).flatten(-2))
        trusted = self.guess(_numbered(said["guess"] + 12, c.moves)) + self.trust(_numbered(said["trust"], c.trusts))
        parts.append(trusted.flatten(-2))
        parts.append(self._heard(said["heard"], shift).flatten(-2))
        if look is not None:
            parts.append(look)
        return F.gelu(self.told_norm(self.told(self._drop(torch.cat(parts, -1)))))

    def _heard(self, heard: Tensor, shift: Tensor) -> Tensor:
        """(B, T, kinds, 12) how much was heard of each class that cells can be of, about 1 if all alike."""
        turned = (torch.arange(12, device=heard.device) + self.config.lowest - 1 - shift[:, None]) % 12
        kinds = heard.view(*heard.shape[:-1], self.config.profiles, 12)
        return kinds.gather(-1, turned[:, None, None].expand(kinds.shape)).float() / 12

    def _classes(self, rows: Tensor, shift: Tensor) -> Tensor:
        """(B, T, 12 N) what is known of each class of cells, from the classes heard and sung last, seen from it."""
        said, c = self._columns(rows), self.config
        seen_from = torch.cat((said["anchor"], said["coming"]), -1) if c.shown else said["anchor"]
        classes = F.one_hot((seen_from - c.lowest + 1 + shift[:, None, None]) % 12, 12) * (seen_from >= 0)[..., None]
        known = torch.cat((self._heard(said["heard"], shift), classes.float()), -2)
        every = torch.arange(12, device=rows.device)
        turned = known[..., (every[:, None] + every) % 12]  # (B, T, kinds, 12 from where, 12 how far)
        seen = turned.transpose(-2, -3).reshape(*rows.shape[:-1], 12, 12 * (c.profiles + c.anchors))
        inner = F.gelu(self.tonal(seen)).flatten(1, 2)
        summed: Tensor = self.tonal_out(self._drop(inner, 0.5))
        return summed.reshape(*rows.shape[:-1], 12 * TONAL)

    def look_at(self, shown: Tensor, shift: Tensor) -> Tensor | None:
        """(B, T) pitches of voice 0 -> (B, T, H) what it does around each frame; None where nothing is shown."""
        if not self.config.shown:
            return None
        cells = self._ids(shown, shift)
        before = torch.cat((cells[:, :1], cells[:, :-1]), 1)
        moved = (cells - before).clamp(-12, 12) + 12
        place = torch.arange(cells.shape[1], device=cells.device)
        parts = [self.pitch[0](cells), self.motion[0](moved), self.motion[0]((moved != 12).long()),
                 self.bar(place % 48)[None].expand(len(cells), -1, -1)]  # fmt: skip
        seen: Tensor = self.look(torch.cat(parts, -1).transpose(0, 1))
        return self._drop(seen.transpose(0, 1))

    def body(self, rows: Tensor, shift: Tensor, look: Tensor | None = None) -> Tensor:
        """(B, T, W + H + 12 N) what is known before each frame: from rows (B, T, R), semitones (B,), perhaps `look`."""
        told = x = self._told(rows, shift, look)
        for i, layer in enumerate(self._layers()):
            y = layer(layer.gates(self._drop(x)).transpose(0, 1)).transpose(0, 1)
            x = y if i == 0 else x + y
        return torch.cat((x, told, self._classes(rows, shift)), -1)

    def start(self, batch: int) -> State:
        """The state before the first frame: output and cell (B, W) of each layer."""
        return tuple(self.asked.weight.new_zeros(batch, self.config.width) for _ in range(2 * self.config.layers))

    def step(self, rows: Tensor, shift: Tensor, state: State, look: Tensor | None = None) -> tuple[Tensor, State]:
        """The next frame of each piece: rows (B, R) -> what `body` gives of it, and the state after."""
        told = x = self._told(rows[:, None], shift, look)[:, 0]
        after: list[Tensor] = []
        for i, layer in enumerate(self._layers()):
            output, cell = state[2 * i : 2 * i + 2]
            gates = torch.addmm(layer.bias, torch.cat((self._drop(x[:, None])[:, 0], output), 1), layer.kernel)
            y, cell = layer.step(gates, cell)
            after += [y, cell]
            x = y if i == 0 else x + y
        return torch.cat((x, told, self._classes(rows[:, None], shift)[:, 0]), -1), tuple(after)

    def _layers(self) -> list[LSTMLayer]:
        return [layer for layer in self.layers if isinstance(layer, LSTMLayer)]

    # cells -----------------------------------------------------------------------------------------------------

    def logits(
        self,
        known: Tensor,
        rows: Tensor,
        shift: Tensor,
        voice: int,
        decided: dict[int, Tensor],
        counted: CountedBatch | None = None,
    ) -> Tensor:
        """(B, T, C) of a voice's cell.

        Args:
            known: what `body` or `step` gave.
            rows: (B, T, R) the same that it was given.
            shift: (B,) semitones by which the piece is moved.
            voice: that is asked for.
            decided: (B, T) pitches of the voices of this frame that are known.
            counted: of that voice, given those; None if nothing was.
        """
        c = self.config
        known, in_classes = torch.split(known, [known.shape[-1] - 12 * TONAL, 12 * TONAL], -1)
        said = self._columns(rows)
        anchors = said["anchor"] - c.lowest + 1 + shift[:, None, None]
        z = self.state[voice](self._drop(known))
        mask = sum(1 << other for other in decided)
        z = z + self.asked.weight[voice * 2**c.voices + mask]
        cells = {other: self._ids(pitch, shift) for other, pitch in decided.items()}
        for other, cell in cells.items():
            moved = torch.where(cell == 0, 13, (cell - anchors[..., other]).clamp(-12, 12))
            z = z + self.decided[other](cell) + self.moved[other](moved + 12)
        z = F.gelu(self.norms[2 * voice](z))
        z = z + F.gelu(self.norms[2 * voice + 1](self.deeper[voice](self._drop(z))))
        parts = torch.split(self.decide[voice](self._drop(z)), list(self.parts), -1)
        absolute, near, classes, pointers, tonal, worth = parts
        every = torch.arange(c.cells, device=rows.device)
        anchor = anchors[..., voice, None]
        steps = (every - anchor).clamp(-REACH, REACH) + REACH
        bases = torch.stack([cells.get(other, anchors[..., other]) for other in range(c.voices)], -1)
        turned = (torch.arange(12, device=rows.device) - bases[..., None]) % 12  # (B, T, V, 12)
        in_class = classes.view(*classes.shape[:-1], c.voices, 12).gather(-1, turned).sum(-2)
        in_class = (
            in_class + (in_classes.view(*in_classes.shape[:-1], 12, TONAL) * tonal[..., None, :]).sum(-1) / TONAL**0.5
        )
        extra = near.gather(-1, steps) + in_class[..., every % 12] + self._motion(voice, anchors, cells, every)
        extra = torch.where(every == 0, 0.0, extra)
        if counted is not None and c.chains:
            extra = extra + self._from_counts(voice, worth, every, anchor, *counted)
        mine = slice(voice * c.pointers, (voice + 1) * c.pointers)
        guess, trust = said["guess"][..., mine], said["trust"][..., mine]
        offset = torch.arange(c.pointers, device=rows.device) + voice * c.pointers
        strength = (pointers + STEEP * self.belief[trust + offset * c.trusts]) * (trust > 0)
        target = torch.where(guess == 13, 0, (anchor + guess).clamp(0, c.cells - 1))
        return (absolute + extra).float().scatter_add(-1, target, strength.float())

    def _motion(self, voice: int, anchors: Tensor, cells: dict[int, Tensor], every: Tensor) -> Tensor | float:
        """(B, T, C) what `counterpoint` adds to each pitch, with each voice that is decided and sounds."""
        v, kinds, own = self.config.voices, self.config.intervals, anchors[..., voice]
        total: Tensor | float = 0.0
        for other, cell in cells.items():
            before = self._interval(own - anchors[..., other])
            row = ((voice * v + other) * kinds + before) * 3 + (cell - anchors[..., other]).sign() + 1
            after = ((every - own[..., None]).sign() + 1) * kinds + self._interval(every - cell[..., None])
            added = F.embedding(row, self.counterpoint.view(-1, 3 * kinds)).gather(-1, after)
            total = total + STEEP * added * (cell > 0)[..., None]
        return total

    def _from_counts(
        self, voice: int, worth: Tensor, every: Tensor, anchor: Tensor, logs: Tensor, trust: Tensor
    ) -> Tensor:
        """(B, T, C) what the counts add to each cell, each chain for as much as it is worth here."""
        c, edge = self.config, logs.shape[-1] // 2 - 1
        chains = (torch.arange(c.chains, device=trust.device) + voice * c.chains) * c.levels
        times = 0.1 * worth + STEEP * self.worth[trust + chains]
        moves = (times[..., None].float() * logs).sum(-2)
        return moves.gather(-1, torch.where(every == 0, 2 * edge + 1, (every - anchor).clamp(-edge, edge) + edge))

    def _interval(self, semitones: Tensor) -> Tensor:
        """Which of the kinds of interval it is, octaves set aside."""
        left = semitones.abs() % 12
        return left if self.config.intervals == 12 else torch.where(left == 0, 0, torch.where(left == 7, 1, 2))

    def nats(
        self,
        rows: Tensor,
        cells: Tensor,
        shift: Tensor,
        order: tuple[int, ...],
        counted: dict[int, CountedBatch] | None = None,
    ) -> Tensor:
        """(B, T, V) of each cell, the voices of a frame taken in that order; the shown voice, if any, costs nothing."""
        known = self.body(rows, shift, self.look_at(cells[..., 0], shift))
        return -torch.stack(self.log_chances(known, rows, cells, shift, order, counted or {}), -1)

    def log_chances(
        self,
        known: Tensor,
        rows: Tensor,
        cells: Tensor,
        shift: Tensor,
        order: tuple[int, ...],
        counted: dict[int, CountedBatch],
    ) -> list[Tensor]:
        """Of each voice (B, T): the log of the chance of the cell that it has."""
        found: dict[int, Tensor] = {}
        decided: dict[int, Tensor] = {}
        for voice in order:
            if not (self.config.shown and voice == 0):
                logits = self.logits(known, rows, shift, voice, decided, counted.get(voice)).log_softmax(-1)
                found[voice] = logits.gather(-1, self._ids(cells[..., voice], shift)[..., None]).squeeze(-1)
            decided[voice] = cells[..., voice]
        zero = next(iter(found.values())) * 0
        return [found.get(voice, zero) for voice in range(self.config.voices)]


def _numbered(ids: Tensor, size: int) -> Tensor:
    """Ids below ``size`` in each column -> ids of one table for all columns."""
    return ids + torch.arange(ids.shape[-1], device=ids.device) * size
