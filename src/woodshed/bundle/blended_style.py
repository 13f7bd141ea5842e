"""What the songs of several bundles are like together, each bundle counting for its share.

All figures are those of a corpus in which the songs of each bundle have its share, so that whatever is drawn, or taken
for usual, comes from each in proportion:

=============  ====================================================================================
arrangements   all, each with a ``share``: how often it is drawn
bpm            the tempo in the middle of the line-ups', by share: that of a song, not one in between
meters         songs, by share; the most frequent first
instruments    notes and songs by share; ranges as wide as both
drum_pitches   all: which of them sound is the model's to say
bars, density  means by share, as for backbeat
feel           of each instrument at each place that of the greatest share that knows it
=============  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Style = Mapping[str, Any]


def blend_styles(styles: Sequence[Style], shares: Sequence[float]) -> dict[str, Any]:
    """One style of several, see above; ``shares`` sum to 1. An entry that no style has is left out."""
    songs = [max(float(style.get("songs", 1)), 1.0) for style in styles]
    total = max(own / share for own, share in zip(songs, shares, strict=True))  # so that no count is scaled down
    factors = [share * total / own for own, share in zip(songs, shares, strict=True)]
    arrangements = [
        {**song, "share": share * own / sum(song_shares(style["arrangements"]))}
        for style, share in zip(styles, shares, strict=True)
        for song, own in zip(style.get("arrangements", []), song_shares(style.get("arrangements", [])), strict=True)
    ]
    blended: dict[str, Any] = {"songs": round(total)}
    if tempo := _middle(_tempos(styles, shares)):
        blended["bpm"] = tempo
    blended["meters"] = _counts([style.get("meters", {}) for style in styles], factors)
    blended["instruments"] = _instruments([style.get("instruments", {}) for style in styles], factors)
    blended["drum_pitches"] = sorted({pitch for style in styles for pitch in style.get("drum_pitches", [])})
    blended["arrangements"] = arrangements
    blended["feel"] = _feel(styles, shares)
    for name in ("bars", "notes_per_bar", "backbeat"):
        known = [(style[name], share) for style, share in zip(styles, shares, strict=True) if name in style]
        if known:
            blended[name] = sum(figure * share for figure, share in known) / sum(share for _, share in known)
    return {name: value for name, value in blended.items() if value not in ({}, [])}


def _feel(styles: Sequence[Style], shares: Sequence[float]) -> dict[str, list[int]]:
    """The usual feel of each instrument at each place (`training.usual_feel`): of those styles that know it, that of
    the greatest share."""
    places: dict[str, dict[int, tuple[int, int]]] = {}
    for style, _ in sorted(zip(styles, shares, strict=True), key=lambda pair: pair[1]):
        for name, row in style.get("feel", {}).items():
            places.setdefault(name, {}).update(
                {place: (loud, late) for place, loud, late in zip(*[iter(row)] * 3, strict=True)}
            )
    return {name: [n for place in sorted(own) for n in (place, *own[place])] for name, own in places.items()}


def song_shares(arrangements: Sequence[Style]) -> list[float]:
    """How often each line-up is drawn, beside the others: alike, unless they come from a blend."""
    return [float(song.get("share", 1.0)) for song in arrangements]


def _tempos(styles: Sequence[Style], shares: Sequence[float]) -> list[tuple[float, float]]:
    """Tempo and weight of each line-up; of a style that lists none, its own."""
    found = []
    for style, share in zip(styles, shares, strict=True):
        songs = style.get("arrangements", [])
        own = song_shares(songs)
        found += [(float(song["bpm"]), share * each / sum(own)) for song, each in zip(songs, own, strict=True)]
        if not songs and "bpm" in style:
            found.append((float(style["bpm"]), share))
    return found


def _middle(weighted: Sequence[tuple[float, float]]) -> float | None:
    """The weighted median: the least value with half of the weight at or below it."""
    below, half = 0.0, sum(weight for _, weight in weighted) / 2
    for value, weight in sorted(weighted):
        below += weight
        if below >= half - 1e-12:
            return value
    return None


def _counts(counts: Sequence[Mapping[str, float]], factors: Sequence[float]) -> dict[str, int]:
    """Counts scaled and added, the greatest first."""
    added: dict[str, float] = {}
    for own, factor in zip(counts, factors, strict=True):
        for name, count in own.items():
            added[name] = added.get(name, 0.0) + count * factor
    return {name: round(count) for name, count in sorted(added.items(), key=lambda item: -item[1])}


def _instruments(known: Sequence[Style], factors: Sequence[float]) -> dict[str, dict[str, Any]]:
    """Program -> its figures in all styles that have it."""
    blended = {}
    for program in sorted({program for own in known for program in own}, key=int):
        heard = [(own[program], factor) for own, factor in zip(known, factors, strict=True) if program in own]
        blended[program] = _instrument(heard)
    return blended


def _instrument(heard: Sequence[tuple[Style, float]]) -> dict[str, Any]:
    """Counts are scaled and added, ranges cover all, the name is where it plays most."""
    figures: dict[str, Any] = {
        name: round(sum(facts.get(name, 0) * factor for facts, factor in heard)) for name in ("notes", "songs")
    }
    for name, extreme in (("lowest", min), ("highest", max), ("polyphony", max)):
        if values := [facts[name] for facts, _ in heard if name in facts]:
            figures[name] = extreme(values)
    if ranges := [facts["usual_range"] for facts, _ in heard if "usual_range" in facts]:
        figures["usual_range"] = [min(low for low, _ in ranges), max(high for _, high in ranges)]
    name = max(heard, key=lambda each: each[0].get("songs", 0) * each[1])[0].get("name", "")
    return {**figures, "name": name} if name else figures
