"""Solos over a backing: in its key, on its bars, at its tempo, and the backing itself bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from woodshed.bundle import Bundle
from woodshed.errors import BundleError, CodecError, InfeasibleCanvas, OutOfRange, UnknownName, UsageError
from woodshed.formats import read_midi, write_midi
from woodshed.generation.filters import Sampling
from woodshed.music import KEY, Key, Meter, Part, Song
from woodshed.recipes.band_solo import LEAD
from woodshed.recipes.clip import Clip
from woodshed.recipes.material import Material
from woodshed.recipes.over import Over, play_over, semitones
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.rules import parse_rules
from woodshed.recipes.runs import train_recipe
from woodshed.recipes.wish import Wish, parse_wish

NAMES = ["shred", "deeprock", "pitch-step-duration", "basic-rnn", "mono-rnn", "markov"]
HOT = Sampling(temperature=1.0, top_p=1.0)


def solo(seed: int, bars: int = 8) -> Song:
    """Eighths in E minor on an electric guitar, over drums."""
    chance = np.random.default_rng(seed)
    rows = [(0, 480 * beat, 120, 36, 100) for beat in range(4 * bars)]
    rows += [(1, 240 * n, 240, int(chance.choice([40, 43, 45, 47, 52, 55, 57, 59])), 90) for n in range(8 * bars)]
    parts = [Part("Drums", 0, True), Part("Lead", 30)]
    return Song.make(rows, parts, tempos=[(0, 130.0)], meters=[(0, 4, 4)], title=f"Solo {seed}")


def backing() -> Song:
    """Six bars of 4/4 and four of 7/8 that grow faster: F minor chords, drums, a pedal, a marker."""
    rows = [(0, 480 * beat, 60, 38, 100) for beat in range(38)]
    rows += [(1, 960 * half, 900, pitch, 70) for half in range(19) for pitch in (53, 56, 60)]
    rows += [(2, 960 * half, 960, 29, 80) for half in range(19)]
    tempos = [(0, 90.0), (3840, 150.0), (12000, 60.0)]
    return Song.make(
        rows,
        [Part("Drums", 0, True), Part("Keys", 4), Part("Bass", 33)],
        tempos=tempos,
        meters=[(0, 4, 4), (11520, 7, 8)],
        controls=[(1, 100, 64, 127)],
        bends=[(2, 50, 300)],
    )


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """Every recipe that plays one line, trained for two steps."""
    folder, found = tmp_path_factory.mktemp("over"), {}
    material = Material([solo(seed) for seed in range(4)], [solo(9)])
    for name in NAMES:
        changes = [] if name == "markov" else ["size=tiny", "training.evaluations=1", "training.batch=4"]
        changes += ["training.unique_factor=3"] if name == "deeprock" else []
        if load_recipe(name).material["kind"] == "melodies":
            changes += ["material.min_bars=1", "material.min_pitches=1"]
        found[name] = train_recipe(load_recipe(name, changes), material, folder / name, steps=2, device="cpu").bundle
    return found


def over(bundle: Bundle, place: Over | None = None, wish: Wish | None = None, sampling: Sampling = HOT) -> Clip:
    (clip,) = play_over(bundle, place or Over(backing()), wish or Wish(), sampling, seed=1, count=1, candidates=2)
    return clip


def part_of(song: Song) -> np.ndarray:
    return song.notes[song.notes["part"] == 3]


@pytest.mark.parametrize("name", NAMES)
def test_the_backing_stays_bit_for_bit_and_the_solo_is_one_more_part(bundles: dict[str, Bundle], name: str) -> None:
    ground, song = backing(), over(bundles[name]).song
    assert song.parts[:3] == ground.parts
    assert len(song.parts) == 4
    assert np.array_equal(song.notes[song.notes["part"] < 3], ground.notes)
    for rows in ("tempos", "meters", "keys", "controls", "bends"):
        assert np.array_equal(getattr(song, rows), getattr(ground, rows))
    assert song.length == ground.length
    again = read_midi(write_midi(song))
    assert np.array_equal(again.notes, song.notes)
    assert np.array_equal(again.tempos, read_midi(write_midi(ground)).tempos)


@pytest.mark.parametrize("name", NAMES)
def test_no_note_leaves_a_key_that_is_asked_for(bundles: dict[str, Bundle], name: str) -> None:
    key = Key.parse("F minor")
    for seed in range(4):
        (clip,) = play_over(bundles[name], Over(backing()), Wish(key=key), HOT, seed=seed, count=1, candidates=2)
        notes = part_of(clip.song)
        assert len(notes)
        assert set((notes["pitch"] % 12).tolist()) <= set(key.pitch_classes)
        assert notes["pitch"].min() >= LEAD[0]
        assert notes["pitch"].max() <= LEAD[1]


@pytest.mark.parametrize("name", NAMES)
def test_it_begins_at_the_bar_asked_for_and_ends_with_the_backing(bundles: dict[str, Bundle], name: str) -> None:
    ground = backing()
    lines = ground.bar_lines()
    end = int(ground.ends.max())
    notes = part_of(over(bundles[name], Over(ground, at_bar=7)).song)
    assert lines[6] <= notes["onset"].min() < lines[8]
    assert lines[-2] <= (notes["onset"] + notes["duration"]).max() <= end
    short = part_of(over(bundles[name], Over(ground, at_bar=2, bars=3)).song)
    assert lines[1] <= short["onset"].min()
    assert (short["onset"] + short["duration"]).max() <= lines[4]


def test_a_solo_is_moved_from_the_key_of_its_passage_into_the_key_found(bundles: dict[str, Bundle]) -> None:
    clip = over(bundles["shred"])
    assert clip.findings["key_of_solo"] == "F minor"
    assert clip.findings["from_key"] == "E minor"
    assert clip.findings["semitones"] == 1
    inside = np.isin(part_of(clip.song)["pitch"] % 12, Key.parse("F minor").pitch_classes)
    assert inside.mean() > 0.8
    assert clip.remark.startswith("solo from bar 1, ")
    assert clip.remark.endswith(" notes in F minor (found); its passage, in E minor, is moved 1 semitone up")
    assert clip.song.markers[0].text.startswith("solo in F minor; goes on from a passage of Solo ")
    assert (clip.settings["over"], clip.settings["at_bar"], clip.settings["bars"]) == ("the backing", 1, 10)


def test_a_key_that_the_backing_does_not_have_is_told(bundles: dict[str, Bundle]) -> None:
    clip = over(bundles["shred"], wish=Wish(key=Key.parse("D major")))
    assert "notes in D major as asked, though the backing seems to be in F minor" in clip.remark
    assert "its passage, in E minor, is moved 2 semitones down to D minor" not in clip.remark
    stated = backing().replace(keys=np.array([(0, 5, True)], KEY))
    assert "though the backing is in F minor" in over(bundles["shred"], Over(stated), Wish(key=Key.parse("D"))).remark
    assert "as asked" not in over(bundles["shred"], wish=Wish(key=Key.parse("Ab major"))).remark


@pytest.mark.parametrize(("name", "grid"), [("shred", 240), ("pitch-step-duration", 120), ("basic-rnn", 120)])
def test_it_keeps_to_the_beats_however_the_tempo_changes(bundles: dict[str, Bundle], name: str, grid: int) -> None:
    notes = part_of(over(bundles[name]).song)
    assert not (notes["onset"] % grid).any()


def test_the_same_seed_plays_the_same_solo_and_a_primer_may_lead_it(bundles: dict[str, Bundle]) -> None:
    one, two = (over(bundles["deeprock"]).song for _ in "ab")
    assert one == two
    (clip,) = play_over(
        bundles["deeprock"], Over(backing()), Wish(), HOT, solo(5, bars=4), seed=1, count=1, candidates=1
    )
    assert clip.song.markers[0].text == "solo in F minor; goes on from Solo 5"


def test_a_range_and_an_instrument_can_be_asked_for(bundles: dict[str, Bundle]) -> None:
    wish = parse_wish(8, parts="flute", ranges=["flute=C5-C6"])
    song = over(bundles["pitch-step-duration"], wish=wish).song
    notes = part_of(song)
    assert song.parts[3].program == 73
    assert notes["pitch"].min() >= 72
    assert notes["pitch"].max() <= 84


def test_drums_alone_will_do_where_a_key_is_named(bundles: dict[str, Bundle]) -> None:
    drums = Song.make([(0, 480 * n, 60, 38, 100) for n in range(16)], [Part("Drums", 0, True)])
    assert len(over(bundles["shred"], Over(drums), Wish(key=Key.parse("F minor"))).song.parts) == 2
    with pytest.raises(UsageError, match=r"loop\.mid has only drums, so no key is found.*--key 'F minor'"):
        over(bundles["shred"], Over(drums, "loop.mid"))


@pytest.mark.parametrize(
    ("place", "wish", "error", "told"),
    [
        (Over(Song(parts=(Part(),)), "x.mid"), Wish(), InfeasibleCanvas, "x.mid has no notes to play over"),
        (Over(backing(), "x.mid", at_bar=0), Wish(), OutOfRange, "bar 0 is outside 1-10 of x.mid"),
        (Over(backing(), "x.mid", at_bar=11), Wish(), OutOfRange, "bar 11 is outside 1-10 of x.mid"),
        (Over(backing(), "x.mid", 9, 4), Wish(), OutOfRange, "from bar 9 to its end x.mid has 1-2"),
        (Over(backing()), Wish(bpm=99.0, meter=Meter(3, 4)), UsageError, "leave out --tempo and --meter"),
        (Over(backing()), Wish(steps=9), UsageError, "--steps and --polyphony do not go with --over"),
        (Over(backing()), Wish(parts=(Part("D", 0, True),)), UsageError, "a solo is one pitched part"),
        (Over(backing()), parse_wish(8, beam=2), UsageError, "--beam and --branch-factor"),
        (
            Over(backing()),
            parse_wish(8, key="C major", ranges=["solo=C#4-C#4"]),
            InfeasibleCanvas,
            "no note of C major lies in 61-61",
        ),
        (Over(backing()), Wish(ranges={"keys": (60, 72)}), UnknownName, "'keys': .* is called solo or distortion"),
        (Over(backing()), Wish(ranges={"solo": (60, 72), "30": (60, 72)}), UsageError, "give --range once"),
    ],
)
def test_what_cannot_be_is_refused(
    bundles: dict[str, Bundle], place: Over, wish: Wish, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        over(bundles["shred"], place, wish)


def test_a_choir_plays_no_solo_over_music() -> None:
    from woodshed.codecs.chorale import ChoraleCodec

    with pytest.raises(
        BundleError, match=r"recipe chorale\) plays no solo over a backing; recipes that do: band, shred"
    ):
        over(Bundle(None, ChoraleCodec(), recipe="chorale"))


def test_what_only_a_canvas_obeys_is_refused_for_a_line(bundles: dict[str, Bundle]) -> None:
    with pytest.raises(UsageError, match="--grid is for bundles of recipe band, not for shred"):
        over(bundles["shred"], wish=Wish(rules=parse_rules(grid="1/8")))


@pytest.mark.parametrize(
    ("source", "target", "move"),
    [
        ("E minor", "F minor", 1),
        ("C major", "A minor", 0),
        ("C major", "F minor", -4),
        ("B minor", "F minor", -6),
        ("A minor", "A blues", 0),
        ("G minor", "A dorian", -3),
        ("E minor", "C chromatic", -4),
    ],
)
def test_keys_are_moved_the_shortest_way(source: str, target: str, move: int) -> None:
    assert semitones(Key.parse(source), Key.parse(target)) == move


def test_python_asks_for_a_solo_in_the_same_words(bundles: dict[str, Bundle]) -> None:
    from woodshed.recipes.api import Band

    band, ground = Band(bundles["shred"]), backing()
    song = band.solo(ground, key="F minor", bars=(2, 4), part="lead guitar", range=(60, 84), seed=3)
    lines, notes = ground.bar_lines(), part_of(song)
    assert song == band.solo(ground, key="F minor", bars=(2, 4), part="lead guitar", range=(60, 84), seed=3)
    assert lines[1] <= notes["onset"].min()
    assert (notes["onset"] + notes["duration"]).max() <= lines[4]
    assert 60 <= notes["pitch"].min() <= notes["pitch"].max() <= 84
    with pytest.raises(OutOfRange, match="from bar 5 to its end the backing has 1-6"):
        band.solo(ground, bars=(5, 4))


def test_a_primer_without_notes_or_guitar_cannot_lead(bundles: dict[str, Bundle]) -> None:
    for primer, told in ((Song(parts=(Part(),)), "no notes"), (backing(), "no part for 'electric guitar'")):
        with pytest.raises(CodecError, match=told):
            play_over(bundles["deeprock"], Over(backing()), Wish(), HOT, primer, seed=1, count=1, candidates=1)
