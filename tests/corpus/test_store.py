"""A corpus keeps songs exactly, and says so when it is damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from woodshed.corpus import Columns, Corpus, CorpusWriter, Entry
from woodshed.corpus import store as store_module
from woodshed.errors import CorpusError, UnknownName
from woodshed.music import Marker, Part, Song


def entry_of(song: Song, song_id: str, split: str = "train") -> Entry:
    return Entry(
        song_id=song_id, title=song.title, source=f"{song_id}.mid", sha256="0" * 64, split=split, group=0,
        notes=len(song), bars=song.bars, length_seconds=song.length_seconds, bpm=song.bpm, meter=str(song.meter),
        key="E minor", key_source="signature", key_confidence=1.0, chords_source="", parts=song.parts,
        part_notes=(len(song),), repairs=("odd-thing x1: mended",),
    )  # fmt: skip


def write(folder: Path, *songs: Song) -> Path:
    folder.mkdir(exist_ok=True)
    writer = CorpusWriter(folder)
    for number, song in enumerate(songs):
        writer.add(entry_of(song, f"song{number}", "held_out" if number % 2 else "train"), Columns.of(song))
    writer.finish({"folders": ["here"]})
    return folder


@st.composite
def songs(draw: st.DrawFn) -> Song:
    """Any song at all, every array in use."""
    tick = st.integers(0, 100_000)
    part = st.integers(0, 2)

    def rows(*columns: st.SearchStrategy[object]) -> list[tuple[object, ...]]:
        return draw(st.lists(st.tuples(*columns), max_size=12))

    small = st.integers(0, 127)
    names = st.text(max_size=5)
    parts = [Part(draw(names), draw(small), draw(st.booleans()), draw(st.sampled_from(["", "bass"]))) for _ in range(3)]
    return Song.make(
        rows(part, tick, st.integers(1, 9999), small, st.integers(1, 127)) or [(0, 0, 1, 60, 1)],
        parts,
        tempos=rows(tick, st.floats(1, 999)),
        meters=rows(tick, st.integers(1, 64), st.sampled_from([1, 2, 4, 8, 16, 32])),
        keys=rows(tick, st.integers(0, 11), st.booleans()),
        chords=rows(tick, st.integers(-1, 11), st.integers(0, 16), st.integers(-1, 11)),
        controls=rows(part, tick, small, small),
        bends=rows(part, tick, st.integers(-8192, 8191)),
        markers=tuple(Marker(draw(tick), draw(names)) for _ in range(draw(st.integers(0, 2)))),
        title=draw(names),
        length=draw(st.integers(0, 200_000)),
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(songs(), min_size=1, max_size=4))
def test_a_song_read_back_equals_the_song_that_went_in(
    tmp_path_factory: pytest.TempPathFactory, made: list[Song]
) -> None:
    corpus = Corpus.open(write(tmp_path_factory.mktemp("corpus"), *made))
    assert [song for _, song in corpus.songs()] == made
    assert corpus.song("song0") == made[0]


def test_songs_that_cross_row_groups_come_back_whole(
    tmp_path: Path, band_song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ROWS_PER_GROUP", 100)
    made = [band_song.transpose(step) for step in range(5)]
    corpus = Corpus.open(write(tmp_path / "corpus", *made))
    assert [corpus.song(f"song{number}") for number in (4, 0, 3, 1, 2)] == [made[number] for number in (4, 0, 3, 1, 2)]


def test_entries_come_back_as_they_were_written(tmp_path: Path, band_song: Song) -> None:
    corpus = Corpus.open(write(tmp_path / "corpus", band_song, band_song.transpose(1)))
    assert corpus.entries == (entry_of(band_song, "song0"), entry_of(band_song, "song1", "held_out"))
    assert corpus.manifest["folders"] == ["here"]


def test_one_split_can_be_read_alone(tmp_path: Path, band_song: Song) -> None:
    corpus = Corpus.open(write(tmp_path / "corpus", band_song, band_song.transpose(1)))
    assert [entry.song_id for entry, _ in corpus.songs("held_out")] == ["song1"]
    with pytest.raises(UnknownName, match="not one of train, held_out"):
        next(corpus.songs("test"))


def test_arrays_that_are_read_cannot_be_written(tmp_path: Path, band_song: Song) -> None:
    song = Corpus.open(write(tmp_path / "corpus", band_song)).song("song0")
    with pytest.raises(ValueError, match="read-only"):
        song.notes["pitch"] = 0


def test_an_unknown_song_is_named(tmp_path: Path, band_song: Song) -> None:
    with pytest.raises(UnknownName, match="'nobody' is not in"):
        Corpus.open(write(tmp_path / "corpus", band_song)).song("nobody")


def test_a_folder_that_is_no_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"is not a corpus: it has no manifest\.json"):
        Corpus.open(tmp_path)


def test_a_corpus_of_a_newer_woodshed_is_refused(tmp_path: Path, band_song: Song) -> None:
    folder = write(tmp_path / "corpus", band_song)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    with pytest.raises(CorpusError, match="corpus format 99, newer than 1; update Woodshed"):
        Corpus.open(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"format": 1}', '{"format": 1, "tables": {"songs": {}}}'])
def test_a_damaged_manifest_is_one_line(tmp_path: Path, band_song: Song, text: str) -> None:
    folder = write(tmp_path / "corpus", band_song)
    (folder / "manifest.json").write_text(text)
    with pytest.raises(CorpusError, match="damaged") as caught:
        Corpus.open(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["notes", "songs", "tempos"])
def test_a_truncated_table_is_one_line(tmp_path: Path, band_song: Song, name: str) -> None:
    path = write(tmp_path / "corpus", band_song) / f"{name}.parquet"
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CorpusError, match="damaged") as caught:
        Corpus.open(path.parent)
    assert "\n" not in str(caught.value)


def test_a_missing_table_is_one_line(tmp_path: Path, band_song: Song) -> None:
    folder = write(tmp_path / "corpus", band_song)
    (folder / "bends.parquet").unlink()
    with pytest.raises(CorpusError, match=r"bends\.parquet is damaged"):
        Corpus.open(folder)


def test_bytes_that_rot_inside_a_table_are_one_line(tmp_path: Path, band_song: Song) -> None:
    path = write(tmp_path / "corpus", band_song) / "notes.parquet"
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[4:200] ^= 255
    path.write_bytes(data.tobytes())
    with pytest.raises(CorpusError, match=r"notes\.parquet is damaged"):
        Corpus.open(path.parent).song("song0")
