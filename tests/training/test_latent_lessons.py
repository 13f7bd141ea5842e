"""Lessons of a latent space: what is free, what is annealed, whose tokens the decoder is given."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle, load_bundle, save_bundle
from woodshed.bundle.likelihood import clip_nats, field_names, song_nats
from woodshed.codecs.clip_melody import ClipMelodyCodec
from woodshed.errors import CorpusError, OutOfRange
from woodshed.evaluation.likelihood import measure_likelihood
from woodshed.evaluation.reconstruction import measure_reconstruction
from woodshed.models import build_model
from woodshed.models.music_vae import MusicVAE, divergence
from woodshed.music import Part, Song
from woodshed.training.examples import Augmentation
from woodshed.training.latent_lessons import LatentBatch, LatentLessons, LatentOptions, own_words, paid_divergence
from woodshed.training.lessons import held_out_nats
from woodshed.training.loop import TrainingOptions, train

CODEC = ClipMelodyCodec()
CPU = torch.device("cpu")
STILL = Augmentation(transpose=0)


def _clip(number: int) -> Song:
    rng = np.random.default_rng(number)
    rows = [(0, beat * 480, 480, int(pitch), 100) for beat, pitch in enumerate(rng.choice([60, 62, 64, 67], 8))]
    rows[0] = (0, 0, 480, 60 + number % 12, 100)
    return CODEC.arrange(Song.make(rows, [Part("Flute", 73)], length=3840, keys=[(0, 0, False)]))


CLIPS = [clip for number in range(20) if CODEC.clips(clip := _clip(number)) == [clip]][:12]  # in C major to an ear


def _model(**changes: Any) -> MusicVAE:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = {"latent": 4, "encoder_width": 12, "decoder_width": 16, "decoder_layers": 1, "places": 4, **changes}
        shape = {"vocabulary": CODEC.vocabulary, "steps": CODEC.steps}
        model: MusicVAE = build_model({"name": "music-vae", **shape, **sizes})
        return model


def test_beta_rises_in_a_straight_line_and_stays() -> None:
    options = LatentOptions(beta=0.4, beta_warm_up=0.5)
    assert [options.beta_at(x) for x in (0, 0.25, 0.5, 1)] == pytest.approx([0, 0.2, 0.4, 0.4])
    assert LatentOptions(beta=0.4, beta_warm_up=0).beta_at(0) == 0.4


def test_sampled_tokens_set_in_as_an_inverse_sigmoid_of_rate_1000_does() -> None:
    options, rate = LatentOptions(sampled=1.0, sampled_from=0.5), 1000
    for step in (0, 2000, rate * math.log(rate), 10000):
        expected = 1 - rate / (rate + math.exp(step / rate))
        assert options.sampled_at(step / (2 * rate * math.log(rate))) == pytest.approx(expected)
    assert LatentOptions().sampled_at(1.0) == 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"beta": -0.1}, "latent beta -0.1 is outside 0-100"),
        ({"beta_warm_up": 2}, "latent beta_warm_up 2 is outside 0-1"),
        ({"free_bits": -1}, "latent free_bits -1 is outside 0-1e"),
        ({"sampled": 1.5}, "latent sampled 1.5 is outside 0-1"),
        ({"sampled_from": 0}, "latent sampled_from 0 is outside 0.01-1"),
    ],
)
def test_options_out_of_range_are_named(changes: dict[str, float], words: str) -> None:
    with pytest.raises(OutOfRange, match=words):
        LatentOptions(**changes)


def test_only_what_is_above_the_free_bits_is_paid_clip_by_clip() -> None:
    nats = torch.tensor([0.0, 10 * math.log(2), 12 * math.log(2)])
    torch.testing.assert_close(paid_divergence(nats, 10), torch.tensor([0.0, 0.0, 2 * math.log(2)]))
    torch.testing.assert_close(paid_divergence(nats, 0), nats)


def _batch(**changes: Any) -> LatentBatch:
    lessons = LatentLessons(CODEC, CLIPS, 6, STILL)
    return lessons.draw(np.random.default_rng(0))._replace(**changes)


def test_the_loss_is_reconstruction_and_beta_times_what_is_paid() -> None:
    model, batch = _model(), _batch(beta=0.3)
    lessons = LatentLessons(CODEC, CLIPS, 6, STILL, LatentOptions(free_bits=5))
    torch.manual_seed(1)
    loss = lessons.loss(model, batch, CPU)
    torch.manual_seed(1)
    tokens = torch.from_numpy(batch.tokens)
    mean, log_variance = model.encode(tokens)
    z = mean + (log_variance / 2).exp() * torch.randn_like(mean)
    nats = model.nats(z, tokens).sum((1, 2))
    paid = (divergence(mean, log_variance) - 5 * math.log(2)).clamp(min=0)
    torch.testing.assert_close(loss.nats, (nats + 0.3 * paid).sum())
    assert loss.scored == 6 * 32
    assert loss.notes == batch.notes == sum(map(CODEC.notes, batch.tokens))


def test_some_segments_stand_for_all_of_them() -> None:
    shape = {"vocabulary": CODEC.vocabulary, "steps": CODEC.steps, "segments": 4, "encoder_levels": 2}
    model, batch = _model(**shape, conductor_width=8), _batch(beta=0.0)

    def losses(segments: int, draws: int) -> float:
        lessons = LatentLessons(CODEC, CLIPS, 6, STILL, LatentOptions(segments=segments))
        with torch.no_grad():
            return float(np.mean([lessons.loss(model, batch, CPU).nats.item() for _ in range(draws)]))

    torch.manual_seed(0)
    assert losses(1, 60) == pytest.approx(losses(0, 5), rel=0.02)
    assert losses(9, 1) == pytest.approx(losses(4, 1), rel=0.01)


def test_no_sampled_tokens_is_teacher_forcing() -> None:
    model = _model()
    batch = _batch()
    tokens, z = torch.from_numpy(batch.tokens), torch.randn(6, 4)
    assert torch.equal(own_words(model, z, tokens, 0.0), tokens)
    torch.manual_seed(0)
    given = own_words(model, z, tokens, 1.0)
    assert not torch.equal(given, tokens)
    torch.manual_seed(0)
    share = (own_words(model, z, tokens, 0.25) != tokens).float().mean()
    assert 0 < share <= 0.35


def test_what_is_replaced_is_what_the_model_would_have_said_there() -> None:
    model = _model()
    with torch.no_grad():
        model.decoders[0].output.bias[7] = 100.0  # type: ignore[union-attr,index]
    tokens = torch.from_numpy(_batch().tokens)
    assert (own_words(model, torch.zeros(6, 4), tokens, 1.0) == 7).all()


def test_a_clip_is_heard_in_other_keys_but_never_out_of_range() -> None:
    lessons = LatentLessons(CODEC, CLIPS[:1], 64, Augmentation(transpose=2))
    batch = lessons.draw(np.random.default_rng(0))
    lowest = np.unique(batch.tokens.max((1, 2)) - CODEC.encode(CLIPS[0]).max())
    assert lowest.tolist() == [-2, -1, 0, 1, 2]
    wide = LatentLessons(CODEC, CLIPS[:1], 64, Augmentation(transpose=100)).draw(np.random.default_rng(0))
    assert wide.tokens.max() < CODEC.vocabulary[0]


def test_without_clips_there_is_nothing_to_learn() -> None:
    with pytest.raises(CorpusError, match="no clip to learn from"):
        LatentLessons(CODEC, [Song()], 4, STILL)


def test_the_bound_is_the_same_alone_and_among_others(tmp_path: Path) -> None:
    bundle = Bundle(_model().eval(), CODEC)
    tokens = np.stack([CODEC.encode(clip) for clip in CLIPS])
    together = clip_nats(bundle, tokens)
    assert together.shape == (12, 2)
    np.testing.assert_allclose(together[3:4], clip_nats(bundle, tokens[3:4]), rtol=1e-5)
    alone, notes = song_nats(bundle, CLIPS[3])
    assert list(alone) == field_names(bundle) == ["melody", "latent"]
    np.testing.assert_allclose(list(alone.values()), together[3], rtol=1e-5)
    assert notes == CODEC.notes(tokens[3])
    found = measure_likelihood(bundle, CLIPS)
    assert found.fields == pytest.approx(held_out_nats(bundle, CLIPS), rel=1e-5)
    save_bundle(bundle, tmp_path / "b")
    assert measure_likelihood(load_bundle(tmp_path / "b"), CLIPS).fields == pytest.approx(found.fields, rel=1e-6)


def test_what_comes_back_is_counted_by_part() -> None:
    model = _model().eval()
    with torch.no_grad():
        model.decoders[0].output.bias[0] = 100.0  # type: ignore[union-attr,index]
        model.gaussian.bias[4:] = 0.0
        model.gaussian.weight.zero_()
    found = measure_reconstruction(Bundle(model, CODEC), CLIPS)
    silent = np.mean([CODEC.encode(clip) == 0 for clip in CLIPS])
    assert found.given_truth == found.sampled == {"melody": pytest.approx(silent)}
    assert found.divergence_bits == pytest.approx(found.divergence_nats / math.log(2))
    assert (found.clips, found.dimensions, found.used_dimensions) == (12, 4, 0)
    with pytest.raises(CorpusError, match="no song has a clip of 2 bars"):
        measure_reconstruction(Bundle(model, CODEC), [Song()])


def _train(folder: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    options = TrainingOptions(
        minutes=None, steps=3, batch=4, evaluations=3, seed=seed, device="cpu",
        latent=LatentOptions(sampled=0.5, sampled_from=0.1),
    )  # fmt: skip
    outcome = train(Bundle(_model(), CODEC, "vae-melody-2bar"), CLIPS[:8], CLIPS[8:], folder, options)
    return outcome.bundle.model.state_dict()


def test_the_same_seed_learns_the_same(tmp_path: Path) -> None:
    one, same, other = _train(tmp_path / "a"), _train(tmp_path / "b"), _train(tmp_path / "c", seed=1)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def test_a_few_steps_learn_to_bring_clips_back(tmp_path: Path) -> None:
    options = TrainingOptions(
        minutes=None, steps=150, batch=12, learning_rate=0.02, evaluations=3, averaging=0.5, weight_decay=0.0,
        augmentation=STILL, latent=LatentOptions(beta=0.05, free_bits=16), device="cpu",
    )  # fmt: skip
    blank = Bundle(_model(latent=8), CODEC, "vae-melody-2bar")
    before = measure_reconstruction(replace(blank, model=blank.model.eval()), CLIPS)
    outcome = train(blank, CLIPS, CLIPS, tmp_path / "b", options)
    after = measure_reconstruction(outcome.bundle, CLIPS)
    assert after.sampled["melody"] > 0.8 > before.sampled["melody"]
    assert after.divergence_bits > 5
    assert outcome.bundle.training["held_out_nats_per_note"] == pytest.approx(
        sum(held_out_nats(outcome.bundle, CLIPS).values()), rel=1e-5
    )
