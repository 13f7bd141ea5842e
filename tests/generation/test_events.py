"""Playing a line of events: constraints hold, seeds repeat, beams find likelier lines, steps equal a full pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle
from woodshed.bundle.likelihood import event_nats
from woodshed.codecs.melody import FIRST_PITCH, NOTE_OFF, MelodyCodec
from woodshed.errors import BundleError, InfeasibleCanvas, OutOfRange
from woodshed.generation.beam import Beam
from woodshed.generation.events import Line, _Streams, play_events
from woodshed.generation.filters import Sampling
from woodshed.models import build_model

NOTHING = np.empty(0, np.int64)
PRIMER = np.array([14, 0, 16, 0, 18, 1, 0, 0, 14, 0, 16, 0, 18, 1, 0, 0])
FREE = Sampling(temperature=1.0, top_p=1.0)


def _bundle(model: str = "event-rnn", *, lookback: bool = False, attention: int = 0) -> Bundle:
    codec = MelodyCodec(lookback=lookback)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if model == "markov":
            chain = build_model({"name": "markov", "labels": codec.labels, "order": 3})
            return Bundle(chain.fit([codec.targets(np.tile(PRIMER, 4), 16)]).eval(), codec)
        sizes = {"inputs": codec.inputs, "labels": codec.labels, "width": 16, "layers": 2, "dropout": 0.0}
        return Bundle(build_model({"name": model, **sizes, "attention": attention}).eval(), codec)


BUNDLES = [
    pytest.param({}, id="basic"),
    pytest.param({"lookback": True}, id="lookback"),
    pytest.param({"lookback": True, "attention": 4}, id="attention"),
    pytest.param({"model": "markov"}, id="markov"),
    pytest.param({"model": "markov", "lookback": True}, id="markov on lookback's labels"),
]


def _play(bundle: Bundle, line: Line, seed: int = 0, **more: Any) -> np.ndarray:
    return play_events(bundle, line, FREE, np.random.default_rng(seed), **more)


@pytest.mark.parametrize("kind", BUNDLES)
def test_the_same_seed_plays_the_same_line_and_another_another(kind: dict[str, Any]) -> None:
    bundle, line = _bundle(**kind), Line(PRIMER, 40, 16)
    one, two, other = _play(bundle, line, 5), _play(bundle, line, 5), _play(bundle, line, 6)
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)
    assert one.shape == (1, 40)


@pytest.mark.parametrize("kind", BUNDLES)
def test_what_may_not_be_played_never_is(kind: dict[str, Any]) -> None:
    bundle = _bundle(**kind)
    playable = np.isin(np.arange(38), [0, 1, FIRST_PITCH + 12, FIRST_PITCH + 14])
    for events in _play(bundle, Line(PRIMER, 48, 16, playable), count=40):
        assert playable[events].all()
        heard = np.concatenate((PRIMER, events))
        for at in np.flatnonzero(heard == NOTE_OFF):
            turns = np.flatnonzero(heard[:at])
            assert heard[turns[-1]] >= FIRST_PITCH  # only what sounds can end


@pytest.mark.parametrize("kind", BUNDLES)
@torch.inference_mode()
def test_stepping_believes_what_the_whole_line_at_once_does(kind: dict[str, Any]) -> None:
    bundle = _bundle(**kind)
    events = np.concatenate((PRIMER, _play(bundle, Line(PRIMER, 24, 16))[0]))
    labels = bundle.codec.targets(events, 16)
    streams = _Streams(bundle, Line(PRIMER, 24, 16), 1)
    told = []
    for at in range(len(PRIMER), len(events)):
        told.append(float(-torch.from_numpy(streams.player.logits()[0]).log_softmax(0)[labels[at]]))
        streams.events[0, at], streams.at = events[at], at + 1
        streams.player.push(labels[at : at + 1])
    assert told == pytest.approx(event_nats(bundle, events, 16)[len(PRIMER) :].tolist(), abs=1e-4)


def test_a_wide_beam_finds_likelier_lines_than_a_single_draw() -> None:
    bundle, line = _bundle(), Line(PRIMER, 24, 16)

    def cost(beam: Beam) -> float:
        lines = [_play(bundle, line, seed, beam=beam)[0] for seed in range(8)]
        return float(np.mean([event_nats(bundle, np.concatenate((PRIMER, own)), 16).sum() for own in lines]))

    assert cost(Beam(6, 4)) < cost(Beam()) - 1


def test_lines_of_one_call_differ() -> None:
    assert len({line.tobytes() for line in _play(_bundle(), Line(NOTHING, 32, 16), count=5)}) == 5


def test_progress_goes_to_one() -> None:
    told: list[float] = []
    _play(_bundle(), Line(NOTHING, 4, 16), on_step=told.append)
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(OutOfRange, match="beam 0 is outside 1-64"):
        Beam(0)
    with pytest.raises(OutOfRange, match="streams at once"):
        _play(_bundle(), Line(NOTHING, 4, 16), count=2, beam=Beam(64, 64))
    with pytest.raises(InfeasibleCanvas, match="no event"):
        _play(_bundle(), Line(NOTHING, 4, 16, np.zeros(38, bool)))


def test_a_bundle_of_parts_plays_no_line(tmp_path: Any) -> None:
    from woodshed.codecs import NoteStepCodec

    with pytest.raises(BundleError, match=r"plays parts, .* this needs one that plays one sequence of events"):
        _play(Bundle(torch.nn.Identity(), NoteStepCodec()), Line(NOTHING, 4, 16))
