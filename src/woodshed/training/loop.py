"""The training loop: time-boxed or counted in steps, resumable, stopped early by held-out songs."""

from __future__ import annotations

import copy
import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from woodshed.bundle import LATENT, Bundle, save_bundle
from woodshed.errors import OutOfRange, UnknownName
from woodshed.music import Song
from woodshed.training.ahead import Ahead
from woodshed.training.checkpoints import (
    Progress,
    latest_checkpoint,
    load_checkpoint,
    remove_unfinished,
    save_checkpoint,
)
from woodshed.training.examples import Augmentation
from woodshed.training.latent_lessons import LatentLessons, LatentOptions
from woodshed.training.lessons import NoteLessons, held_out_nats, make_lessons
from woodshed.training.memory import keep_freed_memory
from woodshed.training.precision import PRECISIONS, lower_precision

WORK_FOLDER = "training"
LOG_FILE = "log.jsonl"


@dataclass(frozen=True)
class TrainingOptions:
    """How long, how fast and with what chance to train."""

    minutes: float | None = 5.0
    """Time box, evaluation left out; None when ``steps`` is given."""
    steps: int | None = None
    """Stop after this many steps instead: the same seed then gives the same weights on one machine."""
    batch: int = 8
    """Windows in a step."""
    length: int = 256
    """Rows in a window."""
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    warm_up: float = 0.03
    """Share of the run in which the learning rate rises from 0."""
    averaging: float = 0.995
    """How slowly the weights that are kept follow those that learn: a moving average over 1 / (1 - this) steps,
    0 to below 1. Averaged weights read new songs better, above all while the learning rate is high (Polyak & Juditsky
    1992)."""
    precision: str = "auto"
    """One of `PRECISIONS`; see `woodshed.training.precision`."""
    clip: float = 1.0
    """Gradients longer than this are cut to it."""
    evaluations: int = 20
    """How often held-out songs are measured, evenly over the run."""
    patience: int = 8
    """Evaluations without a better held-out loss after which training stops."""
    unique_factor: int = 0
    """Of systems that learn windows: only those with more than so many different events; 0 takes all."""
    augmentation: Augmentation = field(default_factory=Augmentation)
    latent: LatentOptions = field(default_factory=LatentOptions)
    """Of systems with a latent space."""
    seed: int = 0
    device: str = "auto"
    """``cpu``, ``cuda``, ``mps``, or ``auto`` for the best one there is."""
    checkpoint_seconds: float = 30.0

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise OutOfRange("give either minutes or steps, not both")
        if self.precision not in PRECISIONS:
            raise UnknownName(f"training.precision {self.precision!r} is not one of {', '.join(PRECISIONS)}")
        limits = {"minutes": self.minutes, "steps": self.steps, "batch": self.batch, "length": self.length}
        limits |= {
            "learning_rate": self.learning_rate,
            "clip": self.clip,
            "evaluations": self.evaluations,
            "patience": self.patience,
        }
        for name, value in limits.items():
            if value is not None and not 0 < value < 1e7:
                raise OutOfRange(f"{name} {value} must be above 0 (and below 10,000,000)")
        shares = {"weight_decay": self.weight_decay, "warm_up": self.warm_up, "averaging": self.averaging}
        for name, share in shares.items():
            if not 0 <= share < 1:
                raise OutOfRange(f"{name} {share} is outside 0 to below 1; leave it out for the default")


@dataclass(frozen=True)
class Event:
    """One thing that happened in training; a line of the log."""

    kind: str
    """One of "step", "evaluation", "checkpoint" or "end"."""
    step: int
    seconds: float
    """Training time so far."""
    fraction: float
    """Share of the run that is done, 0-1."""
    train_nats: float | None = None
    """Nats per note on the latest batches."""
    held_out_nats: float | None = None
    fields: dict[str, float] = field(default_factory=dict)
    """Held-out nats per note of each field."""
    notes_per_second: float = 0.0
    reason: str = ""
    """Of the end: "done", "early stop" or "interrupted"."""

    def as_dict(self) -> dict[str, Any]:
        """Without what is empty, for a JSON line."""
        return {name: value for name, value in vars(self).items() if value not in (None, {}, "")}


@dataclass(frozen=True)
class Outcome:
    """What a run came to."""

    bundle: Bundle
    progress: Progress
    reason: str
    events: tuple[Event, ...]


