"""An index comes back from disk as it was, or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from woodshed.corpus.passage_store import load_index, passages_key, save_index
from woodshed.corpus.passages import IndexedSong, PassageIndex
from woodshed.music import Song

KEY = passages_key(["one", "two"])


@pytest.fixture
def index(band_song: Song) -> PassageIndex:
    other = band_song.transpose(1).replace(title="Other")
    return PassageIndex.build([(IndexedSong("a", "A “quoted” title"), band_song), (IndexedSong("b", "B"), other)])


def test_an_index_comes_back_as_it_was(index: PassageIndex, band_song: Song, tmp_path: Path) -> None:
    save_index(index, tmp_path / "x", KEY)
    again = load_index(tmp_path / "x", KEY)
    assert again is not None
    assert again.songs == index.songs
    for name, array in index.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert again.find(band_song).length.tolist() == index.find(band_song).length.tolist()


def test_an_index_of_other_songs_is_not_used(index: PassageIndex, tmp_path: Path) -> None:
    save_index(index, tmp_path / "x", KEY)
    assert load_index(tmp_path / "x", passages_key(["two", "one"])) is None
    assert load_index(tmp_path / "not there", KEY) is None


@pytest.mark.parametrize("length", [0, 4, 100, 5000])
def test_a_cut_index_is_not_used(index: PassageIndex, tmp_path: Path, length: int) -> None:
    save_index(index, tmp_path / "x", KEY)
    content = (tmp_path / "x").read_bytes()
    (tmp_path / "x").write_bytes(content[:length])
    assert load_index(tmp_path / "x", KEY) is None


@pytest.mark.parametrize("name", ["order", "line", "begin", "line_song", "text", "seed_low", "seed_high"])
@pytest.mark.parametrize("value", [-1, 1 << 20])
def test_an_index_that_points_outside_itself_is_not_used(
    index: PassageIndex, tmp_path: Path, name: str, value: int
) -> None:
    save_index(index, tmp_path / "x", KEY)
    songs = "[" + ", ".join(f'{{"name": "{n}", "title": ""}}' for n in "ab") + "]"
    arrays = load_file(tmp_path / "x")
    save_file(arrays, tmp_path / "y", metadata={"key": KEY, "songs": songs})
    assert load_index(tmp_path / "y", KEY) is not None
    arrays[name] = arrays[name].copy()
    arrays[name].flat[len(arrays[name]) // 2] = value
    save_file(arrays, tmp_path / "y", metadata={"key": KEY, "songs": songs})
    assert load_index(tmp_path / "y", KEY) is None
