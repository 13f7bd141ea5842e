"""Peak memory of the main verbs, each as a whole process on the 18 songs of `../style15/songs.toml`.

    python benchmarks/memory/run.py [--out results.csv]

Music is read from WOODSHED_DATA (default ../shared/data). The figure is the kernel's own: the largest resident
set of the process and of any of its children (ru_maxrss).
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
SONGS = tomllib.loads((HERE.parent / "style15" / "songs.toml").read_text(encoding="utf-8"))
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data")) / SONGS["folder"]
MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE / "results.csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, options.out.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["verb", "seconds", "peak_mib", "machine"])
        for verb, arguments in commands(Path(scratch)).items():
            seconds, peak = measure(arguments)
            machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
            table.writerow([verb, f"{seconds:.1f}", f"{peak:.0f}", machine])
            print(f"{verb}: {peak:.0f} MiB, {seconds:.1f} s", flush=True)


def commands(scratch: Path) -> dict[str, list[str]]:
    """Verb -> arguments of `woodshed`; each builds on the one before."""
    music = scratch / "music"
    music.mkdir()
    for song in (*SONGS["train"], *SONGS["held_out"]):
        shutil.copyfile(DATA / song["file"], music / song["file"])
    corpus, bundle, clip = (str(scratch / name) for name in ("corpus", "bundle", "clip.mid"))
    return {
        "doctor": ["doctor", *map(str, sorted(music.glob("*.mid")))],
        "corpus build": ["corpus", "build", str(music), "-o", corpus],
        "train, 30 seconds": ["train", "band", corpus, "-o", bundle, "--minutes", "0.5", "--seed", "0"],
        "generate, 8 bars": ["generate", bundle, "-o", clip, "--bars", "8", "--seed", "0"],
        "generate, 64 bars": ["generate", bundle, "-o", clip, "--bars", "64", "--seed", "0", "--force"],
        "render wav": ["render", clip, "-o", str(scratch / "clip.wav")],
        "render png": ["render", clip, "-o", str(scratch / "clip.png")],
    }


def measure(arguments: list[str]) -> tuple[float, float]:
    """Seconds and peak MiB of one command."""
    began = time.perf_counter()
    command = [sys.executable, "-c", MEASURED, sys.executable, "-m", "woodshed", *arguments]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - began, int(answer.stdout) / 1024


if __name__ == "__main__":
    main()
