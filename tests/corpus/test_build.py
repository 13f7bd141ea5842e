"""From a folder to a corpus, whatever the folder holds."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from woodshed.corpus import BuildOptions, Corpus, build_corpus
from woodshed.corpus import spool as spool_module
from woodshed.errors import CorpusError, FileError, OutOfRange, OutputExists, UnknownName
from woodshed.music import Song

Writer = Callable[[Path, Song], Path]
Tune = Callable[..., Song]
HERE = BuildOptions(workers=0)


@pytest.fixture
def folder(tmp_path: Path, write_song: Writer, tune: Tune) -> Path:
    """Twelve songs, a transposed version of one, a copy of another, and things that are not music."""
    music = tmp_path / "music"
    for seed in range(12):
        write_song(music / f"song {seed:02}.mid", tune(seed))
    write_song(music / "more" / "song 03 in another key.mid", tune(3).transpose(4))
    shutil.copy(music / "song 05.mid", music / "more" / "copy.mid")
    write_song(music / "more" / "short.mid", tune(50).slice(0, 480))
    (music / "words.mid").write_text("these are words, not music\n" * 20)
    (music / "empty.mid").write_bytes(b"")
    (music / "LICENSE").write_text("do as you like")
    return music


def test_every_file_is_accounted_for(folder: Path, tmp_path: Path) -> None:
    report = build_corpus(folder, tmp_path / "out", options=HERE)
    assert report.files == 17
    assert report.songs == 12
    assert report.songs + len(report.discards) == report.files
    assert report.reasons == {
        "not music or damaged": 2, "exact duplicate": 1, "near duplicate": 1, "too few notes": 1,
    }  # fmt: skip
    assert report.accepted + report.repaired == 15
    by_source = {discard.source: discard for discard in report.discards}
    assert by_source["song 03.mid"].duplicate_of == "more/song 03 in another key.mid"
    assert by_source["song 05.mid"].duplicate_of == "more/copy.mid"


def test_what_is_in_the_corpus_is_what_was_in_the_files(folder: Path, tmp_path: Path, tune: Tune) -> None:
    build_corpus(folder, tmp_path / "out", options=HERE)
    corpus = Corpus.open(tmp_path / "out")
    entry = next(entry for entry in corpus.entries if entry.source == "song 07.mid")
    song = corpus.song(entry.song_id)
    assert (song.notes == tune(7).notes).all()
    assert [part.role for part in song.parts] == ["lead", "bass", "drums"]
    assert (entry.title, entry.bars, entry.bpm, entry.meter, entry.key_source) == ("song 07", 16, 120.0, "4/4", "found")
    assert entry.chords_source == "found"
    assert len(song.chords)
    assert entry.part_notes[2] == 64


def test_the_manifest_says_where_it_all_came_from_but_not_on_which_machine(folder: Path, tmp_path: Path) -> None:
    build_corpus(folder, tmp_path / "out", options=HERE)
    text = (tmp_path / "out" / "manifest.json").read_text()
    manifest = json.loads(text)
    assert manifest["folders"] == ["music"]
    assert manifest["papers"] == ["LICENSE"]
    assert manifest["splits"] == {"train": 11, "held_out": 1}
    assert manifest["reasons"]["exact duplicate"] == 1
    assert str(tmp_path) not in text


def test_workers_change_nothing_but_the_time(folder: Path, tmp_path: Path) -> None:
    for name, workers in (("one", 0), ("two", 2)):
        build_corpus(folder, tmp_path / name, options=BuildOptions(workers=workers))
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == sorted(path.name for path in (tmp_path / "two").iterdir())
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_near_duplicates_can_be_kept_in_one_group(folder: Path, tmp_path: Path) -> None:
    report = build_corpus(folder, tmp_path / "out", options=BuildOptions(workers=0, near_duplicates=False))
    assert (report.songs, report.groups) == (13, 12)
    corpus = Corpus.open(tmp_path / "out")
    versions = [entry for entry in corpus.entries if "song 03" in entry.source]
    assert len({entry.group for entry in versions}) == 1
    assert len({entry.split for entry in versions}) == 1


def test_songs_can_be_held_out_by_name(folder: Path, tmp_path: Path) -> None:
    options = BuildOptions(workers=0, held_out=("song 04", "song 1*"))
    build_corpus(folder, tmp_path / "out", options=options)
    held = [entry.title for entry, _ in Corpus.open(tmp_path / "out").songs("held_out")]
    assert held == ["song 04", "song 10", "song 11"]


def test_a_song_to_hold_out_that_is_not_there_leaves_no_trace(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="'song 99'"):
        build_corpus(folder, tmp_path / "out", options=BuildOptions(workers=0, held_out=("song 99",)))
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_progress_is_told_from_nothing_to_all(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    build_corpus(folder, tmp_path / "out", options=HERE, progress=lambda *step: told.append(step))
    assert told[0] == ("read", 0, 17)
    assert ("read", 17, 17) in told
    assert told[-1] == ("write", 12, 12)


def test_a_file_named_in_an_old_alphabet_is_no_trouble(tmp_path: Path, write_song: Writer, tune: Tune) -> None:
    music = tmp_path / "music"
    written = write_song(music / "song.mid", tune(1))
    try:
        os.rename(written, os.path.join(os.fsencode(music), b"caf\xe9.mid"))
    except OSError:
        pytest.skip("this file system only knows names in UTF-8")
    (music / "words.mid").write_text("words")
    os.rename(music / "words.mid", os.path.join(os.fsencode(music), b"na\xefve.mid"))
    for workers in (0, 1):
        out = tmp_path / f"out{workers}"
        report = build_corpus(music, out, options=BuildOptions(workers=workers))
        assert report.reasons == {"not music or damaged": 1}
        assert [entry.source for entry in Corpus.open(out).entries] == ["caf\N{REPLACEMENT CHARACTER}.mid"]


def test_one_song_is_a_corpus_with_a_warning(tmp_path: Path, write_song: Writer, tune: Tune) -> None:
    write_song(tmp_path / "music" / "only.mid", tune(1))
    report = build_corpus(tmp_path / "music", tmp_path / "out", options=HERE)
    assert (report.songs, report.train, report.held_out) == (1, 1, 0)
    assert report.warnings[0].startswith("nothing could be held out")
    assert len(list(Corpus.open(tmp_path / "out").songs("train"))) == 1


def test_a_folder_without_music_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "letter.txt").write_text("dear all")
    with pytest.raises(CorpusError, match="no music below music: give a folder of MIDI or MusicXML files"):
        build_corpus(tmp_path / "music", tmp_path / "out", options=HERE)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_broken_files_is_one_line_that_counts_the_reasons(tmp_path: Path, write_song: Writer) -> None:
    music = tmp_path / "music"
    write_song(music / "silent.mid", Song())
    (music / "a.mid").write_text("words, words, words")
    (music / "b.mid").write_bytes(b"")
    expected = "no usable music in 3 files below music: 2 not music or damaged, 1 no notes"
    with pytest.raises(CorpusError, match=expected):
        build_corpus(music, tmp_path / "out", options=HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_what_is_there_is_not_replaced_unless_that_is_said(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = build_corpus(folder, out, options=HERE)
    with pytest.raises(OutputExists, match="use --force to replace it"):
        build_corpus(folder, out, options=HERE)
    (folder / "song 00.mid").unlink()
    assert build_corpus(folder, out, options=HERE, force=True).songs == first.songs - 1
    assert len(Corpus.open(out)) == first.songs - 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "out"]


def test_a_folder_that_is_no_corpus_is_never_replaced(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "my only copy.txt").write_text("precious")
    with pytest.raises(OutputExists, match="is no corpus, so it will not be replaced"):
        build_corpus(folder, tmp_path / "out", options=HERE, force=True)
    assert (tmp_path / "out" / "my only copy.txt").read_text() == "precious"


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(self: object, reply: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(spool_module.Spool, "add", add)
    with pytest.raises(FileError, match="cannot be written: No space left on device; nothing was left behind"):
        build_corpus(folder, tmp_path / "out", options=HERE)
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_a_table_that_cannot_grow_is_one_line_and_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="this system cannot bound the size of files")
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, old[1]))
    try:
        with pytest.raises(FileError, match="cannot be written") as caught:
            build_corpus(folder, tmp_path / "out", options=HERE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


def test_an_old_corpus_survives_a_build_that_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_corpus(folder, tmp_path / "out", options=HERE)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "write":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_corpus(folder, tmp_path / "out", options=HERE, force=True, progress=stop)
    assert len(Corpus.open(tmp_path / "out")) == 12
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "out"]


def test_control_c_leaves_neither_files_nor_workers(folder: Path, tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from woodshed.corpus import BuildOptions, build_corpus
signal.signal(signal.SIGINT, signal.default_int_handler)
def stop(stage, done, total):
    if done:
        os.kill(os.getpid(), signal.SIGINT)
build_corpus(Path({str(folder)!r}), Path({str(tmp_path / "out")!r}), options=BuildOptions(workers=2), progress=stop)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stderr.strip().endswith("KeyboardInterrupt")
    assert [path.name for path in tmp_path.iterdir()] == ["music"]


@pytest.mark.parametrize(
    "wrong", [{"min_notes": 0}, {"workers": -1}, {"held_out_fraction": 1.0}, {"held_out_fraction": -0.1}]
)
def test_options_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(OutOfRange, match=next(iter(wrong))):
        BuildOptions(**wrong)  # type: ignore[arg-type]


def test_real_band_music_makes_a_corpus(data_folder: Path, tmp_path: Path) -> None:
    folder = data_folder / "band" / "free-music"
    if not folder.is_dir():
        pytest.skip("the free-music set is not there")
    report = build_corpus(folder, tmp_path / "out", options=BuildOptions(workers=2))
    assert report.songs >= 35
    assert report.reasons.get("reader failed", 0) == 0
    corpus = Corpus.open(tmp_path / "out")
    assert all(len(song) == entry.notes for entry, song in corpus.songs())
    assert corpus.manifest["papers"] == ["LICENSE.md"]
