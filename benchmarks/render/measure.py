"""How much our SoundFont player sounds like FluidSynth, and how fast both are on one core.

Run: python benchmarks/render/measure.py [--font FONT] [--songs PER_FOLDER] [--out CSV]
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.signal import stft

from woodshed.errors import WoodshedError
from woodshed.formats import read_midi
from woodshed.music import Part, Song
from woodshed.rendering.sound import render_audio
from woodshed.rendering.soundfont import find_soundfont

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
RATE, WINDOW, HOP, BANDS = 44100, 2048, 1024, 96
LONGEST_SECONDS = 90.0
FLOOR_DB = 70.0
"""Everything further below the loudest point than this counts as equally silent."""


def main() -> None:
    """Measure, print and write one row for each song, then the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--font", type=Path, default=None)
    parser.add_argument("--songs", type=int, default=4, help="songs from each folder of band music")
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core for everything, threads included
    font = options.font or find_soundfont()
    warm_up(font)
    rows = [measure(path, song, font) for path, song in chosen_songs(options.songs)]
    with options.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    summarise(rows, font)


def chosen_songs(per_folder: int) -> list[tuple[Path, Song]]:
    """Evenly spread files of each folder by name, cut to `LONGEST_SECONDS`; what cannot be read is skipped."""
    found = []
    for folder in sorted(path for path in (DATA / "band").iterdir() if path.is_dir()):
        files = sorted(folder.rglob("*.mid"))
        for path in files[:: max(len(files) // per_folder, 1)][:per_folder]:
            try:
                song = read_midi(path)
            except WoodshedError:
                continue
            ticks = np.linspace(0, song.length, 2000)
            end = int(ticks[np.searchsorted(song.seconds(ticks), LONGEST_SECONDS, side="right") - 1])
            song = song.slice(0, end) if 0 < end < song.length else song
            if len(song.notes):
                found.append((path, song))
    return found


def warm_up(font: Path) -> None:
    """Load libraries and fonts before the clock runs."""
    song = Song.make([(0, 0, 480, 60, 90)], [Part("Piano", 0)])
    for engine in ("fluidsynth", "woodshed"):
        render_audio(song, soundfont=font, engine=engine)


def measure(path: Path, song: Song, font: Path) -> dict[str, object]:
    """Play a song with both engines and compare."""
    sounds, seconds = {}, {}
    for engine in ("fluidsynth", "woodshed"):
        start = time.process_time()  # of one core: other work on the machine does not count
        sounds[engine] = render_audio(song, soundfont=font, engine=engine)
        seconds[engine] = time.process_time() - start
    mel, linear, difference = compare(sounds["fluidsynth"], sounds["woodshed"])
    length = len(sounds["woodshed"]) / RATE
    row: dict[str, object] = {
        "folder": path.relative_to(DATA / "band").parts[0],
        "song": path.stem,
        "notes": len(song.notes),
        "sound_seconds": round(length, 1),
        "log_mel_correlation": round(mel, 4),
        "log_spectrum_correlation": round(linear, 4),
        "mean_difference_db": round(difference, 2),
        "fluidsynth_times_real_time": round(length / seconds["fluidsynth"], 1),
        "woodshed_times_real_time": round(length / seconds["woodshed"], 1),
        "speed_ratio_woodshed_to_fluidsynth": round(seconds["fluidsynth"] / seconds["woodshed"], 3),
    }
    print(" ".join(str(value) for value in row.values()), flush=True)
    return row


def compare(reference: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float, float]:
    """Pearson correlations of log-mel and of log-magnitude spectrograms, and the mean |dB| between the mel ones.

    Left and right are compared apart and pooled; the gains are matched by total energy.
    """
    spectra = [power_spectrogram(sound) for sound in (reference, other)]  # (2, frequencies, frames)
    spectra[1] *= spectra[0].sum() / max(spectra[1].sum(), 1e-30)
    weights = mel_weights()
    mels = [decibels(weights @ spectrum) for spectrum in spectra]
    linears = [decibels(spectrum) for spectrum in spectra]
    correlations = [float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) for a, b in (mels, linears)]
    return correlations[0], correlations[1], float(np.abs(mels[0] - mels[1]).mean())


def power_spectrogram(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """(channels, frequencies, frames)."""
    _, _, transform = stft(sound.T, RATE, nperseg=WINDOW, noverlap=WINDOW - HOP)
    return np.asarray(np.abs(transform) ** 2, np.float64)


def decibels(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """10 log10, with the floor `FLOOR_DB` below the loudest point."""
    return 10.0 * np.log10(power + power.max() * 10.0 ** (-FLOOR_DB / 10.0))


def mel_weights() -> NDArray[np.float64]:
    """(bands, frequencies): triangles evenly spread on the mel scale up to 16 kHz, each summing to 1."""
    mel = 2595.0 * np.log10(1.0 + np.fft.rfftfreq(WINDOW, 1.0 / RATE) / 700.0)
    edges = np.linspace(mel[1], 2595.0 * np.log10(1.0 + 16000.0 / 700.0), BANDS + 2)
    rising = (mel - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - mel) / (edges[2:] - edges[1:-1])[:, None]
    weights = np.clip(np.minimum(rising, falling), 0.0, None)
    return np.asarray(weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-9))


def summarise(rows: list[dict[str, object]], font: Path) -> None:
    """The figures that the README quotes."""
    print(f"\n{len(rows)} songs, font {font.name}")
    for column in list(rows[0])[4:]:
        values = np.array([float(str(row[column])) for row in rows])
        print(f"{column}: lowest {values.min():g}, median {np.median(values):g}, highest {values.max():g}")


if __name__ == "__main__":
    main()
