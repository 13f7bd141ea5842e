"""What the verbs that play share: how to ask, and how to hand over what was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from woodshed.cli.talk import Talk

if TYPE_CHECKING:
    from woodshed.recipes.clip import Clip

Output = Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="MIDI file to write; must end in .mid.")]
Bars = Annotated[int | None, typer.Option("--bars", metavar="N", help="How many new bars, 1-4096; 8 if not given.")]
InKey = Annotated[
    str | None,
    typer.Option("--key", metavar="KEY", help="Keep pitched parts in a key, such as 'F minor' or 'A blues'."),
]
Parts = Annotated[
    str | None, typer.Option("--parts", metavar="NAMES", help="Who plays, such as 'drums, bass, lead guitar'.")
]
Tempo = Annotated[float | None, typer.Option("--tempo", metavar="BPM", help="Quarter notes per minute.")]
InMeter = Annotated[str | None, typer.Option("--meter", metavar="B/V", help="Meter, such as 4/4 or 7/8.")]
PrimerMelody = Annotated[
    str | None,
    typer.Option(
        "--primer-melody",
        metavar="EVENTS",
        help="Go on from a melody typed in sixteenths, such as '[60,-2,62,-1]': a pitch, -2 hold, -1 off.",
    ),
]
Temperature = Annotated[
    str | None,
    typer.Option(
        "--temperature",
        metavar="T",
        help="0 plays safe, 1 as learned, more is wilder; 0-5. For one field: '0.9,pitch=0.7,duration=1.2'.",
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "--steps",
        metavar="N",
        help="Of a melody: N sixteenths in all, primer included, instead of --bars; of a solo: at most N events.",
    ),
]
BeamSize = Annotated[
    int, typer.Option("--beam", metavar="N", help="Of a melody: keep the N likeliest at each step, 1-64.")
]
BranchFactor = Annotated[
    int, typer.Option("--branch-factor", metavar="N", help="Of a melody: try N next events for each of them, 1-64.")
]
Ranges = Annotated[
    list[str] | None,
    typer.Option("--range", metavar="PART=LOW-HIGH", help="Pitches of a part, such as 'bass=E1-G2'; may be repeated."),
]
Parallels = Annotated[
    float | None,
    typer.Option(
        "--parallels",
        metavar="ODDS",
        help="Of a chorale: odds of each parallel fifth or octave, 1 as learned, 0 never; 0.005 if not given.",
    ),
]
TopP = Annotated[
    float | None, typer.Option("--top-p", metavar="P", help="Choose among the likeliest that hold this share, 0-1.")
]
TopK = Annotated[int | None, typer.Option("--top-k", metavar="K", help="Choose among the K likeliest; 0 is all.")]
MinP = Annotated[
    float | None, typer.Option("--min-p", metavar="P", help="Nothing less than P times as likely as the likeliest.")
]
Repetition = Annotated[
    float | None,
    typer.Option("--repetition", metavar="R", help="Odds of playing what was played before; 1 as learned, 0-10."),
]
Polyphony = Annotated[
    int | None, typer.Option("--polyphony", metavar="N", help="At most N notes at once in each pitched part.")
]
Attribute = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        metavar="NAME=BY",
        help="Of a latent space: more or less density, register or syncopation, such as density=+1; may be repeated.",
    ),
]
Mode = Annotated[
    str | None,
    typer.Option("--mode", metavar="NAME", help="Of a window net: windowed, or carried: faster, and nearly as good."),
]
Count = Annotated[int, typer.Option("--count", metavar="N", help="How many: OUT then becomes OUT-1, OUT-2, ...")]
Candidates = Annotated[
    int, typer.Option("--candidates", metavar="K", help="Draw K side by side for each, and keep the best; 1-64.")
]
Audio = Annotated[
    str | None, typer.Option("--audio", metavar="FORMAT", help="Also write sound: wav, flac, ogg or mp3.")
]
Picture = Annotated[str | None, typer.Option("--picture", metavar="FORMAT", help="Also draw it: png, svg or pdf.")]


@dataclass(frozen=True)
class Order:
    """Where the clips go."""

    output: Path
    count: int
    audio: str | None
    picture: str | None
    force: bool


def deliver(talk: Talk, order: Order, make: Callable[[Callable[[float], None]], list[Clip]]) -> None:
    """Check the outputs, then ``make`` the clips (it is given whom to tell the share done), write and tell.

    Raises:
        OutputExists: before anything is made.
        UnknownName: for a format that there is not.
    """
    from woodshed.recipes.files import all_outputs, check_formats, check_outputs, output_paths, write_clip

    formats = check_formats(order.audio, order.picture)
    paths = output_paths(order.output, order.count)
    check_outputs([file for path in paths for file in all_outputs(path, formats)], force=order.force)
    if order.audio is not None:
        from woodshed.rendering import find_soundfont

        find_soundfont()  # if there is none, say so before anything is made
    with talk.share("play") as tell:
        clips = make(tell)
    for clip, path in zip(clips, paths, strict=True):
        files = write_clip(clip, path, formats)
        talk.facts({"files": [str(file) for file in files], **clip.as_dict()})
        talk.say(f"wrote {', '.join(map(str, files))}: {clip.summary()}")
