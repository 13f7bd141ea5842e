"""The report's table of figures: each clip beside the real music, what lies outside its usual range marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from woodshed.evaluation.metrics import Metrics, Spread
from woodshed.evaluation.report_parts import text

FEWEST_SONGS = 5
"""Real pieces that it takes before a range of them says anything."""


@dataclass(frozen=True)
class Figure:
    """How one of `Metrics` is shown."""

    name: str
    """Field of `Metrics`."""
    label: str
    """For musicians."""
    hint: str
    """Unit, or how to read it."""
    form: str = ".1f"
    """Format of the value."""
    is_compared: bool = True
    """Whether being outside the real range says anything; how long a clip is was asked for."""


FIGURES = (
    Figure("bars", "Bars", "", ".0f", False),
    Figure("notes", "Notes", "all parts", ".0f", False),
    Figure("parts", "Parts", "that play", ".0f"),
    Figure("notes_per_bar", "Notes per bar", "all parts"),
    Figure("scale_consistency", "In one scale", "share of notes in the best-fitting scale", ".0%"),
    Figure("in_key_rate", "In key", "share of notes in the key that is found", ".0%"),
    Figure("pitch_class_entropy", "Variety of tones", "bits: 0 is one tone, 3.6 all twelve alike", ".2f"),
    Figure("pitch_range", "Range", "semitones, lowest to highest", ".0f"),
    Figure("distinct_pitches", "Different pitches", "", ".0f"),
    Figure("polyphony", "Pitches at once", "mean, where any sounds"),
    Figure("mean_note_quarters", "Note length", "mean, in quarter notes", ".2f"),
    Figure("empty_bar_rate", "Silent bars", "share", ".0%"),
    Figure("empty_beat_rate", "Silent beats", "share", ".0%"),
    Figure("groove_consistency", "Steady rhythm", "share of a bar's steps as in the bar before", ".1%"),
    Figure("self_similarity_1", "Repeats 1 bar before", "share of notes", ".0%"),
    Figure("self_similarity_2", "Repeats 2 bars before", "share of notes", ".0%"),
    Figure("self_similarity_4", "Repeats 4 bars before", "share of notes", ".0%"),
    Figure("self_similarity_8", "Repeats 8 bars before", "share of notes", ".0%"),
    Figure("longest_repeated_note_run", "Longest repeated note", "times in a row", ".0f"),
    Figure("velocity_mean", "Loudness", "mean velocity, 1-127", ".0f"),
    Figure("velocity_std", "Dynamics", "spread of velocity; 0 is all alike", ".1f"),
)


OTHERS = (
    Figure("notes_per_bar_per_part", "Notes per bar of a part", ""),
    Figure("longest_drone_quarters", "Longest drone", "quarter notes on one top note"),
    Figure("notes_per_beat", "Density", "notes per quarter note"),
    Figure("mean_inter_onset_quarters", "Wait between notes", "mean, in quarter notes", ".2f"),
    Figure("mean_interval", "Leaps", "mean, in semitones"),
    Figure("pitch_classes", "Different tones", "of the twelve"),
    Figure("polyphony_rate", "Three or more at once", "share of the time", ".0%"),
    Figure("pitch_entropy", "Variety of pitches", "bits", ".2f"),
    Figure("chord_tone_rate", "Chord tones", "share of the time that notes sound", ".0%"),
    Figure("parallel_fifths", "Parallel fifths", "of 1,000 moving pairs of parts", ".0f"),
    Figure("parallel_octaves", "Parallel octaves", "of 1,000 moving pairs of parts", ".0f"),
)
"""Figures of sets, beside those of one clip."""
_BY_NAME = {figure.name: figure for figure in (*FIGURES, *OTHERS)}


def label_of(name: str) -> str:
    """For musicians."""
    return _BY_NAME[name].label if name in _BY_NAME else name


def hint_of(name: str) -> str:
    """Unit, or how to read it."""
    return _BY_NAME[name].hint if name in _BY_NAME else ""


def form_of(name: str) -> str:
    """Format of a mean: whole numbers have a digit more in it."""
    form = _BY_NAME[name].form if name in _BY_NAME else ".3g"
    return {".0f": ".1f", ".0%": ".1%"}.get(form, form)


def is_outside(metrics: Metrics, figure: Figure, real: Mapping[str, Spread]) -> bool:
    """Whether nine in ten real pieces lie on one side of this clip, or no range is known: then never."""
    spread = real.get(figure.name)
    if spread is None or not _is_comparable(metrics, figure, spread):
        return False
    value = getattr(metrics, figure.name)
    return not spread.low - 1e-9 <= value <= spread.high + 1e-9


def agreement(metrics: Metrics, real: Mapping[str, Spread]) -> tuple[int, int]:
    """How many figures lie in the usual range of real music, of how many that can be compared."""
    compared = [
        figure for figure in FIGURES if figure.name in real and _is_comparable(metrics, figure, real[figure.name])
    ]
    return sum(not is_outside(metrics, figure, real) for figure in compared), len(compared)


def figures_table(clips: Sequence[Metrics], real: Mapping[str, Spread]) -> str:
    """One row per figure: the real mean and range, a strip with all of them, a column per clip."""
    heads = "".join(f"<th>Clip {number}</th>" for number in range(1, len(clips) + 1))
    rows = "".join(_row(figure, clips, real) for figure in FIGURES)
    return (
        '<div class="scroll"><table class="sticky"><thead><tr><th>Figure</th><th>Real mean</th><th>Real range</th>'
        f"<th></th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _is_comparable(metrics: Metrics, figure: Figure, spread: Spread) -> bool:
    return figure.is_compared and spread.count >= FEWEST_SONGS and metrics.is_defined(figure.name)


def _row(figure: Figure, clips: Sequence[Metrics], real: Mapping[str, Spread]) -> str:
    spread = real.get(figure.name)
    known = spread if spread is not None and spread.count else None
    mean = format(known.mean, figure.form) if known else "–"
    reach = f"{known.low:{figure.form}} – {known.high:{figure.form}}" if known else "–"
    strip = _strip(figure, clips, known, real) if known and figure.is_compared else ""
    cells = "".join(_cell(figure, metrics, real) for metrics in clips)
    label = f"{text(figure.label)}<small>{text(figure.hint)}</small>"
    return f'<tr><th scope="row">{label}</th><td>{mean}</td><td>{reach}</td><td>{strip}</td>{cells}</tr>'


def _cell(figure: Figure, metrics: Metrics, real: Mapping[str, Spread]) -> str:
    if not metrics.is_defined(figure.name):
        return '<td class="faint">–</td>'
    marked = ' class="outside"' if is_outside(metrics, figure, real) else ""
    return f"<td{marked}>{format(getattr(metrics, figure.name), figure.form)}</td>"


def _strip(figure: Figure, clips: Sequence[Metrics], spread: Spread, real: Mapping[str, Spread]) -> str:
    """A line with the real range as a band, the real mean as a tick, a dot per clip."""
    shown = [(number, clip) for number, clip in enumerate(clips, 1) if clip.is_defined(figure.name)]
    values = [float(getattr(clip, figure.name)) for _, clip in shown]
    least, most = min([spread.low, spread.mean, *values]), max([spread.high, spread.mean, *values])
    scale = 114 / (most - least) if most > least else 0.0

    def x(value: float) -> float:
        return round(8 + (value - least) * scale, 1) if scale else 65.0

    dots = "".join(
        f'<circle class="dot{" outside" if is_outside(clip, figure, real) else ""}" cx="{x(value)}" cy="9" r="4">'
        f"<title>Clip {number}: {format(value, figure.form)}</title></circle>"
        for (number, clip), value in zip(shown, values, strict=True)
    )
    left, width = x(spread.low) - 2, x(spread.high) - x(spread.low) + 4
    band = f'<rect class="band" x="{left:.1f}" y="3" width="{width:.1f}" height="12" rx="3"/>'
    mean = f'<line class="mean" x1="{x(spread.mean)}" x2="{x(spread.mean)}" y1="3" y2="15"/>'
    return (
        '<svg class="strip" viewBox="0 0 130 18" aria-hidden="true"><line class="axis" x1="2" x2="128" y1="9" y2="9"/>'
        f"{band}{mean}{dots}</svg>"
    )
