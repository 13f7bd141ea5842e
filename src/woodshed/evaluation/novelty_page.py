"""One page that shows what a song shares with a corpus: each run beside its source, to see and to hear.

The page is a single file with its styles, script, pictures and notes inside; a small synthesiser in its script plays
both passages. It asks no network for anything, and its content security policy lets nothing in it do so; titles and
names are shown as text only.
"""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from woodshed.evaluation.novelty import Baseline, Novelty, Run, SourceOf, Span
from woodshed.evaluation.novelty_picture import novelty_svg
from woodshed.evaluation.report_parts import facts, svg_picture, text
from woodshed.music import Song
from woodshed.rendering.output import written_whole
from woodshed.words import counted

MOST_RUNS = 40
"""Runs that are shown with their notes; the others are only counted."""
MOST_BARS_DRAWN = 1000
"""Longer songs are shown without the picture of the whole."""
LONGEST_SECONDS = 60.0
"""So much of a run is shown and played."""


def write_page(
    path: Path,
    *,
    song: Song,
    name: str,
    against: str,
    novelty: Novelty,
    baseline: Baseline | None,
    source_of: SourceOf,
    remarks: tuple[str, ...] = (),
) -> None:
    """Write the page; it appears whole or not at all. ``against`` says in words what the song was held against.

    Raises:
        FileError: when the file cannot be written.
    """
    body = [_figures(novelty, baseline, remarks)]
    if song.bars <= MOST_BARS_DRAWN:
        light, dark = (novelty_svg(song, novelty, style=style) for style in ("light", "dark"))
        picture = svg_picture(light, dark, f"Piano roll of {name}")
        body.append(f'<div class="card"><div class="scroll">{picture}</div></div>')
    body.append(_runs(song, novelty, source_of))
    with written_whole(Path(path)) as temporary:
        temporary.write_bytes(_page(f"Is {name} new?", f"Held against {against}", "".join(body)).encode("utf-8"))


def _page(title: str, subtitle: str, body: str) -> str:
    """Head, styles, script and the policy that allows this script alone and no address outside the page."""
    script = _resource("novelty.js")
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title><style>{_resource('report.css')}{_STYLE}</style></head>"
        f"<body><header><div><h1>{text(title)}</h1><p>{text(subtitle)}</p></div></header><main>{body}"
        "<footer>Made by Woodshed. This page is one file; nothing in it comes from a network.</footer></main>"
        f"<script>{script}</script></body></html>\n"
    )


_STYLE = """
.sides { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; }
.side h4 { margin: 0; font-size: .95rem; overflow-wrap: anywhere; }
.side svg { display: block; width: 100%; height: 9rem; background: var(--soft); border-radius: 8px; }
.side rect { fill: var(--faint); opacity: .45; } .side rect.same { fill: var(--accent); opacity: 1; }
.side .roll { margin: .5rem 0; } button.button { cursor: pointer; font: inherit; font-weight: 600; font-size: .93rem; }
"""


def _resource(name: str) -> str:
    return (files("woodshed.evaluation") / name).read_text(encoding="utf-8")


def _figures(novelty: Novelty, baseline: Baseline | None, remarks: tuple[str, ...]) -> str:
    told = [
        ("Shared notes", f"{novelty.share:.1%} of {novelty.notes:,}"),
        ("Pitched / drums", f"{novelty.pitched_share:.1%} / {novelty.drum_share:.1%}"),
        *((f"In runs longer than {notes}", f"{share:.1%}") for notes, share in novelty.longer_than.items()),
    ]
    for name, run in (("Longest in one part", novelty.longest), ("Longest without a change", novelty.longest_exact)):
        if run is not None:
            span = run.exact if run is novelty.longest_exact else run.here
            told.append((name, f"{counted(span.notes, 'note')}, {span.beats:g} beats, {span.seconds:.1f} s"))
    if baseline is not None:
        usual = baseline.share
        told.append(("Usual among real songs", f"{usual.mean:.1%} [{usual.low:.1%}, {usual.high:.1%}]"))
        told.append(("Shares more than", f"{baseline.more_than(novelty.share)} of {len(baseline.shares)} of them"))
    notes = [*([novelty.caution] if novelty.caution else []), *remarks]
    said = "".join(f"<p>{text(note)}</p>" for note in notes)
    return (
        f'<h2>In figures</h2><div class="card">{facts(told)}{said}<p class=faint>Shared: a run of at least '
        f"{novelty.run_notes} notes that also stands there, in any key and at any speed, a few notes altered at most. "
        "Usual: what each real song shares with the others, mean and 95 % interval. Repeated notes, scales and "
        "standard beats belong to everybody and do not count.</p></div>"
    )


