"""The chorale recipe from a folder to clips: what is given comes back, the grammar holds, what cannot be is refused."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from woodshed.bundle import Bundle, load_bundle
from woodshed.bundle.likelihood import event_nats
from woodshed.codecs.chorale import VOICES, ChoraleCodec
from woodshed.codecs.chorale_frames import END, FOLLOWS, FRAME, REST, flatten, unflatten
from woodshed.codecs.chorale_voices import VOICE_NAMES
from woodshed.errors import BundleError, CodecError, CorpusError, InfeasibleCanvas, OutOfRange, UnknownName, UsageError
from woodshed.evaluation.voice_leading import voice_leading
from woodshed.formats import write_midi
from woodshed.generation.filters import Sampling
from woodshed.generation.harmonise import OPEN, Score, find_voices
from woodshed.music import METER, Key, Marker, Meter, Part, Song
from woodshed.recipes.api import Band
from woodshed.recipes.chorale_material import chorales_of
from woodshed.recipes.chorales import _places, harmonise_song, parse_voices, read_given
from woodshed.recipes.material import Material
from woodshed.recipes.play import continue_song, generate
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import train_recipe
from woodshed.recipes.wish import Wish

CODEC = ChoraleCodec()
TINY = ["size=tiny", "training.evaluations=1", "training.batch=2", "training.length=64"]
HAPPY_BIRTHDAY = (
    (67, 3), (67, 1), (69, 4), (67, 4), (72, 4), (71, 8), (67, 3), (67, 1), (69, 4), (67, 4), (74, 4), (72, 8),
    (67, 3), (67, 1), (79, 4), (76, 4), (72, 4), (71, 4), (69, 4), (77, 3), (77, 1), (76, 4), (72, 4), (74, 4), (72, 8),
)  # fmt: skip
"""Pitch and length in sixteenths; the last note ends on the third beat of a bar of 3/4."""


def chorale(seed: int, bars: int = 4) -> Song:
    """Four voices that move by chance in the key of the seed."""
    chance = np.random.default_rng(seed)
    chords = np.array([(72, 67, 64, 48), (71, 67, 62, 55), (69, 65, 60, 53)]) + seed % 5 - 2
    rows = [
        (voice, (bar * 4 + beat) * 480, 480, int(pitch), 90)
        for bar in range(bars)
        for beat in range(4)
        for voice, pitch in enumerate(chords[chance.integers(3)])
    ]
    names = ("Soprano", "Alto", "Tenor", "Bass")
    return Song.make(rows, [Part(name, 52) for name in names], tempos=[(0, 80.0)], meters=[(0, 4, 4)], title=f"{seed}")


def melody(steps: list[tuple[int, int]], meter: tuple[int, int], rest: int = 0, part: Part | None = None) -> Song:
    """Pitches and lengths in sixteenths, after a rest; velocities differ so that a test can see them come back."""
    rows, at = [], rest
    for pitch, length in steps:
        rows.append((0, at * 120, length * 120, pitch, 50 + at % 60))
        at += length
    return Song.make(rows, [part or Part("Tune", 73)], tempos=[(0, 100.0)], meters=[(0, *meter)])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The recipe, trained for two steps."""
    folder = tmp_path_factory.mktemp("chorales") / "bach.shed"
    material = Material([chorale(seed) for seed in range(4)], [chorale(9)])
    train_recipe(load_recipe("chorale", TINY), material, folder, steps=2, device="cpu")
    return load_bundle(folder)


def encoded(found: Song, given: tuple[str, ...], shift: int) -> NDArray[np.int64]:
    """The tokens of an answer whose first parts are the given voices; fails if the grammar does not hold."""
    order = [VOICE_NAMES.index(name) for name in (*given, *(name for name in VOICE_NAMES if name not in given))]
    notes = found.notes.copy()
    notes["part"] = np.array(order)[notes["part"]]
    return CODEC.encode(Song.make(notes, VOICES, meters=found.meters).transpose(shift))


