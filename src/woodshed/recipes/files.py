"""Songs as files: names, checks before any work is done, and writing clips, sound and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from woodshed.codecs.part_choice import is_called, notes_of_parts, only_part
from woodshed.errors import OutOfRange, OutputExists, UnknownName, UsageError
from woodshed.music import Song, part_name

if TYPE_CHECKING:
    from woodshed.recipes.clip import Clip

MOST_CLIPS = 1000
MIDI_ENDINGS = (".mid", ".midi")
AUDIO_FORMATS = ("wav", "flac", "ogg", "mp3")
PICTURE_FORMATS = ("png", "svg", "pdf")
PICTURE_STYLES = ("roll", "track")
CUT_SHORT = ("truncated-event", "track-count", "chunk-length")
"""Repairs of MIDI files which say that something is missing."""
"""What a picture shows: a piano roll of all parts in bars, or one part in seconds with its distributions."""

Told = Callable[[float], None]
"""Told the share that is done, 0-1."""


def check_range(name: str, value: int, low: int, high: int) -> None:
    """Raise `OutOfRange` unless ``value`` is ``low`` to ``high``."""
    if not low <= value <= high:
        raise OutOfRange(f"{name} {value} is outside {low}-{high}")


def check_formats(audio: str | None, picture: str | None) -> list[str]:
    """The formats, as file endings.

    Raises:
        UnknownName: for one that there is not.
    """
    for what, name, known in (("audio", audio, AUDIO_FORMATS), ("picture", picture, PICTURE_FORMATS)):
        if name is not None and name.lower().removeprefix(".") not in known:
            raise UnknownName(f"{what} {name!r} is not one of {', '.join(known)}")
    return [name.lower().removeprefix(".") for name in (audio, picture) if name is not None]


def output_paths(out: Path, count: int) -> list[Path]:
    """``[out]``, or for more than one ``new-1.mid, new-2.mid, ...``.

    Raises:
        UnknownName: if ``out`` does not end in .mid.
        OutOfRange: if ``count`` is outside 1-1000.
    """
    check_range("count", count, 1, MOST_CLIPS)
    if out.suffix.lower() not in MIDI_ENDINGS:
        raise UnknownName(f"output {out} does not end in .mid; call it {out.stem or 'new'}.mid")
    return [out] if count == 1 else [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, count + 1)]


def all_outputs(path: Path, formats: Sequence[str]) -> list[Path]:
    """A clip's file, and those beside it in other formats."""
    return [path, *(path.with_suffix(f".{name}") for name in formats)]


def check_outputs(paths: Sequence[Path], *, force: bool) -> None:
    """Before any work is done: none may be there already.

    Raises:
        OutputExists: naming the first that is.
    """
    for path in paths:
        if path.is_dir() or (path.exists() and not force):
            remedy = "choose another name" if path.is_dir() else "use --force to replace it, or choose another name"
            raise OutputExists(f"{path} is there; {remedy}")


