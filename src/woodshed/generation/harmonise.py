"""Voices found around voices that are given: a particle filter over an event model, within the chorale grammar.

Many *particles*, chorales in the making, go through the model side by side. Each token is drawn among those that may
stand there: of a given voice one only, of a free voice what the grammar allows. A particle's weight is multiplied by
the probability that the model gave to all of them together, so that it says how well what was drawn goes with what is
given. Where the weights of an *island* of particles grow too unequal, it is drawn anew from itself by weight: what
fits badly dies out, and the draw follows the model's distribution given the fixed voices, instead of running into
corners from which only bad chords lead out. Islands know nothing of one another, and each gives one answer.

What is drawn follows the model, tilted by one rule of the craft: each parallel fifth or octave is made less likely by
the factor ``parallels``. Nets that learn for minutes write many more of them than Bach does.

Source: sequential Monte Carlo (Gordon, Salmond and Smith, 1993), resampled systematically when the effective sample
size falls below half (Liu and Chen, 1995). We differ from BachBot (Liang, 2016), which takes the likeliest token
(greedy) at each free place and never goes back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle, event_model
from woodshed.codecs.chorale import ChoraleCodec
from woodshed.codecs.chorale_frames import (
    END,
    FERMATA,
    FOLLOWS,
    FRAME,
    HIGHEST,
    LOWEST,
    REST,
    START,
    STRUCK,
    TIED,
    Frames,
)
from woodshed.errors import OutOfRange
from woodshed.generation.filters import Sampling, draw

OPEN = -1
"""In `Score.tokens`: a voice that is to be found."""
PARTICLES = 16
PARALLELS = 0.005
"""Odds of a parallel fifth or octave where nothing else is asked for."""
MOST_STREAMS = 4096
_NEVER = 1e-9
"""Odds for 0: still possible where a given voice leaves nothing else."""
VOICES = 4


@dataclass(frozen=True)
class Score:
    """What is given of a chorale, and what may be sung."""

    tokens: NDArray[np.int64]
    """(T, 4) token of each voice on each sixteenth, as in `Frames`, or `OPEN`."""
    steps_per_bar: int
    """Sixteenths of a bar."""
    fermata: NDArray[np.bool_] | None = None
    """(T,) where notes with fermatas start; None leaves that to the model."""
    playable: NDArray[np.bool_] | None = None
    """(4, 120) which tokens each free voice may have; None: all. Rests always may be."""
    place: NDArray[np.int64] | None = None
    """(T,) the sixteenth of its bar that each is, where the meter changes; None counts bars of one length."""


class Draws(NamedTuple):
    """One chorale from each island, the likeliest first."""

    frames: list[Frames]
    nats_per_frame: NDArray[np.float64]
    """How unlikely the model itself finds each of them, END included."""


def find_voices(
    bundle: Bundle,
    score: Score,
    sampling: Sampling,
    rng: np.random.Generator,
    *,
    islands: int = 8,
    particles: int = PARTICLES,
    parallels: float = 1.0,
    on_step: Callable[[float], None] | None = None,
) -> Draws:
    """``islands`` independent chorales that have what is given and keep to the grammar. All chance is ``rng``'s.

    ``sampling`` shapes what is drawn, and ``parallels`` are the odds of each parallel fifth or octave: 1 as learned, 0
    for none unless there is no other way. Ranks are what the model itself believes.

    Raises:
        OutOfRange: for too many particles at once, or odds that are none.
    """
    import torch

    if not 0 <= parallels <= 1:
        raise OutOfRange(f"parallels {parallels:g} is outside 0-1; 1 is as learned, {PARALLELS} is usual")
    if not 1 <= islands * particles <= MOST_STREAMS:
        raise OutOfRange(f"{islands} x {particles} streams at once is outside 1-{MOST_STREAMS}; ask for fewer draws")
    with torch.inference_mode():
        swarm = _Swarm(bundle, score, sampling, rng, islands, particles, parallels)
        for frame in range(len(score.tokens)):
            swarm.sing(frame)
            if on_step is not None:
                on_step((frame + 1) / len(score.tokens))
        swarm.play(_only(END), forced=True)
    return swarm.draws()


class Sung(NamedTuple):
    """Where one chorale stands at a bar line."""

    state: tuple[Any, ...]
    """The model's, of one stream."""
    believed: NDArray[np.float64]
    """(1, 120) log-probabilities of the token to come."""
    latest: NDArray[np.int64]
    """(1, 4) what the voices did last."""

    @property
    def chance_of_end(self) -> float:
        """How likely the model finds it that the chorale ends here."""
        return float(np.exp(self.believed[0, END]))


