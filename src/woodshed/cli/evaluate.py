"""woodshed evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from woodshed.cli.options import Json, Threads, use_threads
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.table import Table

    from woodshed.evaluation.bootstrap import Interval
    from woodshed.evaluation.comparison import Comparison
    from woodshed.evaluation.reconstruction import Reconstruction
    from woodshed.evaluation.set_distances import SetDistance
    from woodshed.evaluation.two_sample import TwoSample
    from woodshed.recipes.judge import PairVerdict, Verdict
    from woodshed.recipes.judge_clips import ClipsVerdict

BETTER = {
    "first": "{0} is better",
    "second": "{1} is better",
    "neither": "neither is surely better",
    "unknown": "too few songs to say which is better",
}
SMALL = "n too small"
"""Stands behind every figure of fewer than ten songs."""
UNKNOWN = "-"
NO_ENDS = UNKNOWN, UNKNOWN
"""Of one song nobody can tell how far others lie from it."""


def command(
    bundle: Annotated[
        Path,
        typer.Argument(
            readable=False, metavar="BUNDLE|CLIPS", help="A bundle; or music, a file or folder of anyone's, to judge."
        ),
    ],
    music: Annotated[
        Path, typer.Argument(readable=False, metavar="CORPUS|FOLDER", help="A built corpus, or a folder of music.")
    ],
    other: Annotated[
        Optional[Path],  # noqa: UP045 - typer reads it
        typer.Argument(readable=False, metavar="[OTHER]", help="A second bundle: which predicts the songs better?"),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="SIDE", help="held_out (never learned from), train, or all.")
    ] = "held_out",
    bars: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--bars", metavar="N", min=1, max=256, help="Judge music in pieces so long; as it is, up to 16."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, max=2**32 - 1, help="Of the draws behind the intervals.")
    ] = 0,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Measure how well a bundle predicts held-out music, alone or beside another; or set any music beside a corpus."""
    from woodshed.bundle.bundle import bundle_folder
    from woodshed.errors import UsageError
    from woodshed.recipes.judge_clips import is_music

    talk = Talk(as_json)
    use_threads(threads)
    if is_music(bundle_folder(bundle)):
        if other is not None:
            raise UsageError(f"{bundle} is no bundle, so {other} cannot be compared with it; judge them one by one")
        return _judge_music(talk, bundle, music, bars, seed)
    if bars is not None:
        raise UsageError("--bars cuts music that is to be judged; a bundle is asked about whole songs, so leave it out")
    if other is not None:
        return _judge_two(talk, (bundle, other), music, split, seed)
    return _judge_one(talk, bundle, music, split, seed)


def _judge_one(talk: Talk, bundle: Path, music: Path, split: str, seed: int) -> None:
    from woodshed.bundle import load_bundle
    from woodshed.recipes.judge import judge

    loaded = load_bundle(bundle)
    with talk.stages(read="read the music", compare="find duplicates", measure="measure") as tell:
        verdict = judge(loaded, music, split=split, seed=seed, progress=tell)
    talk.facts(verdict.as_dict())
    talk.show(_likelihood_table(verdict))
    talk.show(_music_table(verdict))
    if verdict.reconstruction is not None:
        talk.say(_what_comes_back(verdict.reconstruction))
    talk.say(f"{verdict.footing}")
    talk.say(f"{bundle}: {_summary(verdict)}")
    for remark in verdict.remarks:
        talk.note(f"note: {remark}")


def _judge_two(talk: Talk, paths: tuple[Path, Path], music: Path, split: str, seed: int) -> None:
    from woodshed.bundle import load_bundle
    from woodshed.recipes.judge import judge_two

    bundles = load_bundle(paths[0]), load_bundle(paths[1])
    with talk.stages(read="read the music", compare="find duplicates", measure="measure") as tell:
        verdict = judge_two(bundles, music, split=split, seed=seed, progress=tell)
    talk.facts(verdict.as_dict())
    talk.show(_pair_table(verdict))
    if verdict.paired.ground:
        talk.say(verdict.paired.ground)
    talk.say(_pair_summary(verdict, paths))
    for remark in verdict.remarks:
        talk.note(f"note: {remark}")


