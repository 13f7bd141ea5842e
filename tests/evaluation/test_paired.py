"""Two bundles on the same songs: each song is its own control, and what is not alike is named or left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs import CODECS
from woodshed.codecs.clip_drums import ClipDrumsCodec
from woodshed.codecs.melody import MelodyCodec
from woodshed.codecs.pitch_names import PitchNameCodec
from woodshed.errors import CorpusError, UsageError
from woodshed.evaluation.footing import NOTES_OF_A_LINE, common_ground, footing_of
from woodshed.evaluation.likelihood import Likelihood, summarise_nats
from woodshed.evaluation.paired import compare, pair
from woodshed.evaluation.song_nats import SongNats
from woodshed.formats import read_midi
from woodshed.models.markov import Markov, MarkovConfig
from woodshed.music import Part, Song
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import recipe_codec

LEAD = Part("Lead", 30, role="lead")


def nats(values: list[float], notes: list[int]) -> Likelihood:
    """Songs that cost so many nats in one field."""
    songs = [SongNats({"pitch": value}, count, {}) for value, count in zip(values, notes, strict=True)]
    return summarise_nats([one if one.notes else None for one in songs], ["pitch"])


def with_codec(codec: object, recipe: str = "band") -> Bundle:
    return Bundle(None, codec, recipe)


def markov(codec: MelodyCodec) -> Bundle:
    """A chain that has learned one tune."""
    song = codec.arrange(tune(0))
    labels = codec.targets(codec.encode(song), codec.steps_per_bar(song))
    return Bundle(Markov(MarkovConfig(codec.labels, order=2)).fit([labels]), codec, "markov")


def tune(seed: int) -> Song:
    """Eight bars of eighths around middle C."""
    pitches = np.random.default_rng(seed).choice((60, 62, 64, 65, 67, 69, 71, 72), 64)
    notes = [(0, place * 240, 240, int(pitch), 100) for place, pitch in enumerate(pitches)]
    return Song.make(notes, [LEAD], meters=[(0, 4, 4)], title=f"Tune {seed}")


def test_the_difference_is_that_of_the_sums() -> None:
    found = pair(nats([30.0, 80.0], [10, 20]), nats([20.0, 60.0], [10, 20]))
    assert found.first == pytest.approx(110 / 30)
    assert found.second == pytest.approx(80 / 30)
    assert found.difference.mean == pytest.approx(-1.0)
    assert found.fields["pitch"].mean == pytest.approx(-1.0)
    assert (found.first_better_songs, found.unheard, found.unlike) == (0, 0, 0)


def test_a_small_gain_on_every_song_is_seen_though_songs_differ_far_more() -> None:
    rng = np.random.default_rng(0)
    songs = rng.normal(3.0, 1.0, 40) * 100
    first, second = nats(songs.tolist(), [100] * 40), nats((songs - rng.normal(5.0, 2.0, 40)).tolist(), [100] * 40)
    assert first.low < second.nats_per_note < first.high
    found = pair(first, second)
    assert found.better == "second"
    assert found.difference.high < 0


def test_no_better_one_is_named_while_the_interval_holds_zero() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0.0, 10.0, 40)
    assert pair(nats([300.0] * 40, [100] * 40), nats((300 + noise).tolist(), [100] * 40)).better == "neither"


@pytest.mark.parametrize(("songs", "better"), [(1, "unknown"), (2, "unknown"), (9, "unknown"), (10, "second")])
def test_which_is_better_is_said_of_ten_songs_or_more(songs: int, better: str) -> None:
    found = pair(nats([300.0] * songs, [100] * songs), nats([200.0] * songs, [100] * songs))
    assert found.difference.mean == pytest.approx(-1.0)
    assert (found.better, found.as_dict()["better"]) == (better, better)


def test_songs_that_are_left_out_are_counted_by_the_reason() -> None:
    found = pair(nats([30.0, 80.0, 5.0, 0.0], [10, 20, 0, 0]), nats([20.0, 60.0, 5.0, 0.0], [10, 21, 3, 0]))
    assert (found.difference.groups, found.unheard, found.unlike) == (1, 2, 1)
    facts = found.as_dict()
    assert (facts["unheard"], facts["unlike"]) == (2, 1)


def test_all_figures_are_of_the_songs_that_are_shared() -> None:
    found = pair(nats([30.0, 900.0, 80.0], [10, 20, 20]), nats([20.0, 60.0, 60.0], [10, 21, 20]))
    assert (found.first, found.second) == (pytest.approx(110 / 30), pytest.approx(80 / 30))
    assert found.first_fields == {"pitch": pytest.approx(found.first)}
    assert found.second_fields == {"pitch": pytest.approx(found.second)}
    assert found.fields["pitch"].mean == pytest.approx(found.second_fields["pitch"] - found.first_fields["pitch"])


def test_two_bundles_without_a_song_that_both_hear_are_refused() -> None:
    with pytest.raises(CorpusError, match="same notes in no song"):
        pair(nats([30.0], [10]), nats([30.0], [11]))


def test_a_bundle_is_no_better_than_itself(tiny_bundle: Path, music_folder: Path) -> None:
    songs = [read_midi(path) for path in sorted(music_folder.glob("*.mid"))[:2]]
    told: list[tuple[int, int]] = []
    bundle = load_bundle(tiny_bundle)
    found, first, second = compare((bundle, bundle), songs, on_song=lambda done, total: told.append((done, total)))
    assert found.difference.mean == 0.0
    assert first.nats_per_note == second.nats_per_note
    assert list(found.fields) == list(first.fields)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_band_and_a_melody_are_compared_on_the_melody_without_velocity(tiny_bundle: Path) -> None:
    songs = [tune(seed) for seed in range(3)]
    ours, theirs = load_bundle(tiny_bundle), markov(MelodyCodec())
    found, band, chain = compare((ours, theirs), songs)
    assert list(band.fields) == list(NOTES_OF_A_LINE)
    assert (band.notes, chain.notes, found.difference.groups) == (192, 192, 3)
    assert "velocity" in found.ground
    assert found.fields == {}
    assert compare((theirs, ours), songs)[0].difference.mean == pytest.approx(-found.difference.mean)


def test_a_melody_in_one_key_is_compared_with_one_in_all_keys_as_the_narrow_one_hears_it() -> None:
    songs = [tune(seed).transpose(3) for seed in range(3)]
    wide, narrow = markov(MelodyCodec(0, 128, transpose=False)), markov(MelodyCodec())
    found, first, second = compare((wide, narrow), songs)
    assert "C major" in found.ground
    assert first.notes == second.notes == 192
    assert common_ground(markov(MelodyCodec(48, 84)), markov(MelodyCodec(50, 90))).refusal


def test_what_an_rnn_looks_back_at_changes_nothing_that_is_priced() -> None:
    looking = replace(MelodyCodec(), lookback=True)
    assert common_ground(with_codec(MelodyCodec()), with_codec(looking)).sentence == ""


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (PitchNameCodec(), ClipDrumsCodec(), "price different things"),
        (PitchNameCodec(vocabulary=("C4",)), PitchNameCodec(vocabulary=("D4",)), "different vocabularies"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(first: object, second: object, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        compare((with_codec(first, "deeprock"), with_codec(second, "vae-drums-2bar")), [tune(1)])


def test_upper_bounds_are_called_so() -> None:
    clips = with_codec(ClipDrumsCodec())
    assert "upper bound" in common_ground(clips, clips).sentence
    assert "upper bound" in str(footing_of(clips))


def test_every_recipe_says_what_its_nats_price() -> None:
    for name in ("band", "basic-rnn", "chorale", "shred", "pitch-step-duration", "chord-melody", "pianoroll"):
        codec = recipe_codec(load_recipe(name))
        assert codec.name in CODECS
        assert not footing_of(with_codec(codec)).prices.startswith("what the codec")


def test_a_codec_that_is_not_known_here_is_compared_with_itself_alone() -> None:
    class Strange:
        name = "strange"

        def config(self) -> dict[str, object]:
            return {"name": "strange"}

    strange = with_codec(Strange())
    assert "what the codec strange writes" in str(footing_of(strange))
    assert not common_ground(strange, strange).refusal
    assert common_ground(strange, with_codec(MelodyCodec())).refusal
