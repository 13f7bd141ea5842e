"""How often find_key and find_chords are right, and how long they take. See README.md; writes results.csv.

All times are processor time of this process, because the machine may be busy with other things.

python benchmarks/harmony/run.py [--songs N]
"""

from __future__ import annotations

import argparse
import csv
import itertools
import os
import platform
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.formats.musicxml import read_musicxml
from woodshed.formats.repair import Repair
from woodshed.music import QUALITIES, QUALITY_NAMES, Key, Part, Song
from woodshed.music.chord_finding import find_chords, half_bars
from woodshed.music.key_finding import PROFILES, find_key, find_keys
from woodshed.music.song import CHORD, NOTE

HERE = Path(__file__).parent
DATA = Path(os.environ.get("WOODSHED_DATA", HERE.parents[2] / "shared" / "data"))
TRIAD_OF = np.array([0 if 4 in t and 7 in t else 1 if 3 in t and 7 in t else -1 for t in map(set, QUALITIES.values())])
"""Quality id -> 0 major, 1 minor, -1 neither (diminished, augmented, suspended, bare fifth)."""

Labelled = tuple[Song, Key]
rows: list[dict[str, Any]] = []


def report(task: str, music: str, method: str, songs: int, **figures: float) -> None:
    for metric, value in figures.items():
        rows.append({"task": task, "music": music, "method": method, "songs": songs, "metric": metric,
                     "value": f"{value:.4f}"})  # fmt: skip
    print(f"{task:7} {music:36} {method:38} {songs:4}", *(f"{k} {v:.3f}" for k, v in figures.items()), flush=True)


# ---- music ------------------------------------------------------------------------------------------------


def read_all(paths: list[Path], name: str) -> list[tuple[Song, bool]]:
    """Songs, each with whether its key signature states a mode; reports files per second."""
    songs, start, failed = [], time.process_time(), 0
    for path in paths:
        repairs: list[Repair] = []
        song = read_musicxml(path, repairs=repairs)
        failed += not len(song)
        songs.append((song, all(repair.kind != "keys-without-mode" for repair in repairs)))
    spent = time.process_time() - start
    notes = sum(len(song) for song, _ in songs)
    report("read", name, "read_musicxml", len(songs), files_per_second=len(songs) / spent,
           notes_per_second=notes / spent, without_notes=failed)  # fmt: skip
    return songs


def resolved_key(song: Song) -> Key:
    """The signature's key; its relative minor where the last chord symbol is that minor triad.

    The lead sheets write "major" beside nearly every signature, minor songs included.
    """
    key = Key(int(song.keys["tonic"][0]), "minor" if song.keys["is_minor"][0] else "major")
    symbols = song.chords[song.chords["root"] >= 0]
    relative = (key.tonic + 9) % 12
    ends_minor = len(symbols) and symbols["root"][-1] == relative and TRIAD_OF[symbols["quality"][-1]] == 1
    return Key(relative, "minor") if ends_minor and not key.is_minor else key


def realise(song: Song) -> Song:
    """The melody over its symbols as block chords (from E3 up) and a bass (from C2 up), struck anew in each bar."""
    lines, parts = song.bar_lines(), len(song.parts)
    ends = np.append(song.chords["onset"][1:], song.length).tolist()
    added: list[tuple[int, int, int, int, int]] = []
    for (onset, root, quality, bass), end in zip(song.chords.tolist(), ends, strict=True):
        if root < 0 or end <= onset:
            continue
        cuts = [onset, *lines[(lines > onset) & (lines < end)].tolist(), end]
        tones = [52 + (root + step - 52) % 12 for step in QUALITIES[QUALITY_NAMES[quality]]]
        for start, stop in itertools.pairwise(cuts):
            added += [(parts, start, stop - start, tone, 70) for tone in tones]
            added.append((parts + 1, start, stop - start, 36 + bass % 12, 80))
    notes = np.concatenate((song.notes, np.array(added, NOTE)))
    return Song.make(notes, [*song.parts, Part("Chords"), Part("Bass", 33)], meters=song.meters, length=song.length)


def first_key_only(song: Song) -> Song:
    """The music up to the first change of signature."""
    return song.slice(0, int(song.keys["onset"][1])) if len(song.keys) > 1 else song


# ---- keys -------------------------------------------------------------------------------------------------


