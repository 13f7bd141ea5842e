"""Making a test: clips of one length, one loudness and one size, cut at bar lines; and nothing that gives them away."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from woodshed.errors import CorpusError, FileError, FormatError, OutOfRange, OutputExists, UnknownName, UsageError
from woodshed.evaluation.listening_clips import (
    FADE_SECONDS,
    SAMPLE_RATE,
    bar_excerpt,
    decode_clip,
    longest_clip,
    play_clip,
    recording_clip,
)
from woodshed.evaluation.listening_loudness import integrated_loudness
from woodshed.evaluation.listening_results import read_key
from woodshed.formats import write_midi
from woodshed.music import Part, Song
from woodshed.recipes.listening import ListeningWish, MadeTest, make_listening_test
from woodshed.recipes.listening_pieces import Sources, choose_pieces, common_seconds, named_sources

QUICK = ListeningWish(clips=2, seconds=3.0, seed=5)


@pytest.fixture(scope="module")
def sources(music_folder: Path) -> Sources:
    files = sorted(music_folder.iterdir())
    return {"the real band": files[:2], "model-a": files[2:4], "model-b": files[4:6]}


@pytest.fixture(scope="module")
def made(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> MadeTest:
    return make_listening_test(sources, tmp_path_factory.mktemp("made"), QUICK)


@pytest.fixture(scope="module")
def page(made: MadeTest) -> str:
    return made.page.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def data(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="test">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def heard(data: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    """The clips as a browser decodes them."""
    return {clip: decode_clip(base64.b64decode(coded)) for clip, coded in data["clips"].items()}


def song_of(bars: int, *, silent: tuple[int, ...] = (), bpm: float = 120.0, velocity: int = 90) -> Song:
    """A bass note on every beat; bars of two seconds at 120."""
    notes = [
        (0, bar * 1920 + beat * 480, 240, 40 + bar % 12, velocity)
        for bar in range(bars)
        for beat in range(4)
        if bar not in silent
    ]
    return Song.make(notes, [Part("Bass", 33)], tempos=[(0, bpm)], meters=[(0, 4, 4)], length=bars * 1920)


def test_clips_are_equally_loud_long_and_large_in_the_page(data: dict[str, Any], made: MadeTest) -> None:
    sounds = heard(data)
    loudness = [integrated_loudness(sound, SAMPLE_RATE) for sound in sounds.values()]
    assert np.abs(np.array(loudness) - made.key.lufs).max() < 0.1
    assert {len(sound) for sound in sounds.values()} == {round(3.0 * SAMPLE_RATE)}
    assert len({len(coded) for coded in data["clips"].values()}) == 1
    gains = [clip.gain_db for clip in made.key.clips.values()]
    assert max(gains) - min(gains) > 0.3  # they were not so before


def test_the_page_tells_no_source(page: str, made: MadeTest, sources: Sources, data: dict[str, Any]) -> None:
    outside = re.sub(r'"[0-9a-f]{10}":"[A-Za-z0-9+/=]{1000,}"', "", page)
    assert len(outside) < 60_000
    for word in (
        *sources,
        *(path.stem for paths in sources.values() for path in paths),
        "song-",
        str(made.page.parent),
    ):
        assert word not in outside
    for coded in data["clips"].values():
        content = base64.b64decode(coded)
        assert content[:2] == b"\xff\xfb"  # MPEG frames from the first byte on: no tag, no name
        assert b"song" not in content.lower()
        assert b"Lavf" not in content
    assert set(data) == {
        "test", "version", "woodshed", "title", "seed", "seconds", "must_hear_ms", "lufs", "question", "trials",
        "sheets", "clips",
    }  # fmt: skip


def test_clips_lie_in_the_page_by_ids_that_only_the_files_can_explain(
    made: MadeTest, page: str, sources: Sources, tmp_path: Path
) -> None:
    """The order is that of the ids; with one byte of one file another, all ids are others."""
    places = [page.index(f'"{clip}":"') for clip in sorted(made.key.clips)]
    assert places == sorted(places)
    assert all(re.fullmatch("[0-9a-f]{10}", clip) for clip in made.key.clips)
    file, other = sources["model-a"]
    changed = tmp_path / file.name
    changed.write_bytes(file.read_bytes().replace(b"Guitar", b"guitar"))
    second = make_listening_test({**sources, "model-a": [changed, other]}, tmp_path / "second", QUICK)
    assert set(second.key.clips).isdisjoint(made.key.clips)


def test_the_same_music_and_seed_give_the_same_bytes(sources: Sources, made: MadeTest, tmp_path: Path) -> None:
    again = make_listening_test(sources, tmp_path, QUICK)
    assert again.page.read_bytes() == made.page.read_bytes()
    assert again.key_path.read_bytes() == made.key_path.read_bytes()


def test_the_policy_allows_this_script_and_style_and_no_address(page: str) -> None:
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    for tag in ("style", "script"):
        inside = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert inside is not None
        digest = base64.b64encode(hashlib.sha256(inside[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'; ")
    assert not re.search(r"https?:|unsafe|\*", policy[1])
    assert not re.search(r'(?:src|href|action)="(?!data:)', page)
    assert '<link rel="icon" href="data:,">' in page  # else a browser asks the server for one
    assert "{{" not in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(scheme: str, page: str) -> None:
    """WCAG 2.1: at least 4.5 to 1 for words, 3 to 1 for edges of controls."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    palettes = re.findall(r":root \{(.*?)\}", page, re.DOTALL)
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", palettes[scheme == "dark"]))
    words = [("ink", "page"), ("ink", "card"), ("ink", "soft"), ("ink", "chosen"), ("faint", "page"), ("faint", "card"),
             ("faint", "soft"), ("faint", "chosen"), ("on-accent", "accent")]  # fmt: skip
    edges = [("edge", "card"), ("edge", "page"), ("accent", "page"), ("accent", "card"), ("accent", "chosen")]
    for least, pairs in ((4.5, words), (3.0, edges)):
        for front, back in pairs:
            low, high = sorted(luminance(colours[name]) for name in (front, back))
            assert (high + 0.05) / (low + 0.05) >= least, (front, back)


