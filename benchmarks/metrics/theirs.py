"""MusPy's figures of notes that are handed to it: run by its own interpreter, which needs nothing of Woodshed.

Reads JSON lines on stdin, ``{"file", "tracks": [[is_drum, [[onset, pitch, duration, velocity] ...]] ...], "bar"}`` in
ticks of 1/480 quarter note, and writes one line of figures for each on stdout. With ``path`` in place of tracks MusPy
reads the MIDI file itself.
"""

from __future__ import annotations

import json
import math
import sys
import warnings

import muspy

RESOLUTION = 480
PLAIN = (
    "n_pitches_used", "n_pitch_classes_used", "pitch_range", "empty_beat_rate", "polyphony", "polyphony_rate",
    "pitch_entropy", "pitch_class_entropy", "scale_consistency", "drum_pattern_consistency",
)  # fmt: skip


def music_of(asked: dict) -> muspy.Music:
    """As MusPy has it, from notes or from a file."""
    if "path" in asked:
        music = muspy.read_midi(asked["path"])
        return music.adjust_resolution(RESOLUTION)
    parts = [(is_drum, [muspy.Note(*note) for note in notes]) for is_drum, notes in asked["tracks"]]
    tracks = [muspy.Track(0, is_drum, notes=notes) for is_drum, notes in parts]
    return muspy.Music(resolution=RESOLUTION, tracks=tracks)


def figures(music: muspy.Music, bar: int) -> dict[str, float]:
    """Its name -> figure; what it calls NaN is left out."""
    found = {name: getattr(muspy, name)(music) for name in PLAIN}
    found["empty_measure_rate"] = muspy.empty_measure_rate(music, bar)
    found["groove_consistency"] = muspy.groove_consistency(music, bar)
    for meter in ("duple", "triple"):
        found[f"drum_in_{meter}_pattern_rate"] = muspy.drum_in_pattern_rate(music, meter)
    return {name: float(value) for name, value in found.items() if not math.isnan(value)}


def main() -> None:
    """Answer line by line."""
    warnings.filterwarnings("ignore")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = {"figures": figures(music_of(asked), asked["bar"])}
        except Exception as error:  # a file that MusPy cannot read is told, not fatal
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
