"""The corpus that the base weights learn from: read, deduplicated, split, mended, checked, and described.

    python benchmarks/base/prepare.py --work DIR

The music is found through WOODSHED_DATA (default ../shared/data): every set of `woodshed data list` that may train
shipped weights. See README.md for what lies in DIR afterwards. It needs a minute and a half on two cores.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import statistics
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, fields, replace
from pathlib import Path, PurePosixPath
from typing import Any

from card import card_text
from choose import (
    ALONE,
    LEFT_OUT,
    RULES,
    STYLE15,
    Overlap,
    Verdict,
    choose,
    groove_validation,
    set_of,
    style15_overlaps,
    style15_sources,
)
from licences import TERMS, check_terms, reserved
from mend import as_general_midi, with_chord_part

from woodshed.corpus import BuildOptions, Columns, Corpus, CorpusWriter, Entry, build_corpus
from woodshed.corpus.analyse import content_hash
from woodshed.corpus.datasets import Dataset, datasets
from woodshed.corpus.output import new_folder
from woodshed.corpus.store import MANIFEST
from woodshed.evaluation.copying import CopyIndex
from woodshed.music import Song
from woodshed.version import __version__

HERE = Path(__file__).resolve().parent
MOST_COPIED = 0.2
"""No song of style15 may share more of its pitched notes with what is learned; strangers share a hundredth or two."""
SIDES = ("train", "held_out", LEFT_OUT)
SONG_COLUMNS = ("source", "side", "why", "licence", "group", "notes", "seconds", "meter", "key", "parts", "song_id")
CHANGES = {
    "groove": "Groove: pads of the drummers' kit that General MIDI lacks or calls otherwise are renamed: 22 to 42 "
    "(closed hi-hat), 26 to 46 (open hi-hat), 58 to 43 (floor tom). Velocities and timing are as played.",
    "openewld": "OpenEWLD: written chords are held by a part of their own (warm pad; the bass and each tone once; "
    "struck at each chord and bar line; one velocity), so that melodies are learned over harmony. That part is ours.",
}
"""Name of a set -> what `mended` does to its songs."""


def main() -> None:
    options = parse()
    data, work, clock = options.data, options.work, Clock()
    sets = [one for one in datasets() if one.may_train_shipped_weights]
    folders = [folder_of(one, data) for one in sets]
    check_names(options.without, sets)
    if not (options.reuse and (work / "all" / MANIFEST).is_file()):
        build = BuildOptions(held_out_fraction=0.0, workers=options.workers)
        build_corpus(folders, work / "all", options=build, force=True)
    everything = Corpus.open(work / "all")
    songs = {entry.source: song for entry, song in everything.songs()}
    clock("read, repaired and compared")
    files = {one.name: music_of(everything, one.name, folder) for one, folder in zip(sets, folders, strict=True)}
    licences = {name: check_terms(name, data, paths.values()) for name, paths in files.items()}
    claims = {source: said for paths in files.values() for source, path in paths.items() if (said := reserved(path))}
    clock("licences looked at")
    overlaps = style15_overlaps(songs)
    verdicts = choose(everything, overlaps, data / "groove", claims, options.without)
    clock("chosen")
    corpus = write_corpus(everything, songs, verdicts, work / "corpus")
    clock("written")
    closeness = check(corpus, everything, verdicts, songs, data / "groove")
    copy_style15(data, work / "style15")
    clock("checked")
    told = [one for one in sets if one.name not in options.without]
    facts = facts_of(everything, corpus, verdicts, told, licences, closeness) | {"seconds": clock.seconds}
    write_lists(work, everything, verdicts, claims, overlaps, facts)
    for name in ("held_out.csv", "sets.csv") if options.lists.resolve() != work.resolve() else ():
        shutil.copyfile(work / name, options.lists / name)
    print(
        f"{facts['train']['songs']} songs to learn from, {facts['held_out']['songs']} for development; {clock.seconds}"
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="folder for all that is made")
    default = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=default, help="where `woodshed data get` put the music")
    parser.add_argument("--lists", type=Path, default=HERE, help="where held_out.csv and sets.csv are kept")
    parser.add_argument("--without", nargs="*", default=[], metavar="SET", help="data sets to leave out")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reuse", action="store_true", help="take DIR/all as it is, if it is there")
    options = parser.parse_args()
    if not options.data.is_dir():
        parser.error(
            f"no music at {options.data}; get it with `woodshed data get`, and name the folder in WOODSHED_DATA"
        )
    return options


def check_names(names: Iterable[str], sets: Sequence[Dataset]) -> None:
    """See that there are data sets of these names."""
    unknown = set(names) - {one.name for one in sets}
    if unknown:
        raise SystemExit(f"no set is called {', '.join(unknown)}; there are {', '.join(one.name for one in sets)}")


class Clock:
    """Seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def __call__(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage], self._last = round(now - self._last, 1), now