def test_markup_in_a_title_is_shown_and_never_run(sources: Sources, tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script> {{script}} & so"
    wish = ListeningWish(clips=1, seconds=3.0, title=evil)
    page = make_listening_test(sources, tmp_path, wish).page.read_text(encoding="utf-8")
    assert page.count("<script") == 2
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in page
    assert json.loads(page.split('id="test">')[1].split("</script>")[0])["title"] == evil


def test_the_key_says_whose_each_clip_is(made: MadeTest, data: dict[str, Any], sources: Sources) -> None:
    key = read_key(made.key_path)
    assert key == made.key
    assert set(key.clips) == set(data["clips"])
    assert [list(trial) for trial in key.trials] == data["trials"]
    assert key.sources == ("the real band", "model-a", "model-b")
    for origin in key.clips.values():
        assert Path(origin.file) in sources[origin.source]


def test_the_real_source_may_stand_anywhere_and_is_the_first_of_the_key(sources: Sources, tmp_path: Path) -> None:
    made = make_listening_test(sources, tmp_path, ListeningWish(clips=1, seconds=3.0, real="model-b"))
    assert (made.key.real, made.key.sources[0]) == ("model-b", "model-b")


def test_human_or_machine_takes_as_many_real_pieces_as_of_all_models(sources: Sources, tmp_path: Path) -> None:
    made = make_listening_test(sources, tmp_path, ListeningWish("turing", clips=2, seconds=3.0))
    owners = [clip.source for clip in made.key.clips.values()]
    assert {name: owners.count(name) for name in sources} == {"the real band": 2, "model-a": 1, "model-b": 1}
    assert any("the real band has 2 pieces, so there are 1 of each, not 2" in note for note in made.notes)


def test_a_recording_is_a_source_too(sources: Sources, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(2):
        (tmp_path / "radio").mkdir(exist_ok=True)
        sound = rng.normal(0, 0.02, (22050 * 8, 1 + number))
        soundfile.write(tmp_path / "radio" / f"{number}.wav", sound, 22050)
    made = make_listening_test({"radio": [tmp_path / "radio"], "model-a": sources["model-a"]}, tmp_path / "out", QUICK)
    assert {clip.first_bar for clip in made.key.clips.values() if clip.source == "radio"} == {0}
    text = made.page.read_text(encoding="utf-8").split('id="test">')[1].split("</script>")[0]
    loudness = [integrated_loudness(sound, SAMPLE_RATE) for sound in heard(json.loads(text)).values()]
    assert max(loudness) - min(loudness) < 0.5


def test_a_clip_starts_and_ends_at_bar_lines_and_the_rest_rings_out() -> None:
    song = song_of(20)
    for seed in range(20):
        found = bar_excerpt(song, 15.0, np.random.default_rng(seed))
        assert found is not None
        assert (found.bars, found.song.length_seconds) == (7, 14.0)
        assert 1 <= found.first_bar <= 14
        assert len(found.song) == 28
    sound = play_clip(found.song, 15.0)
    assert sound.shape == (15 * SAMPLE_RATE, 2)
    assert np.abs(sound[-200:]).max() < 1e-3


def test_a_clip_is_taken_where_the_music_plays() -> None:
    song = song_of(24, silent=(0, 1, 2, 10, 23))
    firsts = set()
    for seed in range(60):
        found = bar_excerpt(song, 9.0, np.random.default_rng(seed))  # four bars
        assert found is not None
        firsts.add(found.first_bar)
    assert firsts == {*range(4, 8), *range(12, 21)}


def test_a_note_played_just_before_the_bar_line_is_heard_with_its_bar() -> None:
    early = song_of(8)
    notes = early.notes.copy()
    notes["onset"] = np.maximum(notes["onset"] - 20, 0)
    found = bar_excerpt(early.with_notes(notes), 5.0, np.random.default_rng(1))
    assert found is not None
    assert found.first_bar > 1
    assert (len(found.song), int(found.song.notes["onset"][0])) == (8, 40)


def test_a_song_too_short_for_its_bars_gives_no_clip() -> None:
    slow = song_of(4, bpm=20.0)  # bars of 12 seconds
    assert bar_excerpt(slow, 5.0, np.random.default_rng(0)) is None
    assert bar_excerpt(Song(length=1920), 5.0, np.random.default_rng(0)) is None
    assert longest_clip(Song(length=1920)) == 0.0
    assert longest_clip(song_of(10, silent=(0, 9))) == 16.0 + FADE_SECONDS


def test_clips_are_as_long_as_the_shortest_piece_allows(music_folder: Path, tmp_path: Path) -> None:
    for name, song in (("short", song_of(5)), ("too-short", song_of(1)), ("long", song_of(20, bpm=100.0))):
        write_midi(song, tmp_path / f"{name}.mid")
    sources = {"real": [music_folder], "mine": [tmp_path]}

    def chosen(seconds: float | None) -> tuple[set[str], float, list[str]]:
        notes: list[str] = []
        rng = np.random.default_rng(0)
        pieces = choose_pieces(sources, {"real": 2, "mine": 3}, seconds, rng, notes, lambda done, total: None)
        length = common_seconds([*pieces["real"], *pieces["mine"]], seconds, notes)
        return {piece.path.stem for piece in pieces["mine"]}, length, notes

    mine, seconds, notes = chosen(None)
    assert (mine, seconds) == ({"short", "long"}, pytest.approx(10.0 + FADE_SECONDS))
    assert any("too-short.mid has 2.5 s of music, a clip has 4" in note for note in notes)
    assert any("clips last 10.5 s, as long as" in note and "short.mid" in note for note in notes)
    assert chosen(14.0)[:2] == ({"long"}, 14.0)


def test_a_silent_place_in_a_recording_is_passed_over(tmp_path: Path) -> None:
    sound = np.zeros(44100 * 20)
    sound[44100 * 12 :] = 0.1 * np.sin(np.arange(44100 * 8) / 10)
    soundfile.write(tmp_path / "a.flac", sound, 44100)
    for seed in range(10):
        found, start = recording_clip(tmp_path / "a.flac", 4.0, np.random.default_rng(seed))
        assert start > 8
        assert found.shape == (4 * SAMPLE_RATE, 2)
    (tmp_path / "b.wav").write_bytes(b"no sound")
    with pytest.raises(FormatError, match=r"b\.wav cannot be read as sound"):
        recording_clip(tmp_path / "b.wav", 4.0, np.random.default_rng(0))


def test_sources_are_named_by_their_folders_or_by_hand(tmp_path: Path) -> None:
    for name in ("real", "deep/real", "odd=name"):
        (tmp_path / name).mkdir(parents=True)
    real, deep, odd = tmp_path / "real", tmp_path / "deep" / "real", tmp_path / "odd=name"
    assert named_sources([f"{real}", f"mine={deep}", f"{odd}"]) == {"real": [real], "mine": [deep], "odd=name": [odd]}
    assert named_sources([f"{real}/a.mid", f"{real}/b.mid"]) == {"real": [real / "a.mid", real / "b.mid"]}
    with pytest.raises(UsageError, match=r"have one name; call one of them otherwise: NAME="):
        named_sources([str(real), str(deep)])


@pytest.mark.parametrize(
    ("wish", "error", "message"),
    [
        (ListeningWish("triples"), UnknownName, "'triples' is not one of pairs, turing"),
        (ListeningWish(real="nobody"), UnknownName, "--real 'nobody' is not one of the sources the real band"),
        (ListeningWish(clips=0), OutOfRange, "clips 0 is outside 1-100"),
        (ListeningWish(checks=99), OutOfRange, "checks 99 is outside 0-20"),
        (ListeningWish(seconds=1.0), OutOfRange, "seconds 1 is outside 2-60"),
        (ListeningWish(clips=100), OutOfRange, "300 clips of 15 s are more than 3600 s in all"),
        (ListeningWish("turing", clips=16, seconds=60.0), OutOfRange, "64 clips of 60 s are more than 3600 s"),
        (ListeningWish(seconds=float("nan")), OutOfRange, "seconds nan is outside 2-60"),
        (ListeningWish(must_hear_seconds=-1.0), OutOfRange, "must-hear -1 is outside 0-15"),
        (ListeningWish(seconds=6.0, must_hear_seconds=30.0), OutOfRange, "must-hear 30 is outside 0-6, the seconds of"),
        (ListeningWish(seconds=60.0), CorpusError, "nothing can be heard of 2 files: .* a clip has 60"),
    ],
)
def test_what_cannot_be_asked_for_is_named(
    wish: ListeningWish, error: type[Exception], message: str, sources: Sources, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        make_listening_test(sources, tmp_path / "out", wish)
    assert not (tmp_path / "out").exists()


def test_more_must_not_be_heard_than_the_shortest_piece_allows(sources: Sources, tmp_path: Path) -> None:
    write_midi(song_of(3), tmp_path / "short.mid")  # 6.5 seconds with its fade
    given = {"short": [tmp_path / "short.mid"], "model": sources["model-a"]}
    with pytest.raises(OutOfRange, match=r"must-hear 9 is outside 0-6\.5, the seconds of a clip"):
        make_listening_test(given, tmp_path / "out", ListeningWish(clips=1, must_hear_seconds=9.0))


def test_what_must_be_heard_is_all_of_a_clip_that_is_shorter_than_usual(made: MadeTest, data: dict[str, Any]) -> None:
    assert (made.key.must_hear_seconds, data["must_hear_ms"]) == (3.0, 3000)


def test_songs_with_bars_too_long_for_a_clip_are_left_out_and_named(sources: Sources, tmp_path: Path) -> None:
    (tmp_path / "slow").mkdir()
    for number in range(3):
        song = song_of(8, bpm=20.0 + number) if number else song_of(20)  # bars of 12 seconds, but for one song
        write_midi(song, tmp_path / "slow" / f"{number}.mid")
    given = {"slow": [tmp_path / "slow"], "model": sources["model-a"]}
    made = make_listening_test(given, tmp_path / "out", ListeningWish(clips=2, seconds=6.0))
    assert {Path(clip.file).name for clip in made.key.clips.values() if clip.source == "slow"} == {"0.mid"}
    assert sum("its bars are too long for a clip of 6.0 s" in note for note in made.notes) == 2
    assert "left out in all: 2 files" in made.notes
    assert any("slow has 1 piece, so there are 1 of each, not 2" in note for note in made.notes)
    with pytest.raises(CorpusError, match=r"source slow: nothing can be heard of 1 file: .* its bars are too long"):
        make_listening_test({**given, "slow": [tmp_path / "slow" / "1.mid"]}, tmp_path / "other", QUICK)


def test_a_song_whose_bars_are_too_long_for_the_shortest_piece_is_left_out_too(
    sources: Sources, tmp_path: Path
) -> None:
    """How long clips are is known only when all pieces were read."""
    for name, song in (("slow", song_of(8, bpm=20.0)), ("short", song_of(3)), ("long", song_of(9))):
        write_midi(song, tmp_path / f"{name}.mid")
    real = [tmp_path / "slow.mid", tmp_path / "long.mid"]
    model = [tmp_path / "short.mid", *sources["model-a"]]
    made = make_listening_test({"real": real, "model": model}, tmp_path / "out", ListeningWish(clips=3))
    assert made.key.seconds == 6.5
    owners = [clip.source for clip in made.key.clips.values()]
    assert (owners.count("real"), owners.count("model")) == (1, 1)
    assert any("slow.mid: its bars are too long for a clip of 6.5 s" in note for note in made.notes)
    assert "not all of them can be heard, so there are 1 of each" in made.notes
    with pytest.raises(CorpusError, match=r"source real: nothing can be heard of it: .*slow\.mid: its bars"):
        make_listening_test({"real": real[:1], "model": model}, tmp_path / "other", ListeningWish(clips=3))


@pytest.mark.parametrize("place", ["there.mid", "there.mid/test"])
def test_a_file_in_the_place_of_the_folder_is_named_before_any_work(
    place: str, sources: Sources, tmp_path: Path
) -> None:
    (tmp_path / "there.mid").write_bytes(b"MThd")
    told: list[str] = []
    with pytest.raises(OutputExists, match=r"there\.mid is a file, .* choose the name of a folder"):
        make_listening_test(sources, tmp_path / place, QUICK, force=True, progress=lambda stage, *_: told.append(stage))
    assert told == []


def test_sources_that_make_no_test_are_named(sources: Sources, tmp_path: Path) -> None:
    def refused(error: type[Exception], message: str, given: Sources, wish: ListeningWish = QUICK) -> None:
        with pytest.raises(error, match=message):
            make_listening_test(given, tmp_path / "out", wish)

    real, model = sources["the real band"], sources["model-a"]
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    write_midi(Song(parts=(Part(),), length=19200), tmp_path / "silent.mid")
    refused(UsageError, "1 source: give the real music and", {"real": real})
    refused(UsageError, "is the same as", {"real": real, "model": [*real, *model]}, ListeningWish(clips=9, seconds=3.0))
    refused(FileError, "gone does not exist", {"real": real, "model": [tmp_path / "gone"]})
    refused(CorpusError, "0 files: no file of music", {"real": real, "model": [tmp_path / "empty"]})
    refused(CorpusError, r"1 file: .*broken\.mid", {"real": real, "model": [tmp_path / "broken.mid"]})
    refused(CorpusError, "has 0.0 s of music", {"real": real, "model": [tmp_path / "silent.mid"]})
    both = {"real": real[:1], "a": model[:1], "b": sources["model-b"]}
    refused(CorpusError, "source real: 1 piece, but 2 are needed", both, ListeningWish("turing", seconds=3.0))


def test_a_test_that_is_there_is_not_replaced_unasked(sources: Sources, made: MadeTest) -> None:
    before = made.page.read_bytes()
    with pytest.raises(OutputExists, match=r"listen\.html is there; use --force"):
        make_listening_test(sources, made.page.parent, ListeningWish(clips=1, seconds=3.0))
    assert made.page.read_bytes() == before
