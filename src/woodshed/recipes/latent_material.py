"""Which clips of the songs a MusicVAE learns, and why others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from woodshed.codecs.clips import REMEDIES
from woodshed.errors import CorpusError
from woodshed.music import Song
from woodshed.recipes.material import Material, learned_line


def clips_of(material: Material, codec: Any) -> Material:
    """The clips that the codec finds in the songs, each a song of its own; reasons for others are in the warnings.

    A clip that several songs have is there once on each side of the split; what is held out stays as it is where the
    same clip is also learned, as songs are what is split.

    Raises:
        CorpusError: if there is none to learn from, with the reasons and remedies.
    """
    reasons: Counter[str] = Counter()
    learned, held_out = _found(material.songs, codec, reasons), _found(material.held_out, codec, reasons)
    told = ", ".join(f"{count} {reason} ({REMEDIES[reason]})" for reason, count in reasons.most_common())
    if not learned:
        raise CorpusError(f"{material.source}: no clip of {codec.bars} bars is found to learn from; {told}")
    line = learned_line(material, f"{codec.bars}-bar clip", learned, held_out)
    warnings = (*material.warnings, f"{line}; left out: {told}" if told else line)
    return replace(material, songs=learned, held_out=held_out, called="clip", warnings=warnings)


def _found(songs: Sequence[Song], codec: Any, reasons: Counter[str]) -> list[Song]:
    """The clips of all songs, each once."""
    known: set[bytes] = set()
    clips = []
    for song in songs:
        found, why = codec.windows(song)
        reasons.update(why)
        for clip in found:
            tokens = codec.encode(clip).tobytes()
            if tokens in known:
                reasons["duplicate"] += 1
                continue
            known.add(tokens)
            clips.append(clip)
    return clips
