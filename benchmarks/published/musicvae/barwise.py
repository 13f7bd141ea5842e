"""A space with a point for each bar of 16-bar drums, which says what the bars before it do not foretell. See README.md.

The decoder plays step after step from all that it has played (pointers to the bars before, a recurrence) and the point
of the bar, so a bar that comes back need cost nothing. The encoder finds the points bar by bar, and sees what the
decoder made of the bars before: as in predictive coding, what went wrong can be mended at the next bar. The prior is
N(0, 1).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from strokes import BACK, BARS, DECAYS, DRUMS, POINTED, STEPS, Pointers, Strokes, differing, earlier, hits_of, tokens_of
from torch import Tensor, nn

from woodshed.codecs.clips import BAR_STEPS
from woodshed.models.music_vae import divergence

LAGS = (1, 2, 16, 32, 64, 128)
"""Steps back that the decoder is shown as they are."""
OF_BAR = BAR_STEPS * DRUMS
FIRST_LOG_VARIANCE, WIDE = -3.0, 2.0
"""Where learning starts: a decoder that at first hears little but noise learns not to listen."""


@dataclass(frozen=True)
class BarSizes:
    latent: int = 16
    """Of each bar."""
    encoder: int = 128
    decoder: int = 192
    strokes: int = 48
    canvas: int = 48
    """What a bar's point says of each of its steps."""
    view: int = 256
    dropout: float = 0.3