def folder_of(dataset: Dataset, data: Path) -> Path:
    """The folder to scan; two sets have all in a folder "scores", whose parent tells them apart."""
    folder = data / dataset.folder
    return folder.parent if folder.name == "scores" else folder


def music_of(corpus: Corpus, name: str, folder: Path) -> dict[str, Path]:
    """Source -> path of every song that was kept of one set."""
    own = [entry.source for entry in corpus.entries if set_of(entry.source) == folder.name]
    if not own:
        raise SystemExit(f"no music of {name} in {folder}; get it with `woodshed data get {name}`")
    return {source: folder / PurePosixPath(source).relative_to(folder.name) for source in own}


def mended(entry: Entry, song: Song) -> tuple[Entry, Song]:
    """The song as the base learns it, and what the corpus says of it."""
    change = {"groove": as_general_midi, "openewld": with_chord_part}.get(set_of(entry.source))
    if change is None:
        return entry, song
    song, line = change(song)
    if not line:
        return entry, song
    counts = Counter(song.notes["part"].tolist())
    return replace(
        entry, song_id=content_hash(song), notes=len(song), parts=song.parts, repairs=(*entry.repairs, line),
        part_notes=tuple(counts[part] for part in range(len(song.parts))),
    ), song  # fmt: skip


def write_corpus(everything: Corpus, songs: Mapping[str, Song], verdicts: Mapping[str, Verdict], out: Path) -> Corpus:
    """Store what is learned and the development set, in the order of their sources."""
    entries: list[Entry] = []
    with new_folder(out) as folder:
        writer = CorpusWriter(folder)
        try:
            for old in everything.entries:
                verdict = verdicts[old.song_id]
                if verdict.side != LEFT_OUT:
                    entry, song = mended(replace(old, split=verdict.side), songs[old.source])
                    writer.add(entry, Columns.of(song))
                    entries.append(entry)
            writer.finish(manifest_of(everything, entries, verdicts))
        finally:
            writer.abandon()
    return Corpus.open(out)


