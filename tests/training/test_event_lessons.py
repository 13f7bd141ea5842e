"""Lessons of event sequences: windows are cut at bar lines, look only back, and are learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.codecs.melody import MelodyCodec
from woodshed.errors import CorpusError
from woodshed.models import build_model
from woodshed.music import Part, Song
from woodshed.training.event_lessons import UNSCORED, EventLessons
from woodshed.training.examples import Augmentation
from woodshed.training.loop import TrainingOptions, train

CODEC = MelodyCodec(lookback=True)


def _song(bars: int = 6) -> Song:
    rows = [(0, beat * 480, 240, 60 + (0, 4, 7, 5)[beat % 4], 90) for beat in range(4 * bars)]
    return Song.make(rows, [Part("Flute", 73)], length=bars * 1920)


def test_a_window_is_a_piece_of_its_song_that_begins_at_a_bar_line() -> None:
    song = CODEC.arrange(_song())
    events = CODEC.encode(song)
    looks, labels = CODEC.look(events, 16)[:-1], CODEC.targets(events, 16)
    batch = EventLessons(CODEC, [song], 32, 24, Augmentation()).draw(np.random.default_rng(0))
    starts = set()
    for active, own in zip(batch.active, batch.labels, strict=True):
        scored = int((own != UNSCORED).sum())
        found = [
            start
            for start in range(0, len(events), 16)
            if np.array_equal(labels[start : start + 24], own[:scored])
            and np.array_equal(looks[start : start + 24], active[:scored])
        ]
        assert found
        starts.update(found)
    assert len(starts) > 2
    assert batch.notes > 0


def test_padding_is_not_scored() -> None:
    batch = EventLessons(CODEC, [_song(bars=1)], 2, 40, Augmentation()).draw(np.random.default_rng(0))
    assert (batch.labels[:, 16:] == UNSCORED).all()
    assert (batch.active[:, 16:] == -1).all()


def test_a_few_steps_learn_a_tune(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"inputs": CODEC.inputs, "labels": CODEC.labels, "width": 32, "layers": 1, "dropout": 0.0}
        model = build_model({"name": "event-rnn", **sizes})
    options = TrainingOptions(
        minutes=None, steps=60, batch=8, length=32, learning_rate=0.01, evaluations=6, averaging=0.5
    )
    outcome = train(Bundle(model, CODEC), [_song()], [_song(bars=4).transpose(2)], tmp_path / "b", options)
    losses = [event.held_out_nats for event in outcome.events if event.kind == "evaluation"]
    assert losses[-1] is not None
    assert losses[0] is not None
    assert losses[-1] < losses[0] - 1
    assert outcome.bundle.codec == CODEC


def test_songs_without_notes_are_nothing_to_learn_from() -> None:
    with pytest.raises(CorpusError, match="no song with notes"):
        EventLessons(CODEC, [Song(parts=(Part(),))], 2, 16, Augmentation())
