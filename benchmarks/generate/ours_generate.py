"""Notes per second of our generation: one stream, or several answers to one canvas. In the project's environment."""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

from woodshed.bundle import load_bundle
from woodshed.generation.canvas import blank_canvas
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.music.units import TICKS_PER_QUARTER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="a bundle's folder, or base")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--bars", type=int, default=64)
    parser.add_argument("--streams", type=int, default=1, help="answers to the same canvas")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    for repeat in range(-1, options.repeats):
        rng = np.random.default_rng(options.seed + max(repeat, 0))
        canvas = blank_canvas(bundle, options.bars if repeat >= 0 else 8, rng)
        began = time.perf_counter()
        songs = fill(bundle, canvas, Sampling(temperature=0.95, top_p=0.98), rng, count=options.streams)
        seconds = time.perf_counter() - began
        if repeat < 0:
            continue  # the first one warms up
        notes, quarters = sum(map(len, songs)), sum(song.length for song in songs) / TICKS_PER_QUARTER
        print(json.dumps({"notes": notes, "steps": notes, "quarters": quarters, "seconds": seconds}), flush=True)
    if "torch" in sys.modules:
        raise SystemExit("torch was imported: the peak of memory is not that of playing")


if __name__ == "__main__":
    main()
