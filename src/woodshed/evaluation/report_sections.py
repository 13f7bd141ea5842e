"""The report's sections of figures with their intervals: likelihood, clips beside a corpus, judges.

Every figure stands with the interval that 19 in 20 draws of its songs leave (a bar, its mean a dot) and with n, the
songs behind it. Where that is too few, it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from woodshed.evaluation.bootstrap import Interval
from woodshed.evaluation.comparison import MUSPY, Beside, Comparison
from woodshed.evaluation.likelihood import Likelihood
from woodshed.evaluation.report_figures import form_of, hint_of, label_of
from woodshed.evaluation.report_parts import facts, text
from woodshed.evaluation.set_distances import SetDistance
from woodshed.evaluation.two_sample import TwoSample

WIDTH, MARGIN = 200, 8
FIELD_LABELS = {
    "time_shift": "When", "part": "Who", "pitch": "Pitch", "duration": "How long", "velocity": "How loud",
    "microtiming": "Feel", "event": "Event", "latent": "Place in the space",
}  # fmt: skip
JUDGE_LABELS = {
    "linear": ("Figures, weighed", "logistic regression on figures of the bars"),
    "kernel": ("Figures, compared", "kernel regression on figures of the bars"),
    "notes": ("Raw notes", "regression on words made of the notes themselves"),
}
HISTOGRAM_LABELS = {
    "pitch_class_histogram": "Which tones",
    "pitch_class_transitions": "Tone to tone",
    "duration_histogram": "Note lengths",
    "duration_transitions": "Length to length",
    "inter_onset_histogram": "Waits between notes",
}


@dataclass(frozen=True)
class Row:
    """A figure with its interval."""

    label: str
    hint: str
    value: Interval


def likelihood_section(found: Likelihood, about: str, asked: str) -> str:
    """How well the model foresees songs; ``about`` says what the nats price, ``asked`` which songs these are."""
    fields = [Row(FIELD_LABELS.get(name, name), "", one) for name, one in found.field_intervals.items()]
    players = [Row(name, "", one) for name, one in found.players.items()]
    if found.nobody.mean:
        players.append(Row("nobody", "rests, the end, a place in the space; over all notes", found.nobody))
    tiles = [
        ("Nats per note", f"{found.nats_per_note:.3f}"),
        ("95 % interval", _span(found.total, ".3f")),
        ("Songs", f"{found.songs:,}"),
        ("Notes", f"{found.notes:,}"),
    ]
    warning = caution(found.caution)
    return (
        f"<h2>How well it foresees music</h2><p class=faint>Asked about {text(asked)}: how surprised the model is by "
        "each note, given all before it. Fewer nats are better; one nat less is 2.7 times as likely.</p>"
        f'<div class="card">{facts(tiles)}{warning}<h3>What is hard to foresee in a note</h3>{forest(fields, ".3f")}'
        f"<h3>Who is hard to foresee</h3>{forest(players, '.3f')}<p class=faint>{text(sentence(about))}</p></div>"
    )


def comparison_section(found: Comparison, yardstick: Comparison | None, real: str) -> str:
    """Clips beside real music, figure by figure; ``real`` says of what so many pieces are."""
    rows = "".join(
        _beside_row(name, one) for name, one in found.figures.items() if not name.startswith(MUSPY)
    ) + "".join(_shape_row(name, one) for name, one in found.histograms.items())  # fmt: skip
    tiles = [*_overlap_tiles(found), *_yardstick_tiles(yardstick)]
    return (
        f"<h2>Beside real music</h2><p class=faint>{found.made} pieces of {found.bars} bars, all that were drawn, "
        f"beside {found.real} {text(real)}. The bar is the interval of the mean over songs: coloured clips, grey "
        "real music. Overlap: how alike the two sets are, 1 at best; first of the distances between pieces (Yang and "
        "Lerch 2018), then of the values. No figure says good or bad.</p>"
        f'<div class="card">{facts(tiles)}{caution(found.caution)}<div class="scroll"><table class="sticky"><thead><tr>'
        "<th>Figure</th><th>Clips</th><th>Real</th><th></th><th>Overlap</th><th>Values</th><th>n</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>{_as_muspy(found)}</div>"
    )


def judges_section(found: Comparison, yardstick: Comparison | None) -> str:
    """Whether a trained judge tells clips from real music."""
    body = "".join(
        _judge_row(name, told, yardstick.judges.get(name) if yardstick else None) for name, told in found.judges.items()
    )
    held_out = " Grey: how often it tells held-out real songs from the others." if yardstick else ""
    return (
        "<h2>Can a judge tell?</h2><p class=faint>Each judge learned to tell clips from real music and was asked "
        "about pieces of songs that it had not seen. At 50 % (the line) it cannot tell, at 100 % it always can."
        f"{held_out}</p>"
        '<div class="card"><div class="scroll"><table class="sticky"><thead><tr><th>Judge looks at</th><th>Right</th>'
        "<th></th><th>95 % interval</th><th>n</th><th class=words>By what</th></tr></thead>"
        f"<tbody>{body}</tbody></table></div>{_remark(found.remark)}</div>"
    )


def forest(rows: Sequence[Row], form: str) -> str:
    """Figures one below another on one scale, each as a dot on its interval."""
    most = max((max(row.value.high, row.value.mean) for row in rows), default=0.0) or 1.0
    body = "".join(
        f"<tr>{_head(row.label, row.hint)}<td>{row.value.mean:{form}}</td><td>{strip([('', row.value)], 0.0, most)}"
        f"</td><td>{ends(row.value, form)}</td><td>{row.value.groups}</td></tr>"
        for row in rows
    )
    return (
        '<div class="scroll"><table class="sticky"><thead><tr><th></th><th>Mean</th><th></th><th>95 % interval</th>'
        f"<th>Songs</th></tr></thead><tbody>{body}</tbody></table></div>"
    )


def strip(shown: Iterable[tuple[str, Interval]], low: float, high: float, line: float | None = None) -> str:
    """Intervals as bars and means as dots on one axis, each with a class of style; ``line`` marks a place on it."""
    scale = (WIDTH - 2 * MARGIN) / (high - low) if high > low else 0.0

    def x(value: float) -> float:
        return round(MARGIN + (min(max(value, low), high) - low) * scale, 1) if scale else WIDTH / 2

    marks = []
    for kind, one in shown:
        if one.is_known:
            width = max(x(one.high) - x(one.low), 2.0)
            marks.append(f'<rect class="span {kind}" x="{x(one.low)}" y="6" width="{width:.1f}" height="6" rx="3"/>')
        marks.append(f'<circle class="dot {kind}" cx="{x(one.mean)}" cy="9" r="4"/>')
    place = f'<line class="even" x1="{x(line)}" x2="{x(line)}" y1="1" y2="17"/>' if line is not None else ""
    return (
        f'<svg class="strip wide" viewBox="0 0 {WIDTH} 18" aria-hidden="true">'
        f'<line class="axis" x1="2" x2="{WIDTH - 2}" y1="9" y2="9"/>{place}{"".join(marks)}</svg>'
    )


def ends(one: Interval, form: str) -> str:
    """``1.2 – 1.8``, marked where songs are too few."""
    if not one.is_known:
        return '<span class="few">n too small</span>'
    few = ' <span class="few">n too small</span>' if one.caution else ""
    return f"{one.low:{form}} – {one.high:{form}}{few}"


def caution(why: str) -> str:
    """A line that warns, or nothing."""
    return f'<p class="few">{text(why)}. Read the intervals with care.</p>' if why else ""


def _remark(words: str) -> str:
    return f'<p class="few">{text(sentence(words))}.</p>' if words else ""


def sentence(words: str) -> str:
    """With a capital."""
    return words[:1].upper() + words[1:]


def _beside_row(name: str, one: Beside) -> str:
    form = form_of(name)
    known = [value for side in (one.made, one.real) for value in (side.low, side.high, side.mean)]
    picture = strip([("real", one.real), ("", one.made)], min(known), max(known))
    cells = "".join(f"<td>{side.mean:{form}}<small>{_span(side, form)}</small></td>" for side in (one.made, one.real))
    n = f"{one.made.groups} / {one.real.groups}"
    return (
        f"<tr>{_head(label_of(name), hint_of(name))}{cells}<td>{picture}</td>{_overlaps(one.distance)}<td>{n}</td></tr>"
    )


def _shape_row(name: str, one: SetDistance) -> str:
    head = _head(HISTOGRAM_LABELS.get(name, name), "histogram")
    return f"<tr>{head}<td></td><td></td><td></td>{_overlaps(one)}<td>{one.made_songs} / {one.real_songs}</td></tr>"


def _head(label: str, hint: str) -> str:
    return f'<th scope="row">{text(label)}<small>{text(hint)}</small></th>'


def _span(one: Interval, form: str) -> str:
    return f"{one.low:{form}} – {one.high:{form}}" if one.is_known else "n too small"


def _overlaps(one: SetDistance) -> str:
    if one.too_few:
        return '<td class="faint">–</td><td class="faint">–</td>'
    found = ((one.overlap, one.overlap_low, one.overlap_high), (one.values, one.values_low, one.values_high))
    return "".join(f"<td>{value:.2f}<small>{low:.2f} – {high:.2f}</small></td>" for value, low, high in found)


def _overlap_tiles(found: Comparison) -> list[tuple[str, str]]:
    if all(one.too_few for one in found.distances.values()):
        return [("Overlap", "n too small")]
    return [
        ("Overlap of distances", _mean_overlap(found, "overlap")),
        ("Overlap of values", _mean_overlap(found, "values")),
    ]


def _mean_overlap(found: Comparison, name: str) -> str:
    """The mean over all figures, and the mean ends of their intervals, which is no narrower than its own."""
    low, high = found.mean_interval_of(name)
    mean = found.overlap if name == "overlap" else found.values
    return "n too small" if mean is None else f"{mean:.2f} ({low:.2f} – {high:.2f})"


def _yardstick_tiles(yardstick: Comparison | None) -> list[tuple[str, str]]:
    if yardstick is None:
        return []
    both = " and ".join(_mean_overlap(yardstick, name) for name in ("overlap", "values"))
    return [(f"The same of {yardstick.made_songs} held-out songs", both)]


def _as_muspy(found: Comparison) -> str:
    """Figures that MusPy counts in another way, folded up."""
    rows = "".join(
        f"<tr>{_head(name.removeprefix(MUSPY), '')}<td>{one.made.mean:.4g}<small>{_span(one.made, '.4g')}</small></td>"
        f"<td>{one.real.mean:.4g}<small>{_span(one.real, '.4g')}</small></td>{_overlaps(one.distance)}</tr>"
        for name, one in found.figures.items()
        if name.startswith(MUSPY)
    )
    if not rows:
        return ""
    return (
        '<details><summary>The same as MusPy counts it, where it differs</summary><div class="scroll"><table '
        'class="sticky"><thead><tr><th></th><th>Clips</th><th>Real</th><th>Overlap</th><th>Values</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></details>"
    )


def _judge_row(name: str, told: TwoSample, yard: TwoSample | None) -> str:
    label, hint = JUDGE_LABELS.get(name, (name, ""))
    if told.too_few:
        why = f"n too small: {told.too_few}"
        return f'<tr>{_head(label, hint)}<td colspan="5" class="few words">{text(why)}</td></tr>'
    shown = [("real", _interval(yard))] if yard is not None and not yard.too_few else []
    picture = strip([*shown, ("", _interval(told))], 0.0, 1.0, line=0.5)
    few = ' <span class="few">n too small</span>' if told.caution else ""
    n = f"{told.second_songs} / {told.first_songs}"
    words = ", ".join(_told(one) for one in told.telling)
    return (
        f"<tr>{_head(label, hint)}<td>{told.accuracy:.0%}</td><td>{picture}</td>"
        f"<td>{told.low:.0%} – {told.high:.0%}{few}</td><td>{n}</td>"
        f"<td class=words><small>{text(words)}</small></td></tr>"
    )


def _told(feature: str) -> str:
    """``+interval: up 8 or more`` -> ``more interval up 8 or more``"""
    return ("more " if feature.startswith("+") else "less ") + feature[1:].replace(":", "")


def _interval(told: TwoSample) -> Interval:
    songs = min(told.first_songs, told.second_songs)
    return Interval(told.accuracy, told.low, told.high, told.first_clips + told.second_clips, songs)


def record_facts(record: Mapping[str, object], style: Mapping[str, object]) -> list[tuple[str, str]]:
    """What a bundle's config says of the music it learned from and of its training, as names and values."""
    shown: dict[str, Callable[[], str]] = {
        "Songs": lambda: f"{record['songs']:,}",
        "Notes": lambda: f"{record['notes']:,}",
        "Held out": lambda: f"{record['held_out_songs']:,}",
        "Tempo": lambda: f"{style['bpm']:.0f} BPM",
        "Meters": lambda: ", ".join(list(style["meters"])[:3]),  # type: ignore[call-overload]
        "Bars of a song": lambda: f"{style['bars']:,}",
        "Notes per bar": lambda: f"{style['notes_per_bar']:.0f}",
        "Trained on": lambda: str(record["date"]),
    }
    found = []
    for name, show in shown.items():
        try:
            found.append((name, show()))
        except (KeyError, TypeError, ValueError):
            continue  # older bundles, and recipes without a style, do not say it
    return found