def _judge_music(talk: Talk, clips: Path, music: Path, bars: int | None, seed: int) -> None:
    from woodshed.recipes.judge_clips import judge_clips, worst

    names = {"clips": "read what to judge", "read": "read the music", "compare": "set beside", "judge": "tell apart"}
    with talk.stages(**names, measure="measure") as tell:
        verdict = judge_clips(clips, music, bars=bars, seed=seed, progress=tell)
    talk.facts(verdict.as_dict())
    talk.show(_beside_table(verdict.comparison))
    for line in _judge_lines(verdict):
        talk.say(line)
    if verdict.unreadable:
        talk.note(f"not read: {worst(verdict.unreadable)}")
    talk.say(f"{clips}: {_music_summary(verdict)}")


def _summary(verdict: Verdict) -> str:
    found = verdict.likelihood
    left_out = f"; {counted(verdict.left_out, 'song')} not of that side" if verdict.left_out else ""
    unheard = f"; in {found.unheard} more it hears nothing of its kind" if found.unheard else ""
    notes = counted(found.notes, "note")
    return f"{found.nats_per_note:.3f} nats per note ({_sure(found.total)}), {notes}{left_out}{unheard}"


def _sure(found: Interval) -> str:
    if not found.is_known:
        return "one song, so how sure that is cannot be told"
    caution = ", n too small" if found.caution else ""
    return f"{found.low:.3f} to {found.high:.3f} in 95 % of draws of its {found.groups} songs{caution}"


def _pair_summary(verdict: PairVerdict, paths: tuple[Path, Path]) -> str:
    paired = verdict.paired
    says = BETTER[paired.better].format(*paths)
    songs = counted(paired.difference.groups, "song")
    return (
        f"{says}: {paths[1]} minus {paths[0]} is {paired.difference.mean:+.3f} nats per note "
        f"({_sure(paired.difference)}); {paths[0]} finds {paired.first_better_songs} of {songs} likelier"
        f"{_not_compared(verdict)}"
    )


def _not_compared(verdict: PairVerdict) -> str:
    """How many songs were left out, for each reason."""
    paired = verdict.paired
    told = (
        (verdict.left_out, "not of that side"),
        (paired.unheard, "left out, in which one of them or both hear nothing of their kind"),
        (paired.unlike, "left out, of which they count other notes"),
    )
    return "".join(f"; {counted(songs, 'song')} {why}" for songs, why in told if songs)


def _music_summary(verdict: ClipsVerdict) -> str:
    found = verdict.comparison
    lengths = f"of {counted(found.bars, 'bar')}"
    ours, theirs = counted(found.made, "piece"), counted(found.real, "real one")
    songs = f"({counted(found.made_songs, 'song')} and {counted(found.real_songs, 'song')})"
    caution = f"; {found.caution}" if found.caution else ""
    silent = f"; {counted(verdict.silent, 'file')} without a note" if verdict.silent else ""
    copied = f"{found.copied.mean:.1%} copied"
    return f"{ours} {lengths} beside {theirs} {songs}: {_overlaps(found)}; {copied}{silent}{caution}"


def _overlaps(found: Comparison) -> str:
    if found.overlap is None:
        return f"{SMALL} for overlapping areas"
    return f"overlapping area {found.overlap:.3f} in the mean, of values {found.values:.3f}"


def _judge_lines(verdict: ClipsVerdict) -> list[str]:
    """How often each judge tells, and what real songs reach, or that they cannot be asked."""
    lines = []
    for name, told in verdict.comparison.judges.items():
        by = f"; by {', '.join(told.telling)}" if told.telling else ""
        yard = verdict.yardstick.judges[name] if verdict.yardstick else None
        real = f"; held-out real songs {_told(yard, '')}" if yard else ""
        lines.append(f"judge {name}: {_told(told, ' told from real')}{'' if told.too_few else real + by}")
    if verdict.comparison.remark:
        lines.append(verdict.comparison.remark)
    if verdict.yardstick is None:
        bars = counted(verdict.comparison.bars, "bar")
        lines.append(f"held-out real songs: too few of {bars} to set beside the others, it takes 3 on either side")
    else:
        found = verdict.yardstick
        lines.append(f"held-out real songs: {_overlaps(found)}; {found.copied.mean:.1%} also in the others")
    return lines


