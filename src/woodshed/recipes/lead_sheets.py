"""Which songs are melodies with chords, and why others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from woodshed.codecs.chord_roll import ChordRollCodec, with_chords
from woodshed.errors import CodecError, CorpusError
from woodshed.music import Song
from woodshed.music.chord_sheet import chord_text, has_chords
from woodshed.music.general_midi import family
from woodshed.music.melodies import MelodyOptions, explain, extract_melodies
from woodshed.recipes.material import Material, learned_line

NO_CHORDS, BASS = "no chords", "bass line"
REMEDIES = {
    NO_CHORDS: "no chord is written and nothing sounds beside the tune; give lead sheets, or songs with accompaniment",
    BASS: "a bass plays it, which is no tune",
}
"""Beside those of `woodshed.music.melodies`."""
PROGRESSIONS, PROGRESSION_BARS = 64, 8


def lead_sheets_of(material: Material, codec: ChordRollCodec, options: Mapping[str, Any]) -> Material:
    """The melodies in the songs with their chords, on both sides of the split; reasons for others are in the warnings.

    Chords are those written, else those found in what the parts play. ``options`` are fields of `MelodyOptions`.

    Raises:
        CorpusError: if there is none to learn from, with the reasons and remedies.
        OutOfRange: for options outside their range.
    """
    chosen = MelodyOptions(**options)
    reasons: Counter[str] = Counter()
    others: Counter[str] = Counter()

    def found(songs: Sequence[Song]) -> list[Song]:
        return [sheet for song in songs for sheet in _sheets(song, codec, chosen, reasons, others)]

    learned, held_out = found(material.songs), found(material.held_out)
    told = [f"{count} {reason} ({REMEDIES[reason]})" for reason, count in others.most_common()]
    left_out = ", ".join(filter(None, [explain(reasons, chosen), *told]))
    if not learned:
        raise CorpusError(f"{material.source}: no melody with chords is found; {left_out}")
    line = learned_line(material, "lead sheet", learned, held_out)
    told_all = f"{line}; {left_out}" if left_out else line
    warnings = (*material.warnings, told_all)
    return replace(material, songs=learned, held_out=held_out, called="lead sheet", warnings=warnings)


def progressions_of(codec: ChordRollCodec, sheets: Sequence[Song]) -> list[str]:
    """The first chords of some songs, in C major or A minor: what is played over if nothing is asked for."""
    found = []
    for sheet in sheets:
        heard = codec.arrange(sheet)
        lines = heard.bar_lines()
        first = int(heard.chords["onset"].searchsorted(0, side="right")) - 1
        if len(lines) > PROGRESSION_BARS and first >= 0:
            text = chord_text(heard.chords, lines[: PROGRESSION_BARS + 1])
            if "N.C." not in text:
                found.append(text)
    distinct = sorted(set(found))
    return distinct[:: max(len(distinct) // PROGRESSIONS, 1)][:PROGRESSIONS]


def _sheets(
    song: Song, codec: ChordRollCodec, options: MelodyOptions, reasons: Counter[str], others: Counter[str]
) -> list[Song]:
    try:
        harmonised = with_chords(song)
    except CodecError:
        _, why = extract_melodies(song, options)
        if why["only drums"] or why["no notes"]:
            reasons.update(why)
        else:
            others[NO_CHORDS] += 1
        return []
    melodies, why = extract_melodies(harmonised, options)
    reasons.update(why)
    kept = []
    for melody in melodies:
        if _is_bass(melody):
            others[BASS] += 1
        elif not has_chords(melody):
            others[NO_CHORDS] += 1
        else:
            kept += _fitting(melody, codec, reasons)
    return kept


def _is_bass(melody: Song) -> bool:
    part = melody.parts[0]
    return part.role == "bass" or family(part.program) == "bass"


def _fitting(melody: Song, codec: ChordRollCodec, reasons: Counter[str]) -> list[Song]:
    try:
        codec.arrange(melody)
    except CodecError:
        reasons["odd meter"] += 1
        return []
    return [melody]