def _runs(song: Song, novelty: Novelty, source_of: SourceOf) -> str:
    if not novelty.runs:
        return "<h2>Run by run</h2><p>Nothing in it also stands there.</p>"
    shown = list(zip(novelty.runs, novelty.copies, strict=True))[:MOST_RUNS]
    cards = []
    for number, (run, copy) in enumerate(shown, 1):
        ours = [part for one in copy.passages for part in (one.part, one.other_part)]
        theirs = [part for one in copy.passages for part in (one.source_part, one.source_other_part)]
        here = _side("Here", song, run.part, run.here, ours, copy.notes)
        there = _side(
            run.source, source_of(copy.passages[0].source), run.source_part, run.there, theirs, copy.source_notes
        )
        cards.append(
            f'<article class="card"><div class="clip-head"><span class="number">{number}</span>'
            f"<h3>{text(_title(run))}</h3></div><div class=sides>{here}{there}</div></article>"
        )
    rest = len(novelty.runs) - len(shown)
    more = f"<p>And {counted(rest, 'shorter run')}.</p>" if rest else ""
    return f"<h2>Run by run</h2><p class=faint>Coloured notes correspond.</p>{''.join(cards)}{more}"


def _title(run: Run) -> str:
    altered = f", {run.altered} altered" if run.altered else ""
    key = f", {abs(run.semitones)} semitones {'higher' if run.semitones > 0 else 'lower'}" if run.semitones else ""
    speed = f", {run.speed:.3g} times as fast" if run.speed != 1 else ""
    return f"{counted(run.here.notes, 'note')}{altered}, {run.here.beats:g} beats{key}{speed}"


def _side(label: str, song: Song, part: str, span: Span, parts: list[int], same: NDArray[np.int64]) -> str:
    """One of two passages: what it is, its notes as a picture, and a button that plays them."""
    onset = song.notes["onset"].astype(np.int64)
    inside = (onset >= onset[same].min()) & (onset <= onset[same].max()) & np.isin(song.notes["part"], parts)
    notes = np.flatnonzero(inside)
    begin = song.seconds(onset[notes])
    seconds = song.seconds(onset[notes] + song.notes["duration"][notes]) - begin
    begin = begin - begin.min()
    kept = begin < LONGEST_SECONDS
    notes, begin, seconds = notes[kept], begin[kept], np.minimum(seconds[kept], 8.0)
    pitch, marked = song.notes["pitch"][notes], np.isin(notes, same)
    drums = np.array([one.is_drum for one in song.parts], bool)[song.notes["part"][notes]]
    length = float((begin + seconds).max()) + 0.05
    rows = [
        [round(float(b), 3), round(float(s), 3), int(p), int(v), int(m), int(d)]
        for b, s, p, v, m, d in zip(begin, seconds, pitch, song.notes["velocity"][notes], marked, drums, strict=True)
    ]
    bars = f"bars {span.first_bar}-{span.last_bar}" if span.last_bar > span.first_bar else f"bar {span.first_bar}"
    name = f"{label}: {part}, {bars}"
    button = (
        f'<button class="button" data-label="Play" aria-label="{text(f"Play {name}")}" aria-pressed="false">'
        "Play</button>"
    )
    return (
        f'<section class="side" data-seconds="{length:.3f}" data-notes="{text(json.dumps(rows))}"><h4>{text(name)}</h4>'
        f'<div class="roll">{_roll(rows, length)}<div class="playhead"></div></div>{button}</section>'
    )


def _roll(rows: list[list[float]], length: float) -> str:
    """Notes as rectangles, 1000 wide and as many high as there are semitones."""
    low, high = min(row[2] for row in rows) - 1, max(row[2] for row in rows) + 2
    high = max(high, low + 12)
    boxes = "".join(
        f'<rect{" class=same" if same else ""} x="{1000 * begin / length:.1f}" y="{high - pitch - 1}" '
        f'width="{max(1000 * seconds / length - 1, 2):.1f}" height="0.9"/>'
        for begin, seconds, pitch, _, same, _ in rows
    )
    return f'<svg viewBox="0 0 1000 {high - low}" preserveAspectRatio="none" aria-hidden="true">{boxes}</svg>'