@dataclass(frozen=True)
class BarPlan:
    """How a space is learned."""

    steps: int = 2400
    batch: int = 16
    """Clips of each set."""
    bits: float = 248.0
    """Mean divergence of a clip that beta is steered to, of each set by itself."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    averaging: float = 0.99
    own_from: float = 0.2
    """From this share of the steps on, three quarters of the batches are played from what the net itself has played."""
    own: float = 0.75
    errors_from: float = 0.4
    """From here on less and less of the loss is the likelihood, and more of it the share of tokens that do not come
    back: (1 - p^q) / q of each token, q from 0 (that is -log p) to `errors`."""
    errors: float = 0.8


class BarSpace(nn.Module):
    """Clips (B, 1, 256) of drums as points (B, 16 Z), and back."""

    def __init__(self, sizes: BarSizes) -> None:
        super().__init__()
        self.sizes = sizes
        wide, view = 2 * sizes.encoder, sizes.view
        self.place, self.bar = nn.Embedding(BAR_STEPS, 32), nn.Embedding(BARS, 16)
        self.hear = nn.Linear(DRUMS + 48, sizes.encoder)
        self.both_ways = nn.GRU(sizes.encoder, sizes.encoder, batch_first=True, bidirectional=True)
        self.each = nn.Linear(wide, wide // 8)
        expected = len(DECAYS) * (OF_BAR + 1)
        self.compare = nn.Sequential(nn.Linear(2 * OF_BAR + expected, view), nn.GELU())
        self.gaussian = nn.Sequential(
            nn.Linear(BAR_STEPS * (wide // 8) + wide + view, view), nn.GELU(), nn.Linear(view, 2 * sizes.latent)
        )
        self.canvas = nn.Sequential(nn.Linear(sizes.latent, view), nn.GELU(), nn.Linear(view, BAR_STEPS * sizes.canvas))
        self.pointers = Pointers()
        past = DRUMS * len(LAGS) + POINTED
        self.read = nn.Linear(past + 48 + sizes.canvas, sizes.decoder)
        self.walk = nn.GRU(sizes.decoder, sizes.decoder, batch_first=True)
        self.mix = nn.Linear(sizes.decoder + past + 32 + sizes.canvas, sizes.decoder)
        self.drop = nn.Dropout(sizes.dropout)
        self.strokes = Strokes(sizes.decoder, sizes.strokes)
        self.lean = nn.Linear(POINTED + sizes.canvas, DRUMS)

    # ---- what `vae.measure` asks of a space ----

    @torch.no_grad()
    def encode(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, 16 Z): of each bar given what the likeliest decoding made of those before it."""
        mean, log_variance, _ = self.follow(hits_of(tokens[:, 0]))
        return mean.flatten(1), log_variance.flatten(1)

    @torch.no_grad()
    def likeliest(self, z: Tensor, given: Tensor) -> Tensor:
        """Tokens (B, 1, T), each the likeliest given z and the tokens (B, 1, T) before it."""
        state, lean = self.states(z.unflatten(1, (BARS, -1)), hits_of(given[:, 0]))
        return tokens_of(self.strokes.draw(state, lean))[:, None]

    @torch.no_grad()
    def sample(self, z: Tensor, temperature: float, uniforms: Tensor | None = None) -> Tensor:
        """Tokens (B, 1, T): drawn by ``uniforms`` at temperature 1, the likeliest at 0."""
        points = z.unflatten(1, (BARS, -1))
        chance = uniforms[:, 0] if temperature and uniforms is not None else None
        return tokens_of(self.play(len(z), lambda bar, *_: points[:, bar], chance))[:, None]

    # ---- all steps at once ----

    def posterior(self, truth: Tensor, played: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance (B, 16, Z) of drums (B, T, 9), each bar given those ``played`` before it."""
        agreement, _, _ = self.pointers.agreement(played)
        bars, at = played.reshape(-1, BARS, OF_BAR), torch.arange(BARS)
        source = at[:, None] - torch.arange(1, BARS)  # (16, 15)
        known = source >= 0
        back = bars[:, source.clamp(min=0)] * known[..., None]
        expected = self.pointers.expected(back, agreement[:, ::BAR_STEPS], known)
        before = earlier(played, BAR_STEPS).reshape(-1, BARS, OF_BAR)
        return self._gaussian(self._heard(truth), truth.reshape(-1, BARS, OF_BAR), before, expected)

    def states(self, z: Tensor, played: Tensor) -> tuple[Tensor, Tensor]:
        """Of all steps the state (B, T, W) and the lean (B, T, 9) of `strokes`, for z (B, 16, Z)."""
        place, bar = self._places(len(z))
        canvas = self.canvas(z).view(len(z), STEPS, -1)
        past = torch.cat([*(earlier(played, lag) for lag in LAGS), pointed := self.pointers(played)], -1)
        state, _ = self.walk(self._read(past, place, bar, canvas))
        return self._mix(state, past, place, canvas), self.lean(torch.cat([pointed, canvas], -1))

    def logits(self, z: Tensor, played: Tensor, truth: Tensor) -> Tensor:
        """(B, T, 9) of the drums of ``truth``, after what was ``played``."""
        state, lean = self.states(z, played)
        found: Tensor = self.strokes(state, truth) + lean
        return found

    # ---- step by step ----

    @torch.no_grad()
    def follow(
        self, truth: Tensor, noise: Tensor | None = None, chance: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Encode bar by bar and play each: mean, log variance (B, 16, Z) and what was played (B, T, 9).

        z is the mean, or with ``noise`` (B, 16, Z) a draw; played is the likeliest, or drawn by ``chance`` (B, T).
        """
        heard, wanted = self._heard(truth), truth.reshape(-1, BARS, OF_BAR)
        found: list[tuple[Tensor, Tensor]] = []

        def point(bar: int, bars: Tensor, agreement: Tensor) -> Tensor:
            source = bar - torch.arange(1, BARS)
            known = source >= 0
            expected = self.pointers.expected(bars[:, source.clamp(min=0)] * known[:, None], agreement, known)
            before = bars[:, bar - 1] if bar else torch.zeros_like(bars[:, 0])
            mean, log_variance = self._gaussian((heard[0][:, bar], heard[1][:, bar]), wanted[:, bar], before, expected)
            found.append((mean, log_variance))
            return mean if noise is None else mean + (log_variance / 2).exp() * noise[:, bar]

        played = self.play(len(truth), point, chance)
        mean, log_variance = (torch.stack(column, 1) for column in zip(*found, strict=True))
        return mean, log_variance, played

    @torch.no_grad()
    def play(self, batch: int, point: Callable[[int, Tensor, Tensor], Tensor], chance: Tensor | None) -> Tensor:
        """Drums (B, T, 9). ``point`` is asked for each bar's z, given the bars so far and how well they agree."""
        silence = int(BACK[-1])
        played = torch.zeros(batch, silence + STEPS, DRUMS)
        agreement, state = torch.zeros(batch, len(BACK), len(DECAYS)), torch.zeros(1, batch, self.walk.hidden_size)
        places, bars = self._places(1)
        canvas = played  # until the first bar is asked for
        for step in range(STEPS):
            at, known = silence + step, step >= BACK
            back = played[:, at - BACK]
            if step % BAR_STEPS == 0:
                so_far = played[:, silence:].reshape(batch, BARS, OF_BAR)
                canvas = self.canvas(point(step // BAR_STEPS, so_far, agreement)).view(batch, BAR_STEPS, -1)
            own = canvas[:, step % BAR_STEPS]
            place, bar = places[:, step].expand(batch, -1), bars[:, step].expand(batch, -1)
            pointed = self.pointers.expected(back, agreement, known)
            past = torch.cat([*(played[:, at - lag] for lag in LAGS), pointed], -1)
            out, state = self.walk(self._read(past, place, bar, own)[:, None], state)
            mixed, lean = self._mix(out[:, 0], past, place, own), self.lean(torch.cat([pointed, own], -1))
            played[:, at] = self.strokes.draw(mixed, lean, None if chance is None else chance[:, step])
            same = differing(played[:, at, None], back, known)
            agreement = agreement * torch.tensor(DECAYS) + same[..., None]
        return played[:, silence:]

    # ---- pieces ----

    def _places(self, batch: int) -> tuple[Tensor, Tensor]:
        at = torch.arange(STEPS)
        return tuple(rows.expand(batch, -1, -1) for rows in (self.place(at % BAR_STEPS), self.bar(at // BAR_STEPS)))  # type: ignore[return-value]

    def _heard(self, truth: Tensor) -> tuple[Tensor, Tensor]:
        """What both ways through the clip say of each bar: of its steps (B, 16, .), and on average (B, 16, .)."""
        out, _ = self.both_ways(self.drop(torch.relu(self.hear(torch.cat([truth, *self._places(len(truth))], -1)))))
        steps = out.view(len(truth), BARS, BAR_STEPS, -1)
        return self.each(steps).flatten(2), steps.mean(2)

    def _gaussian(
        self, heard: tuple[Tensor, Tensor], wanted: Tensor, before: Tensor, expected: Tensor
    ) -> tuple[Tensor, Tensor]:
        compared = self.compare(torch.cat([wanted, before, expected], -1))
        mean, log_variance = self.gaussian(torch.cat([*heard, compared], -1)).chunk(2, -1)
        return WIDE * mean, (log_variance + FIRST_LOG_VARIANCE).clamp(-9, 3)

    def _read(self, past: Tensor, place: Tensor, bar: Tensor, canvas: Tensor) -> Tensor:
        read: Tensor = self.drop(torch.relu(self.read(torch.cat([past, place, bar, canvas], -1))))
        return read

    def _mix(self, state: Tensor, past: Tensor, place: Tensor, canvas: Tensor) -> Tensor:
        return torch.relu(self.mix(torch.cat([self.drop(state), past, place, canvas], -1)))


def learn_bars(
    sizes: BarSizes, sets: Sequence[NDArray[np.int64]], plan: BarPlan, seed: int, on_step: Callable[[str], None]
) -> BarSpace:
    """A space for clips (N, 1, T) of one or several sets, as many of each in a batch.

    ``on_step`` is told of every step how many bits the clips of each set cost, and how they are read.
    """
    rng = np.random.default_rng(seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        space = BarSpace(sizes).train()
        average = copy.deepcopy(space).eval()
        optimiser = torch.optim.AdamW(space.parameters(), plan.learning_rate, weight_decay=plan.weight_decay)
        log_beta = np.full(len(sets), math.log(0.2))
        for step in range(plan.steps):
            fraction = step / plan.steps
            for group in optimiser.param_groups:
                group["lr"] = plan.learning_rate * min(1, step / 50) * (1 - fraction) ** 0.7
            truth = torch.cat([varied(hits_of(one[rng.integers(len(one), size=plan.batch), 0]), rng) for one in sets])
            noise, played = torch.randn(len(truth), BARS, sizes.latent), truth
            if fraction > plan.own_from and rng.random() < plan.own:
                space.eval()
                played = space.follow(truth, noise, torch.from_numpy(rng.random(truth.shape[:2])))[2]
                space.train()
            mean, log_variance = space.posterior(truth, played)
            logits = space.logits(mean + (log_variance / 2).exp() * noise, played, truth)
            log_p = -F.binary_cross_entropy_with_logits(logits, truth, reduction="none").sum(2)  # (B, T)
            q = plan.errors * max(0.0, (fraction - plan.errors_from) / (1 - plan.errors_from))
            lost = ((1 - (q * log_p).exp()) / q if q else -log_p).sum(1)
            cost = divergence(mean.flatten(1), log_variance.flatten(1)).view(len(sets), -1)
            beta = torch.from_numpy(np.exp(log_beta)).float()[:, None] * min(1, 0.1 + 5 * fraction)
            loss = (lost + (beta * cost).flatten()).mean() / STEPS
            bits = cost.detach().mean(1).numpy() / math.log(2)
            if fraction > 0.1:
                log_beta = (log_beta + 0.05 * (bits / plan.bits - 1)).clip(math.log(0.02), math.log(3))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(space.parameters(), 1.0)
            optimiser.step()
            with torch.no_grad():
                for slow, fast in zip(average.parameters(), space.parameters(), strict=True):
                    slow.lerp_(fast, 1 - min(plan.averaging, (1 + step) / (10 + step)))
            on_step(f"{' '.join(f'{b:.0f}' for b in bits)} bits, {-float(log_p.detach().mean()):.2f} nats a token")
    return average


def varied(hits: Tensor, rng: np.random.Generator) -> Tensor:
    """Each clip (B, T, 9) now and then without a drum, with two drums exchanged, or begun at another bar."""
    for clip in hits:
        if rng.random() < 0.3:
            clip[:, rng.integers(DRUMS)] = 0
        if rng.random() < 0.3:
            one, other = rng.permutation(DRUMS)[:2].tolist()
            clip[:, [one, other]] = clip[:, [other, one]]
        if rng.random() < 0.3:
            clip.copy_(torch.roll(clip, int(rng.integers(1, BARS)) * BAR_STEPS, 0))
    return hits