def test_how_many_different_chords_were_learned_is_told_beside_what_is_quoted(bundle: Bundle) -> None:
    assert bundle.training["four_note_combinations"]["distinct"] == 3  # those of `chorale`, in one key
    assert bundle.folder is not None
    card = (bundle.folder / "README.md").read_text()
    assert "| Four-note combinations | 3 different ones, 0 of them once |" in card
    assert "woodshed harmonise" in card
    assert "woodshed continue" not in card
    told = chorales_of(Material([chorale(1)]), CODEC).warnings[-1]
    assert told == ("3 different four-note combinations sound in them, in C major or A minor (108 are often quoted)")


def test_the_recipe_trains_and_plays_the_bars_asked_for(bundle: Bundle) -> None:
    assert 0 < bundle.training["held_out_nats_per_note"] < 60
    assert bundle.capabilities == ("generate", "harmonise")
    clip = generate(bundle, Wish(bars=3, meter=Meter(3, 4), bpm=70), seed=3, candidates=2)[0]
    assert [part.name for part in clip.song.parts] == ["Soprano", "Alto", "Tenor", "Bass"]
    assert (clip.song.bars, clip.song.length, str(clip.song.meter), clip.song.bpm) == (3, 3 * 1440, "3/4", 70)
    assert set(clip.findings) == {"voice_leading", "nats_per_frame", "fermatas", "octaves_above_a_choir"}
    assert clip.settings["parallels"] == 0.005
    assert "parallel fifths" in clip.summary()
    again = generate(bundle, Wish(bars=3, meter=Meter(3, 4), bpm=70), seed=3, candidates=2)[0]
    assert clip.song == again.song


SUBSETS = [some for count in (1, 2, 3) for some in itertools.combinations(VOICE_NAMES, count)]


@pytest.mark.parametrize("given", SUBSETS, ids=", ".join)
def test_given_voices_come_back_exactly_and_the_rest_keeps_to_the_grammar(
    bundle: Bundle, given: tuple[str, ...]
) -> None:
    whole = chorale(3, bars=2).transpose(3)
    kept = [part for part, name in enumerate(("soprano", "alto", "tenor", "bass")) if name in given]
    notes = whole.notes[np.isin(whole.notes["part"], kept)].copy()
    notes["part"] = np.searchsorted(kept, notes["part"])
    song = Song.make(notes, [whole.parts[part] for part in kept], meters=[(0, 4, 4)], length=whole.length)
    assert len(SUBSETS) == 14
    for clip in harmonise_song(bundle, song, given, seed=1, count=2, candidates=2):
        found = clip.song
        assert len(found.parts) == 4
        assert np.array_equal(found.notes[found.notes["part"] < len(kept)], song.notes)
        assert len(encoded(found, given, CODEC.transposition(song, given))) == 5 * 32 + 1
        assert found.length == song.length


def test_every_draw_is_a_chorale_with_what_is_given(bundle: Bundle) -> None:
    tokens = unflatten(CODEC.encode(CODEC.arrange(chorale(5, bars=1)))).tokens.copy()
    given = tokens[:, 1].copy()
    tokens[:, [0, 2, 3]] = OPEN
    fermata = np.arange(16) % 5 == 0
    for marks in (None, fermata):
        score = Score(tokens, 16, marks)
        draws = find_voices(bundle, score, Sampling(1.0, top_p=1.0), np.random.default_rng(2), islands=50, particles=4)
        assert len(draws.frames) == 50
        assert np.all(np.diff(draws.nats_per_frame) >= 0)
        for frames, nats in zip(draws.frames, draws.nats_per_frame, strict=True):
            assert np.array_equal(frames.tokens[:, 1], given)
            before = np.concatenate((np.full((1, 4), REST), frames.tokens[:-1]))
            assert FOLLOWS[np.arange(4), before, frames.tokens].all()
            assert marks is None or np.array_equal(frames.fermata, marks)
            events = flatten(frames)
            assert np.array_equal(flatten(unflatten(events)), events)
            assert event_nats(bundle, events, 16).sum() / 16 == pytest.approx(nats, rel=1e-4)


