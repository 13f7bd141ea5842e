"""Which songs are chorales, and why others are not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace

import numpy as np

from woodshed.codecs.chorale import ChoraleCodec
from woodshed.codecs.chorale_voices import check_length, voice_notes
from woodshed.errors import CodecError, CorpusError
from woodshed.evaluation.voice_leading import four_note_combinations
from woodshed.music import Song
from woodshed.recipes.material import Material, learned_line

REMEDIES = {
    "no notes": "the song is empty",
    "only drums": "drums do not sing; use a recipe for bands",
    "too long": "cut the song",
    "not four voices": "four parts, or two of two voices each; name four parts Soprano, Alto, Tenor and Bass to "
    "choose among more",
    "out of range": "a voice leaves its range in C major or A minor; move it by an octave",
}
"""Why a song is no chorale, and what to do about it."""
QUOTED_COMBINATIONS = 108
"""How many different four-note combinations there are said to be in Bach's chorales."""


def chorales_of(material: Material, codec: ChoraleCodec) -> Material:
    """The songs that four voices can sing, those voices alone, on both sides of the split; reasons are in the warnings.

    Raises:
        CorpusError: if there is none to learn from, with the reasons and remedies.
    """
    reasons: Counter[str] = Counter()

    def found(songs: Sequence[Song]) -> list[Song]:
        voices = []
        for song in songs:
            sung = _sung(song, codec)
            if isinstance(sung, str):
                reasons[sung] += 1
            else:
                voices.append(sung)
        return voices

    learned, held_out = found(material.songs), found(material.held_out)
    told = ", ".join(f"{count} {reason} ({REMEDIES[reason]})" for reason, count in reasons.most_common())
    if not learned:
        raise CorpusError(f"{material.source}: no chorale is found; {told}")
    line = learned_line(material, "chorale", learned, held_out)
    found_chords = combinations_of(learned, codec)["distinct"]
    chords = (
        f"{found_chords} different four-note combinations sound in them, in C major or A minor "
        f"({QUOTED_COMBINATIONS} are often quoted)"
    )
    warnings = (*material.warnings, f"{line}; songs left out: {told}" if told else line, chords)
    return replace(material, songs=learned, held_out=held_out, called="chorale", warnings=warnings)


def combinations_of(chorales: Sequence[Song], codec: ChoraleCodec) -> dict[str, int]:
    """Fields of `woodshed.evaluation.voice_leading.Combinations`: the different chords, as the model hears them."""
    return asdict(four_note_combinations(codec.arrange(song) for song in chorales))


def _sung(song: Song, codec: ChoraleCodec) -> Song | str:
    """The song as four voices in its own key; or one of `REMEDIES`."""
    if not len(song):
        return "no notes"
    if all(song.parts[part].is_drum for part in set(song.notes["part"].tolist())):
        return "only drums"
    try:
        check_length(song)
    except CodecError:
        return "too long"
    try:
        voice_notes(song)
    except CodecError:
        return "not four voices"
    try:
        sung = codec.arrange(song)
    except CodecError:
        return "out of range"
    if len(np.unique(sung.notes["part"])) < len(sung.parts):
        return "not four voices"  # two parts, in which no second voice ever sounds
    return sung.transpose(-codec.transposition(song))