def score_keys(task_music: str, method: str, labelled: list[Labelled], guess: Callable[[Song], Key]) -> float:
    """Report the breakdown and the MIREX weighted score; returns milliseconds per song."""
    start = time.process_time()
    guesses = [guess(song) for song, _ in labelled]
    milliseconds = 1e3 * (time.process_time() - start) / len(labelled)
    kinds = [relation(found, key) for found, (_, key) in zip(guesses, labelled, strict=True)]
    share = {
        kind: kinds.count(kind) / len(kinds) for kind in ("exact", "fifth_up", "fifth_down", "relative", "parallel")
    }
    mirex = share["exact"] + 0.5 * share["fifth_up"] + 0.3 * share["relative"] + 0.2 * share["parallel"]
    signature = np.mean(
        [found.fifths % 12 == key.fifths % 12 for found, (_, key) in zip(guesses, labelled, strict=True)]
    )
    report("key", task_music, method, len(labelled), **share, mirex=mirex, signature=float(signature),
           ms_per_song=milliseconds)  # fmt: skip
    return milliseconds


def relation(found: Key, key: Key) -> str:
    same_mode, up = found.is_minor == key.is_minor, (found.tonic - key.tonic) % 12
    if same_mode:
        return {0: "exact", 7: "fifth_up", 5: "fifth_down"}.get(up, "other")
    if up == 0:
        return "parallel"
    return "relative" if found.fifths % 12 == key.fifths % 12 else "other"


def score_signatures(music: str, songs: list[Song]) -> None:
    """Where a signature is all that is known: how often the key found has that signature."""
    known = [(first_key_only(song), int(song.keys["tonic"][0])) for song in songs if len(song.keys)]
    hits = [find_key(song).key.fifths % 12 == Key(tonic).fifths % 12 for song, tonic in known]
    near = [
        (find_key(song).key.fifths - Key(tonic).fifths) % 12 in (0, 1, 11) for song, tonic in known
    ]  # one accidental more or fewer
    report("key", music, "find_key, against the signature only", len(known), signature=float(np.mean(hits)),
           within_one_accidental=float(np.mean(near)))  # fmt: skip


def plain(profile: str) -> Callable[[Song], Key]:
    """Krumhansl-Schmuckler alone, without the gain for the last bass."""

    def guess(song: Song) -> Key:
        best = int(find_key(song, profile=profile).correlations.argmax())
        return Key(best % 12, "minor" if best >= 12 else "major")

    return guess


def weighted(power: float) -> Callable[[Song], Key]:
    """The default profile with durations raised to a power: 0 counts notes; without the gain for the last bass."""

    def guess(song: Song) -> Key:
        notes = song.notes.copy()
        notes["duration"] = np.rint(100 * notes["duration"].astype(float) ** power)
        best = int(find_key(song.with_notes(notes)).correlations.argmax())
        return Key(best % 12, "minor" if best >= 12 else "major")

    return guess


def score_sections(music: str, songs: list[Song]) -> None:
    """Share of the time in which the key of the section, or of the whole song, has the signature in force."""
    hits = np.zeros(3)
    for song in songs:
        found, whole = find_keys(song), find_key(song).key
        if not len(found) or not len(song.keys):
            continue
        edges = np.unique(np.concatenate((song.keys["onset"], found["onset"], [song.length])))
        edges = edges[edges >= song.keys["onset"][0]]
        written, section = (
            rows[np.maximum(np.searchsorted(rows["onset"], edges[:-1], side="right") - 1, 0)]
            for rows in (song.keys, found)
        )
        signature = (section["tonic"] + 3 * section["is_minor"]) % 12
        size, stated = np.diff(edges), (written["tonic"] + 3 * written["is_minor"]) % 12
        whole_signature = (whole.tonic + 3 * whole.is_minor) % 12
        hits += size[signature == stated].sum(), size[whole_signature == stated].sum(), size.sum()
    report("key", music, "find_keys, share of time with its signature", len(songs), sections=hits[0] / hits[2],
           whole_song_instead=hits[1] / hits[2])  # fmt: skip


def music21_key(song: Song) -> Key:
    """music21's default analysis (Aarden-Essen) on the same notes, without the time to make its stream."""
    found = _streams[id(song)].analyze("key")
    return Key.parse(f"{found.tonic.name.replace('-', 'b')} {found.mode}")


_streams: dict[int, Any] = {}


def make_streams(songs: list[Song]) -> None:
    from music21 import note, stream

    for song in songs:
        made = stream.Stream()
        for row in song.notes:
            one = note.Note(int(row["pitch"]), quarterLength=int(row["duration"]) / 480)
            made.insert(int(row["onset"]) / 480, one)
        _streams[id(song)] = made


# ---- chords -----------------------------------------------------------------------------------------------


def right_ticks(truth: NDArray[Any], found: NDArray[Any], length: int) -> NDArray[np.float64]:
    """(root right, root known, triad right, triad known) in ticks; music without a symbol is not counted."""
    edges = np.unique(np.concatenate((truth["onset"], found["onset"], [0, length])))
    edges = edges[edges <= length]
    start, size = edges[:-1], np.diff(edges)
    at, guess = (np.searchsorted(r["onset"], start, side="right") - 1 for r in (truth, found))
    root = np.where(at >= 0, truth["root"][at], -1)
    found_root = np.where(guess >= 0, found["root"][guess], -1) if len(found) else np.full(len(start), -1)
    triad = TRIAD_OF[truth["quality"][at]]
    found_triad = TRIAD_OF[found["quality"][guess]] if len(found) else np.full(len(start), -1)
    known, same = root >= 0, root == found_root
    both = known & (triad >= 0)
    sums = [
        size[known & same].sum(),
        size[known].sum(),
        size[both & same & (triad == found_triad)].sum(),
        size[both].sum(),
    ]
    return np.array(sums, float)