def test_odds_of_nought_leave_no_parallel_fifths_or_octaves_and_odds_in_between_leave_fewer(bundle: Bundle) -> None:
    def found(parallels: float) -> int:
        score = Score(np.full((64, 4), OPEN), 16)
        draws = find_voices(
            bundle, score, Sampling(1.0), np.random.default_rng(3), islands=24, particles=1, parallels=parallels
        )
        counts = [voice_leading(CODEC.decode(flatten(frames), Song.make([], VOICES))) for frames in draws.frames]
        return sum(count.parallel_fifths + count.parallel_octaves for count in counts)

    as_learned, few, none = found(1.0), found(0.3), found(0.0)
    assert as_learned > few > none == 0
    with pytest.raises(OutOfRange, match="parallels 2 is outside 0-1"):
        found(2.0)


def test_the_rows_of_a_swarm_are_those_that_the_codec_looks_at() -> None:
    events = CODEC.encode(CODEC.arrange(chorale(1, bars=1).replace(markers=(Marker(0, "fermata"),))))
    seen = CODEC.look(events, 16)
    assert np.array_equal(CODEC.look_next(events[:7], 16), seen[7])
    third = CODEC.rows(events[[10]], 0, 2, events[None, 6:10])
    assert events[10] == FRAME
    assert np.array_equal(third[0], seen[11])
    assert events[-1] == END


def test_a_particle_filter_finds_what_goes_with_the_given_voice() -> None:
    """A model that sings the alto a sixth below a soprano that it cannot choose: only likely sopranos survive."""
    # The net is untrained, so that the likeliest of many islands is no worse than a single particle's on average.
    blank = load_recipe("chorale", TINY)
    from woodshed.recipes.runs import blank_bundle

    model = blank_bundle(blank, Material([]), 0, "cpu")
    model.model.output.data *= 8
    tokens = unflatten(CODEC.encode(CODEC.arrange(chorale(5, bars=1)))).tokens.copy()
    tokens[:, :3] = OPEN
    warm = Sampling(1.0, top_p=1.0)
    alone = find_voices(model, Score(tokens, 16), warm, np.random.default_rng(1), islands=24, particles=1)
    swarm = find_voices(model, Score(tokens, 16), warm, np.random.default_rng(1), islands=24, particles=24)
    assert swarm.nats_per_frame.mean() < alone.nats_per_frame.mean()


def test_happy_birthday_is_harmonised_with_its_upbeat_in_its_own_key(bundle: Bundle) -> None:
    song = melody([(pitch - 2, length) for pitch, length in HAPPY_BIRTHDAY], (3, 4), rest=8)
    clip = harmonise_song(bundle, song, seed=4, candidates=2)[0]
    assert np.array_equal(clip.song.notes[clip.song.notes["part"] == 0], song.notes)
    assert [part.name for part in clip.song.parts] == ["Tune", "Alto", "Tenor", "Bass"]
    assert clip.song.parts[1].program == 52
    assert clip.song.notes["onset"].min() == 8 * 120  # nobody begins before the melody
    assert clip.song.length == song.length
    assert (str(clip.song.meter), clip.song.bpm) == ("3/4", 100)
    assert clip.settings["voices"] == ["soprano"]


def test_the_same_seed_writes_the_same_bytes(bundle: Bundle, tmp_path: Path) -> None:
    song = melody([(60, 4), (62, 4), (64, 8)], (4, 4))
    for name in ("one", "two"):
        write_midi(harmonise_song(bundle, song, seed=4, candidates=2)[0].song, tmp_path / f"{name}.mid")
    assert (tmp_path / "one.mid").read_bytes() == (tmp_path / "two.mid").read_bytes()
    other = harmonise_song(bundle, song, seed=5, candidates=2)[0].song
    assert not np.array_equal(other.notes, harmonise_song(bundle, song, seed=4, candidates=2)[0].song.notes)


