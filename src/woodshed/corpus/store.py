"""A corpus on disk: songs as Parquet tables, and a manifest that says where they came from.

=================  ==========================================================================================
file               meaning
=================  ==========================================================================================
`manifest.json`    format and library version, options, source folders, provenance files, counted reasons
`songs.parquet`    one row per song: all of `Entry`, and which rows of the other tables are its own
`notes.parquet`    one row per note: the song's number (its row in `songs.parquet`) and the fields of `NOTE`
`tempos.parquet`   and likewise `meters`, `keys`, `chords`, `controls` and `bends`
=================  ==========================================================================================

Tables are zstd-compressed and cut into row groups of about `ROWS_PER_GROUP`, so that one song is read
without its neighbours. A Song read back equals the Song that went in.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.errors import CorpusError, FileError, UnknownName
from woodshed.music import Marker, Part, Song
from woodshed.music.song import ARRAYS

FORMAT_VERSION = 1
ROWS_PER_GROUP = 1 << 16
SPLITS = ("train", "held_out")
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class Entry:
    """What a corpus knows of one of its songs."""

    song_id: str
    """Sixteen hexadecimal digits of the hash of the song's notes: the same music has the same name everywhere."""
    title: str
    """As written in the file, else the file's name without its ending."""
    source: str
    """Path of the file, relative to the scanned folder (which stands first when several were scanned)."""
    sha256: str
    """Of the file's bytes."""
    split: str
    """``"train"`` or ``"held_out"``."""
    group: int
    """Versions of one song share this number, and with it the split."""
    notes: int
    bars: int
    length_seconds: float
    bpm: float
    """Quarter notes per minute at the start."""
    meter: str
    """At the start, such as ``"4/4"``."""
    key: str
    """Such as ``"F minor"``; empty if nothing pitched sounds."""
    key_source: str
    """``"signature"`` if the file says so, ``"found"`` if it was found from the notes."""
    key_confidence: float
    """1 for a signature, else how sure the key finder is, 0-1."""
    chords_source: str
    """``"file"``, ``"found"`` or, where there are none, empty."""
    parts: tuple[Part, ...]
    part_notes: tuple[int, ...]
    """How many notes each part has."""
    repairs: tuple[str, ...]
    """What was mended while reading, one line each."""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Columns:
    """A Song taken apart for storage, without its parts."""

    tables: Mapping[str, NDArray[Any]]
    """The arrays of `woodshed.music.song.ARRAYS`, by name."""
    title: str
    length: int
    markers: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, song: Song) -> Columns:
        """The columns of a song."""
        tables = {name: getattr(song, name) for name in ARRAYS}
        return cls(tables, song.title, song.length, tuple((mark.onset, mark.text) for mark in song.markers))

    def song(self, parts: tuple[Part, ...]) -> Song:
        """The song again."""
        markers = tuple(Marker(onset, text) for onset, text in self.markers)
        return Song(parts=parts, markers=markers, title=self.title, length=self.length, **self.tables)


