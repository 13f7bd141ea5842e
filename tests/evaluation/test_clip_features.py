"""What a judge sees of a clip: only what can be heard in notes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from woodshed.evaluation.clip_features import clip_features, feature_matrix, feature_names, normal_form
from woodshed.music import Part, Song

BAR = 1920
LEAD = Part("Lead", 81)
GUITAR = Part("Guitar", 30)
BASS = Part("Bass", 33)
DRUMS = Part("Drums", 0, True)


def test_two_tracks_of_one_instrument_become_one_and_names_go() -> None:
    left, right = Part("Left", 30), Part("Right", 30)
    kit, other_kit = Part("Kit", 16, True), Part("", 0, True)
    song = Song.make(
        [(0, 0, 480, 52, 90), (1, 0, 240, 52, 90), (1, 0, 480, 59, 90), (2, 0, 120, 36, 90), (3, 480, 120, 38, 90)],
        [left, right, kit, other_kit],
    )
    found = normal_form(song)
    assert found.parts == (Part("", 30), Part("", 0, True))
    assert found.notes[["part", "onset", "duration", "pitch"]].tolist() == [
        (0, 0, 480, 52), (0, 0, 480, 59), (1, 0, 120, 36), (1, 480, 120, 38)
    ]  # fmt: skip


def test_feel_tempo_and_controllers_go_and_bars_stay() -> None:
    played = Song.make(
        [(0, 7, 233, 60, 93), (0, 1925, 470, 62, 96)], [LEAD],
        tempos=[(0, 171.0)], meters=[(0, 4, 4)], bends=[(0, 0, 300)], length=2 * BAR,
    )  # fmt: skip
    found = normal_form(played)
    assert found.notes["onset"].tolist() == [0, BAR]
    assert found.notes["duration"].tolist() == [240, 480]
    assert len(set(found.notes["velocity"].tolist())) == 1
    assert (len(found.tempos), len(found.bends), found.bars, found.meter.numerator) == (0, 0, 2, 4)


def test_the_normal_form_of_a_normal_form_is_itself(band_song: Song) -> None:
    assert normal_form(normal_form(band_song)) == normal_form(band_song)


def test_a_note_played_ahead_of_the_end_does_not_make_the_clip_longer() -> None:
    song = Song.make([(0, 0, 480, 60, 90), (0, BAR - 5, 5, 62, 90)], [LEAD], length=BAR)
    assert normal_form(song).bars == 1
    assert normal_form(song).notes["pitch"].tolist() == [60]


def test_features_do_not_know_the_key(band_song: Song) -> None:
    before, after = clip_features(band_song), clip_features(band_song.transpose(3))
    moved = {name for name in before if not np.isclose(before[name], after[name])}
    assert moved == {"register: bass", "register: others"}


def test_features_do_not_know_names_or_the_order_of_parts(band_song: Song) -> None:
    nameless = band_song.replace(parts=tuple(Part("x", part.program, part.is_drum) for part in band_song.parts))
    assert clip_features(nameless) == clip_features(band_song)
    notes = band_song.notes.copy()
    notes["part"] = 2 - notes["part"]
    turned = Song.make(notes, band_song.parts[::-1], meters=band_song.meters, length=band_song.length)
    assert np.allclose(feature_matrix([turned]), feature_matrix([band_song]))


def test_what_is_planted_is_found_in_its_feature() -> None:
    """One bar that comes back: bass in eighths on every eighth of the hats, a guitar chord of two notes a quarter."""
    notes = [(0, bar * BAR + eighth * 240, 120, 42, 90) for bar in range(4) for eighth in range(8)]
    notes += [(1, bar * BAR + eighth * 240, 240, 33, 90) for bar in range(4) for eighth in range(8)]
    notes += [(2, bar * BAR + beat * 480, 480, p, 90) for bar in range(4) for beat in range(4) for p in (45, 52)]
    found = clip_features(Song.make(notes, [DRUMS, BASS, GUITAR]))
    assert found["notes: bass mean"] == np.log2(9)
    assert found["notes: leads bars"] == 0
    assert found["drum: hats"] == 1
    assert found["together: bass with drums"] == 1
    assert found["chord: 2 notes"] == 16 / (16 + 32)
    assert found["length: 1/8"] == 32 / (32 + 32)
    assert found["length: until the next"] == 1
    assert found["again: pitched bars after 1"] == 1
    assert found["again: pitched bars new"] == 1 / 4
    assert found["place: drums 3"] == 1 / 8
    assert found["place: drums off"] == 0


def test_an_empty_clip_has_every_feature_and_all_are_finite() -> None:
    assert tuple(clip_features(Song())) == feature_names()
    assert np.isfinite(feature_matrix([Song()])).all()
    assert feature_matrix([]).shape == (0, len(feature_names()))


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 20_000), st.integers(1, 9_000), st.integers(0, 127),
                  st.integers(1, 127)), max_size=30
    ),
    st.sampled_from([[], [(0, 3, 4)], [(0, 1, 32)], [(0, 4, 4), (1000, 7, 8)]]),
)  # fmt: skip
def test_any_song_has_the_same_features_and_all_are_finite(
    notes: list[tuple[int, ...]], meters: list[tuple[int, ...]]
) -> None:
    song = Song.make(notes, [LEAD, GUITAR, BASS, DRUMS], meters=meters)
    for form in (song, normal_form(song)):
        found = clip_features(form)
        assert tuple(found) == feature_names()
        assert np.isfinite(list(found.values())).all()
