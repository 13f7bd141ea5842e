"""SoundFonts: finding one, and reading its presets, zones and samples as numpy tables.

A SoundFont 2 file is a RIFF tree: ``sdta`` holds all samples as 16-bit PCM, ``pdta`` nine tables that lead from a
preset (bank and program) through zones to instruments, through their zones to samples. SoundFont 3 is the same
with every sample compressed as Ogg Vorbis. Samples are mapped, not loaded: a font of gigabytes costs only what plays.

Source: SoundFont Technical Specification 2.04 (Creative, 2006). We differ in leaving modulators out: the default
ones are built into the renderer, those of the font are ignored.
"""

from __future__ import annotations

import functools
import io
import os
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import FileError, FormatError, MissingDependency

SUFFIXES = (".sf2", ".sf3")
BUNDLED = Path(__file__).parent / "soundfonts"
"""Where the build puts the default font; empty when the package was built without npm."""
PLACES = (
    "~/.local/share/soundfonts", "~/.local/share/sounds/sf2", "~/.local/share/sounds/sf3", "~/.fluidsynth",
    "~/Library/Audio/Sounds/Banks", "/usr/share/sounds/sf2", "/usr/share/sounds/sf3", "/usr/share/soundfonts",
    "/usr/local/share/sounds/sf2", "/usr/local/share/soundfonts", "/opt/homebrew/share/soundfonts",
)  # fmt: skip
"""The usual places, in the order in which they are searched."""
DRUM_BANK = 128
MAX_SAMPLE_FRAMES = 1 << 26
"""Longest compressed sample that is decoded: 25 minutes at 44,100 Hz."""

