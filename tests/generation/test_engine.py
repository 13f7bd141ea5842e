"""The compiled player says what the torch model says, and obeys its plan."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from woodshed.bundle import Bundle, note_weights
from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import END, LONGEST_SHIFT, PITCH, START_ROW, TIME_SHIFT, WAIT
from woodshed.codecs.past import new_past
from woodshed.codecs.study import ALL_OPEN, row_inputs, with_openness
from woodshed.generation.canvas import Canvas
from woodshed.generation.constraints import Constraints
from woodshed.generation.engine import FINISHED, Stream, new_stream, play_rows, weights_of
from woodshed.generation.fill import ALL_ROWS, fill, lay_out
from woodshed.generation.filters import Sampling, numbers_of
from woodshed.generation.openings import pitches_canvas
from woodshed.generation.plan import Plan, make_plan
from woodshed.models.note_model import Inputs, NoteModel
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.music import Part, Song

CODEC = NoteStepCodec()
BARS = 16


def _bundle(seed: int = 0, scale: float = 3.0) -> Bundle:
    """A small model with weights loud enough that its symbols differ."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = NoteModel(NoteModelConfig(width=16, layers=2, head_width=24, dropout=0.0))
        with torch.no_grad():
            for name, weight in model.named_parameters():
                weight.mul_(scale if "then" in name or "out" in name else 1)
            model.record_trust.normal_(0, 0.5)
            model.vote_worth.normal_(0, 0.1)
            for trust in model.vote_trust:
                trust.weight.normal_(0, 0.2)  # type: ignore[operator]
            model.head_out[0].bias[13:] -= 9.0  # notes close together, as music has them
            for weight in model.parameters():
                weight.copy_(weight.half())  # as it lies on disk, and as the player reads it
    return Bundle(model.eval(), CODEC)


def _plan(bundle: Bundle) -> Plan:
    parts = (Part("Drums", 0, is_drum=True), Part("Bass", 33), Part("Guitar", 30), Part("Guitar", 30))
    return make_plan(bundle, Canvas(Song(parts=parts, length=BARS * 1920), 0, (0, 1, 2, 3)))


def _play(bundle: Bundle, plan: Plan, sampling: Sampling, seed: int = 3) -> Stream:
    weights = weights_of(note_weights(bundle))
    stream = new_stream(weights, 4000, 6000, seed)
    assert play_rows(weights, lay_out(weights, plan), stream, *numbers_of(sampling), ALL_ROWS, ALL_ROWS) == FINISHED
    return stream


