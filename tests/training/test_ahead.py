"""Batches that are drawn ahead are those that would come without."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from woodshed.codecs import NoteStepCodec
from woodshed.errors import CorpusError
from woodshed.music import Song
from woodshed.training.ahead import Ahead
from woodshed.training.examples import Augmentation, Batch, Windows, encode_examples


def _windows(song: Song, threads: int) -> Windows:
    codec = NoteStepCodec()
    return Windows(codec, encode_examples(codec, [song]), 5, 24, Augmentation(), threads)


def _same(one: Batch, other: Batch) -> bool:
    pairs = zip((*one.inputs, one.scored, one.goes_on), (*other.inputs, other.scored, other.goes_on), strict=True)
    return all(np.array_equal(left, right) for left, right in pairs)


@pytest.fixture
def ahead(band_song: Song) -> Iterator[Ahead]:
    """Walks on three threads, drawn ahead."""
    one = Ahead(_windows(band_song, 3).draw, np.random.default_rng(5))
    yield one
    one.close()


def test_threads_and_drawing_ahead_change_no_batch(ahead: Ahead, band_song: Song) -> None:
    plain, rng = _windows(band_song, 1), np.random.default_rng(5)
    for _ in range(12):
        assert _same(ahead.take(), plain.draw(rng))
        assert ahead.state == rng.bit_generator.state, "a checkpoint says where the next batch begins"


def test_what_goes_wrong_while_drawing_is_told_to_who_takes() -> None:
    def draw(rng: np.random.Generator) -> int:
        if rng.random() < 2:
            raise CorpusError("no song has a note")
        return 1

    one = Ahead(draw, np.random.default_rng(0))
    with pytest.raises(CorpusError, match="no song has a note"):
        one.take()
    one.close()