def manifest_of(everything: Corpus, entries: Sequence[Entry], verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """The manifest of the whole, with what was left out since."""
    contents = "\n".join(f"{entry.song_id} {entry.split}" for entry in entries)
    left_out = [
        {"source": entry.source, "reason": "held out of the base", "detail": verdicts[entry.song_id].why}
        | {"duplicate_of": "", "similarity": 0.0}
        for entry in everything.entries
        if verdicts[entry.song_id].side == LEFT_OUT
    ]
    discards = [*everything.manifest["discards"], *left_out]
    kept = {name: value for name, value in everything.manifest.items() if name not in ("format", "tables")}
    return kept | {
        "content_sha256": hashlib.sha256(contents.encode()).hexdigest(),
        "songs": len(entries),
        "groups": len({entry.group for entry in entries}),
        "splits": dict(Counter(entry.split for entry in entries)),
        "notes": sum(entry.notes for entry in entries),
        "reasons": dict(Counter(gone["reason"] for gone in discards).most_common()),
        "discards": discards,
    }


def check(
    corpus: Corpus, everything: Corpus, verdicts: Mapping[str, Verdict], songs: Mapping[str, Song], groove: Path
) -> dict[str, float]:
    """See in the finished corpus that nothing is learned that was to be held out; how close style15's songs come to it.

    Names are compared with the lists they came from, not only with ``verdicts``: a mistake there must not pass.

    Raises:
        SystemExit: if a song held out, or a version of it, is learned.
    """
    learned = [entry for entry in corpus.entries if entry.split == "train"]
    gone = [entry for entry in everything.entries if verdicts[entry.song_id].side != "train"]
    for what in ("source", "sha256", "group"):
        ours = [entry for entry in gone if what != "group" or verdicts[entry.song_id].why not in ALONE]
        both = {getattr(entry, what) for entry in learned} & {getattr(entry, what) for entry in ours}
        if both:
            raise SystemExit(f"{len(both)} songs are learned and held out by their {what}: {sorted(both)[:3]}")
    named = {entry.source for entry in learned} & {*style15_sources(), *groove_validation(groove)}
    if named:
        raise SystemExit(
            f"{len(named)} songs of style15 or of Groove's validation split are learned: {sorted(named)[:3]}"
        )
    index = CopyIndex((entry.source, song) for entry, song in corpus.songs("train"))
    shares = [index.check(songs[name]).pitched_share for name in style15_sources()]
    if max(shares) > MOST_COPIED:
        raise SystemExit(f"{max(shares):.0%} of a song of style15 stands in what is learned, above {MOST_COPIED:.0%}")
    tested = [entry.source for entry in corpus.entries if entry.split == "held_out"]
    strangers = [source for source in tested if set_of(source) in RULES["style15"]["same_name_in"]]
    others = [index.check(songs[name]).pitched_share for name in strangers]
    return {
        "mean": statistics.mean(shares), "most": max(shares),
        "others": len(others), "others_mean": statistics.mean(others) if others else 0.0,
    }  # fmt: skip


def copy_style15(data: Path, out: Path) -> None:
    """The songs of benchmarks/style15 as two plain folders of files: what fine-tuning learns from and is judged by."""
    shutil.rmtree(out, ignore_errors=True)
    for side in ("train", "held_out"):
        (out / side).mkdir(parents=True)
        for song in STYLE15[side]:
            shutil.copyfile(data / STYLE15["folder"] / song["file"], out / side / song["file"])


def facts_of(
    everything: Corpus, corpus: Corpus, verdicts: Mapping[str, Verdict], sets: Sequence[Dataset],
    licences: Mapping[str, str], closeness: Mapping[str, float],
) -> dict[str, Any]:  # fmt: skip
    """All figures of the card."""
    by_side: dict[str, list[Entry]] = {
        side: [entry for entry in corpus.entries if entry.split == side] for side in SIDES
    }
    by_side[LEFT_OUT] = [entry for entry in everything.entries if verdicts[entry.song_id].side == LEFT_OUT]
    return {
        "woodshed": __version__,
        "content_sha256": corpus.manifest["content_sha256"],
        "files": everything.manifest["files"],
        "discards": everything.manifest["reasons"],
        **{side: _sums(by_side[side]) for side in SIDES},
        "reasons": dict(Counter(verdict.why for verdict in verdicts.values() if verdict.why).most_common()),
        "style15_overlap": dict(closeness),
        "changes": [CHANGES[one.name] for one in sets if one.name in CHANGES],
        "sets": [_set_facts(one, by_side, everything, licences[one.name]) for one in sets],
    }


def _set_facts(one: Dataset, by_side: Mapping[str, list[Entry]], everything: Corpus, found: str) -> dict[str, Any]:
    own = {side: [entry for entry in entries if set_of(entry.source) == one.name] for side, entries in by_side.items()}
    learned = own["train"]
    parts = [sum(count > 0 for count in entry.part_notes) for entry in learned]
    gone = Counter(gone["reason"] for gone in everything.manifest["discards"] if set_of(gone["source"]) == one.name)
    return {
        "name": one.name, "title": one.title, "repository": one.repository, "licence": one.licence,
        "licence_found": found, "credit": TERMS[one.name].credit,
        **{side: _sums(own[side]) for side in SIDES}, "discards": dict(gone),
        "parts": {"median": statistics.median(parts), "least": min(parts), "most": max(parts)},
        "median_notes": statistics.median(entry.notes for entry in learned),
        "meters": dict(Counter(entry.meter for entry in learned).most_common(6)),
    }  # fmt: skip


def _sums(entries: Sequence[Entry]) -> dict[str, Any]:
    return {
        "songs": len(entries),
        "notes": sum(entry.notes for entry in entries),
        "bars": sum(entry.bars for entry in entries),
        "hours": round(sum(entry.length_seconds for entry in entries) / 3600, 2),
    }


def write_lists(
    work: Path, everything: Corpus, verdicts: Mapping[str, Verdict], claims: Mapping[str, str],
    overlaps: Sequence[Overlap], facts: Mapping[str, Any],
) -> None:  # fmt: skip
    """The tables and the card."""
    terms = {one.name: one.licence for one in datasets()}
    rows = []
    for entry in everything.entries:
        verdict = verdicts[entry.song_id]
        why = verdict.why + (f" ({claims[entry.source]})" if entry.source in claims else "")
        row = (entry.source, verdict.side, why, terms[set_of(entry.source)], entry.group, entry.notes)
        rows.append((*row, entry.length_seconds, entry.meter, entry.key, len(entry.parts), entry.song_id))
    write_table(work / "songs.csv", SONG_COLUMNS, rows)
    gone = [(row[0], row[2], row[-1]) for row in rows if row[1] != "train"]
    write_table(work / "held_out.csv", ("source", "why", "song_id"), gone)
    names = [field.name for field in fields(Overlap)]
    write_table(work / "overlap.csv", names, [astuple(overlap) for overlap in overlaps])
    discards = everything.manifest["discards"]
    write_table(work / "discards.csv", list(discards[0]), [tuple(gone.values()) for gone in discards])
    columns = ["set", *(f"{side}_{what}" for side in SIDES for what in ("songs", "notes", "bars", "hours"))]
    sums = [
        (one["name"], *(value for side in SIDES for value in one[side].values()))
        for one in (*facts["sets"], {"name": "all", **{side: facts[side] for side in SIDES}})
    ]
    write_table(work / "sets.csv", columns, sums)
    (work / "facts.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (work / "card.md").write_text(card_text(facts), encoding="utf-8")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([f"{value:.4f}" if isinstance(value, float) else value for value in row] for row in rows)


if __name__ == "__main__":
    main()
