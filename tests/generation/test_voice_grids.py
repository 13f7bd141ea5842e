"""Chorales drawn cell by cell: what is drawn is what is scored, a given soprano stays, the seed decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from woodshed.codecs.voice_grid import REST, Passages, listen
from woodshed.codecs.voice_grid_counts import Counts
from woodshed.errors import OutOfRange
from woodshed.generation.voice_grids import ORDER, draw_grids
from woodshed.models.voice_grid import VoiceGridConfig, VoiceGridNet


def tiny(shown: bool = False) -> VoiceGridNet:
    torch.manual_seed(0)
    return VoiceGridNet(VoiceGridConfig(width=8, hidden=8, shown=shown)).eval()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_the_same_seed_draws_the_same_pieces() -> None:
    first, again = (draw_grids([tiny()], [10, 6], seeded()) for _ in range(2))
    assert [piece.shape for piece in first] == [(10, 4), (6, 4)]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (draw_grids([tiny()], [10, 6], seeded(1))[0] != first[0]).any()


def test_cells_are_drawn_as_often_as_they_are_scored() -> None:
    net, pieces = tiny(), draw_grids([tiny()], [3] * 3000, seeded())
    empty = torch.from_numpy(listen(pieces[0]).astype(np.int64))[None, :1]
    known = net.body(empty, torch.zeros(1, dtype=torch.int64))
    chances = net.logits(known, empty, torch.zeros(1, dtype=torch.int64), ORDER[0], {}).softmax(-1)[0, 0]
    drawn = np.array([piece[0, ORDER[0]] for piece in pieces])
    counts = np.bincount(np.where(drawn == REST, 0, drawn - net.config.lowest + 1), minlength=len(chances))
    assert np.abs(counts / len(pieces) - chances.detach().numpy()).max() < 0.02


@pytest.mark.parametrize("is_counted", [False, True])
def test_a_cold_draw_takes_the_likeliest_cell_given_all_before_it(is_counted: bool) -> None:
    learned = np.repeat([[70, 65, 60, 50], [72, 64, 60, 48], [71, 62, 55, 43]], 8, 0)
    net, passages = tiny(), Passages([learned])
    counts = Counts([listen(learned)], [learned]) if is_counted else None
    (piece,) = draw_grids([net], [12], seeded(), passages=passages, counts=counts, temperature=1e-4)
    rows = torch.from_numpy(listen(piece, passages).astype(np.int64))[None]
    cells, shift = torch.from_numpy(piece)[None], torch.zeros(1, dtype=torch.int64)
    known, decided = net.body(rows, shift), {}
    for voice in ORDER:
        counted = None
        if counts is not None:
            logs, trust = counts.of_piece(rows[0].numpy(), piece, voice, sorted(decided))
            counted = torch.from_numpy(logs)[None], torch.from_numpy(trust.astype(np.int64))[None]
        likeliest = net.logits(known, rows, shift, voice, decided, counted).argmax(-1)
        assert (torch.where(likeliest == 0, REST, likeliest + net.config.lowest - 1) == cells[..., voice]).all()
        decided[voice] = cells[..., voice]


def test_a_given_soprano_stays() -> None:
    soprano = np.array([72, 72, 74, REST, 76, 76])
    pieces = draw_grids([tiny(shown=True)], [6, 6], seeded(), sopranos=[soprano, soprano + 0])
    assert all((piece[:, 0] == soprano).all() for piece in pieces)


def test_strictness_is_what_the_table_of_motion_counts_and_leaves_the_net_alone() -> None:
    net = tiny()
    net.counterpoint.data.normal_()
    table = net.counterpoint.clone()
    plain, none, strict = (draw_grids([net], [24], seeded(), strictness=by)[0] for by in (1, 0, 3))
    assert torch.equal(net.counterpoint, table)
    net.counterpoint.data *= 3
    assert (draw_grids([net], [24], seeded())[0] == strict).all()
    net.counterpoint.data *= 0
    assert (draw_grids([net], [24], seeded())[0] == none).all()
    assert (plain != none).any()
    assert (plain != strict).any()


def test_what_cannot_be_drawn_is_named() -> None:
    with pytest.raises(OutOfRange, match="temperature 0 is not above 0"):
        draw_grids([tiny()], [4], seeded(), temperature=0)
    with pytest.raises(OutOfRange, match="strictness -1 is below 0"):
        draw_grids([tiny()], [4], seeded(), strictness=-1)
    with pytest.raises(OutOfRange, match="soprano of as many frames"):
        draw_grids([tiny(shown=True)], [4], seeded(), sopranos=[np.array([72, 72])])
    assert draw_grids([tiny()], [], seeded()) == []