def _told(found: TwoSample, what: str) -> str:
    """How often one judge is right."""
    if found.too_few:
        return f"{SMALL}: {found.too_few}"
    caution = f", {SMALL}" if found.caution else ""
    return f"{found.accuracy:.0%} [{found.low:.0%}, {found.high:.0%}]{what}{caution}"


def _what_comes_back(found: Reconstruction) -> str:
    """One line of what a latent space does to clips."""
    parts = ", ".join(f"{part} {found.given_truth[part]:.1%} ({found.sampled[part]:.1%})" for part in found.given_truth)
    held = f"{found.divergence_bits:.1f} bits ({found.divergence_nats:.1f} nats)"
    used = f"{found.used_dimensions} of {found.dimensions} dimensions"
    clips = counted(found.clips, "clip")
    return f"tokens right given those before (all sampled): {parts}; {held} a clip in {used}; {clips}"


def _new_table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _likelihood_table(verdict: Verdict) -> Table:
    found = verdict.likelihood
    table = _new_table("nats per note", "mean", "2.5 %", "97.5 %", "songs", "notes", "")
    rows = {"all fields": found.total, **{f"  {name}": one for name, one in found.field_intervals.items()}}
    rows |= {f"part: {name}": one for name, one in found.players.items()}
    if found.nobody.mean:
        rows["of no part: rests, the end"] = found.nobody
    for name, one in rows.items():
        table.add_row(name, f"{one.mean:.3f}", *_ends(one, ".3f"), str(one.groups), f"{one.count:,}", _small(one))
    return table


def _music_table(verdict: Verdict) -> Table:
    """How songs differ, not how sure the mean is: nine in ten lie between the two ends."""
    from woodshed.evaluation.bootstrap import FEW_GROUPS

    table = _new_table("figure of the music", "mean", "5th percentile", "95th percentile", "songs", "")
    for name, spread in verdict.metrics.items():
        if spread.count:
            ends = (_number(spread.low), _number(spread.high)) if spread.count > 1 else NO_ENDS
            small = SMALL if spread.count < FEW_GROUPS else ""
            table.add_row(name, _number(spread.mean), *ends, str(spread.count), small)
    return table


def _pair_table(verdict: PairVerdict) -> Table:
    paired = verdict.paired
    table = _new_table("nats per note", "first", "second", "difference", "2.5 %", "97.5 %", "songs", "")
    first, second = paired.first_fields, paired.second_fields
    rows = {"all": (paired.first, paired.second, paired.difference)}
    rows |= {f"  {name}": (first[name], second[name], one) for name, one in paired.fields.items()}
    for name, (ours, theirs, apart) in rows.items():
        figures = f"{ours:.3f}", f"{theirs:.3f}", f"{apart.mean:+.3f}", *_ends(apart, "+.3f")
        table.add_row(name, *figures, str(apart.groups), _small(apart))
    return table


def _beside_table(found: Comparison) -> Table:
    """Means and their intervals, distances, and the songs of either side that have the figure."""
    table = _new_table("figure", "here", "corpus", "overlap", "KL", "values", "songs", "")
    for name, beside in found.figures.items():
        table.add_row(name, _around(beside.made), _around(beside.real), *_apart(beside.distance))
    for name, distance in found.histograms.items():
        table.add_row(name, "", "", *_apart(distance))
    return table


def _apart(distance: SetDistance) -> tuple[str, ...]:
    """The three distances, the songs here and there, and whether those are too few."""
    figures = distance.overlap, distance.divergence, distance.values
    shown = (UNKNOWN,) * 3 if distance.too_few else (f"{figure:.2f}" for figure in figures)
    return *shown, f"{distance.made_songs} / {distance.real_songs}", SMALL if distance.caution else ""


def _around(one: Interval) -> str:
    """A mean with its interval; of one song the mean alone."""
    return _number(one.mean) + (f" [{_number(one.low)}, {_number(one.high)}]" if one.is_known else "")


def _number(value: float) -> str:
    """Three digits, or all of a whole number.

    >>> _number(0.12345), _number(2213.4), _number(99.96)
    ('0.123', '2,213', '100')
    """
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _ends(one: Interval, form: str) -> tuple[str, str]:
    return (format(one.low, form), format(one.high, form)) if one.is_known else NO_ENDS


def _small(one: Interval) -> str:
    return SMALL if one.caution else ""
