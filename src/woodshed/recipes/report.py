"""One page on a bundle: what it learned from, how well it foresees music, what it plays, and how that compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import woodshed
from woodshed.bundle import Bundle, load_bundle
from woodshed.errors import CorpusError, FileError, MissingDependency, OutputExists
from woodshed.evaluation.comparison import Comparison, Named, compare_sets
from woodshed.evaluation.footing import footing_of
from woodshed.evaluation.known_music import KnownMusic
from woodshed.evaluation.likelihood import Likelihood
from woodshed.evaluation.metrics import Spread, measure, summarise_metrics
from woodshed.evaluation.report import Clip as ShownClip
from woodshed.evaluation.report import Findings, LearnedSong, Training, write_report
from woodshed.evaluation.report_sections import record_facts
from woodshed.formats import write_midi
from woodshed.music import Song
from woodshed.recipes.clip import Clip, key_name
from woodshed.recipes.files import check_page, check_range
from woodshed.recipes.judge import likelihood_on, songs_to_ask
from woodshed.recipes.judge_clips import real_songs, yardstick
from woodshed.recipes.learned import origins_of
from woodshed.recipes.material import is_corpus
from woodshed.recipes.play import generate
from woodshed.recipes.wish import Wish

COUNT, BARS, SHOWN = 24, 16, 4
"""Clips that are drawn and measured, their bars, and how many of them are shown and heard: the first."""
MOST_COUNT = 200
SAMPLE_RATE = 44100
LOG = Path("training") / "log.jsonl"
CORPUS, HELD_OUT = Path("training") / "corpus", Path("training") / "held-out"
Told = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ReportOptions:
    """What may be chosen."""

    count: int = COUNT
    bars: int = BARS
    seed: int = 0
    shown: int = SHOWN


@dataclass(frozen=True)
class ReportResult:
    """What came of it."""

    path: Path
    likelihood: Likelihood | None
    comparison: Comparison | None
    clips: int
    remarks: tuple[str, ...]
    """What could not be measured, and why."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        likelihood = self.likelihood.as_dict() if self.likelihood else None
        comparison = self.comparison.as_dict() if self.comparison else None
        rest = {"path": str(self.path), "clips": self.clips, "remarks": list(self.remarks)}
        return {**rest, "likelihood": likelihood, "comparison": comparison}


def make_report(
    folder: Path,
    source: Path | None,
    out: Path,
    options: ReportOptions | None = None,
    *,
    force: bool = False,
    progress: Told | None = None,
) -> ReportResult:
    """Write the page of the bundle in ``folder`` to ``out``.

    ``source`` is a corpus or a folder of music to ask about and to compare with; without one it is the corpus that the
    bundle was trained on, if that still lies in it. What cannot be measured is said on the page.

    Raises:
        OutputExists: if ``out`` is there, unless ``force`` is set.
        UnknownName: if ``out`` is no .html.
        OutOfRange: for options outside their range.
        FileError: if there is no folder for ``out``, before anything is read, or it cannot be written.
        BundleError, CorpusError, FileError: if the bundle or the music cannot be used.
    """
    options, tell, out = options or ReportOptions(), progress or (lambda stage, done, total: None), Path(out)
    _check(out, options, force)
    bundle = load_bundle(folder)
    remarks: list[str] = []
    own = source is None
    source = source or _inside(bundle, CORPUS)
    learned, held_out = real_songs(source, tell) if source else ([], [])
    asked, split = source, "held_out"
    if own and (others := _inside(bundle, HELD_OUT)):  # `train --held-out` named them
        held_out, asked, split = [one for side in real_songs(others, tell) for one in side], others, "all"
    likelihood = _likelihood(bundle, asked, split, options.seed, tell, remarks)
    clips = _play(bundle, options, tell)
    comparison, yard = _compare(clips, learned, held_out, options, tell, remarks)
    shown, spreads = _shown(clips[: options.shown], [*learned, *held_out], options.bars, tell, remarks)
    name = source.name if source else ""
    real = "the songs that it learned from, and those held out" if own else f"the songs of {name}"
    known = f"a song it learned from{', or one held out' if held_out else ''}" if own else f"a song of {name}"
    asked_of = "songs that were held out when it was trained" if own else f"songs of {name} {_new_to(bundle)}"
    findings = Findings(
        likelihood=likelihood, footing=str(footing_of(bundle)), asked=asked_of,
        comparison=comparison, yardstick=yard, learned=record_facts(bundle.training, bundle.style), remarks=remarks,
    )  # fmt: skip
    write_report(
        out, title=f"What {bundle.name} has learned", learned_from=_songs(learned, held_out) if own else [],
        training=_training(bundle), loss_svg=_loss(bundle, "light"), loss_svg_dark=_loss(bundle, "dark"), clips=shown,
        corpus_summary=spreads, next_steps=_next_steps(folder), corpus_note=f"pieces of {real}",
        corpus_songs=len({name for name, _ in [*learned, *held_out]}), copied_from=known, findings=findings,
    )  # fmt: skip
    return ReportResult(out, likelihood, comparison, len(clips), tuple(remarks))