@pytest.mark.parametrize(("meter", "bars", "bar"), [((7, 8), 4, 14), ((2, 4), 40, 8), ((5, 16), 3, 5), ((4, 2), 2, 32)])
def test_any_length_and_meter_will_do(bundle: Bundle, meter: tuple[int, int], bars: int, bar: int) -> None:
    song = melody([(60 + n % 7, bar if n % 3 else bar - 1) for n in range(bars)], meter, rest=bars // 3)
    found = harmonise_song(bundle, song, seed=1, candidates=1)[0].song
    assert np.array_equal(found.notes[found.notes["part"] == 0], song.notes)
    assert found.bars == song.bars
    encoded(found, ("soprano",), CODEC.transposition(song, ("soprano",)))


def test_one_note_is_a_melody_and_an_upbeat_and_meters_that_change_will_do(bundle: Bundle) -> None:
    for song in (
        melody([(60, 1)], (4, 4)),
        melody([(67, 4), *[(60 + n, 4) for n in range(7)]], (3, 4), rest=8).replace(
            meters=np.array([(0, 3, 4), (2 * 1440, 7, 8), (2 * 1440 + 1680, 2, 4)], METER)
        ),
    ):
        found = harmonise_song(bundle, song, seed=1, candidates=1)[0].song
        assert np.array_equal(found.notes[found.notes["part"] == 0], song.notes)
        assert np.array_equal(found.meters, song.meters)
        encoded(found, ("soprano",), CODEC.transposition(song, ("soprano",)))


def test_places_are_counted_from_the_bar_line_before_whatever_the_meter() -> None:
    song = Song(meters=np.array([(0, 3, 8), (720, 2, 8), (720 + 2 * 480, 4, 4)], METER), length=720 + 960 + 1920)
    assert _places(song, 19).tolist() == [*range(6), *range(4), *range(4), *range(5)]


def test_fermatas_are_those_given_else_at_long_notes_and_rests_and_it_says_which(bundle: Bundle) -> None:
    song = melody([(67, 2), (69, 2), (71, 8), (72, 4), (71, 4), (69, 4), (67, 8)], (4, 4))
    found = harmonise_song(bundle, song, seed=1, candidates=1)[0]
    assert [mark.onset for mark in found.song.markers] == [4 * 120, 24 * 120]
    assert found.findings["fermatas"] == {"count": 2, "from": "phrase ends"}
    assert "fermatas at 2 phrase ends, since none are marked" in found.summary()
    marked = song.replace(markers=(Marker(0, "Verse"), Marker(12 * 120, "fermata")))
    found = harmonise_song(bundle, marked, seed=1, candidates=1)[0]
    assert found.song.markers == marked.markers
    assert found.findings["fermatas"] == {"count": 1, "from": "given"}
    assert "fermata" not in found.summary()


def test_a_melody_that_lies_octaves_away_takes_the_choir_along_and_that_is_told(bundle: Bundle) -> None:
    for higher, octaves, told in (
        (0, 0, ""),
        (2, 2, "sung 2 octaves above a choir's"),
        (-2, -1, "sung 1 octave below"),
    ):
        song = melody([(72 + 12 * higher, 4), (74 + 12 * higher, 4), (76 + 12 * higher, 8)], (4, 4))
        clip = harmonise_song(bundle, song, seed=1, candidates=1)[0]
        assert clip.findings["octaves_above_a_choir"] == octaves
        assert told in clip.summary()
        assert bool(octaves) == ("sung" in clip.summary())


def test_bars_of_silence_before_a_melody_stay_silent(bundle: Bundle) -> None:
    song = melody([(60, 4), (64, 4), (62, 8)], (4, 4), rest=16 * 5 + 4)
    found = harmonise_song(bundle, song, seed=1, candidates=1)[0].song
    assert found.notes["onset"].min() == song.notes["onset"].min()
    assert np.array_equal(found.notes[found.notes["part"] == 0], song.notes)


def test_drums_and_fermatas_stay_and_a_keyboard_plays_all_voices(bundle: Bundle) -> None:
    song = melody([(60, 4), (64, 4), (62, 8)], (4, 4), part=Part("", 6))
    notes = [(1, 0, 120, 36, 99), *((0, *row[1:]) for row in song.notes.tolist())]
    both = Song.make(notes, [song.parts[0], Part("Drums", 0, True)], markers=(Marker(960, "fermata"),))
    found = harmonise_song(bundle, both, seed=1, candidates=1)[0].song
    assert np.array_equal(found.notes[found.notes["part"] < 2], both.notes)
    assert [part.name for part in found.parts] == ["Soprano", "Drums", "Alto", "Tenor", "Bass"]
    assert {part.program for part in found.parts if not part.is_drum} == {6}
    assert found.markers == both.markers


def test_key_and_ranges_hold_over_many_draws(bundle: Bundle) -> None:
    key = Key.parse("F# minor")
    wish = Wish(bars=1, key=key, ranges={"Bass": (42, 54)})
    songs = [clip.song for clip in generate(bundle, wish, seed=1, count=8, candidates=1)]
    notes = np.concatenate([song.notes for song in songs])
    assert len(notes) > 30
    assert np.isin(notes["pitch"] % 12, key.pitch_classes).all()
    bass = notes[notes["part"] == 3]["pitch"]
    assert 42 <= bass.min() <= bass.max() <= 54


THREE = Song.make([(part, 0, 480, 70 - 5 * part, 90) for part in range(3)], [Part()] * 3)
SOPRANO = melody([(60, 4), (64, 4)], (4, 4))


@pytest.mark.parametrize(
    ("song", "voices", "error", "told"),
    [
        (chorale(1), ("soprano", "alto", "tenor", "bass"), UsageError, "write - for .* 'soprano, -, -, -'"),
        (SOPRANO, ("baritone",), UnknownName, "soprano, alto, tenor, bass"),
        (SOPRANO, (), UnknownName, "voices none"),
        (SOPRANO, ("soprano", "bass"), CodecError, "1 pitched part sounds .Tune., but 2 voices are given"),
        (chorale(1), ("soprano",), CodecError, r"4 pitched parts sound \(Sop.*1 voice is given.*'soprano, -, -, -'"),
        (chorale(1), ("alto", "-"), CodecError, r"2 voices are given.*--voices 'alto, -, -, -'"),
        (
            THREE,
            ("soprano", "alto", "tenor", "bass"),
            UsageError,
            "3 pitched parts sound .*, and four voices are named",
        ),
        (melody([(40, 4), (90, 4)], (4, 4)), ("soprano",), CodecError, "soprano 90 is outside 40-76.* span 40-90;"),
        (melody([(0, 4), (127, 4)], (4, 4)), ("soprano",), CodecError, "soprano 0 is outside 101-127.* span 0-127"),
        (Song.make([(0, 0, 9, 36, 99)], [Part("Drums", 0, True)]), ("soprano",), CodecError, "only drums sound"),
        (Song(), ("soprano",), CodecError, "there are no notes"),
        (Song.make([(0, 0, 9, 60, 9), (0, 0, 9, 64, 9)], [Part()]), ("bass",), CodecError, "one note at a time"),
    ],
)
def test_what_four_voices_cannot_sing_is_refused(
    bundle: Bundle, song: Song, voices: tuple[str, ...], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        harmonise_song(bundle, song, voices, seed=1)


def test_a_part_left_out_is_found_anew_and_the_drums_stay(bundle: Bundle) -> None:
    song = chorale(1)
    drums = Part("Drums", 0, is_drum=True)
    beat = song.notes[:1].copy()
    beat["part"] = 4
    both = song.replace(parts=(*song.parts, drums)).with_notes(np.append(song.notes, beat))
    clip = harmonise_song(bundle, both, ("-", "alto", "-", "-"), seed=1, candidates=1)[0]
    assert [part.name for part in clip.song.parts] == ["Alto", "Drums", "Soprano", "Tenor", "Bass"]
    alto = song.notes[song.notes["part"] == 1]
    assert np.array_equal(clip.song.notes[clip.song.notes["part"] == 0]["pitch"], alto["pitch"])
    assert clip.settings["voices"] == ["-", "alto", "-", "-"]


@pytest.mark.parametrize(("low", "high"), [(0, 3), (120, 127)])
def test_voices_found_around_a_melody_at_the_end_of_midi_are_inside_it(bundle: Bundle, low: int, high: int) -> None:
    song = melody([(low, 4), (high, 4), (low, 4), (high, 4)], (4, 4))
    found = harmonise_song(bundle, song, seed=1, candidates=1)[0].song
    assert found.notes["pitch"].min() >= 0
    assert found.notes["pitch"].max() <= 127


@pytest.mark.parametrize(
    ("wish", "error", "told"),
    [
        (Wish(bars=0), OutOfRange, "bars 0"),
        (Wish(bpm=4), OutOfRange, "tempo 4"),
        (Wish(parts=(Part(),)), UsageError, "leave --parts out"),
        (Wish(polyphony=2), UsageError, "one note at a time"),
        (Wish(steps=9), UsageError, "use --bars"),
        (Wish(ranges={"guitar": (40, 60)}), UnknownName, "'guitar' is not of one of soprano"),
        (Wish(ranges={"alto, bass": (40, 60)}), UnknownName, "name one voice for each"),
        (Wish(ranges={"bass": (90, 99)}), InfeasibleCanvas, "leave the bass no pitch"),
    ],
)
def test_wishes_that_a_choir_cannot_fulfil_are_refused(
    bundle: Bundle, wish: Wish, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        generate(bundle, wish, seed=1)


def test_bundles_of_the_wrong_kind_are_refused_with_recipes_that_serve(bundle: Bundle, tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match=r"this needs one that plays one sequence of events, such as .*chorale"):
        harmonise_song(load_bundle(tiny_bundle), SOPRANO, seed=1)
    with pytest.raises(BundleError, match=r"cannot continue: it can generate and harmonise; recipes that can: .*band"):
        continue_song(bundle, SOPRANO, seed=1)


def test_voices_are_named_in_words() -> None:
    assert parse_voices(" Soprano, BASS ") == ("soprano", "bass")
    assert parse_voices("-, alto,-,-") == ("-", "alto", "-", "-")
    for text, told in (
        ("", "no voice"),
        ("-, -", "no voice"),
        ("mezzo", "'mezzo' is not one of"),
        ("alto,alto", "named twice"),
    ):
        with pytest.raises(UnknownName, match=told):
            parse_voices(text)


def test_a_melody_is_typed_in_a_meter_and_tempo(bundle: Bundle) -> None:
    song = read_given("[-2,-2,60,-2,62,-1]", "3/8", 90)
    assert (str(song.meter), song.bpm, song.notes["onset"].tolist()) == ("3/8", 90, [240, 480])
    assert len(Band(bundle).harmonise(song, voices="alto", seed=2, candidates=1).parts) == 4
    with pytest.raises(UsageError, match="a file keeps its own"):
        read_given("x.mid", "3/4")


def test_what_is_no_chorale_is_counted_with_its_remedy() -> None:
    three = Song.make([(part, 0, 480, 60 + part, 90) for part in range(3)], [Part()] * 3)
    wide = Song.make(
        [(0, 0, 9, 72, 9), (1, 0, 9, 67, 9), (2, 0, 9, 64, 9), (3, 0, 9, 48, 9), (3, 99, 9, 127, 9)], VOICES
    )
    drums = Song.make([(0, 0, 9, 36, 99)], [Part("Drums", 0, True)])
    found = chorales_of(Material([chorale(1), three, drums, Song(), wide], [chorale(2)]), CODEC)
    assert (len(found.songs), len(found.held_out)) == (1, 1)
    assert found.songs[0].notes["pitch"].tolist() == chorale(1).notes["pitch"].tolist()
    line = found.warnings[0]
    assert "1 chorale of 5 songs is learned, 1 of 1 song held out" in line
    for reason in ("1 not four voices (four parts", "1 only drums (", "1 no notes (", "1 out of range ("):
        assert reason in line
    with pytest.raises(CorpusError, match=r"no chorale is found; 1 not four voices \("):
        chorales_of(Material([three]), CODEC)