def score_chords(
    music: str, method: str, labelled: list[tuple[Song, NDArray[Any]]], guess: Callable[[Song], NDArray[Any]]
) -> None:
    start = time.process_time()
    found = [guess(song) for song, _ in labelled]
    milliseconds = 1e3 * (time.process_time() - start) / len(labelled)
    total = sum(
        (right_ticks(truth, one, song.length) for (song, truth), one in zip(labelled, found, strict=True)), np.zeros(4)
    )
    report("chord", music, method, len(labelled), root=total[0] / total[1], majmin=total[2] / total[3],
           ms_per_song=milliseconds)  # fmt: skip


def always_tonic(song: Song) -> NDArray[Any]:
    key = find_key(song).key
    return np.array([(0, key.tonic, QUALITY_NAMES.index("m" if key.is_minor else ""), key.tonic)], CHORD)


def score_ceiling(music: str, labelled: list[tuple[Song, NDArray[Any]]]) -> None:
    """The best that one chord per half bar can do: the symbol that holds longest in each."""
    total = np.zeros(4)
    for song, truth in labelled:
        lines = half_bars(song)
        edges = np.unique(np.concatenate((truth["onset"], lines)))
        size, symbol = np.diff(edges), np.searchsorted(truth["onset"], edges[:-1], side="right") - 1
        half = np.searchsorted(lines, edges[:-1], side="right") - 1
        held = np.zeros((len(lines) - 1, len(truth)))
        np.add.at(held, (half[symbol >= 0], symbol[symbol >= 0]), size[symbol >= 0])
        best = truth[held.argmax(axis=1)].copy()
        best["onset"] = lines[:-1]
        total += right_ticks(truth, best, song.length)
    report("chord", music, "ceiling: the longest symbol of each half", len(labelled), root=total[0] / total[1],
           majmin=total[2] / total[3])  # fmt: skip


def analysed_chorales() -> list[tuple[Song, NDArray[Any]]]:
    """Chorales that music21 bundles with a Roman-numeral analysis by hand."""
    import music21
    from music21.corpus.chorales import ChoraleListRKBWV

    folder = Path(music21.__file__).parent / "corpus" / "bach"
    numbers, found = ChoraleListRKBWV().byRiemenschneider, []
    for path in sorted((folder / "choraleAnalyses").glob("*.rntxt")):
        score = folder / f"bwv{numbers[int(re.findall(r'[0-9]+', path.name)[0])]['bwv']}.mxl"
        if not score.is_file():
            continue
        song = read_musicxml(score)
        upbeat = int(song.notes["onset"].min())
        symbols = music21.converter.parse(path, format="romantext").flatten().getElementsByClass("RomanNumeral")
        kinds = {"major": "", "minor": "m", "diminished": "dim", "augmented": "aug"}
        truth = [
            (int(float(one.offset) * 480) + upbeat, one.root().pitchClass,
             QUALITY_NAMES.index(kinds[one.quality]), one.bass().pitchClass)
            for one in symbols if one.quality in kinds
        ]  # fmt: skip
        end = max(float(one.offset + one.quarterLength) for one in symbols) * 480 + upbeat
        if abs(end - song.length) <= song.meter.bar_ticks:  # analyses that unfold a repeat do not line up
            found.append((song, np.array(truth, CHORD)))
    return found


# ---- the run ----------------------------------------------------------------------------------------------