class CorpusWriter:
    """Writes songs into an empty folder, one after another, holding no more than one row group per table.

    Raises:
        FileError: when the disk is full or cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tables = {name: _TableWriter(folder / f"{name}.parquet", dtype) for name, dtype in ARRAYS.items()}
        self._rows: list[dict[str, Any]] = []

    def add(self, entry: Entry, columns: Columns) -> None:
        """Append one song."""
        row = {field.name: getattr(entry, field.name) for field in fields(entry)}
        row["parts"] = [asdict(part) for part in entry.parts]
        row["markers"] = [{"onset": onset, "text": text} for onset, text in columns.markers]
        row |= {"song_title": columns.title, "length": columns.length}
        for name, writer in self._tables.items():
            row[f"{name}_first"] = writer.rows
            writer.add(len(self._rows), columns.tables[name])
            row[f"{name}_rows"] = len(columns.tables[name])
        self._rows.append(row)

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write what is left, the songs' own table and the manifest."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        tables = {name: {"rows": writer.close()} for name, writer in self._tables.items()}
        songs = pa.Table.from_pylist(self._rows, _songs_schema(pa))
        pq.write_table(songs, self._folder / "songs.parquet", compression="zstd")
        tables["songs"] = {"rows": len(self._rows)}
        for name, facts in tables.items():
            facts["bytes"] = (self._folder / f"{name}.parquet").stat().st_size
        whole = {"format": FORMAT_VERSION, **manifest, "tables": tables}
        text = json.dumps(whole, indent=1, ensure_ascii=False)
        (self._folder / MANIFEST).write_text(text + "\n", encoding="utf-8")

    def abandon(self) -> None:
        """Close the files of a corpus that will not be finished."""
        for writer in self._tables.values():
            writer.abandon()


class Corpus:
    """A corpus that has been built, opened for reading.

    ``entries`` says what is in it, ``manifest`` where it came from; songs are read when asked for.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
        self.folder = folder
        self.manifest = manifest
        self.entries: tuple[Entry, ...] = tuple(_entry(row) for row in rows)
        self._rows = rows
        self._number = {entry.song_id: number for number, entry in enumerate(self.entries)}
        self._tables = {name: _TableReader(folder / f"{name}.parquet", dtype) for name, dtype in ARRAYS.items()}

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        """Check a corpus and open it.

        Raises:
            CorpusError: if there is none, it is damaged, or a newer Woodshed made it.
        """
        folder = Path(folder)
        manifest = _manifest(folder)
        for name, facts in manifest["tables"].items():
            _check_table(folder / f"{name}.parquet", facts)
        return cls(folder, manifest, _read_rows(folder))

    def __len__(self) -> int:
        return len(self.entries)

    def song(self, song_id: str) -> Song:
        """One song.

        Raises:
            UnknownName: if no song has this id.
        """
        if song_id not in self._number:
            raise UnknownName(f"song {song_id!r} is not in {self.folder}; `woodshed corpus show` lists those that are")
        return self._read(self._number[song_id])

    def songs(self, split: str | None = None) -> Iterator[tuple[Entry, Song]]:
        """All songs, or those of one split, in the order of their sources."""
        if split is not None and split not in SPLITS:
            raise UnknownName(f"split {split!r} is not one of {', '.join(SPLITS)}")
        for number, entry in enumerate(self.entries):
            if split in (None, entry.split):
                yield entry, self._read(number)

    def _read(self, number: int) -> Song:
        row = self._rows[number]
        tables = {name: table.rows(row[f"{name}_first"], row[f"{name}_rows"]) for name, table in self._tables.items()}
        markers = tuple((mark["onset"], mark["text"]) for mark in row["markers"])
        return Columns(tables, row["song_title"], row["length"], markers).song(self.entries[number].parts)


class _TableWriter:
    """One Parquet table with the columns of a structured dtype, after the song's number."""

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [(name, pa.from_numpy_dtype(dtype[name])) for name in dtype.names or ()]
        self._schema = pa.schema([("song", pa.int32()), *columns])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._dtype = dtype
        self._waiting: list[tuple[int, NDArray[Any]]] = []
        self._waiting_rows = 0
        self.rows = 0

    def add(self, song: int, rows: NDArray[Any]) -> None:
        self._waiting.append((song, rows))
        self._waiting_rows += len(rows)
        self.rows += len(rows)
        if self._waiting_rows >= ROWS_PER_GROUP:
            self._flush()

    def close(self) -> int:
        if self._waiting_rows:
            self._flush()
        self._writer.close()
        return self.rows

    def abandon(self) -> None:
        if self._writer.is_open:
            self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        rows = np.concatenate([rows for _, rows in self._waiting])
        song = np.repeat(*np.array([(song, len(rows)) for song, rows in self._waiting], np.int32).T)
        columns = [song, *(np.ascontiguousarray(rows[name]) for name in self._dtype.names or ())]
        table = pa.Table.from_arrays([pa.array(column) for column in columns], schema=self._schema)
        self._writer.write_table(table, row_group_size=len(rows))
        self._waiting, self._waiting_rows = [], 0