def _check(out: Path, options: ReportOptions, force: bool) -> None:
    check_range("count", options.count, 1, MOST_COUNT)
    check_range("bars", options.bars, 1, 256)
    check_page(out)
    if out.is_dir() or (out.exists() and not force):
        raise OutputExists(f"{out} is there; use --force to replace it, or choose another name")
    if not out.parent.is_dir():
        raise FileError(f"{out} cannot be written: there is no folder {out.parent}; make it, or choose one that exists")


def _inside(bundle: Bundle, place: Path) -> Path | None:
    """A corpus that was built for the bundle, if it still lies in it."""
    return bundle.folder / place if bundle.folder is not None and is_corpus(bundle.folder / place) else None


def _new_to(bundle: Bundle) -> str:
    """What can be said of songs from which those that it is known to have learned are left out."""
    is_known = origins_of(bundle)[0].ids is not None
    return "that it never learned from" if is_known else "(nobody knows which of them it learned from)"


def _likelihood(
    bundle: Bundle, source: Path | None, split: str, seed: int, tell: Told, remarks: list[str]
) -> Likelihood | None:
    """Of the songs that are held out, if there are any."""
    if source is None:
        remarks.append(
            "The music it learned from is not in the bundle, and no corpus was given: likelihood, comparison and "
            "novelty are left out. `woodshed report BUNDLE CORPUS` measures them."
        )
        return None
    try:
        songs, _ = songs_to_ask([bundle], source, split, tell)
    except CorpusError:  # all else that may be wrong with the music was found when it was read
        remarks.append(
            f"The likelihood is not measured: no song of {source} is held out and new to the model; give more music, "
            "or other music"
        )
        return None
    try:
        return likelihood_on(bundle, songs, split="all", seed=seed, tell=tell)  # there is no other split to ask for
    except CorpusError as error:
        remarks.append(f"The likelihood is not measured: {error}")
        return None


def _play(bundle: Bundle, options: ReportOptions, tell: Told) -> list[Clip]:
    def step(share: float) -> None:
        tell("play", round(1000 * share), 1000)

    return generate(bundle, Wish(bars=options.bars), seed=options.seed, count=options.count, on_step=step)


def _compare(
    clips: Sequence[Clip], learned: Named, held_out: Named, options: ReportOptions, tell: Told, remarks: list[str]
) -> tuple[Comparison | None, Comparison | None]:
    real = [*learned, *held_out]
    made = [(f"clip {number}", clip.song) for number, clip in enumerate(clips, 1)]
    if not real:
        return None, None
    try:
        found = compare_sets(made, real, seed=options.seed, progress=tell)
    except CorpusError as error:
        remarks.append(f"The clips are not compared: {error}")
        return None, None
    return found, yardstick(learned, held_out, found.bars, options.seed)


def _shown(
    clips: Sequence[Clip], real: Named, bars: int, tell: Told, remarks: list[str]
) -> tuple[list[ShownClip], dict[str, Spread]]:
    """The clips to see and hear, and the spread of real pieces that their tags compare them with."""
    from woodshed.evaluation.metrics import excerpts

    spreads = summarise_metrics([measure(piece) for _, song in real for piece in excerpts(song, bars)])
    known = KnownMusic(real) if real else None
    shown = []
    for number, clip in enumerate(clips, 1):
        sound = _sound(clip.song, remarks)
        shown.append(
            ShownClip(
                title=f"Clip {number}", song=clip.song, midi_bytes=_midi(clip), metrics=measure(clip.song),
                audio_bytes=sound, audio_type="audio/mpeg",
                novelty=known.check(clip.song) if known else None, note=clip.summary(),
            )
        )  # fmt: skip
        tell("render", number, len(clips))
    return shown, spreads


