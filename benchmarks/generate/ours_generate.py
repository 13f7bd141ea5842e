"""Notes per second of our generation, one stream. Runs in the project's environment."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from woodshed.bundle import load_bundle
from woodshed.generation.canvas import blank_canvas
from woodshed.generation.fill import fill
from woodshed.generation.filters import Sampling
from woodshed.music.units import TICKS_PER_QUARTER


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    bundle = load_bundle(options.bundle)
    for repeat in range(-1, options.repeats):
        rng = np.random.default_rng(options.seed + max(repeat, 0))
        canvas = blank_canvas(bundle, options.bars, rng)
        began = time.perf_counter()
        song = fill(bundle, canvas, Sampling(temperature=0.95, top_p=0.98), rng)[0]
        seconds = time.perf_counter() - began
        if repeat < 0:
            continue  # the first one warms up
        quarters = song.length / TICKS_PER_QUARTER
        print(
            json.dumps({"notes": len(song), "steps": len(song), "quarters": quarters, "seconds": seconds}), flush=True
        )


if __name__ == "__main__":
    main()
