"""woodshed radio"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli import playing
from woodshed.cli.options import BundleOrStyle, DrawnSeed, Force, Json, PlayingThreads, Style, use_threads
from woodshed.cli.talk import Talk
from woodshed.errors import UsageError
from woodshed.words import counted

if TYPE_CHECKING:
    from woodshed.recipes.radio import Radio, Receiver, Tally


def command(
    bundle: BundleOrStyle,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="OUT", help="A .mid, .wav, .flac or .ogg file that grows, or - for JSON lines."
        ),
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json-lines", help="One line of JSON for each bar on stdout; the same as -o -.")
    ] = False,
    bars: Annotated[
        int | None, typer.Option("--bars", metavar="N", help="Stop after N bars; without it, Ctrl-C does.")
    ] = None,
    pace: Annotated[
        bool, typer.Option("--pace", help="Play in real time, at most four bars ahead; else as fast as it can.")
    ] = False,
    parts: playing.Parts = None,
    key: playing.InKey = None,
    tempo: playing.Tempo = None,
    meter: playing.InMeter = None,
    temperature: playing.Temperature = None,
    top_p: playing.TopP = None,
    top_k: playing.TopK = None,
    min_p: playing.MinP = None,
    repetition: playing.Repetition = None,
    polyphony: playing.Polyphony = None,
    ranges: playing.Ranges = None,
    primer: Annotated[
        Path | None, typer.Option("--primer", metavar="FILE", help="Go on from this music, which is not played itself.")
    ] = None,
    primer_melody: playing.PrimerMelody = None,
    seed: DrawnSeed = None,
    threads: PlayingThreads = 1,
    force: Force = False,
    as_json: Json = False,
    style: Style = None,
) -> None:
    """Play for ever, bar by bar, and never the same eight bars twice. Ctrl-C ends it, and the file is complete."""
    from woodshed.bundle.bundle import read_config
    from woodshed.recipes import clip, files, play, radio, styles
    from woodshed.recipes import wish as wishes

    if output is None and not json_lines:
        raise UsageError("say where to: -o radio.mid, -o radio.wav, or --json-lines")
    if output not in (None, radio.STDOUT) and json_lines:
        raise UsageError("give either -o or --json-lines, not both")
    if primer is not None and primer_melody is not None:
        raise UsageError("give either --primer or --primer-melody, not both")
    out = output or radio.STDOUT
    talk = Talk(as_json or out == radio.STDOUT)
    radio.check_length(bars)
    wish = wishes.parse_wish(
        1, parts=parts, key=key, tempo=tempo, meter=meter, polyphony=polyphony, ranges=ranges or ()
    )
    warmth = {} if temperature is None else wishes.parse_temperature(temperature)
    radio.check_output(out, force=force)
    chosen_style = styles.style_of(bundle, style)
    for folder, _ in chosen_style:
        read_config(folder)
    use_threads(threads)
    loaded = styles.load_style(chosen_style)
    sampling = clip.default_sampling(loaded, **warmth, top_p=top_p, top_k=top_k, min_p=min_p, repetition=repetition)
    song = None
    if primer is not None:
        song = files.read_song(primer, talk.note)
    elif primer_melody is not None:
        song, wish = play.melody_primer(loaded, primer_melody, wish)
    else:
        for line in play.stand_ins(loaded, wish):
            talk.note(f"note: {line}")
    chosen = seed if seed is not None else clip.draw_seed()
    station = radio.play_radio(loaded, wish, sampling, seed=chosen, primer=song)
    receiver = radio.open_receiver(out, station, sys.stdout, force=force)
    talk.note(f"{_about(station)}, seed {chosen}{'' if bars else '; Ctrl-C ends it'}")
    with _until_told() as stop, talk.progress("{task.fields[said]}") as progress:
        task = progress.add_task("play", total=bars, said="")

        def tell(tally: Tally) -> None:
            progress.update(task, completed=tally.bars, said=f"bar {tally.bars}, {_time(tally.seconds)} of music")

        tally = radio.broadcast(station, receiver, stop, bars=bars, pace=pace, on_bar=tell)
    _report(talk, station, receiver, tally, chosen, out)


@contextmanager
def _until_told() -> Iterator[threading.Event]:
    """Set by Ctrl-C or a request to terminate, so that a bar is never left half-written; a second Ctrl-C insists."""
    stop = threading.Event()

    def told(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, told) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(talk: Talk, station: Radio, receiver: Receiver, tally: Tally, seed: int, out: Path) -> None:
    """What was played: to people; and to programs, unless stdout holds the music."""
    from woodshed.recipes.radio import STDOUT

    paths = [str(path) for path in receiver.paths]
    facts = {"bars": tally.bars, "notes": tally.notes, "seconds": round(tally.seconds, 3)}
    facts |= {"bars_drawn_again": tally.drawn_again, "seed": seed}
    if out != STDOUT:
        talk.facts({"files": paths, **facts, "settings": station.settings})
    again = f"; {tally.drawn_again} drawn again, so as not to repeat eight bars" if tally.drawn_again else ""
    where = f"wrote {', '.join(paths)}: " if paths else ""
    played = f"{counted(tally.bars, 'bar')}, {counted(tally.notes, 'note')}, {_time(tally.seconds)} of music"
    talk.say(f"{where}{played}, seed {seed}{again}")


def _about(station: Radio) -> str:
    """``drums, bass, guitar, 140 BPM, 4/4``"""
    from woodshed.music import part_name

    frame = station.frame
    return f"{', '.join(part_name(part) for part in frame.parts)}, {frame.bpm:.4g} BPM, {frame.meter}"


def _time(seconds: float) -> str:
    """``1:02:03`` or ``2:03``"""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
