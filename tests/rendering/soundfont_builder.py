"""Builds tiny SoundFonts for tests: each instrument is a looped wave, each preset one zone of it or more."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

RATE = 44100
SAMPLE_OF, INSTRUMENT_OF = 53, 41


@dataclass(frozen=True)
class Zone:
    """One sample and its generators."""

    sample: int = 0
    generators: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Preset:
    """A program of a bank, made of zones."""

    bank: int
    program: int
    zones: Sequence[Zone]


def sine(hertz: float = 441.0, seconds: float = 0.2) -> np.ndarray:
    """A sine of 16-bit samples; 441 Hz has a period of exactly 100 frames at 44,100."""
    frames = np.arange(int(seconds * RATE))
    return (20000 * np.sin(2 * np.pi * hertz * frames / RATE)).astype("<i2")


def build_soundfont(
    presets: Sequence[Preset], waves: Sequence[np.ndarray], *, root: int = 69, correction: int = -4
) -> bytes:
    """The bytes of a SoundFont 2 whose samples loop from frame 100 to the last full hundred.

    The root is A4; a wave of 441 Hz is 4 cents sharp of it, hence the correction.
    """
    headers, data, start = [], [], 0
    for index, wave in enumerate(waves):
        end = start + len(wave)
        loop_end = start + (len(wave) - 100) // 100 * 100
        headers.append(
            struct.pack(
                "<20sIIIIIBbHH", b"wave%d" % index, start, end, start + 100, loop_end, RATE, root, correction, 0, 1
            )
        )
        data.append(wave.tobytes() + bytes(92))
        start = end + 46
    headers.append(struct.pack("<20sIIIIIBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0))
    tables = _tables(presets)
    tables[b"shdr"] = b"".join(headers)
    order = (b"phdr", b"pbag", b"pmod", b"pgen", b"inst", b"ibag", b"imod", b"igen", b"shdr")
    body = b"sfbk" + _list(b"INFO", _chunk(b"ifil", struct.pack("<HH", 2, 1)) + _chunk(b"INAM", b"tiny\0\0"))
    body += _list(b"sdta", _chunk(b"smpl", b"".join(data)))
    body += _list(b"pdta", b"".join(_chunk(name, tables[name]) for name in order))
    return _chunk(b"RIFF", body)


def _tables(presets: Sequence[Preset]) -> dict[bytes, bytes]:
    """Every preset has one zone that leads to an instrument of its own."""
    phdr, pbag, pgen, inst, ibag, igen = [], [], [], [], [], []
    for index, preset in enumerate(presets):
        phdr.append(struct.pack("<20sHHHIII", b"preset%d" % index, preset.program, preset.bank, index, 0, 0, 0))
        pbag.append(struct.pack("<HH", index, 0))
        pgen.append(struct.pack("<HH", INSTRUMENT_OF, index))
        inst.append(struct.pack("<20sH", b"inst%d" % index, len(ibag)))
        for zone in preset.zones:
            ibag.append(struct.pack("<HH", len(igen), 0))
            igen += [struct.pack("<HH", kind, amount & 0xFFFF) for kind, amount in zone.generators.items()]
            igen.append(struct.pack("<HH", SAMPLE_OF, zone.sample))
    phdr.append(struct.pack("<20sHHHIII", b"EOP", 0, 0, len(pbag), 0, 0, 0))
    pbag.append(struct.pack("<HH", len(pgen), 0))
    inst.append(struct.pack("<20sH", b"EOI", len(ibag)))
    ibag.append(struct.pack("<HH", len(igen), 0))
    end = [struct.pack("<HH", 0, 0)]
    joined = {b"phdr": phdr, b"pbag": pbag, b"pgen": pgen + end, b"inst": inst, b"ibag": ibag, b"igen": igen + end}
    return {name: b"".join(rows) for name, rows in joined.items()} | {b"pmod": bytes(10), b"imod": bytes(10)}


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)


def _list(kind: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", kind + body)
