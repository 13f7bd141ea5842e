"""The note transformer: causal, the same one step at a time as all at once, blind to what is not decided."""

from __future__ import annotations

import pytest
import torch

from woodshed.models.note_transformer import FIELD_SIZES, Hints, Inputs, NoteTransformer, NoteTransformerConfig, score

TINY = NoteTransformerConfig(width=16, layers=2, heads=2, head_width=8, window=6, dropout=0.5)
PARTS = 3


def _model() -> NoteTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return NoteTransformer(TINY).eval()


def _inputs(batch: int = 2, time: int = 20, seed: int = 0) -> Inputs:
    chance = torch.Generator().manual_seed(seed)

    def draw(high: int, *shape: int, low: int = 0) -> torch.Tensor:
        return torch.randint(low, high, shape, generator=chance)

    sizes = (191, PARTS, *FIELD_SIZES[2:])
    programs = torch.full((batch, 16, 2), 0)
    programs[..., 0] = 129
    programs[:, :PARTS, 0] = torch.tensor([128, 33, 30])
    return Inputs(
        torch.stack([draw(size, batch, time + 1) for size in sizes], -1),
        torch.stack([draw(48, batch, time + 1), draw(30, batch, time + 1), torch.full((batch, time + 1), 48)], -1),
        programs,
        torch.stack([draw(size, batch, time, 5, low=-1) for size in sizes], 2),
        draw(16, batch, time, 6, 5),
        draw(128, batch, time, 3, low=-1),
        torch.randn(batch, time, 2, 12, generator=chance),
    )


def test_a_later_note_changes_no_earlier_loss() -> None:
    model, inputs = _model(), _inputs()
    rows = inputs.rows.clone()
    rows[:, 12] = (rows[:, 12] + 1) % 3
    with torch.no_grad():
        before, after = model.losses(inputs), model.losses(inputs._replace(rows=rows))
    assert torch.equal(before[:, :11], after[:, :11])
    assert not torch.equal(before[:, 11:], after[:, 11:])


def test_a_field_sees_only_the_fields_decided_before_it() -> None:
    model, inputs = _model(), _inputs()
    rows = inputs.rows[:, 1:]
    with torch.no_grad():
        hidden = model.head_in(model.states(inputs.rows[:, :-1], inputs.places[:, :-1], inputs.programs))
        for field in range(6):
            hints = Hints(inputs.expected[:, :, field], inputs.records[:, :, field], inputs.anchors, inputs.tallies)
            undecided = rows.clone()
            undecided[..., field:] = 0
            place = inputs.places[:, 1:]
            seen = model.head(field, hidden, rows, place, inputs.programs, hints)
            blind = model.head(field, hidden, undecided, place, inputs.programs, hints)
            assert torch.equal(seen, blind)


@pytest.mark.parametrize("chunk", [1, 3, 7, 50])
def test_a_song_in_chunks_costs_what_it_costs_in_one_pass(chunk: int) -> None:
    model, inputs = _model(), _inputs(time=40)
    with torch.no_grad():
        whole = model.losses(inputs)
    torch.testing.assert_close(score(model, inputs, chunk), whole, atol=1e-5, rtol=1e-5)


def test_attention_reaches_back_exactly_its_window() -> None:
    shallow = NoteTransformer(NoteTransformerConfig(width=16, layers=1, heads=2, head_width=8, window=6)).eval()
    inputs = _inputs(batch=1)
    rows = inputs.rows.clone()
    rows[:, 5] = (rows[:, 5] + 1) % 3
    with torch.no_grad():
        before = shallow.states(inputs.rows, inputs.places, inputs.programs)
        after = shallow.states(rows, inputs.places, inputs.programs)
    changed = (before != after).any(-1)[0].nonzero().flatten().tolist()
    assert changed == list(range(5, 11))


def test_the_cache_stays_as_small_as_the_window() -> None:
    model, inputs = _model(), _inputs(time=40)
    cache = model.new_cache()
    with torch.no_grad():
        for t in range(40):
            model.states(inputs.rows[:, t : t + 1], inputs.places[:, t : t + 1], inputs.programs, cache)
    assert cache.keys[0].shape[2] == TINY.window - 1
    assert cache.seen == 40


def test_parts_that_do_not_exist_are_impossible() -> None:
    model, inputs = _model(), _inputs()
    hints = Hints(inputs.expected[:, :, 1], inputs.records[:, :, 1], inputs.anchors, inputs.tallies)
    with torch.no_grad():
        hidden = model.head_in(model.states(inputs.rows[:, :-1], inputs.places[:, :-1], inputs.programs))
        logits = model.head(1, hidden, inputs.rows[:, 1:], inputs.places[:, 1:], inputs.programs, hints)
    assert torch.isinf(logits[..., PARTS:]).all()
    assert torch.isfinite(logits[..., :PARTS]).all()


def test_a_rest_costs_only_its_time_shift() -> None:
    model, inputs = _model(), _inputs()
    inputs.rows[:, 4, 0] = 192
    with torch.no_grad():
        nats = model.losses(inputs)
    assert (nats[:, 3, 0] > 0).all()
    assert (nats[:, 3, 1:] == 0).all()


def test_one_bar_can_be_learned_by_heart() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NoteTransformer(NoteTransformerConfig(width=32, layers=1, heads=2, head_width=32, window=16, dropout=0))
        inputs = _inputs(batch=1, time=8)
        optimiser = torch.optim.Adam(model.parameters(), 0.01)
        for _ in range(120):
            loss = model.losses(inputs).sum(-1).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize(
    ("sizes", "told"),
    [
        ({"width": 15}, "width 15 is no multiple of twice its 4 heads"),
        ({"width": 16, "heads": 3}, "no multiple of twice its 3 heads"),
        ({"layers": 0}, "layers 0 is outside 1-64"),
        ({"width": 1 << 20}, "width 1048576 is outside 1-4096"),
        ({"dropout": 1.0}, "dropout 1.0 is outside 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes: dict[str, float], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        NoteTransformerConfig(**sizes)  # type: ignore[arg-type]
