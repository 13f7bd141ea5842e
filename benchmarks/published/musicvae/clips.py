"""The clips that each space is learned from and measured on, cut from our open corpora and kept as tokens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs.clip_drums import ClipDrumsCodec
from woodshed.codecs.clip_melody import ClipMelodyCodec
from woodshed.codecs.clip_trio import ClipTrioCodec
from woodshed.codecs.clips import BAR_STEPS
from woodshed.corpus import BuildOptions, build_corpus
from woodshed.music import Song
from woodshed.recipes.material import is_corpus, open_material

HERE = Path(__file__).resolve().parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[3] / "shared" / "data"))
FOLDERS = {
    "groove": "groove",
    "bands": "band",
    "openewld": "leadsheets/openewld",
    "nottingham": "folk/nottingham/melody",
}
"""Name of a set -> its folder below WOODSHED_DATA."""


class SixteenBarDrums(ClipDrumsCodec):
    """As `ClipDrumsCodec`, but sixteen bars, which a hierarchical decoder plays one by one."""

    bars: ClassVar[int] = 16
    steps: ClassVar[int] = 16 * BAR_STEPS


CODECS: dict[str, Any] = {
    "2-bar drums": ClipDrumsCodec(),
    "16-bar drums": SixteenBarDrums(),
    "2-bar melody": ClipMelodyCodec(),
    "16-bar trio": ClipTrioCodec(),
}


@dataclass(frozen=True)
class Clips:
    """Each clip once on each side of the split, which is one of songs."""

    learned: NDArray[np.int64]
    """(N, P, T) tokens."""
    held_out: NDArray[np.int64]
    """(M, P, T)"""
    song: NDArray[np.int64]
    """(M,) which song each held-out clip is of."""


def clips_of(kind: str, data: str, work: Path) -> Clips:
    """The clips of a set, found on the first call and kept below ``work``."""
    file = work / f"clips-{kind.replace(' ', '-')}-{data}.npz"
    if not file.exists():
        corpus = work / f"corpus-{data}"
        if not is_corpus(corpus):
            build_corpus(DATA / FOLDERS[data], corpus, options=BuildOptions(), force=True)
        material = open_material(corpus, work)
        learned, _ = _found(material.songs, CODECS[kind])
        held_out, song = _found(material.held_out, CODECS[kind])
        part = file.with_suffix(".part.npz")
        np.savez_compressed(part, learned=learned, held_out=held_out, song=song)
        part.replace(file)
    with np.load(file) as arrays:
        return Clips(arrays["learned"].astype(np.int64), arrays["held_out"].astype(np.int64), arrays["song"])


def _found(songs: Sequence[Song], codec: Any) -> tuple[NDArray[np.int16], NDArray[np.int64]]:
    """(N, P, T) tokens of all clips, each once, and (N,) the number of its song."""
    clips: dict[bytes, tuple[NDArray[np.int16], int]] = {}
    for number, song in enumerate(songs):
        for clip in codec.clips(song):
            tokens = codec.encode(clip).astype(np.int16)
            clips.setdefault(tokens.tobytes(), (tokens, number))
    found, owners = zip(*clips.values(), strict=True)
    return np.stack(found), np.array(owners)