def train(
    blank: Bundle,
    songs: Sequence[Song],
    held_out: Sequence[Song],
    folder: Path,
    options: TrainingOptions,
    *,
    resume: bool = False,
    on_event: Callable[[Event], None] | None = None,
) -> Outcome:
    """Train ``blank``'s model on ``songs`` and keep in ``folder`` the bundle that reads ``held_out`` best.

    The work folder inside it holds the log (JSON lines) and at most two checkpoints. Ctrl-C ends the run as
    if its time were up. With ``resume`` it goes on from the newest checkpoint, where there is one.

    Raises:
        CorpusError: if no song has a note.
        FileError: if the disk is full.
    """
    run = _Run(blank, songs, held_out, folder, options, on_event or (lambda event: None))
    with _own_chance(options.seed):
        run.start(resume)
        try:
            reason = run.loop()
        except KeyboardInterrupt:
            reason = "interrupted"
        return run.finish(reason)


class _Run:
    """The state of one run."""

    def __init__(
        self,
        blank: Bundle,
        songs: Sequence[Song],
        held_out: Sequence[Song],
        folder: Path,
        options: TrainingOptions,
        on_event: Callable[[Event], None],
    ) -> None:
        keep_freed_memory()
        self.bundle, self.folder, self.options, self.on_event = blank, folder, options, on_event
        self.device = pick_device(options.device)
        self.model = blank.model.to(self.device).train()
        self.average = copy.deepcopy(self.model).eval()
        self.optimiser = torch.optim.AdamW(
            _decayed_apart(self.model, options.weight_decay), lr=options.learning_rate, betas=(0.9, 0.98), fused=True
        )
        self.lessons = make_lessons(
            blank, songs, options.batch, options.length, options.augmentation, options.unique_factor, options.latent
        )
        self.held_out = [blank.codec.arrange(song) for song in held_out if len(song)]
        self.rng = np.random.default_rng(options.seed)
        self.ahead: Ahead | None = None
        """Where drawing a batch takes long enough to be worth a thread."""
        self.progress = Progress()
        self.events: list[Event] = []
        self.recent: list[float] = []
        self.evaluated = 0.0
        self.saved_at = 0.0

    def start(self, resume: bool) -> None:
        work = self.folder / WORK_FOLDER
        for place in (self.folder, work):
            remove_unfinished(place)
        newest = latest_checkpoint(work) if resume else None
        if newest:
            self.progress, chance = load_checkpoint(newest, self.model, self.average, self.optimiser)
            self.rng.bit_generator.state = chance["numpy_rng"]
            torch.set_rng_state(chance["torch_rng"])
            if chance["cuda_rng"] is not None and self.device.type == "cuda":
                torch.cuda.set_rng_state(chance["cuda_rng"])
            self.evaluated = self.fraction
            self.saved_at = self.progress.seconds
        else:
            for old in work.glob("step-*.safetensors"):
                old.unlink()
            (work / LOG_FILE).unlink(missing_ok=True)

    @property
    def fraction(self) -> float:
        """Share of the run that is done."""
        if self.options.steps is not None:
            return min(self.progress.step / self.options.steps, 1.0)
        assert self.options.minutes is not None  # TrainingOptions sees to it
        return min(self.progress.seconds / (60 * self.options.minutes), 1.0)

    def loop(self) -> str:
        if isinstance(self.lessons, NoteLessons) and (self.device.type != "cpu" or torch.get_num_threads() > 1):
            self.ahead = Ahead(self.lessons.draw, self.rng)
        while self.fraction < 1:
            self.step()
            if self.fraction - self.evaluated >= 1 / self.options.evaluations or self.fraction >= 1:
                self.evaluated = self.fraction
                self.evaluate()
                if self.held_out and self.progress.since_best >= self.options.patience:
                    return "early stop"
            if self.progress.seconds - self.saved_at > self.options.checkpoint_seconds:
                self.checkpoint()
        return "done"

    def step(self) -> None:
        began = time.perf_counter()
        if isinstance(self.lessons, LatentLessons):
            self.lessons.fraction = self.fraction
        batch = self.ahead.take() if self.ahead else self.lessons.draw(self.rng)
        for group in self.optimiser.param_groups:
            group["lr"] = self.options.learning_rate * schedule(self.fraction, self.options.warm_up)
        with lower_precision(self.options.precision, self.device):
            loss = self.lessons.loss(self.model, batch, self.device)
        nats = float(loss.nats.detach())
        self._check_number(nats)
        self.optimiser.zero_grad(set_to_none=True)
        (loss.nats / max(loss.scored, 1)).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip)
        self.optimiser.step()
        self._follow()
        self.recent.append(nats / max(loss.notes, 1))
        self.progress.step += 1
        self.progress.notes += loss.notes
        self.progress.seconds += time.perf_counter() - began
        self.tell("step", train_nats=self.recent[-1])

    def _check_number(self, nats: float) -> None:
        if not math.isfinite(nats):
            raise OutOfRange(
                f"step {self.progress.step + 1}: the loss is no number any more; "
                f"train again with --set training.learning_rate={self.options.learning_rate / 4:g} or less"
            )

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the averaged weights follow: they are what is measured and kept."""
        step = self.progress.step
        decay = min(self.options.averaging, (1 + step) / (10 + step))
        for slow, fast in zip(self.average.parameters(), self.model.parameters(), strict=True):
            slow.lerp_(fast, 1 - decay)

    def evaluate(self) -> None:
        train_nats = float(np.mean(self.recent[-50:])) if self.recent else None
        if not self.held_out:
            self.save_best(None)
            self.tell("evaluation", train_nats=train_nats)
            return
        fields = held_out_nats(replace(self.bundle, model=self.average), self.held_out)
        total = sum(fields.values())
        self._check_number(total)
        self.progress.since_best += 1
        aim = self._aim(fields)
        if self.progress.aim is None or aim < self.progress.aim:
            self.progress.since_best, self.progress.aim = 0, aim
            self.save_best(total)
        self.tell("evaluation", train_nats=train_nats, held_out_nats=total, fields=fields)

    def _aim(self, fields: dict[str, float]) -> float:
        """What is to be low: the held-out nats, of which those of a latent space weigh as they do in training."""
        return sum(nats * (self.options.latent.beta if name == LATENT else 1) for name, nats in fields.items())

    def save_best(self, nats: float | None) -> None:
        self.progress.best, self.progress.best_step = nats, self.progress.step
        self.progress.best_seconds = self.progress.seconds
        if isinstance(self.lessons, LatentLessons):
            self.lessons.settle(self.average, self.device)
        training = {
            **self.bundle.training,
            "held_out_nats_per_note": nats,
            "steps": self.progress.step,
            "minutes": self.progress.seconds / 60,
            "notes_seen": self.progress.notes,
        }
        save_bundle(replace(self.bundle, model=self.average, training=training), self.folder)

    def checkpoint(self) -> None:
        chance = {"numpy_rng": self.ahead.state if self.ahead else self.rng.bit_generator.state}
        save_checkpoint(self.folder / WORK_FOLDER, self.model, self.average, self.optimiser, self.progress, chance)
        self.saved_at = self.progress.seconds
        self.tell("checkpoint")

    def finish(self, reason: str) -> Outcome:
        if self.ahead:
            self.ahead.close()
        if reason == "interrupted" or not self.progress.best_step:  # there must be a bundle to give
            self.evaluate()
        self.checkpoint()
        self.tell("end", reason=reason, held_out_nats=self.progress.best)
        from woodshed.bundle import load_bundle

        return Outcome(load_bundle(self.folder), self.progress, reason, tuple(self.events))

    def tell(self, kind: str, **what: Any) -> None:
        speed = self.progress.notes / max(self.progress.seconds, 1e-9)
        event = Event(kind, self.progress.step, self.progress.seconds, self.fraction, notes_per_second=speed, **what)
        if kind != "step":
            self.events.append(event)
            work = self.folder / WORK_FOLDER
            work.mkdir(parents=True, exist_ok=True)
            with (work / LOG_FILE).open("a", encoding="utf-8") as log:
                log.write(json.dumps(event.as_dict()) + "\n")
        self.on_event(event)


def schedule(fraction: float, warm_up: float) -> float:
    """Learning rate as a share of its peak: a linear rise, then a cosine down to 2 %."""
    if fraction < warm_up:
        return max(fraction / warm_up, 0.02)
    return 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * (fraction - warm_up) / (1 - warm_up)))


def pick_device(name: str) -> torch.device:
    """The device called ``name``, or with ``auto`` CUDA, else Apple's MPS, else the CPU.

    Raises:
        OutOfRange: if it is not there.
    """
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return torch.device("cuda" if there["cuda"] else "mps" if there["mps"] else "cpu")
    if not there.get(name):
        raise OutOfRange(f"device {name!r} is not here; there is {', '.join(n for n, here in there.items() if here)}")
    return torch.device(name)


def _decayed_apart(model: torch.nn.Module, decay: float) -> list[dict[str, Any]]:
    """Weight decay for matrices of linear layers only: not for embeddings, norms and biases."""
    linear = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Linear)}
    decayed = [p for p in model.parameters() if id(p) in linear]
    others = [p for p in model.parameters() if id(p) not in linear]
    return [{"params": decayed, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]


@contextmanager
def _own_chance(seed: int) -> Iterator[None]:
    """Dropout draws from torch's global generator; give it a seed here and put back what was there."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count()) if torch.cuda.is_available() else []):
        torch.manual_seed(seed)
        yield