PRESET = np.dtype([("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("unused", "<u4", 3)])
BAG = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
INSTRUMENT = np.dtype([("name", "S20"), ("bag", "<u2")])
SAMPLE = np.dtype(
    [
        ("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
        ("rate", "<u4"), ("pitch", "u1"), ("correction", "i1"), ("link", "<u2"), ("kind", "<u2"),
    ]
)  # fmt: skip
_TABLES = {
    b"phdr": PRESET, b"pbag": BAG, b"pgen": GENERATOR, b"inst": INSTRUMENT, b"ibag": BAG, b"igen": GENERATOR,
    b"shdr": SAMPLE,
}  # fmt: skip
_ROM, _VORBIS = 0x8000, 0x10

# Generators, by the numbers of the specification, 8.1.2.
START, END, LOOP_START, LOOP_END, START_COARSE, END_COARSE, LOOP_START_COARSE, LOOP_END_COARSE = (
    0,
    1,
    2,
    3,
    4,
    12,
    45,
    50,
)
MOD_LFO_TO_PITCH, VIBRATO_TO_PITCH, MOD_ENVELOPE_TO_PITCH, FILTER_CUTOFF, FILTER_Q = 5, 6, 7, 8, 9
MOD_LFO_TO_FILTER, MOD_ENVELOPE_TO_FILTER, MOD_LFO_TO_VOLUME, CHORUS_SEND, REVERB_SEND, PAN = 10, 11, 13, 15, 16, 17
MOD_LFO_DELAY, MOD_LFO_RATE, VIBRATO_DELAY, VIBRATO_RATE = 21, 22, 23, 24
MOD_ENVELOPE, VOLUME_ENVELOPE = 25, 33
"""First of eight: delay, attack, hold, decay, sustain, release, key to hold, key to decay."""
INSTRUMENT_OF, KEY_RANGE, VELOCITY_RANGE, KEY, VELOCITY, ATTENUATION = 41, 43, 44, 46, 47, 48
COARSE_TUNE, FINE_TUNE, SAMPLE_OF, SAMPLE_MODES, SCALE_TUNING, EXCLUSIVE_CLASS, ROOT_KEY = 51, 52, 53, 54, 56, 57, 58
GENERATORS = 61
_DEFAULTS = np.zeros(GENERATORS, np.int32)
_DEFAULTS[[21, 23, 25, 26, 27, 28, 30, 33, 34, 35, 36, 38]] = -12000
_DEFAULTS[FILTER_CUTOFF], _DEFAULTS[SCALE_TUNING] = 13500, 100
_DEFAULTS[[KEY, VELOCITY, ROOT_KEY]] = -1
_NOT_IN_PRESETS = (0, 1, 2, 3, 4, 12, 45, 46, 47, 50, 54, 57, 58)
"""Generators that have no meaning in a preset's zone, 8.5."""


@dataclass(frozen=True, eq=False)
class Region:
    """One sample as a preset plays it: the end of a path preset -> zone -> instrument -> zone -> sample."""

    generators: NDArray[np.int32]
    """(61,) the value of every generator: the instrument's, else its default, plus the preset's."""
    keys: tuple[int, int]
    """Lowest and highest pitch that it answers to."""
    velocities: tuple[int, int]
    """Softest and loudest velocity that it answers to."""
    sample: int
    """Row of `SoundFont.samples`."""

    def __getitem__(self, kind: int) -> int:
        return int(self.generators[kind])

    def answers(self, pitch: int, velocity: int) -> bool:
        """Whether a note sounds this region."""
        return self.keys[0] <= pitch <= self.keys[1] and self.velocities[0] <= velocity <= self.velocities[1]


@dataclass(frozen=True, eq=False)
class SoundFont:
    """A SoundFont's tables; `read_soundfont` makes it and checks them."""

    path: Path
    tables: dict[bytes, NDArray[Any]]
    """The tables by their four-letter names, terminal records included."""
    data: NDArray[Any]
    """All samples: int16 PCM, or bytes where they are compressed; mapped from the file."""
    is_compressed: bool
    _regions: dict[tuple[int, int], tuple[Region, ...]] = field(default_factory=dict)
    _decoded: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    @property
    def samples(self) -> NDArray[Any]:
        """(samples,) of `SAMPLE`, without the terminal record."""
        return self.tables[b"shdr"][:-1]

    @functools.cached_property
    def presets(self) -> dict[tuple[int, int], int]:
        """(bank, program) -> row of the preset table; the first of equal ones counts."""
        rows = self.tables[b"phdr"][:-1]
        found = {(int(row["bank"]), int(row["program"])): index for index, row in reversed(list(enumerate(rows)))}
        if not found:
            raise FormatError(f"{self.path.name}: the SoundFont has no presets; use another font")
        return found

    def regions(self, bank: int, program: int) -> tuple[Region, ...]:
        """What a preset is made of; a bank that lacks it falls back on bank 0 (drums: on kit 0), then on program 0."""
        base = DRUM_BANK if bank == DRUM_BANK else 0
        wanted = [(bank, program), (base, program), (base, 0), (0, 0), next(iter(self.presets))]
        chosen = next(place for place in wanted if place in self.presets)
        if chosen not in self._regions:
            self._regions[chosen] = tuple(self._resolve(self.presets[chosen]))
        return self._regions[chosen]

    def _resolve(self, preset: int) -> list[Region]:
        """Walk the zones of a preset and of its instruments."""
        regions = []
        for upper in self._zones(b"phdr", b"pbag", b"pgen", preset, INSTRUMENT_OF):
            instrument = int(upper[INSTRUMENT_OF])
            if not 0 <= instrument < len(self.tables[b"inst"]) - 1:
                continue
            for lower in self._zones(b"inst", b"ibag", b"igen", instrument, SAMPLE_OF):
                regions += [region for region in [_region(upper, lower)] if self._is_playable(region)]
        return regions

    def _zones(self, owners: bytes, bags: bytes, generators: bytes, index: int, target: int) -> list[dict[int, int]]:
        """The zones of a preset or instrument as {generator: amount}, the global zone folded into the others."""
        first, last = (int(self.tables[owners]["bag"][index + offset]) for offset in (0, 1))
        common: dict[int, int] = {}
        zones = []
        for bag in range(first, last):
            start, end = (int(self.tables[bags]["generator"][bag + offset]) for offset in (0, 1))
            rows = self.tables[generators][start:end]
            zone = dict(zip(rows["kind"].tolist(), rows["amount"].tolist(), strict=True))
            if target in zone:
                zones.append(common | zone)
            elif bag == first:
                common = zone
        return zones

    def _is_playable(self, region: Region) -> bool:
        """Whether its ranges meet and its sample is there."""
        if region.keys[0] > region.keys[1] or region.velocities[0] > region.velocities[1]:
            return False
        if not 0 <= region.sample < len(self.samples):
            return False
        row = self.samples[region.sample]
        return int(row["end"]) > int(row["start"]) + 1 and not int(row["kind"]) & _ROM and int(row["rate"]) > 0

    def wave(self, region: Region) -> tuple[NDArray[Any], int, int]:
        """The region's samples from its start to its end, and its loop [start, end) within them.

        (frames,) of int16 or of float32 in the same range. A loop that lies outside comes back as (0, 0), and a
        region without any frame as two silent ones.
        """
        row = self.samples[region.sample]
        if int(row["kind"]) & _VORBIS:
            wave, origin = self._decode(region.sample), 0
            base, stop = 0, len(wave)
        else:
            wave, origin = self.data, int(row["start"])
            base, stop = origin, int(row["end"])
        first = base + region[START] + 32768 * region[START_COARSE]
        last = stop + region[END] + 32768 * region[END_COARSE]
        first = min(max(first, 0), len(wave))
        last = min(max(last, first), len(wave))
        loops = origin if int(row["kind"]) & _VORBIS else 0
        loop_start = loops + int(row["loop_start"]) + region[LOOP_START] + 32768 * region[LOOP_START_COARSE] - first
        loop_end = loops + int(row["loop_end"]) + region[LOOP_END] + 32768 * region[LOOP_END_COARSE] - first
        if first == last:
            return np.zeros(2, np.int16), 0, 0
        if not 0 <= loop_start < loop_end <= last - first:
            loop_start = loop_end = 0
        return wave[first:last], loop_start, loop_end

    def _decode(self, index: int) -> NDArray[np.float32]:
        """One Ogg Vorbis sample, scaled like 16-bit PCM; kept."""
        if index not in self._decoded:
            import soundfile

            row = self.samples[index]
            try:
                with soundfile.SoundFile(io.BytesIO(self.data[int(row["start"]) : int(row["end"])].tobytes())) as file:
                    wave = file.read(min(len(file), MAX_SAMPLE_FRAMES), dtype="float32", always_2d=True)[:, 0]
            except (soundfile.LibsndfileError, RuntimeError) as error:
                raise FormatError(f"{self.path.name}: sample {index} cannot be decoded; the file is damaged") from error
            self._decoded[index] = wave * np.float32(32768.0)
        return self._decoded[index]


def _region(upper: dict[int, int], lower: dict[int, int]) -> Region:
    """A preset's zone and an instrument's zone make one region."""
    values = _DEFAULTS.copy()
    for kind, amount in lower.items():
        if kind < GENERATORS:
            values[kind] = amount
    for kind, amount in upper.items():
        if kind < GENERATORS and kind not in _NOT_IN_PRESETS and kind not in (INSTRUMENT_OF, SAMPLE_OF):
            values[kind] += amount
    ranges = []
    for kind in (KEY_RANGE, VELOCITY_RANGE):
        spans = [(zone[kind] & 0x7F, zone[kind] >> 8 & 0x7F) for zone in (upper, lower) if kind in zone]
        ranges.append((max([0, *(low for low, _ in spans)]), min([127, *(high for _, high in spans)])))
    values.flags.writeable = False
    return Region(values, ranges[0], ranges[1], int(lower[SAMPLE_OF]) & 0xFFFF)


def find_soundfont() -> Path:
    """The font to play with: $WOODSHED_SOUNDFONT, the one that came with the package, or one in the usual places.

    Raises:
        FileError: when $WOODSHED_SOUNDFONT names a file that is not there.
        MissingDependency: when there is none at all.
    """
    named = os.environ.get("WOODSHED_SOUNDFONT")
    if named:
        if not Path(named).expanduser().is_file():
            raise FileError(f"{named}: no such SoundFont; point WOODSHED_SOUNDFONT at a .sf2 or .sf3 file, or unset it")
        return Path(named).expanduser()
    for place in (BUNDLED, *(Path(place).expanduser() for place in PLACES)):
        fonts = sorted(found for found in _files(place) if found.suffix.lower() in SUFFIXES and found.is_file())
        if fonts:
            return fonts[0]
    raise MissingDependency(
        "no SoundFont found; install one (for example the package fluid-soundfont-gm), or set WOODSHED_SOUNDFONT to a"
        " .sf2 or .sf3 file"
    )


def _files(folder: Path) -> list[Path]:
    """What lies in a folder; nothing when it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def read_soundfont(path: Path) -> SoundFont:
    """Map a font and read its tables; every length and index is checked before it is used.

    Raises:
        FileError: when the file cannot be read.
        FormatError: when it is not a SoundFont, or is damaged; the message says where.
    """
    path = Path(path)
    try:
        content: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is empty"
        raise FileError(f"{path} cannot be read as a SoundFont: {reason}") from error
    chunks = _chunks(content, path)
    tables = {name: _table(chunks, name, dtype, path) for name, dtype in _TABLES.items()}
    _check_indices(tables, path)
    compressed = bool((tables[b"shdr"]["kind"] & _VORBIS).any())
    data = chunks.get(b"smpl", content[:0])
    pcm = data[: len(data) // 2 * 2].view("<i2")
    return SoundFont(path, tables, data if compressed else pcm, compressed)


def _chunks(content: NDArray[np.uint8], path: Path) -> dict[bytes, NDArray[np.uint8]]:
    """Every leaf of the RIFF tree by name, two levels deep as the format has it."""
    if content[:4].tobytes() != b"RIFF" or content[8:12].tobytes() != b"sfbk":
        raise FormatError(f"{path.name}: not a SoundFont (no RIFF sfbk at its start); give a .sf2 or .sf3 file")
    leaves: dict[bytes, NDArray[np.uint8]] = {}
    for name, body in _walk(content[12:], path):
        leaves.update(_walk(body[4:], path) if name == b"LIST" else [(name, body)])
    return leaves


def _walk(body: NDArray[np.uint8], path: Path) -> list[tuple[bytes, NDArray[np.uint8]]]:
    """The chunks of one level."""
    found, place = [], 0
    while place + 8 <= len(body):
        name, size = struct.unpack("<4sI", body[place : place + 8].tobytes())
        if place + 8 + size > len(body):
            raise FormatError(
                f"{path.name}: chunk {name.decode('latin-1')!r} claims {size} bytes but {len(body) - place - 8} are"
                " left; the file is truncated or damaged"
            )
        found.append((name, body[place + 8 : place + 8 + size]))
        place += 8 + size + size % 2
    return found


def _table(chunks: dict[bytes, NDArray[np.uint8]], name: bytes, dtype: np.dtype[Any], path: Path) -> NDArray[Any]:
    """One table of ``pdta``, copied out of the map."""
    body = chunks.get(name)
    if body is None or len(body) < dtype.itemsize or len(body) % dtype.itemsize:
        size = "missing" if body is None else f"{len(body)} bytes"
        raise FormatError(
            f"{path.name}: table {name.decode()!r} is {size}, not a multiple of {dtype.itemsize}; the file is damaged"
        )
    return np.frombuffer(body.tobytes(), dtype)


def _check_indices(tables: dict[bytes, NDArray[Any]], path: Path) -> None:
    """Each table's pointers rise and stay inside the next table."""
    for owner, column, target in (
        (b"phdr", "bag", b"pbag"), (b"pbag", "generator", b"pgen"), (b"inst", "bag", b"ibag"),
        (b"ibag", "generator", b"igen"),
    ):  # fmt: skip
        pointers = tables[owner][column].astype(np.int64)
        limit = len(tables[target]) - (column == "bag")
        bad = np.flatnonzero((np.diff(pointers, prepend=0) < 0) | (pointers > limit))
        if len(bad):
            raise FormatError(
                f"{path.name}: table {owner.decode()!r} row {bad[0]} points at {pointers[bad[0]]}, outside 0-{limit} or"
                " backwards; the file is damaged"
            )