def check_page(path: Path) -> None:
    """Whether a page may be called so.

    Raises:
        UnknownName: if it does not end in .html.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UnknownName(f"page {path} does not end in .html; call it {path.stem or 'page'}.html")


def check_apart(read: Path, written: Sequence[Path]) -> None:
    """Nothing may be written over what is read, nor one file over another.

    Raises:
        OutputExists: naming the file.
    """
    taken = [read.resolve()]
    for path in written:
        if path.resolve() in taken:
            raise OutputExists(
                f"{path} would be written over {read.name if len(taken) == 1 else 'another of the files'}; "
                "choose another name"
            )
        taken.append(path.resolve())


def write_clip(clip: Clip, path: Path, formats: Sequence[str] = ()) -> list[Path]:
    """Write a clip as MIDI, with its settings inside, and beside it as sound or picture; returns the paths.

    A picture of music without a title is called by the file's name, as one of the file itself would be.

    Raises:
        FileError: if one cannot be written; it is then not there at all.
    """
    from woodshed.formats import write_midi

    written = all_outputs(path, formats)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_midi(clip.song, path, comment=json.dumps(clip.settings, ensure_ascii=False, sort_keys=True))
    for other in written[1:]:
        render_song(clip.song if clip.song.title else clip.song.replace(title=path.stem), other)
    return written


def check_rendering(path: Path) -> str:
    """The path's ending without its dot, if a song can be rendered so.

    Raises:
        UnknownName: if not.
    """
    ending = path.suffix.lower().removeprefix(".")
    known = (*AUDIO_FORMATS, *PICTURE_FORMATS, "txt")
    if ending not in known:
        raise UnknownName(
            f"{path}: a song cannot be rendered as {path.suffix!r}; the ending is one of {', '.join(known)}"
        )
    return ending


def check_picture_style(path: Path, style: str, part: str | None = None) -> None:
    """Whether a song can be drawn so.

    Raises:
        UnknownName: for a style that there is not.
        UsageError: for a style of what is no picture, or a part where all are drawn.
    """
    if style not in PICTURE_STYLES:
        raise UnknownName(f"style {style!r} is not one of {', '.join(PICTURE_STYLES)}")
    if style != PICTURE_STYLES[0] and path.suffix.lower().removeprefix(".") not in PICTURE_FORMATS:
        raise UsageError(f"--style {style} is for pictures; {path} must end in one of {', '.join(PICTURE_FORMATS)}")
    if part is not None and style != "track":
        raise UsageError("--part chooses what --style track shows; the other pictures show all parts, leave it out")


def track_of(song: Song, part: str | None, name: str) -> Song:
    """The part that is meant by a word or a program number, alone; None for the first that is not drums.

    Raises:
        UnknownName: if there is none, with those that there are.
    """
    counts = notes_of_parts(song)
    sounding = [index for index, count in enumerate(counts) if count]
    pitched = [index for index in sounding if not song.parts[index].is_drum]
    meant = pitched if part is None else [index for index in sounding if is_called(song.parts[index], part)]
    if not meant:
        there = ", ".join(f"{part_name(song.parts[index])} ({counts[index]} notes)" for index in sounding) or "no note"
        what = "pitched part" if part is None else f"part {part!r}"
        raise UnknownName(f"{name}: no {what} sounds; there is {there}")
    return only_part(song, meant[0])


def render_song(
    song: Song, path: Path, on_step: Told | None = None, *, style: str = "roll", part: str | None = None
) -> None:
    """Write a song as sound, picture or text, by the path's ending.

    ``style`` is one of `PICTURE_STYLES`; of a track's figures ``part`` names the track.

    Raises:
        UnknownName: for an ending that is none of these, a style or a part that there is not.
        FileError: if it cannot be written.
    """
    from woodshed import rendering

    ending = check_rendering(path)
    check_picture_style(path, style, part)
    track = track_of(song, part, song.title or "the song") if style == "track" else None
    path.parent.mkdir(parents=True, exist_ok=True)
    if ending in AUDIO_FORMATS:
        rendering.write_audio(song, path, progress=on_step)
    elif track is not None:
        name = part_name(track.parts[0])
        rendering.draw_track_figures(track, path, title=": ".join(filter(None, (song.title, name))))
    elif ending in PICTURE_FORMATS:
        rendering.draw_piano_roll(song, path)
    else:
        from woodshed.rendering.output import written_whole

        with written_whole(path) as temporary:
            temporary.write_text(rendering.piano_roll_text(song, colour=False), encoding="utf-8")


def read_song(path: Path, tell: Callable[[str], None] | None = None) -> Song:
    """A song from a MIDI or MusicXML file, by its ending. Whoever is to ``tell`` hears if a part of it is missing.

    Raises:
        FileError: if it cannot be read.
        FormatError: if it is no music.
    """
    from woodshed.corpus.scan import MUSICXML_ENDINGS
    from woodshed.formats import Repair, read_midi, read_musicxml

    if path.suffix.lower() in MUSICXML_ENDINGS:
        return read_musicxml(path)
    repairs: list[Repair] = []
    song = read_midi(path, repairs=repairs)
    missing = [repair.detail.split(";")[0] for repair in repairs if repair.kind in CUT_SHORT]
    if missing and tell is not None:
        tell(
            f"note: {path.name} is damaged ({'; '.join(missing)}), so what could be read is all that is heard; "
            f"`woodshed doctor {path.name}` tells more"
        )
    return song
