"""One page that shows what a model learned from, what it plays, and how that compares: for eyes and ears.

The page is a single file: styles, script, pictures, sound and MIDI are inside it. It asks no network for
anything, and its content security policy lets nothing in it do so; titles and names are shown as text only.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

from woodshed.errors import UnknownName
from woodshed.evaluation.bootstrap import Interval
from woodshed.evaluation.comparison import Comparison
from woodshed.evaluation.likelihood import Likelihood
from woodshed.evaluation.metrics import Metrics, Spread
from woodshed.evaluation.novelty import Novelty
from woodshed.evaluation.report_figures import agreement, figures_table
from woodshed.evaluation.report_parts import (
    bars,
    data_address,
    facts,
    file_name,
    piano_roll,
    prose,
    svg_picture,
    table,
    text,
)
from woodshed.evaluation.report_sections import comparison_section, judges_section, likelihood_section
from woodshed.music import Song
from woodshed.rendering.output import written_whole
from woodshed.words import counted

MOST_ROWS_OPEN = 12
"""A longer list of songs is folded up at first."""


@dataclass(frozen=True)
class Clip:
    """Something that the model played."""

    title: str
    song: Song
    midi_bytes: bytes
    """The MIDI file, for the download."""
    metrics: Metrics
    audio_bytes: bytes | None = None
    """The sound; None shows no player."""
    audio_type: str = "audio/ogg"
    """Media type of the sound: audio/ogg, audio/mpeg, audio/wav or audio/flac."""
    novelty: Novelty | None = None
    """What stands in the songs learned from; None if nobody looked."""
    note: str = ""
    """A sentence for the reader: what was asked for."""
    highlight_bar: int | None = None
    """Bar, from 1, from which on it is the model that plays (a continuation)."""


@dataclass(frozen=True)
class LearnedSong:
    """A song of the corpus."""

    title: str
    notes: int
    bars: int
    key: str
    bpm: float
    split: str
    """train, or the held-out split that it is in."""


@dataclass(frozen=True)
class Training:
    """How the model was trained. Facts that are None or empty are not shown."""

    recipe: str
    minutes: float | None = None
    steps: int | None = None
    parameters: int | None = None
    device: str = ""
    held_out_nats_per_note: float | None = None
    """On songs that the model never learned from; lower is better."""
    nats_per_field: Mapping[str, float] = field(default_factory=dict)
    """The same, by what is told of a note: time, part, pitch ..."""
    others: Mapping[str, str] = field(default_factory=dict)
    """Any other facts, such as the seed."""
    songs: int | None = None
    """How many it learned from; None: those that are listed."""
    called: str = "song"
    """What they are called: song, melody ..."""


@dataclass(frozen=True)
class Findings:
    """What was measured beyond the clips that are shown. What is None or empty is not shown."""

    likelihood: Likelihood | None = None
    footing: str = ""
    """What its nats price."""
    asked: str = "songs that it never learned from"
    """Which songs the likelihood is of."""
    comparison: Comparison | None = None
    """Of all clips that were drawn, beside real music."""
    yardstick: Comparison | None = None
    """Of held-out real songs, beside those learned from."""
    learned: Sequence[tuple[str, str]] = ()
    """What is known of the music learned from: names and values."""
    remarks: Sequence[str] = ()
    """Sentences on what could not be measured, and why."""


def write_report(
    path: Path,
    *,
    title: str,
    learned_from: Sequence[LearnedSong],
    training: Training,
    loss_svg: str,
    clips: Sequence[Clip],
    corpus_summary: Mapping[str, Spread],
    next_steps: Sequence[str],
    corpus_note: str = "the songs it learned from",
    corpus_songs: int | None = None,
    copied_from: str = "a song it learned from",
    loss_svg_dark: str = "",
    findings: Findings | None = None,
) -> None:
    """Write the page; it appears whole or not at all.

    ``loss_svg`` is the loss curve (empty: none), ``loss_svg_dark`` the same for dark screens. ``corpus_summary``
    comes from `metrics.summarise`, best of excerpts as long as the clips; ``corpus_note`` says of what, and
    ``corpus_songs`` of how many songs (None: each piece is a song of its own). ``copied_from`` says in what a stretch
    of a clip's ``novelty`` stands. Where ``findings`` compare sets of clips, that table stands in the place of the one
    of single clips. In ``next_steps`` what stands between back-ticks is shown as a command.

    Raises:
        UnknownName: for an ``audio_type`` that is not a media type of sound.
        FileError: when the file cannot be written.
    """
    findings = findings or Findings()
    real = _of_songs(corpus_summary, corpus_songs)
    sections = [
        _clips_section(clips, real),
        _remarks(findings.remarks),
        _novelty_section(clips, copied_from, findings.comparison, findings.yardstick),
        *_beside_sections(findings, clips, real, corpus_note),
        _likelihood(findings),
        _training_section(training, loss_svg, loss_svg_dark or loss_svg),
        _songs_section(learned_from, findings.learned),
        _next_section(next_steps),
    ]
    page = _page(title, _subtitle(learned_from, training, clips), "".join(sections))
    with written_whole(Path(path)) as temporary:
        temporary.write_bytes(page.encode("utf-8"))


def _page(title: str, subtitle: str, body: str) -> str:
    """Head, styles, script and the policy that allows this script alone and no address outside the page."""
    style, script = _resource("report.css"), _resource("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{style}</style></head>"
        f"<body><header><div><h1>{text(title)}</h1><p>{text(subtitle)}</p></div></header><main>{body}"
        f"<footer>Made by Woodshed. This page is one file; nothing in it comes from a network.</footer></main>"
        f"<script>{script}</script></body></html>\n"
    )


def _resource(name: str) -> str:
    return (files("woodshed.evaluation") / name).read_text(encoding="utf-8")


def _of_songs(summary: Mapping[str, Spread], songs: int | None) -> Mapping[str, Spread]:
    """The same with no more pieces counted than songs: pieces of one song are alike."""
    if songs is None:
        return summary
    return {name: replace(spread, count=min(spread.count, songs)) for name, spread in summary.items()}


def _subtitle(songs: Sequence[LearnedSong], training: Training, clips: Sequence[Clip]) -> str:
    """What it learned from is what its record says, or what is listed; nothing where nobody knows."""
    listed = sum(song.split == "train" for song in songs) if songs else None
    number = listed if training.songs is None else training.songs
    parts = [counted(len(clips), "clip")]
    if number is not None:
        parts.append(f"after practising {counted(number, training.called)}")
    if training.minutes is not None:
        minutes = f"{training.minutes:.1f} minutes"
        parts.append(f"in {minutes}" if number is not None else f"after {minutes} of practice")
    return ", ".join(parts)


def _clips_section(clips: Sequence[Clip], real: Mapping[str, Spread]) -> str:
    cards = "".join(_card(number, clip, real) for number, clip in enumerate(clips, 1))
    jump = " Click into a piano roll to jump there." if any(clip.audio_bytes for clip in clips) else ""
    shaded = " Shaded bars are the model's continuation." if any(clip.highlight_bar for clip in clips) else ""
    hint = f"<p class=faint>{jump}{shaded}</p>" if jump or shaded else ""
    return f"<h2>Listen</h2>{hint}{cards}" if clips else "<h2>Listen</h2><p>Nothing was played.</p>"


def _card(number: int, clip: Clip, real: Mapping[str, Spread]) -> str:
    note = f"<p class=faint>{prose(clip.note)}</p>" if clip.note else ""
    midi = data_address(clip.midi_bytes, "audio/midi")
    save = f'<a class="button" download="{file_name(clip.title, ".mid")}" href="{midi}">Save MIDI</a>'
    tags = "".join(f'<span class="tag">{tag}</span>' for tag in _verdicts(clip, real))
    return (
        f'<article class="card"><div class="clip-head"><span class="number">{number}</span>'
        f'<h3>{text(clip.title)}</h3></div>{note}<div class="player">{_player(clip)}{save}</div>'
        f'{piano_roll(clip.song, clip.title, clip.highlight_bar)}<div class="verdict">{tags}</div></article>'
    )


def _player(clip: Clip) -> str:
    if clip.audio_bytes is None:
        return ""
    if not re.fullmatch(r"audio/[a-z0-9][a-z0-9.+-]*", clip.audio_type):
        raise UnknownName(f"clip {clip.title!r}: {clip.audio_type!r} is not a sound; try audio/ogg or audio/wav")
    sound = data_address(clip.audio_bytes, clip.audio_type)
    return f'<audio controls preload="metadata" src="{sound}"></audio>'


def _verdicts(clip: Clip, real: Mapping[str, Spread]) -> list[str]:
    """Short statements below a clip, as markup."""
    inside, compared = agreement(clip.metrics, real)
    said = [f"{inside} of {compared} figures as in the real music"] if compared else []
    if real and not compared:
        said.append(f"n too small to compare with real music: {_most(real)}")
    if clip.novelty is not None:
        said.append(f"{clip.novelty.share:.0%} of the notes copied")
    return said


def _remarks(remarks: Sequence[str]) -> str:
    return "".join(f'<p class="few">{prose(remark)}</p>' for remark in remarks)


def _likelihood(findings: Findings) -> str:
    if findings.likelihood is None:
        return ""
    return likelihood_section(findings.likelihood, findings.footing, findings.asked)


def _beside_sections(
    findings: Findings, clips: Sequence[Clip], real: Mapping[str, Spread], corpus_note: str
) -> list[str]:
    if findings.comparison is None:
        return [_figures_section(clips, real, corpus_note)]
    return [
        comparison_section(findings.comparison, findings.yardstick, corpus_note),
        judges_section(findings.comparison, findings.yardstick),
    ]


def _novelty_section(
    clips: Sequence[Clip],
    copied_from: str,
    comparison: Comparison | None,
    yardstick: Comparison | None,
) -> str:
    looked = [(number, clip, clip.novelty) for number, clip in enumerate(clips, 1) if clip.novelty is not None]
    if not looked:
        return ""
    rows = [
        (f"{number}. {text(clip.title)}", f"{found.share:.0%}", *_longest_run(found)) for number, clip, found in looked
    ]
    least = looked[0][2].run_notes
    return (
        "<h2>Is it new?</h2><p class=faint>Copied notes are those in a stretch of at least "
        f"{least} notes that also stands in {text(copied_from)}, note for note or nearly so, in any key and at any "
        "speed. Chugged notes, scales and common beats belong to everybody and do not count.</p>"
        '<div class="card">'
        + _copied_tiles(comparison, yardstick)
        + table(("Clip", "Copied", "Longest stretch", "Also in"), rows, words=(0, 2, 3))
        + "</div>"
    )


def _copied_tiles(comparison: Comparison | None, yardstick: Comparison | None) -> str:
    """Of all clips that were drawn, and of real songs of the same corpus: it takes both to mean something."""
    sides = (("Copied, of all clips", comparison), ("Held-out real songs share", yardstick))
    tiles = [(name, f"{one.copied.mean:.1%} ({_sure(one.copied)})") for name, one in sides if one is not None]
    return facts(tiles) if tiles else ""


def _sure(found: Interval) -> str:
    """Its interval and n, marked if that is too small."""
    return f"{found.low:.1%} – {found.high:.1%}, {found.caution or f'n = {found.groups}'}"


def _longest_run(found: Novelty) -> tuple[str, str]:
    """The longest copied run, and where it stands, as markup."""
    run = found.longest
    if run is None:
        return "none", ""
    notes = counted(run.here.notes, "note") + (f", {run.altered} altered" if run.altered else "")
    here = f"{notes}, {run.here.beats:.3g} beats, from bar {run.here.first_bar} of {text(run.part)}"
    return here, f"{text(run.source)}, bar {run.there.first_bar}"


def _figures_section(clips: Sequence[Clip], real: Mapping[str, Spread], corpus_note: str) -> str:
    if not clips:
        return ""
    return (
        f"<h2>Beside real music</h2><p class=faint>Real is {text(corpus_note)}{_counted(real)}; nine in ten lie in the "
        "range. "
        "What lies outside it is marked: not wrong, but unusual.</p>"
        f'<div class="card">{figures_table([clip.metrics for clip in clips], real)}</div>'
    )


def _counted(real: Mapping[str, Spread]) -> str:
    """How many real pieces, or songs, the ranges are of."""
    most = _most(real)
    return f" (n = {most:,})" if most else ""


def _most(real: Mapping[str, Spread]) -> int:
    return max((spread.count for spread in real.values()), default=0)


def _training_section(training: Training, loss_svg: str, loss_svg_dark: str) -> str:
    curve = svg_picture(loss_svg, loss_svg_dark, "Loss while training") if loss_svg else ""
    per_field = ""
    if training.nats_per_field:
        per_field = "<h3>What is hard to foresee in a note</h3>" + bars(training.nats_per_field.items(), "nats")
    return (
        "<h2>Practice</h2><p class=faint>How well the model foresees the next note of songs it never learned from: "
        "the fewer nats per note, the better.</p>"
        f'<div class="card">{facts(_training_facts(training))}<div class="chart">{curve}</div>{per_field}</div>'
    )


def _training_facts(training: Training) -> list[tuple[str, str]]:
    nats = training.held_out_nats_per_note
    known = [
        ("Recipe", training.recipe),
        ("Minutes", "" if training.minutes is None else f"{training.minutes:.1f}"),
        ("Steps", "" if training.steps is None else f"{training.steps:,}"),
        ("Parameters", "" if training.parameters is None else f"{training.parameters:,}"),
        ("Device", training.device),
        ("Held-out nats per note", "" if nats is None else f"{nats:.3f}"),
        *training.others.items(),
    ]
    return [(name, value) for name, value in known if value]


def _songs_section(songs: Sequence[LearnedSong], known: Sequence[tuple[str, str]] = ()) -> str:
    if not songs and known:
        return f'<h2>Learned from</h2><div class="card">{facts(known)}</div>'
    learned = [song for song in songs if song.split == "train"]
    held_out = len(songs) - len(learned)
    rows = [(text(s.title), f"{s.notes:,}", f"{s.bars:,}", text(s.key), f"{s.bpm:.0f}", text(s.split)) for s in songs]
    head = ("Song", "Notes", "Bars", "Key", "BPM", "Used for")
    notes = counted(sum(song.notes for song in learned), "note")
    told = f"{counted(len(learned), 'song')} with {notes}; {held_out:,} held out to test it."
    is_open = " open" if len(songs) <= MOST_ROWS_OPEN else ""
    tiles = facts(known) if known else ""
    return (
        f'<h2>Learned from</h2><div class="card">{tiles}<details{is_open}><summary>{told}</summary>'
        f"{table(head, rows, words=(0, 3, 5))}</details></div>"
    )


def _next_section(steps: Sequence[str]) -> str:
    if not steps:
        return ""
    items = "".join(f"<li>{prose(step)}</li>" for step in steps)
    return f'<h2>Where to go next</h2><div class="card"><ol>{items}</ol></div>'
