"""The doctor explains every file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from woodshed.corpus import analyse as analyse_module
from woodshed.corpus import examine
from woodshed.errors import FileError, LimitExceeded, UnknownName
from woodshed.music import Song

Writer = Callable[[Path, Song], Path]


def test_a_sound_file_is_described(tmp_path: Path, write_song: Writer, band_song: Song) -> None:
    path = write_song(tmp_path / "four bars.mid", band_song)
    found = examine(path, workers=0)[0]
    assert found.path == path
    assert (found.verdict, found.reason) == ("accepted", "")
    assert (found.notes, found.bars, found.bpm, found.meter) == (len(band_song), 4, 140.0, "4/4")
    assert [part.role for part in found.parts] == ["drums", "bass", "rhythm guitar"]
    assert found.part_notes == (48, 32, 32)
    assert found.key_source == "found"


def test_a_file_that_is_not_music_is_explained(tmp_path: Path) -> None:
    (tmp_path / "words.mid").write_text("these are words, not music")
    found = examine(tmp_path, workers=0)[0]
    assert (found.verdict, found.reason) == ("unusable", "not music or damaged")
    assert "words.mid" in found.detail
    assert "\n" not in found.detail


def test_a_file_that_cannot_be_opened_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mid").write_bytes(b"MThd")

    def read_bytes(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")  # tests may run as root, who may read all

    monkeypatch.setattr(Path, "read_bytes", read_bytes)
    found = examine(tmp_path, workers=0)[0]
    assert (found.verdict, found.reason, found.detail) == ("unusable", "cannot be read", "a.mid: Permission denied")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LimitExceeded("a.mid: 11 notes are more than 10 (max_notes)"), "too large"),
        (MemoryError(), "too large"),
        (RecursionError("too\ndeep"), "reader failed"),
    ],
)
def test_whatever_a_reader_does_it_costs_one_file(
    tmp_path: Path, write_song: Writer, band_song: Song, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    for name in ("a.mid", "b.mid"):
        write_song(tmp_path / name, band_song)
    plain = analyse_module._read

    def read(path: Path, *rest: object) -> Song:
        if path.name == "a.mid":
            raise error
        return plain(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(analyse_module, "_read", read)
    assert [(found.verdict, found.reason) for found in examine(tmp_path, workers=0)] == [
        ("unusable", reason), ("accepted", ""),
    ]  # fmt: skip


def test_workers_find_the_same(tmp_path: Path, write_song: Writer, band_song: Song) -> None:
    for step in range(6):
        write_song(tmp_path / f"{step}.mid", band_song.transpose(step))
    (tmp_path / "words.mid").write_text("words")
    assert examine(tmp_path, workers=2) == examine(tmp_path, workers=0)


def test_a_diagnosis_is_json(tmp_path: Path, write_song: Writer, band_song: Song) -> None:
    write_song(tmp_path / "a.mid", band_song)
    facts = json.loads(json.dumps(examine(tmp_path, workers=0)[0].as_dict()))
    assert facts["parts"][1] == {"name": "Bass", "program": 33, "is_drum": False, "role": "bass"}


def test_a_repair_is_counted_once(tmp_path: Path) -> None:
    twice = bytes.fromhex("4D546864 00000006 0000 0001 01E0 4D54726B 0000001B")
    twice += bytes.fromhex("00FF510307A120 00FF51030F4240 00903C50 8360803C40 00FF2F00")
    (tmp_path / "a.mid").write_bytes(twice)
    line = "superseded x1: tempos, meters or keys followed by another at the same tick were dropped"
    assert examine(tmp_path, workers=0)[0].repairs == (line,)


def test_nothing_to_examine_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no music below"):
        examine(tmp_path)


def test_a_limit_can_be_set_and_must_exist(tmp_path: Path, write_song: Writer, band_song: Song) -> None:
    path = write_song(tmp_path / "a.mid", band_song)
    found = examine(path, workers=0, limits={"max_notes": 10})[0]
    assert (found.reason, "max_notes" in found.detail) == ("too large", True)
    with pytest.raises(UnknownName, match="limit 'max_fun' is not one of max_bytes"):
        examine(path, limits={"max_fun": 1})


def test_progress_is_told(tmp_path: Path, write_song: Writer, band_song: Song) -> None:
    write_song(tmp_path / "a.mid", band_song)
    told: list[tuple[str, int, int]] = []
    examine(tmp_path, workers=0, progress=lambda *step: told.append(step))
    assert told == [("read", 1, 1)]
