"""The embedded default, end to end: practise for two minutes, play four clips, and show how they compare.

``OUT/`` then holds ``style.shed`` (the bundle), ``clip-1`` to ``clip-3`` and ``continuation``, each as .mid, .wav,
.mp3 and .png, ``report.html``, a page that needs no other file, and ``demo.json``, the same in figures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import woodshed
from woodshed.corpus.classics import SOURCE
from woodshed.errors import MissingDependency, OutputExists
from woodshed.evaluation.metrics import Metrics, measure
from woodshed.evaluation.novelty import Novelty
from woodshed.formats import write_midi
from woodshed.music import Song
from woodshed.recipes.clip import key_name
from woodshed.recipes.demo_clips import CANDIDATES, CLIP_BARS, DemoClip, make_clips, opening_clip
from woodshed.recipes.demo_music import DemoMusic, distinct_titles, open_demo_music
from woodshed.recipes.likeness import RealMusic
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener, train_recipe, training_options
from woodshed.rendering.output import written_whole

if TYPE_CHECKING:
    from woodshed.evaluation.report import Clip, Findings, LearnedSong
    from woodshed.training.loop import Outcome

BUNDLE, REPORT, FACTS = "style.shed", "report.html", "demo.json"
MINUTES = 2.0
OPENING_CANDIDATES = 12
EVALUATIONS = 8
SAMPLING = {"temperature": 0.95, "top_p": 0.95, "repetition": 0.5}
"""For the quartets, by the figures of what came out: after two minutes a model repeats itself more than they do. Bands
repeat themselves as much, so for other music the recipe's own sampling stands."""
SAMPLE_RATE = 44100


@dataclass(frozen=True)
class DemoOptions:
    """What may be chosen."""

    minutes: float | None = MINUTES
    steps: int | None = None
    """Practise so many steps instead: the same seed then gives the same bytes on one machine."""
    seed: int = 0
    corpus: Path | None = None
    """Music to learn from instead of what is installed."""
    candidates: int = CANDIDATES
    """Drawn for each clip; the one most like real music is kept."""
    changes: tuple[str, ...] = ()
    """Settings of the recipe, such as ``"size=tiny"``."""
    device: str = "auto"


@dataclass(frozen=True)
class DemoListener:
    """Who is told what while it runs."""

    training: Listener = field(default_factory=Listener)
    on_music: Callable[[DemoMusic], None] = lambda music: None
    """What it will learn from, before it does."""
    on_stage: Callable[[str, float], None] = lambda name, share: None
    """A clip in the making, and the share of it that is done, 0-1."""
    on_opening: Callable[[Path], None] = lambda path: None
    """The clip of the shipped weights is written, before anything is learned."""
    on_clip: Callable[[PlayedClip], None] = lambda clip: None
    """A clip is written."""


