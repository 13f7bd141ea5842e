"""What the held-out songs cost a bundle on the coarser footing of our feasibility study. See README.md.

    python benchmarks/style15/coarse.py --held-out FOLDER BUNDLE...

The chance of a coarse symbol is the sum of the chances of the fine ones that it stands for.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs import FIELDS
from woodshed.codecs.note_step import DRUM_PROGRAM, LONGEST_DURATION, LONGEST_SHIFT
from woodshed.codecs.study import song_inputs
from woodshed.formats import read_midi
from woodshed.models.note_model import Inputs
from woodshed.models.note_sizes import PROGRAMS
from woodshed.music import Song

HERE = Path(__file__).resolve().parent
LENGTHS = np.array(
    [*range(1, 13), 15, 18, 21, 24, 30, 36, 42, 48, 60, 72, 84, 96, 120, 144, 168, 192]
)  # fmt: skip
"""Steps: a duration is told as the nearest."""
DURATIONS = torch.from_numpy(np.searchsorted((LENGTHS[1:] + LENGTHS[:-1]) / 2, np.arange(LONGEST_DURATION) + 1))
VELOCITIES = torch.arange(32) // 4
"""Eight levels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", help="`base`, or folders of bundles")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of MIDI files to be scored on")
    parser.add_argument("--out", type=Path, default=HERE / "coarse.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)
    songs = [read_midi(path) for path in sorted(options.held_out.glob("*.mid"))]
    rows = []
    for name in options.bundles:
        bundle = load_bundle(name)
        found = [costs(bundle, bundle.codec.arrange(song)) for song in songs]
        notes = sum(count for _, _, count in found)
        for footing, table in zip(("fine", "coarse"), zip(*(pair[:2] for pair in found), strict=True), strict=True):
            nats = np.sum(table, 0) / notes
            rows.append([Path(name).name, footing, round(float(nats.sum()), 4), *nats.round(4).tolist()])
            print(rows[-1], flush=True)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("bundle", "footing", "nats_per_note", *FIELDS), *rows])


@torch.no_grad()
def costs(bundle: Bundle, song: Song) -> tuple[np.ndarray, np.ndarray, int]:
    """Nats (6,) of an arranged song, as it is and on the coarse footing; how many notes it has."""
    told = song_inputs(bundle.codec, song)
    inputs = Inputs(*(torch.from_numpy(np.ascontiguousarray(table))[None] for table in told))
    model = bundle.model.eval()
    chances = [logits[0].float().softmax(-1).double() for logits in model.logits(inputs, model.states(inputs)[0])]
    rows, programs = inputs.rows[0, 1:], inputs.programs[0, :, 0]
    note = rows[:, 0] <= LONGEST_SHIFT
    drum = programs[rows[:, 1]] == DRUM_PROGRAM
    classes = {1: (programs, PROGRAMS), 3: (DURATIONS, len(LENGTHS)), 4: (VELOCITIES, 8)}
    fine, coarse = np.zeros(len(FIELDS)), np.zeros(len(FIELDS))
    for field, chance in enumerate(chances):
        counts = note if field else torch.ones_like(note)
        fine[field] = nats(chance, rows[:, field])[counts].sum()
        if field in classes:
            of, size = classes[field]
            chance, symbols = chance.new_zeros(len(rows), size).index_add_(1, of, chance), of[rows[:, field]]
        else:
            symbols = rows[:, field]
        counts = counts & ~drum if field == 3 else counts
        coarse[field] = nats(chance, symbols)[counts].sum() if field < 5 else 0.0
    return fine, coarse, int(note.sum())


def nats(chance: Tensor, symbols: Tensor) -> Tensor:
    return -chance.gather(1, symbols[:, None])[:, 0].clamp(min=1e-30).log()


if __name__ == "__main__":
    main()