def _logits(bundle: Bundle, plan: Plan, rows: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """What the torch model says of each row, in one pass over all."""
    onsets = CODEC.onset_steps(rows)
    places = CODEC.places(np.concatenate(([0], onsets)), plan.bar_lines)
    places[:, 1] += plan.first_bar
    programs = with_openness(plan.programs, ALL_OPEN)
    inputs = row_inputs(new_past(len(rows)), START_ROW, rows, onsets, places, programs)
    batch = Inputs(*(torch.from_numpy(np.array(array))[None] for array in inputs))
    with torch.inference_mode():
        states, _ = bundle.model.states(batch)
        return [logits[0].double().numpy() for logits in bundle.model.logits(batch, states)]


def _allowed(field: int, rows: NDArray[np.int64], plan: Plan) -> NDArray[np.bool_]:
    """What the codec's order allows, and the plan: no end before its end."""
    before = np.concatenate((START_ROW[None], rows[:-1]))
    mask = CODEC.legal(field, before, rows, len(plan.owners))
    if field == TIME_SHIFT:
        mask[:, END] = False
    if field == PITCH:
        mask &= plan.playable[0, rows[:, 1]]
    return mask


@pytest.mark.parametrize("seed", range(4))
def test_the_coldest_player_takes_what_the_torch_model_finds_likeliest(seed: int) -> None:
    bundle = _bundle(seed)
    plan = _plan(bundle)
    stream = _play(bundle, plan, Sampling(temperature=0, top_p=1))
    rows = stream.past.rows[: stream.at[2]].astype(np.int64)
    assert len(rows) > 40
    for field, logits in enumerate(_logits(bundle, plan, rows)):
        told = rows[:, TIME_SHIFT] <= (WAIT if field == TIME_SHIFT else LONGEST_SHIFT)
        masked = np.where(_allowed(field, rows, plan), logits, -np.inf)[told]
        chosen = masked[np.arange(len(masked)), rows[told, field]]
        assert chosen == pytest.approx(masked.max(1), abs=1e-4)


def test_the_nats_of_what_was_drawn_are_those_of_the_torch_model() -> None:
    bundle = _bundle()
    plan = _plan(bundle)
    stream = _play(bundle, plan, Sampling(temperature=1, top_p=1))
    rows = stream.past.rows[: stream.at[2]].astype(np.int64)
    total = 0.0
    for field, logits in enumerate(_logits(bundle, plan, rows)):
        told = rows[:, TIME_SHIFT] <= (WAIT if field == TIME_SHIFT else LONGEST_SHIFT)
        masked = torch.from_numpy(np.where(_allowed(field, rows, plan), logits, -np.inf)[told])
        total -= float(
            torch.log_softmax(masked, 1)[torch.arange(len(masked)), torch.from_numpy(rows[told, field])].sum()
        )
    # The last draw, which ended the canvas, is in the player's sum alone.
    assert stream.nats[0] == pytest.approx(total, rel=1e-3, abs=8)


def test_chords_whose_pitches_are_open_find_room_in_any_range(band_song: Song) -> None:
    """Four notes on one step, and only five pitches to choose from: each draw keeps them apart and inside."""
    song = Song.make([(0, 480 * beat, 240, 60 + 4 * i, 80) for beat in range(8) for i in range(4)], (Part("Keys", 4),))
    bundle = _bundle()
    canvas = pitches_canvas(song, (1, 2), [0])
    canvas = dataclasses.replace(canvas, constraints=Constraints(pitch_ranges={0: (60, 64)}))
    for seed in range(30):
        (played,) = fill(bundle, canvas, Sampling(temperature=1.5, top_p=1), np.random.default_rng(seed))
        assert len(played) == 32
        assert set(played.notes["pitch"].tolist()) <= set(range(60, 65))
        pairs = list(zip(played.notes["onset"].tolist(), played.notes["pitch"].tolist(), strict=True))
        assert len(set(pairs)) == 32


def test_votes_have_a_share_of_their_worth_but_where_a_section_returns() -> None:
    bundle = _bundle()
    plan = _plan(bundle)
    returning = np.where(np.arange(BARS) < 4, 0, 4 * 48)
    some = np.full(6, 0.3, np.float32)

    def played(**changes: NDArray[np.generic]) -> NDArray[np.int64]:
        stream = _play(bundle, dataclasses.replace(plan, **changes), Sampling(temperature=1))
        return stream.kept[: stream.at[3], :6]

    assert not np.array_equal(played(), played(vote_share=some))
    whole = played(vote_share=some, back=np.full(BARS, 48))
    assert np.array_equal(whole, played(back=np.full(BARS, 48)))
    assert not np.array_equal(played(back=returning), played(vote_share=some, back=returning))


def test_without_levels_steering_changes_nothing_and_with_them_it_does() -> None:
    bundle = _bundle()
    plan = _plan(bundle)
    asked = dataclasses.replace(plan, levels=np.full((BARS, 4), 7, np.int8))
    rows = [
        _play(bundle, one, Sampling(temperature=1, steering=strength)).kept.tobytes()
        for one in (plan, asked)
        for strength in (0.0, 1.0)
    ]
    assert rows[0] == rows[1]
    assert rows[2] != rows[3]