@dataclass(frozen=True)
class PlayedClip:
    """A clip that is written, with its figures."""

    clip: DemoClip
    midi: Path
    metrics: Metrics
    """Of what the model played; of a continuation, without its primer."""
    novelty: Novelty
    """The same."""
    files: tuple[Path, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        figures = {"metrics": self.metrics.as_dict(), "novelty": self.novelty.as_dict()}
        files = [path.name for path in self.files]
        return {"title": self.clip.title, "note": self.clip.note, "files": files, **figures, **self.clip.settings}


@dataclass(frozen=True)
class DemoResult:
    """What came of it."""

    folder: Path
    music: DemoMusic
    outcome: Outcome
    clips: tuple[PlayedClip, ...]
    without_sound: str
    """Why there is no sound; empty if there is."""
    next_steps: tuple[str, ...]
    """What to do with one's own files, commands between back-ticks."""

    @property
    def report(self) -> Path:
        """The page to open."""
        return self.folder / REPORT

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        training = self.outcome.bundle.training
        return {
            "woodshed": woodshed.__version__,
            "learned_from": self.music.name,
            "licences": list(self.music.material.licences),
            "training": {**training, "reason": self.outcome.reason},
            "clips": [clip.as_dict() for clip in self.clips],
            "without_sound": self.without_sound,
        }


def run_demo(
    out: Path, options: DemoOptions | None = None, *, force: bool = False, listener: DemoListener | None = None
) -> DemoResult:
    """Learn, play, write, compare. Ctrl-C during practice ends that early and goes on with what was learned.

    Raises:
        OutputExists: if ``out`` holds anything, unless ``force`` is set and it is an earlier demo.
        MissingDependency: if there is no music to learn from.
        CorpusError, FileError: if the music cannot be used or ``out`` not be written.
    """
    options, listener, out = options or DemoOptions(), listener or DemoListener(), Path(out)
    check_demo_output(out, force=force)
    recipe = load_recipe("band", [f"training.evaluations={EVALUATIONS}", *options.changes])
    minutes = options.minutes if options.steps is None else None
    training_options(recipe, minutes=minutes, steps=options.steps)  # what is out of range is said before any work
    work = out / BUNDLE / "training"
    music = open_demo_music(options.corpus, work, seed=options.seed, progress=listener.training.on_corpus)
    listener.on_music(music)
    opening = opening_clip(options.seed, candidates=min(options.candidates, OPENING_CANDIDATES), tell=listener.on_stage)
    out.mkdir(parents=True, exist_ok=True)
    if opening is not None:
        listener.on_opening(_write_clip(out, opening, "")[0][0])
    outcome = train_recipe(
        recipe, music.material, out / BUNDLE, minutes=minutes,
        steps=options.steps, seed=options.seed, device=options.device, force=True, listener=listener.training,
    )  # fmt: skip
    played, real, without_sound = _play(out, options, music, outcome, opening, listener)
    result = DemoResult(out, music, outcome, tuple(played), without_sound, next_steps(out, music))
    _write_report(result, real)
    facts = json.dumps(result.as_dict(), indent=1, ensure_ascii=False, default=str)
    with written_whole(out / FACTS) as temporary:
        temporary.write_text(facts + "\n", encoding="utf-8")
    return result


def check_demo_output(out: Path, *, force: bool) -> None:
    """Refuse to mix with anything but an earlier demo, and to replace that without being told to.

    Raises:
        OutputExists: naming the remedy.
    """
    if out.is_dir() and any(out.iterdir()):
        if not (out / BUNDLE).is_dir():
            raise OutputExists(f"{out} holds other things than a demo; choose another folder")
        if not force:
            raise OutputExists(f"{out} holds a demo; use --force to replace it, or choose another folder")
    elif out.exists() and not out.is_dir():
        raise OutputExists(f"{out} is a file; choose the name of a folder")


def next_steps(out: Path, music: DemoMusic) -> tuple[str, ...]:
    """What to try now, with one's own music."""
    bundle = out / BUNDLE
    bands = ("Bands instead of quartets: `woodshed data get freedoom`, then this demo again",)
    return (
        f"More of the same: `woodshed generate {bundle} -o new.mid --bars 16 --seed 7`",
        f"Carry on a clip of yours: `woodshed continue {bundle} my-clip.mid -o more.mid --bars 8`",
        *(bands if music.name == SOURCE else ()),
        "Your own music: `woodshed train band MY-FOLDER -o my.shed --minutes 5`, "
        "then `woodshed generate my.shed -o mine.mid --bars 8 --audio wav --picture png`",
    )


def _play(
    out: Path,
    options: DemoOptions,
    music: DemoMusic,
    outcome: Outcome,
    opening: DemoClip | None,
    listener: DemoListener,
) -> tuple[list[PlayedClip], RealMusic, str]:
    """Make and write all clips; also what they were judged by, and why there is no sound, if there is none."""
    from woodshed.generation.filters import Sampling

    learned, held_out = list(music.material.songs), list(music.material.held_out)
    real = RealMusic.of([*learned, *held_out], zip(distinct_titles(learned), learned, strict=True), CLIP_BARS)
    sampling = Sampling(**{**outcome.bundle.training.get("sampling", {}), **(SAMPLING if music.name == SOURCE else {})})
    played, silence = [], ""
    with _one_thread():
        clips = make_clips(
            outcome.bundle, learned, held_out, real, sampling, options.seed,
            candidates=options.candidates, tell=listener.on_stage,
        )  # fmt: skip
        for clip in chain([opening] if opening else [], clips):
            new = clip.song.slice(clip.new_from, clip.song.length)
            files, silence = _write_clip(out, clip, silence)
            played.append(PlayedClip(clip, files[0], measure(new), real.known.check(new), tuple(files)))
            listener.on_clip(played[-1])
    return played, real, silence


@contextmanager
def _one_thread() -> Iterator[None]:
    """Steps of one note are too small to share out: on a busy machine the threads wait for one another for ages."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _write_clip(out: Path, clip: DemoClip, silence: str) -> tuple[list[Path], str]:
    """MIDI, picture, and sound unless it is already known that there can be none."""
    from woodshed.rendering import draw_piano_roll, render_audio, write_audio

    path = out / f"{clip.name}.mid"
    settings = {"made_with": f"Woodshed {woodshed.__version__}", **clip.settings}
    write_midi(clip.song, path, comment=json.dumps(settings, ensure_ascii=False, sort_keys=True))
    draw_piano_roll(clip.song, path.with_suffix(".png"), title=clip.title, highlight_bar=clip.highlight_bar)
    files = [path, path.with_suffix(".png")]
    if not silence:
        try:
            samples = render_audio(clip.song, sample_rate=SAMPLE_RATE)
        except MissingDependency as missing:
            return files, str(missing)
        for name in ("wav", "mp3"):
            write_audio(samples, path.with_suffix(f".{name}"), sample_rate=SAMPLE_RATE)
            files.append(path.with_suffix(f".{name}"))
    return files, silence


def _write_report(result: DemoResult, real: RealMusic) -> None:
    from woodshed.evaluation.report import Training, write_report

    events = [event.as_dict() for event in result.outcome.events if event.kind == "evaluation"]
    facts = result.outcome.bundle.training
    licences = "; ".join(result.music.material.licences) or "none stated"
    music = f"{CLIP_BARS}-bar excerpts of {result.music.name} (licence: {licences})"
    training = Training(
        recipe=result.outcome.bundle.recipe,
        minutes=result.outcome.progress.seconds / 60,
        steps=result.outcome.progress.step,
        parameters=facts["parameters"],
        device=facts["device"],
        others={"Seed": str(facts["seed"])},
    )
    light, dark = (_loss_svg(events, style) for style in ("light", "dark"))
    title = f"Practised: {result.music.title}"
    write_report(
        result.report, title=title, learned_from=_learned_from(result.music), training=training, loss_svg=light,
        loss_svg_dark=dark, clips=[_report_clip(clip) for clip in result.clips], corpus_summary=real.figures,
        next_steps=result.next_steps, corpus_note=music, findings=_findings(result),
    )  # fmt: skip


def _findings(result: DemoResult) -> Findings:
    """How well it foresees the songs that were held out, where there are any, each with its interval and n."""
    from woodshed.evaluation.footing import footing_of
    from woodshed.evaluation.likelihood import measure_likelihood
    from woodshed.evaluation.report import Findings
    from woodshed.evaluation.report_sections import record_facts

    bundle, held_out = result.outcome.bundle, result.music.material.held_out
    found = measure_likelihood(bundle, held_out) if any(len(song) for song in held_out) else None
    remarks = () if found else ("The likelihood is not measured: no song could be held out; more songs allow it.",)
    learned = record_facts(bundle.training, bundle.style)
    return Findings(
        found, str(footing_of(bundle)), "songs that it never learned from", learned=learned, remarks=remarks
    )


def _loss_svg(events: Sequence[Mapping[str, Any]], style: str) -> str:
    from woodshed.rendering import loss_curve_svg

    def curve(name: str) -> tuple[list[float], list[float]]:
        points = [(event["seconds"] / 60, event[name]) for event in events if event.get(name) is not None]
        return [minutes for minutes, _ in points], [loss for _, loss in points]

    return loss_curve_svg(curve("train_nats"), curve("held_out_nats"), style=style)


def _report_clip(played: PlayedClip) -> Clip:
    from woodshed.evaluation.report import Clip

    sound = played.midi.with_suffix(".mp3")
    return Clip(
        title=played.clip.title,
        song=played.clip.song,
        midi_bytes=played.midi.read_bytes(),
        metrics=played.metrics,
        audio_bytes=sound.read_bytes() if sound in played.files else None,
        audio_type="audio/mpeg",
        novelty=played.novelty,
        note=played.clip.note,
        highlight_bar=played.clip.highlight_bar,
    )


def _learned_from(music: DemoMusic) -> list[LearnedSong]:
    from woodshed.evaluation.report import LearnedSong

    def row(title: str, song: Song, split: str) -> LearnedSong:
        return LearnedSong(title, len(song), song.bars, key_name(song), song.bpm, split)

    songs = {"train": music.material.songs, "held out": music.material.held_out}
    return [
        row(title, song, split)
        for split, those in songs.items()
        for title, song in zip(distinct_titles(those), those, strict=True)
    ]
