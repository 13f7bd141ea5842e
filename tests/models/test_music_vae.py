"""MusicVAE's nets: what a step hears, that steps and passes agree, and what a config may not be."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from woodshed.models import build_model
from woodshed.models.lstm import Bidirectional, ends, pack
from woodshed.models.music_vae import END, MusicVAE, MusicVAEConfig, divergence, lengths_of

SMALL: dict[str, Any] = {"latent": 3, "encoder_width": 4, "conductor_width": 5, "decoder_width": 6, "decoder_layers": 2}
SHAPES: dict[str, dict[str, Any]] = {
    "flat": {"vocabulary": [7], "steps": 8},
    "two parts": {"vocabulary": [7, 5], "steps": 8, "encoder_layers": 2},
    "trio": {"vocabulary": [7, 7, 9], "steps": 12, "segments": 3, "encoder_levels": 2},
    "trio, read in one go": {"vocabulary": [7, 7, 9], "steps": 12, "segments": 3},
    "band": {"vocabulary": [11] * 4, "steps": 6, "per_part": True, "encoder_levels": 2},
    "with places": {"vocabulary": [7], "steps": 8, "places": 2},
    "trio with places": {"vocabulary": [7, 7, 9], "steps": 12, "segments": 3, "encoder_levels": 2, "places": 2},
    "band with places": {"vocabulary": [11] * 4, "steps": 6, "per_part": True, "encoder_levels": 2, "places": 2},
}


def _model(shape: str, **changes: Any) -> MusicVAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model: MusicVAE = build_model({"name": "music-vae", **SHAPES[shape], **SMALL, **changes})
        return model.eval()


def _tokens(model: MusicVAE, batch: int = 3, lowest: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(1)
    sizes = model.config.vocabulary
    parts = [torch.randint(lowest, size, (batch, model.config.steps), generator=chance) for size in sizes]
    return torch.stack(parts, 1)


def _z(model: MusicVAE, batch: int = 3) -> Tensor:
    return torch.randn(batch, model.config.latent, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_those_of_the_clips(shape: str) -> None:
    model = _model(shape)
    tokens = _tokens(model)
    mean, log_variance = model.encode(tokens)
    assert mean.shape == log_variance.shape == (3, 3)
    logits = model(mean, tokens)
    sizes = model.config.vocabulary
    assert [tuple(part.shape) for part in logits] == [(3, model.config.steps, size) for size in sizes]
    assert model.nats(mean, tokens).shape == tokens.shape == model.sample(mean, 0).shape


@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_hears_the_tokens_before_it_in_its_own_segment_and_part_alone(shape: str) -> None:
    model = _model(shape)
    z, tokens = _z(model, 1), _tokens(model, 1)
    length = model.config.steps // model.config.segments
    before = model(z, tokens)
    for part in range(tokens.shape[1]):
        for step in range(model.config.steps):
            other = tokens.clone()
            other[0, part, step] = (other[0, part, step] + 1) % model.config.vocabulary[part]
            moved = [(a - b).abs().amax((0, 2)) > 1e-7 for a, b in zip(before, model(z, other), strict=True)]
            heard = [torch.zeros(model.config.steps, dtype=torch.bool) for _ in moved]
            heard[part][step + 1 : (step // length + 1) * length] = True
            assert all(torch.equal(a, b) for a, b in zip(moved, heard, strict=True)), (part, step)


@pytest.mark.parametrize("shape", SHAPES)
def test_z_reaches_every_step_of_every_part(shape: str) -> None:
    model = _model(shape)
    tokens = _tokens(model)
    for one, other in zip(model(_z(model), tokens), model(_z(model) + 1, tokens), strict=True):
        assert ((one - other).abs().amax(2) > 1e-6).all()


@pytest.mark.parametrize("shape", SHAPES)
def test_steps_one_by_one_say_what_one_pass_says(shape: str) -> None:
    model = _model(shape).double()
    z = _z(model).double()
    drawn = model.sample(z, 0)
    likeliest = torch.stack([logits.argmax(-1) for logits in model(z, drawn)], 1)
    ended = torch.zeros_like(drawn, dtype=torch.bool)
    if model.config.per_part:
        ended = torch.arange(model.config.steps) >= lengths_of(drawn.flatten(0, 1)).view(3, 4, 1)
    assert torch.equal(drawn.where(~ended, torch.tensor(END)), likeliest.where(~ended, torch.tensor(END)))


@pytest.mark.parametrize("shape", SHAPES)
def test_clips_of_a_batch_do_not_hear_each_other(shape: str) -> None:
    model = _model(shape)
    z, tokens = _z(model), _tokens(model)
    torch.testing.assert_close(model.encode(tokens)[0][1:2], model.encode(tokens[1:2])[0])
    torch.testing.assert_close(model.nats(z, tokens)[1:2], model.nats(z[1:2], tokens[1:2]))


def test_chosen_segments_cost_what_they_cost_among_all() -> None:
    model = _model("trio with places")
    z, tokens = _z(model), _tokens(model)
    some, full = model.nats(z, tokens, segments=torch.tensor([0, 2])), model.nats(z, tokens)
    torch.testing.assert_close(some[:, :, :4], full[:, :, :4])
    torch.testing.assert_close(some[:, :, 8:], full[:, :, 8:])
    assert (some[:, :, 4:8] == 0).all()


def test_what_comes_after_a_parts_end_is_neither_heard_nor_counted() -> None:
    model = _model("band")
    tokens, z = _tokens(model, lowest=1), _z(model)
    tokens[:, 1, 2] = END
    other = tokens.clone()
    other[:, 1, 3:] = 5
    torch.testing.assert_close(model.encode(tokens), model.encode(other))
    nats = model.nats(z, tokens)
    assert (nats[:, 1, 3:] == 0).all()
    assert (nats[:, 1, :3] > 0).all()
    dense = torch.stack([-logits.log_softmax(-1) for logits in model(z, tokens)], 1)
    expected = dense.gather(3, tokens[..., None])[..., 0]
    torch.testing.assert_close(nats[:, 0], expected[:, 0])
    torch.testing.assert_close(nats[:, 1, :3], expected[:, 1, :3])


def test_the_gradient_of_packed_rows_is_that_of_padded_ones() -> None:
    model = _model("band").double().train()
    tokens, z = _tokens(model, lowest=1), _z(model).double()
    tokens[0, 1, 2], tokens[1, :, 4], tokens[2, 3, 0] = END, END, END
    counted = torch.arange(6) < lengths_of(tokens.flatten(0, 1)).view(3, 4, 1)
    dense = torch.stack([-logits.log_softmax(-1) for logits in model(z, tokens)], 1).gather(3, tokens[..., None])[
        ..., 0
    ]
    weights = [weight for part in (model.conductor, model.decoders) for weight in part.parameters()]  # type: ignore
    packed = torch.autograd.grad(model.nats(z, tokens).sum(), weights)
    for one, other in zip(packed, torch.autograd.grad((dense * counted).sum(), weights), strict=True):
        torch.testing.assert_close(one, other)


def test_packed_sequences_are_read_from_both_ends() -> None:
    torch.manual_seed(0)
    layer, rows = Bidirectional(9, 4), torch.randint(9, (5, 7))
    lengths = torch.tensor([3, 7, 1, 7, 4])
    found = layer.ends_of(rows, pack(lengths))
    for row, length in enumerate(lengths.tolist()):
        alone = ends(layer.hear(rows[row : row + 1, :length].t()[..., None]))
        torch.testing.assert_close(found[row : row + 1], alone)


@pytest.mark.parametrize("shape", SHAPES)
def test_samples_keep_to_what_is_allowed(shape: str) -> None:
    model = _model(shape)
    z = _z(model, 200)
    masks = [torch.arange(size) % 2 == 0 for size in model.config.vocabulary]
    chance = torch.rand((200, *_tokens(model).shape[1:]), generator=torch.Generator().manual_seed(0))
    for temperature in (0, 0.5, 1.0, 3.0):
        drawn = model.sample(z, temperature, chance, masks)
        assert (drawn % 2 == 0).all()
    assert torch.equal(model.sample(z, 1.0, chance), model.sample(z, 1.0, chance))
    only_first = model.sample(z, 1.0, chance, [masks[0], *[None] * (len(masks) - 1)])
    assert (only_first[:, 0] % 2 == 0).all()


def test_tokens_are_drawn_as_often_as_the_model_says() -> None:
    model = _model("flat")
    z = _z(model, 1).expand(40000, -1)
    chance = torch.rand((40000, 1, 8), generator=torch.Generator().manual_seed(0))
    drawn = model.sample(z, 1.0, chance)[:, 0, 0]
    expected = model(z[:1], torch.zeros(1, 1, 8, dtype=torch.int64))[0][0, 0].softmax(0)
    torch.testing.assert_close(torch.bincount(drawn, minlength=7) / 40000, expected, atol=0.01, rtol=0)


def test_draws_at_the_edges_stay_within_what_is_allowed() -> None:
    model = _model("flat")
    mask = torch.tensor([False, True, True, False, True, False, False])
    for edge in (0.0, 1 - 2**-53):
        chance = torch.full((3, 1, 8), edge, dtype=torch.float64)
        assert mask[model.sample(_z(model), 1.0, chance, [mask])].all()


def test_what_cannot_be_sampled_is_refused() -> None:
    model = _model("flat")
    with pytest.raises(ValueError, match="temperature -1 is below 0"):
        model.sample(_z(model), -1)
    with pytest.raises(ValueError, match="needs uniforms"):
        model.sample(_z(model), 1.0)
    with pytest.raises(ValueError, match="allow at least one"):
        model.sample(_z(model), 0, None, [torch.zeros(7, dtype=torch.bool)])


def test_the_divergence_is_the_one_of_gaussians() -> None:
    chance = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(5, 4, generator=chance), torch.randn(5, 4, generator=chance)
    place = torch.distributions.Normal(mean, (log_variance / 2).exp())
    expected = torch.distributions.kl_divergence(place, torch.distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(divergence(mean, log_variance), expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latent": 0}, "latent 0 is outside 1-4096; 32 to 512 is usual"),
        ({"decoder_width": 5000}, "decoder_width 5000 is outside 1-4096"),
        ({"encoder_levels": 3}, "encoder_levels 3 is outside 1-2"),
        ({"dropout": 1.0}, "dropout 1.0 is outside 0 to below 1"),
        ({"steps": 10**6}, "steps 1000000 is outside"),
        ({"vocabulary": []}, "names 0 parts, outside 1-64"),
        ({"vocabulary": [0]}, "vocabulary 0 is outside 1-65536"),
        ({"segments": 3}, "segments 3 do not divide 8 steps"),
        ({"encoder_levels": 2}, "encoder_levels 2 needs more than 1 segment"),
        ({"per_part": True}, "per_part needs 2"),
        ({"per_part": True, "encoder_levels": 2, "encoder_layers": 2}, "with per_part it must be 1"),
        ({"per_part": True, "encoder_levels": 2, "vocabulary": [7, 8]}, "one vocabulary for all parts"),
        ({"width": 8}, "has no size 'width'"),
    ],
)
def test_sizes_that_no_model_has_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_model({"name": "music-vae", **SHAPES["flat"], **SMALL, **changes})


def test_the_config_comes_back_from_json() -> None:
    config = MusicVAEConfig((7, 7, 9), 12, segments=3)
    assert config.as_dict()["vocabulary"] == [7, 7, 9]
    assert MusicVAEConfig(**config.as_dict()) == config


def test_a_settled_model_imagines_points_where_its_clips_lie() -> None:
    model = _model("flat", latent=4, places=2)
    tokens = _tokens(model, 400)
    noise = torch.randn(20000, 4, generator=torch.Generator().manual_seed(3))
    assert torch.equal(model.imagine(noise), noise)
    model.settle(tokens)
    mean, log_variance = model.encode(tokens)
    around = mean - mean.mean(0)
    expected = around.t() @ around / 400 + torch.diag(log_variance.exp().mean(0))
    imagined = model.imagine(noise)
    torch.testing.assert_close(imagined.mean(0), mean.mean(0), atol=0.05, rtol=0)
    torch.testing.assert_close(torch.cov(imagined.t()), expected, atol=0.05, rtol=0.05)
    other = _model("flat", latent=4, places=2)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other.imagine(noise), imagined)