def key_tables(sheets: list[Song], chorales: list[Labelled]) -> None:
    halves = {"tuning half": sheets[::2], "other half": sheets[1::2]}
    for half, songs in halves.items():
        melody = [(song, resolved_key(song)) for song in songs]
        band = [(realise(song), key) for song, key in melody]
        score_keys(f"lead sheets, melody only, {half}", "find_key", melody, lambda song: find_key(song).key)
        score_keys(f"lead sheets, realised, {half}", "find_key", band, lambda song: find_key(song).key)
    stated = [(song, Key(int(song.keys["tonic"][0]))) for song in halves["other half"]]
    score_keys("lead sheets, key as stated, other half", "find_key", stated, lambda song: find_key(song).key)
    score_keys("chorales with a stated mode", "find_key", chorales, lambda song: find_key(song).key)
    clips = [(song.slice_bars(4, 12), key) for song, key in melody if song.bars >= 12]
    clips = [(clip, key) for clip, key in clips if len(clip) and len(clip.chords)]
    clip_bands = [(realise(clip), key) for clip, key in clips]
    for name, some in (("melody", clips), ("realised", clip_bands)):
        score_keys(f"bars 5-12, {name}, other half", "find_key", some, lambda song: find_key(song).key)
        score_keys(f"bars 5-12, {name}, other half", "without last bass, temperley", some, plain("temperley"))
    for profile in PROFILES:
        score_keys("lead sheets, melody only, other half", f"without last bass, {profile}", melody, plain(profile))
        score_keys("chorales with a stated mode", f"without last bass, {profile}", chorales, plain(profile))
    for name, power in (("count of notes", 0.0), ("square root of duration", 0.5)):
        score_keys("lead sheets, melody only, other half", f"without last bass, {name}", melody, weighted(power))
        score_keys("chorales with a stated mode", f"without last bass, {name}", chorales, weighted(power))
    score_keys("lead sheets, melody only, other half", "baseline: always C major", melody, lambda _: Key())
    for name, sample in (("lead sheets, melody only, sample", melody[::4]), ("chorales, sample", chorales[::6])):
        make_streams([song for song, _ in sample])
        ours = score_keys(name, "find_key", sample, lambda song: find_key(song).key)
        theirs = score_keys(name, "music21 analyze('key')", sample, music21_key)
        report("key", name, "music21's time / ours", len(sample), ratio=theirs / ours)


def chord_tables(sheets: list[Song]) -> None:
    for half, songs in (("tuning half", sheets[::2]), ("other half", sheets[1::2])):
        melody = [(song, song.chords) for song in songs]
        band = [(realise(song), song.chords) for song in songs]
        score_chords(f"lead sheets, melody only, {half}", "find_chords", melody, find_chords)
        score_chords(f"lead sheets, melody only, {half}", "baseline: always the tonic found", melody, always_tonic)
        score_chords(f"lead sheets, realised, {half}", "find_chords (upper bound)", band, find_chords)
        score_chords(f"lead sheets, realised, {half}", "baseline: always the tonic found", band, always_tonic)
        score_ceiling(f"lead sheets, {half}", melody)
    chorales = analysed_chorales()
    for half, some in (("tuning half", chorales[::2]), ("other half", chorales[1::2])):
        score_chords(f"analysed chorales, {half}", "find_chords", some, find_chords)
        score_chords(f"analysed chorales, {half}", "baseline: always the tonic found", some, always_tonic)
        score_ceiling(f"analysed chorales, {half}", some)


def speed_table(music: str, songs: list[Song]) -> None:
    size = float(np.mean([len(song) for song in songs]))
    for name, find in (("find_key", find_key), ("find_keys", find_keys), ("find_chords", find_chords)):
        spent = []
        for _ in range(3):
            start = time.process_time()
            for song in songs:
                find(song)
            spent.append(1e3 * (time.process_time() - start) / len(songs))
        report("speed", music, name, len(songs), ms_per_song=min(spent), notes_per_song=size)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--songs", type=int, default=10_000, help="read at most this many files of each set")
    limit = arguments.parse_args().songs
    warnings.simplefilter("ignore")  # music21's
    import music21

    bundled = Path(music21.__file__).parent / "corpus" / "bach"
    print(platform.processor() or platform.machine(), os.cpu_count(), "cores, Python", platform.python_version(),
          "numpy", np.__version__, "music21", music21.__version__)  # fmt: skip
    sheets = [song for song, _ in read_all(sorted((DATA / "leadsheets/openewld").rglob("*.mxl"))[:limit], "OpenEWLD")]
    bach = read_all(sorted(bundled.glob("*.mxl"))[:limit], "music21's Bach chorales")
    lieder = read_all(sorted((DATA / "lieder").rglob("*.mxl"))[:limit:10], "OpenScore Lieder, every 10th")
    quartets = read_all(sorted((DATA / "quartets").rglob("*.mxl"))[:limit:8], "OpenScore Quartets, every 8th")
    stated = [
        (song, Key(int(song.keys["tonic"][0]), "minor" if song.keys["is_minor"][0] else "major"))
        for song, has_mode in bach if has_mode and len(song.keys) == 1
    ]  # fmt: skip
    key_tables([song for song in sheets if len(song.keys) == 1 and len(song)], stated)
    score_signatures("lieder", [song for song, _ in lieder])
    score_signatures("quartets", [song for song, _ in quartets])
    score_sections("lieder", [song for song, _ in lieder])
    score_sections("quartets", [song for song, _ in quartets])
    chord_tables([song for song in sheets if len(song.chords) and len(song)])
    speed_table("lieder", [song for song, _ in lieder])
    speed_table("lead sheets", sheets)
    speed_table("quartet movements", [song for song, _ in quartets])
    with (HERE / "results.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