class _TableReader:
    """Rows of one Parquet table as a structured array; the row groups used last are kept."""

    KEPT_GROUPS = 2

    def __init__(self, path: Path, dtype: np.dtype[Any]) -> None:
        self._path, self._dtype = path, dtype
        self._file: Any = None
        self._starts = np.zeros(1, np.int64)
        self._groups: dict[int, NDArray[Any]] = {}

    def rows(self, first: int, count: int) -> NDArray[Any]:
        """Rows ``first`` up to ``first + count``, read-only."""
        if count == 0:
            return _frozen(np.empty(0, self._dtype))
        try:
            self._open()
            low = int(np.searchsorted(self._starts, first, side="right")) - 1
            high = int(np.searchsorted(self._starts, first + count, side="left"))
            start = int(self._starts[low])
            found = [self._group(number) for number in range(low, high)]
        except (OSError, ValueError, KeyError) as error:
            raise CorpusError(f"{self._path} is damaged ({_one_line(error)}); build the corpus again") from error
        rows = found[0] if len(found) == 1 else np.concatenate(found)
        return _frozen(rows[first - start : first - start + count])

    def _open(self) -> None:
        import pyarrow.parquet as pq

        if self._file is None:
            self._file = pq.ParquetFile(self._path)
            about = self._file.metadata
            sizes = [about.row_group(number).num_rows for number in range(about.num_row_groups)]
            self._starts = np.concatenate(([0], np.cumsum(sizes, dtype=np.int64)))

    def _group(self, number: int) -> NDArray[Any]:
        if number not in self._groups:
            names = list(self._dtype.names or ())
            table = self._file.read_row_group(number, columns=names, use_threads=False)
            rows = np.empty(table.num_rows, self._dtype)
            for name in names:
                rows[name] = table.column(name).to_numpy(zero_copy_only=False)
            while len(self._groups) >= self.KEPT_GROUPS:
                del self._groups[min(self._groups)]
            self._groups[number] = _frozen(rows)
        return self._groups[number]


def _frozen(rows: NDArray[Any]) -> NDArray[Any]:
    rows.flags.writeable = False
    return rows


def _one_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0][:200]


def _manifest(folder: Path) -> dict[str, Any]:
    """The manifest, if it is one that this version can read."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CorpusError(
            f"{folder} is not a corpus: it has no {MANIFEST}; make one with `woodshed corpus build`"
        ) from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError:
        raise CorpusError(f"{path} is damaged: it is not JSON; build the corpus again") from None
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or not isinstance(manifest.get("tables"), dict):
        raise CorpusError(f"{path} is damaged: it names no format and tables; build the corpus again")
    if version > FORMAT_VERSION:
        raise CorpusError(f"{folder} has corpus format {version}, newer than {FORMAT_VERSION}; update Woodshed")
    missing = {"songs", *ARRAYS} - set(manifest["tables"])
    if missing:
        raise CorpusError(f"{path} is damaged: it does not name {', '.join(sorted(missing))}; build the corpus again")
    return manifest


def _check_table(path: Path, facts: Mapping[str, Any]) -> None:
    """Compare a table with what the manifest says of it, reading only its footer."""
    import pyarrow.parquet as pq

    try:
        size, rows = path.stat().st_size, pq.read_metadata(path).num_rows
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path} is damaged ({_one_line(error)}); build the corpus again") from error
    if (size, rows) != (facts.get("bytes"), facts.get("rows")):
        raise CorpusError(f"{path} is damaged: {rows} rows in {size} bytes are not what the manifest says; build again")


def _read_rows(folder: Path) -> list[dict[str, Any]]:
    """The songs' own table, if its rows are as they should be."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "songs.parquet"
    try:
        table = pq.read_table(path, use_threads=False)
        rows: list[dict[str, Any]] = table.cast(_songs_schema(pa)).to_pylist()
    except (OSError, ValueError, KeyError) as error:
        raise CorpusError(f"{path} is damaged ({_one_line(error)}); build the corpus again") from error
    return rows


def _entry(row: Mapping[str, Any]) -> Entry:
    values = {field.name: row[field.name] for field in fields(Entry)}
    values["parts"] = tuple(Part(**part) for part in row["parts"])
    for name in ("part_notes", "repairs"):
        values[name] = tuple(row[name])
    return Entry(**values)


def _songs_schema(pa: Any) -> Any:
    """Columns of `songs.parquet`: `Entry`, then what else rebuilds the song, then its rows in the other tables."""
    text, whole, real = pa.string(), pa.int64(), pa.float64()
    part = pa.struct([("name", text), ("program", whole), ("is_drum", pa.bool_()), ("role", text)])
    kinds = {"str": text, "int": whole, "float": real, "tuple[int, ...]": pa.list_(whole)}
    kinds |= {"tuple[str, ...]": pa.list_(text), "tuple[Part, ...]": pa.list_(part)}
    columns = [(field.name, kinds[str(field.type)]) for field in fields(Entry)]
    marker = pa.struct([("onset", whole), ("text", text)])
    columns += [("song_title", text), ("length", whole), ("markers", pa.list_(marker))]
    columns += [(f"{name}_{what}", whole) for name in ARRAYS for what in ("first", "rows")]
    return pa.schema(columns)
