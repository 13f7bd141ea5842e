"""Peak memory while an hour of band music is written as OGG by each engine.

Run: python benchmarks/render/memory.py woodshed|fluidsynth
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from woodshed.music import Part, Song
from woodshed.rendering.sound import write_audio

PARTS = [Part("Drums", is_drum=True), Part("Bass", 33), Part("Guitar", 30), Part("Pad", 89)]


def hour_of_music() -> Song:
    """1,800 bars of 4/4 at 120: eighths on drums, bass and guitar, a pad chord in each bar; 50,400 notes."""
    onset = np.arange(1800 * 8) * 240
    rows = [(0, tick, 120, (36, 42, 38, 42)[step % 4], 100) for step, tick in enumerate(onset.tolist())]
    rows += [(1, tick, 200, 28 + step // 64 % 12, 96) for step, tick in enumerate(onset.tolist())]
    rows += [(2, tick, 200, 40 + step // 64 % 12, 90) for step, tick in enumerate(onset.tolist())]
    rows += [(3, bar * 1920, 1900, 52 + bar // 8 % 12 + add, 70) for bar in range(1800) for add in (0, 3, 7, 12)]
    return Song.make(rows, PARTS, length=1800 * 1920)


def main() -> None:
    """Write, then say how much memory was ever held and how long it took."""
    engine = sys.argv[1] if len(sys.argv) > 1 else "woodshed"
    song = hour_of_music()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        write_audio(song, Path(folder) / "hour.ogg", engine=engine)
        size = (Path(folder) / "hour.ogg").stat().st_size / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.process_time() - start
    print(
        f"{engine}: {len(song)} notes, {song.length_seconds:.0f} s of sound, OGG {size:.0f} MiB, {seconds:.0f} CPU s,"
    )
    print(f"peak memory {peak:.0f} MiB, {before:.0f} MiB of it before the first note")


if __name__ == "__main__":
    main()
