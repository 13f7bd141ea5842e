"""Which songs can be written as piano rolls of some tracks, and why others cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from woodshed.codecs.piano_roll import PITCHES, PianoRollCodec, track_of
from woodshed.errors import CorpusError
from woodshed.music import Song
from woodshed.recipes.material import Material

REASONS = {
    "no notes": "the song is empty",
    "other meter": "a bar is not 96 steps long, as in 4/4; use a recipe for any meter, such as band",
    "no track": "nothing plays in the tracks {tracks}; name others with --set codec.parts=NAMES",
    "empty bars": "more than {most_empty:.0%} of its bars are silent in the tracks; raise --set codec.most_empty",
}
LINE_UPS = 64


def rolls_of(material: Material, codec: PianoRollCodec) -> Material:
    """The songs that the codec's tracks can play, on both sides of the split; what is left out is in the warnings.

    Raises:
        CorpusError: if there is none to learn from, with the reasons and remedies.
    """
    fitted = codec.fit([song for song in material.songs if codec.drop_reason(song) not in ("no notes", "other meter")])
    reasons: Counter[str] = Counter()
    noise = notes = 0

    def found(songs: Sequence[Song]) -> list[Song]:
        nonlocal noise, notes
        kept = []
        for song in songs:
            reason = fitted.drop_reason(song)
            if not reason and fitted.empty_bars(song) > fitted.most_empty:
                reason = "empty bars"
            if reason:
                reasons[reason] += 1
                continue
            kept.append(song)
            noise += fitted.noise(song)
            notes += len(song)
        return kept

    learned, held_out = found(material.songs), found(material.held_out)
    words = {"tracks": ", ".join(fitted.names), "most_empty": fitted.most_empty}
    told = ", ".join(f"{count} {reason} ({REASONS[reason].format(**words)})" for reason, count in reasons.most_common())
    if not learned:
        raise CorpusError(f"{material.source}: no song can be written as piano rolls; {told}")
    line = (
        f"{len(learned)} of {len(material.songs)} songs are learned, {len(held_out)} held out, as tracks "
        f"{', '.join(fitted.names)}; {noise} of {notes} notes below C1 or above C8 are left out as noise"
    )
    warnings = (*material.warnings, f"{line}; songs left out: {told}" if told else line)
    return replace(material, songs=learned, held_out=held_out, warnings=warnings)


def line_ups_of(codec: PianoRollCodec, songs: Sequence[Song]) -> list[dict[str, Any]]:
    """Of some songs: which tracks play in a quarter of the bars and by what program, the tempo, and the way from C."""
    found = []
    for song in songs[:: max(len(songs) // LINE_UPS, 1)][:LINE_UPS]:
        _, frames = codec.rows(codec.arrange(song))
        bars = frames.reshape(-1, 16, len(codec.names), PITCHES).any(axis=(1, 3)).mean(axis=0)
        kinds = track_of(song.parts)
        programs = {}
        for name, share in zip(codec.names, bars.tolist(), strict=True):
            if share >= 0.25:
                own = [index for index, kind in enumerate(kinds) if kind == name]
                counts = [int((song.notes["part"] == index).sum()) for index in own]
                programs[name] = song.parts[own[int(np.argmax(counts))]].program
        if programs:
            character = codec.character(frames)
            found.append(
                {
                    "programs": programs,
                    "bpm": round(song.bpm, 3),
                    "move": -codec.transposition(song),
                    "density": dict(zip(codec.names, character[1].round(3).tolist(), strict=True)),
                    "register": dict(zip(codec.names, character[2].round(3).tolist(), strict=True)),
                }
            )
    return found