def sing_on(
    bundle: Bundle,
    score: Score,
    sampling: Sampling,
    rng: np.random.Generator,
    since: Sung | None,
    *,
    particles: int = PARTICLES,
    parallels: float = 1.0,
) -> tuple[Frames, Sung]:
    """A bar (or other score) from a bar line on, None being where a chorale begins; and where that leads to."""
    import torch

    with torch.inference_mode():
        swarm = _Swarm(bundle, score, sampling, rng, 1, particles, parallels, since)
        for frame in range(len(score.tokens)):
            swarm.sing(frame)
        chosen = int(rng.choice(particles, p=_shares(swarm.weight))) if particles > 1 else 0
        state = swarm.model.select(swarm.state, torch.tensor([chosen]))
    at = slice(chosen, chosen + 1)
    frames = Frames(swarm.tokens[chosen].astype(np.int64), swarm.fermata[chosen])
    return frames, Sung(state, swarm.believed[at], swarm.latest[at])


class _Swarm:
    """B particles in the making, island by island."""

    def __init__(
        self,
        bundle: Bundle,
        score: Score,
        sampling: Sampling,
        rng: np.random.Generator,
        islands: int,
        particles: int,
        parallels: float,
        since: Sung | None = None,
    ) -> None:
        import torch

        self.model: Any
        self.model, codec = event_model(bundle)
        assert isinstance(codec, ChoraleCodec)
        self.codec, self.score, self.sampling, self.rng = codec, score, sampling, rng
        self.islands, count = islands, islands * particles
        self.tokens = np.full((count, len(score.tokens), VOICES), REST, np.int16)
        self.fermata = np.zeros((count, len(score.tokens)), bool)
        self.latest = np.full((count, VOICES), -1)
        self.penalty = float(np.log(max(parallels, _NEVER)))
        self.weight, self.likelihood = np.zeros(count), np.zeros(count)
        if since is None:
            self.state = self.model.start(count)
            self.feed(np.full(count, START), 0, 0)
        else:
            alike = np.zeros(count, np.int64)
            self.state = self.model.select(since.state, torch.from_numpy(alike))
            self.believed, self.latest = since.believed[alike], since.latest[alike]

    def sing(self, frame: int) -> None:
        """The four voices of a sixteenth and its end, then judge."""
        before = self.latest.copy()
        for voice in range(VOICES):
            mask = self._allowed(frame, voice)
            if voice == 0:
                self._mark(frame, mask)
            forced = bool(self.score.tokens[frame, voice] != OPEN)
            tilt = _parallels(before, self.latest, voice) * self.penalty if voice and self.penalty else None
            self.latest[:, voice] = self.tokens[:, frame, voice] = token = self.play(mask, forced=forced, tilt=tilt)
            self.feed(token, voice + 1, frame)
        self.feed(self.play(_only(FRAME), forced=True), 0, frame + 1)
        self._resample(frame + 1)

    def play(
        self, mask: NDArray[np.bool_], *, forced: bool, tilt: NDArray[np.floating[Any]] | None = None
    ) -> NDArray[np.int64]:
        """(B,) tokens drawn where (B or 1, 120) allows; weights and likelihoods are kept.

        ``tilt`` (B, 120) is added to what the model believes, but not to the likelihoods.
        """
        among = np.where(mask, self.believed if tilt is None else self.believed + tilt, -np.inf)
        top = among.max(1, keepdims=True)
        self.weight += (top + np.log(np.exp(among - top).sum(1, keepdims=True)))[:, 0]
        tokens = among.argmax(1) if forced else draw(among, self.sampling, self.sampling.temperature, self.rng)
        self.likelihood += self.believed[np.arange(len(tokens)), tokens]
        return tokens

    def feed(self, token: NDArray[np.int64], slot: int, frame: int, who: NDArray[np.int64] | None = None) -> None:
        """Tell the model the last token (of the particles ``who``, else of all), and hear what it believes next."""
        import torch

        which = slice(None) if who is None else who
        rows = self.codec.rows(token, slot, self._place(frame), self.latest[which])
        state = self.state if who is None else self.model.select(self.state, torch.from_numpy(who))
        logits, state = self.model.step(torch.from_numpy(rows), state)
        believed = torch.log_softmax(logits.double(), -1).numpy()
        if who is None:
            self.state, self.believed = state, believed
            return
        index = torch.from_numpy(who)
        self.state = tuple(all_.index_copy(0, index, some) for all_, some in zip(self.state, state, strict=True))
        self.believed = self.believed.copy()
        self.believed[who] = believed

    def _place(self, frame: int) -> int:
        """The sixteenth of its bar."""
        place = self.score.place
        return frame % self.score.steps_per_bar if place is None or frame >= len(place) else int(place[frame])

    def _allowed(self, frame: int, voice: int) -> NDArray[np.bool_]:
        """(B or 1, 120) what the voice may do."""
        given = int(self.score.tokens[frame, voice])
        if given != OPEN:
            return _only(given)
        mask: NDArray[np.bool_] = FOLLOWS[voice, np.where(self.latest[:, voice] < 0, REST, self.latest[:, voice])]
        return mask if self.score.playable is None else mask & self.score.playable[voice]

    def _mark(self, frame: int, mask: NDArray[np.bool_]) -> None:
        """Begin the sixteenth with a fermata: where one is given, else as the model likes where a note may start.

        The soprano's tokens are its alternative, so that a fermata is chosen as often as the model would.
        """
        given = self.score.fermata
        if given is not None:
            if not given[frame]:
                return
            marked = self.play(_only(FERMATA), forced=True) == FERMATA
        else:
            if not mask[:, STRUCK:TIED].any():
                return
            marked = self._peek(mask)
        who = np.flatnonzero(marked)
        self.fermata[:, frame] = marked
        if len(who):
            self.feed(np.full(len(who), FERMATA), 0, frame, who)

    def _peek(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(B,) whether each particle has a fermata before a soprano that keeps to (B or 1, 120).

        Those that have none are believed afterwards, by what is left, so that nothing is counted twice.
        """
        chance = np.exp(self.believed[:, FERMATA])
        other = np.exp(np.where(mask, self.believed, -np.inf)).sum(1)
        marked: NDArray[np.bool_] = self.rng.random(len(chance)) * (chance + other) < chance
        with np.errstate(divide="ignore"):
            step = np.log(chance + other)
            self.weight += np.where(marked, step, step - np.log(other))
        self.likelihood += np.where(marked, self.believed[:, FERMATA], 0)
        return marked

    def _resample(self, sung: int) -> None:
        """Draw those islands anew whose effective sample size is below half; ``sung`` frames of history move along."""
        import torch

        weights = _shares(self.weight.reshape(self.islands, -1))
        particles = weights.shape[1]
        poor = 1 / (weights**2).sum(1) < particles / 2
        if not poor.any():
            return
        index = np.arange(len(self.weight)).reshape(self.islands, particles)
        for island in np.flatnonzero(poor):
            places = (self.rng.random() + np.arange(particles)) / particles
            chosen = np.searchsorted(np.cumsum(weights[island]), places).clip(max=particles - 1)
            index[island] = index[island, chosen]
            self.weight.reshape(self.islands, -1)[island] = 0
        flat = index.ravel()
        self.state = self.model.select(self.state, torch.from_numpy(flat))
        self.believed, self.likelihood, self.latest = self.believed[flat], self.likelihood[flat], self.latest[flat]
        self.tokens[:, :sung], self.fermata[:, :sung] = self.tokens[flat, :sung], self.fermata[flat, :sung]

    def draws(self) -> Draws:
        """One particle of each island, by weight."""
        weights = _shares(self.weight.reshape(self.islands, -1))
        tickets = self.rng.random((self.islands, 1))
        chosen = (np.cumsum(weights, axis=1) <= tickets).sum(1).clip(max=weights.shape[1] - 1)
        flat = chosen + weights.shape[1] * np.arange(self.islands)
        nats = -self.likelihood[flat] / max(self.tokens.shape[1], 1)
        order = np.argsort(nats, kind="stable")
        frames = [Frames(self.tokens[n].astype(np.int64), self.fermata[n]) for n in flat[order]]
        return Draws(frames, nats[order])


def _parallels(before: NDArray[np.int64], now: NDArray[np.int64], voice: int) -> NDArray[np.int64]:
    """(B, 120) with how many higher voices each token of ``voice`` makes a parallel fifth or octave.

    ``before`` (B, 4) are the tokens of the sixteenth before, ``now`` those of this one up to the voice. Counted as in
    `woodshed.evaluation.voice_leading`.
    """
    old, new, mine = _pitch(before[:, :voice]), _pitch(now[:, :voice]), _pitch(before[:, voice, None])
    gap = np.abs(old - mine) % 12
    ready = (old >= 0) & (new >= 0) & (mine >= 0) & (new != old) & ((gap == 7) | (gap == 0))  # (B, voice)
    reached = np.arange(LOWEST, HIGHEST + 1)
    same = (np.abs(new[..., None] - reached) % 12 == gap[..., None]) & (
        np.sign(new - old)[..., None] == np.sign(reached - mine[..., None])
    )
    counts = np.zeros((len(before), START), np.int64)
    counts[:, STRUCK:TIED] = (same & ready[..., None]).sum(1)
    return counts


def _pitch(tokens: NDArray[np.int64]) -> NDArray[np.int64]:
    """What sounds; -1 for silence."""
    return np.where(tokens < STRUCK, -1, LOWEST + (tokens - STRUCK) % (TIED - STRUCK))


def _only(token: int) -> NDArray[np.bool_]:
    """(1, 120) nothing but this token."""
    mask: NDArray[np.bool_] = np.arange(START)[None] == token
    return mask


def _shares(weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of log-weights as shares of 1."""
    weights = np.exp(weight - weight.max(-1, keepdims=True))
    shares: NDArray[np.float64] = weights / weights.sum(-1, keepdims=True)
    return shares
