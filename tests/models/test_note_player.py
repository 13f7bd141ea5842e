"""The note transformer in numpy says what it says in torch, for as long as a stream may last."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from woodshed.models.note_player import FIELD_SIZES, NotePlayer
from woodshed.models.note_transformer import Hints, NoteTransformer, NoteTransformerConfig

ROWS = 40


def model(window: int = 8) -> NoteTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = NoteTransformer(NoteTransformerConfig(width=16, layers=2, heads=2, head_width=12, window=window)).eval()
        for weight in made.parameters():  # norms and biases too, so that none may be forgotten
            torch.nn.init.normal_(weight, std=0.4)
    return made


def material() -> tuple[np.ndarray, ...]:
    chance = np.random.default_rng(0)
    programs = np.full((16, 2), (129, 0))
    programs[:3] = (128, 0), (30, 0), (30, 1)
    rows = np.stack([chance.integers(0, size, ROWS) for size in FIELD_SIZES], axis=1)
    rows[:, 0], rows[:, 1] = chance.integers(0, 192, ROWS), chance.integers(0, 3, ROWS)
    places = np.stack((chance.integers(0, 48, ROWS), np.arange(ROWS) * 3, np.full(ROWS, 48)), axis=1)
    expected = np.stack([chance.integers(-1, size, (ROWS, 5)) for size in FIELD_SIZES], axis=1)
    expected[:, 1] = np.minimum(expected[:, 1], 2)
    records = chance.integers(0, 16, (ROWS, 6, 5))
    return programs, rows, places, expected, records, chance.integers(-1, 128, (ROWS, 3)), chance.random((ROWS, 2, 12))


@pytest.mark.parametrize("wind_back", [False, True])
def test_every_field_of_every_row_gets_the_logits_of_the_model(wind_back: bool) -> None:
    net = model()
    programs, rows, places, expected, records, anchors, tallies = material()
    tallies = tallies.astype(np.float32)
    told = [torch.from_numpy(array)[None] for array in (rows, places, programs)]
    with torch.inference_mode():
        hidden = net.head_in(net.states(*told))
        truth = [
            net.head(
                field,
                hidden[:, :-1],
                told[0][:, 1:],
                told[1][:, 1:],
                told[2],
                Hints(
                    *(torch.from_numpy(a)[None, 1:] for a in (expected[:, field], records[:, field], anchors, tallies))
                ),
            )[0].numpy()
            for field in range(6)
        ]
    player = NotePlayer(net)
    cache = player.start()
    for at in range(ROWS - 1):
        found = player.hear(cache, rows[at], places[at], programs)
        for field in range(6):
            said = player.logits(
                field,
                found,
                programs,
                expected[at + 1, field],
                records[at + 1, field],
                anchors[at + 1],
                tallies[at + 1],
            )
            np.testing.assert_allclose(said, truth[field][at], rtol=1e-4, atol=1e-4)
            player.tell(found, field, rows[at + 1], places[at + 1], programs)
        if wind_back and at % 11 == 10:
            player.wind_back(cache)
    assert cache.last <= 16


def test_a_copy_of_the_memory_goes_its_own_way() -> None:
    player = NotePlayer(model())
    programs, rows, places, *_ = material()
    cache = player.start()
    for row, place in zip(rows[:20], places, strict=False):
        player.hear(cache, row, place, programs)
    other = cache.copy()
    player.hear(other, rows[20], places[20], programs)
    one = player.hear(cache, rows[21], places[21], programs)
    other = cache.copy()
    assert not np.array_equal(one, player.hear(other, rows[21], places[21], programs))
    assert (cache.seen, other.seen) == (21, 22)
