"""Playing: wishes in words, clips that depend on nothing but their seed, and the Python API on top."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import woodshed as ws
from woodshed.bundle import Bundle, load_bundle
from woodshed.errors import OutOfRange, UnknownName, UsageError
from woodshed.generation.canvas import Canvas
from woodshed.generation.fill import Answer
from woodshed.music import NOTE, Key, Meter, Song
from woodshed.recipes import bands, files, play
from woodshed.recipes.clip import default_sampling
from woodshed.recipes.wish import Wish, parse_wish


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return load_bundle(tiny_bundle)


def test_an_absurd_count_is_refused_before_names_are_made_for_it() -> None:
    with pytest.raises(OutOfRange, match="count 1000000000 is outside 1-1000"):
        files.output_paths(Path("new.mid"), 10**9)


def test_a_wish_in_words() -> None:
    wish = parse_wish(4, parts="drums, lead guitar", key="f# dorian", tempo=99, meter="6/8", polyphony=2)
    assert [part.program for part in wish.parts or ()] == [0, 30]
    assert wish == Wish(4, wish.parts, Key(6, "dorian"), 99, Meter(6, 8), 2)
    assert parse_wish(4) == Wish(bars=4)


def test_clips_differ_and_come_again_with_seed_and_count(bundle: Bundle) -> None:
    wish = Wish(bars=2)
    three = play.generate(bundle, wish, seed=3, count=3, candidates=2)
    again = play.generate(bundle, wish, seed=3, count=3, candidates=2)
    assert [clip.song for clip in three] == [clip.song for clip in again]
    assert all(one.song != other.song for one, other in itertools.combinations(three, 2))
    assert [clip.number for clip in three] == [0, 1, 2]


def test_of_several_clips_the_first_is_the_likeliest_of_the_faultless(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(bundle: Bundle, canvas: Canvas, *_: object, count: int, **__: object) -> list[Answer]:
        def song(shift: int) -> Song:
            rows = [(part, bar * 1920 + shift, 480, 40 + bar, 90) for part in range(2) for bar in range(2)]
            return canvas.song.with_notes(np.array(rows, NOTE))

        return [Answer(song(0), 2.0), Answer(canvas.song, 0.1), Answer(song(480), 1.0)]

    monkeypatch.setattr(bands, "answers", drawn)
    clips = play.generate(bundle, parse_wish(2, parts="drums, bass"), seed=1, count=2, candidates=3)
    assert [clip.findings["nats_per_note"] for clip in clips] == [1.0, 2.0]


def test_the_best_of_the_candidates_is_kept(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(bundle: Bundle, canvas: Canvas, *_: object, count: int, **__: object) -> list[Answer]:
        rows = [(part, bar * 1920, 480, 40 + bar, 90) for part in range(len(canvas.song.parts)) for bar in range(2)]
        silent = Answer(canvas.song, 0.0)
        return [silent] * (count - 1) + [Answer(canvas.song.with_notes(np.array(rows, NOTE)), 1.0)]

    monkeypatch.setattr(bands, "answers", drawn)
    assert len(play.generate(bundle, Wish(bars=2), seed=1, candidates=5)[0].song) > 0


def test_progress_goes_from_0_to_1_over_all_clips(bundle: Bundle) -> None:
    told: list[float] = []
    play.generate(bundle, Wish(bars=2), seed=1, count=2, candidates=1, on_step=told.append)
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1.0)


def test_the_bundle_brings_the_sampling_of_its_recipe(bundle: Bundle) -> None:
    assert default_sampling(bundle).top_p == 0.97
    assert default_sampling(bundle, top_p=0.5, temperature=None).top_p == 0.5
    with pytest.raises(OutOfRange, match="temperature 9"):
        default_sampling(bundle, temperature=9)


def test_a_key_is_written_as_a_signature_where_there_is_one(bundle: Bundle) -> None:
    minor = play.generate(bundle, Wish(bars=1, key=Key.parse("F minor")), seed=1, candidates=1)[0].song
    blues = play.generate(bundle, Wish(bars=1, key=Key.parse("F blues")), seed=1, candidates=1)[0].song
    assert minor.keys.tolist() == [(0, 5, True)]
    assert len(blues.keys) == 0


def test_names_of_numbered_outputs() -> None:
    assert files.output_paths(Path("a/x.mid"), 1) == [Path("a/x.mid")]
    assert files.output_paths(Path("a/x.MID"), 2) == [Path("a/x-1.MID"), Path("a/x-2.MID")]
    with pytest.raises(UnknownName, match=r"call it song\.mid"):
        files.output_paths(Path("song"), 1)


def test_a_summary_reads_like_a_sentence(bundle: Bundle) -> None:
    wish = parse_wish(4, parts="drums", tempo=140)
    clips = play.generate(bundle, wish, seed=7, count=8, candidates=1)
    for clip in clips:
        notes = f"{len(clip.song)} note{'' if len(clip.song) == 1 else 's'}"
        silent = "" if len(clip.song) else "; no note came for Drums; try another --seed"
        assert clip.summary() == f"4 bars, 1 part, {notes}, 140 BPM, seed 7{silent}"
    assert any(len(clip.song) for clip in clips)


def test_the_front_door_from_reading_to_writing(tiny_bundle: Path, music_folder: Path, tmp_path: Path) -> None:
    band = ws.load(tiny_bundle)
    song = band.generate(bars=2, parts="drums, bass", key="A minor", tempo=100, meter="3/4", seed=1, temperature=0.9)
    assert (song.bars, str(song.meter), len(song.parts)) == (2, "3/4", 2)
    assert song == band.generate(
        bars=2, parts=["drums", ws.Part("Bass", 33)], key=ws.Key(9, "minor"), tempo=100, meter=ws.Meter(3, 4), seed=1,
        temperature=0.9,
    )  # fmt: skip
    given = ws.read(music_folder / "song-0.mid")
    longer = band.continue_(given, bars=1, seed=1, candidates=1)
    assert longer.bars == given.bars + 1
    ws.write(longer, tmp_path / "x.mid")
    assert ws.read(tmp_path / "x.mid").notes.tolist() == longer.notes.tolist()
    ws.render(longer, tmp_path / "x.txt")
    assert "Bass" in (tmp_path / "x.txt").read_text()
    with pytest.raises(ws.WoodshedError):
        ws.write(song, tmp_path / "x.wav")
    with pytest.raises(ws.WoodshedError):
        band.generate(parts="")
    with pytest.raises(UsageError):
        band.generate(bars=0)


def test_the_front_door_trains(music_folder: Path, tmp_path: Path) -> None:
    changes = ["size=tiny", "training.batch=2", "training.evaluations=1"]
    band = ws.train("band", music_folder, tmp_path / "B", steps=1, changes=changes, device="cpu")
    assert "B" in repr(band)
    assert band.bundle.training["steps"] == 1


def test_dir_lists_the_front_door() -> None:
    assert dir(ws) == sorted(ws.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = ws.nothing  # type: ignore[attr-defined]