def _sound(song: Song, remarks: list[str]) -> bytes | None:
    """An MP3, or nothing where none can be made, which is remarked once."""
    from woodshed.rendering import render_audio, write_audio

    try:
        samples = render_audio(song, sample_rate=SAMPLE_RATE)
    except MissingDependency as missing:
        if (remark := f"No sound: {missing}") not in remarks:
            remarks.append(remark)
        return None
    with TemporaryDirectory(prefix="woodshed-") as folder:
        write_audio(samples, Path(folder) / "clip.mp3", sample_rate=SAMPLE_RATE)
        return (Path(folder) / "clip.mp3").read_bytes()


def _midi(clip: Clip) -> bytes:
    settings = {"made_with": f"Woodshed {woodshed.__version__}", **clip.settings}
    with TemporaryDirectory(prefix="woodshed-") as folder:
        path = Path(folder) / "clip.mid"
        write_midi(clip.song, path, comment=json.dumps(settings, ensure_ascii=False, sort_keys=True, default=str))
        return path.read_bytes()


def _training(bundle: Bundle) -> Training:
    """What the bundle records of its training; the likelihood has a section of its own."""
    record = bundle.training
    licences = ", ".join(map(str, record.get("licences") or ()))
    others = {
        "Source": str(record.get("source", "")), "Licence files beside the music": licences,
        "Seed": str(record.get("seed", "")),
        "Held-out nats, as trained": _number(record, "held_out_nats_per_note", ".3f"),
    }  # fmt: skip
    return Training(
        recipe=bundle.recipe, minutes=_value(record, "minutes"), steps=_whole(record, "steps"),
        parameters=_whole(record, "parameters"), device=str(record.get("device", "")), others=others,
        songs=_whole(record, "songs"), called=str(record.get("called", "song")),
    )  # fmt: skip


def _value(record: Mapping[str, Any], name: str) -> float | None:
    value = record.get(name)
    return float(value) if isinstance(value, int | float) else None


def _whole(record: Mapping[str, Any], name: str) -> int | None:
    value = _value(record, name)
    return None if value is None else int(value)


def _number(record: Mapping[str, Any], name: str, form: str) -> str:
    value = _value(record, name)
    return "" if value is None else format(value, form)


def _loss(bundle: Bundle, style: str) -> str:
    """The loss curve, from the log that lies in the bundle; empty if there is none."""
    from woodshed.rendering import loss_curve_svg

    log = bundle.folder / LOG if bundle.folder else None
    if log is None or not log.is_file():
        return ""
    try:
        events = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
        points = [event for event in events if event.get("kind") == "evaluation"]
    except (OSError, ValueError, AttributeError):  # a log that was cut off; the page is worth having without it
        return ""

    def curve(name: str) -> tuple[list[float], list[float]]:
        known = [(event["seconds"] / 60, event[name]) for event in points if event.get(name) is not None]
        return [minutes for minutes, _ in known], [loss for _, loss in known]

    return loss_curve_svg(curve("train_nats"), curve("held_out_nats"), style=style) if points else ""


def _songs(learned: Named, held_out: Named) -> list[LearnedSong]:
    sides = {"train": learned, "held out": held_out}
    return [
        LearnedSong(song.title or name, len(song), song.bars, key_name(song), song.bpm, split)
        for split, songs in sides.items()
        for name, song in songs
    ]


def _next_steps(folder: Path) -> list[str]:
    return [
        f"More of it: `woodshed generate {folder} -o new.mid --bars 16 --seed 7`",
        f"The same figures for a program: `woodshed report {folder} -o report.html --json`",
        f"Any music beside a corpus, a peer's too: `woodshed evaluate CLIPS CORPUS`; two models on the same songs: "
        f"`woodshed evaluate {folder} CORPUS OTHER-BUNDLE`",
    ]
