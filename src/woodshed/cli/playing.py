"""What the verbs that play share: how to ask, and how to hand over what was made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from woodshed.cli.options import DrawnSeed, Force, Json, PlayingThreads, Style, use_threads
from woodshed.cli.talk import Talk

if TYPE_CHECKING:
    from woodshed.bundle import Bundle
    from woodshed.generation.filters import Sampling
    from woodshed.music import Song
    from woodshed.recipes.clip import Clip
    from woodshed.recipes.rules import Rules
    from woodshed.recipes.wish import Wish

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
InMeter = Annotated[
    str | None,
    typer.Option("--meter", metavar="B/V", help="Meter, such as 4/4 or 7/8; '7/8,4/4' take turns, bar by bar."),
]
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
    typer.Option("--repetition", metavar="R", help="How much it repeats itself: 0 never, 1 as learned, 2 loops; 0-10."),
]
Polyphony = Annotated[
    int | None,
    typer.Option("--polyphony", metavar="N", help="At most N notes at once in each pitched part; usually as learned."),
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
Chords = Annotated[
    str | None,
    typer.Option("--chords", metavar="TEXT", help="Play over these: 'Am F C G', one a bar, or 'Am F | C G'."),
]
ChordsFrom = Annotated[
    Path | None,
    typer.Option("--chords-from", metavar="FILE", help="Play over the chords written, or found, in this music."),
]
ChordsSoft = Annotated[
    bool, typer.Option("--chords-soft", help="Lean towards the tones of the chords, instead of playing only these.")
]
Grid = Annotated[
    str | None,
    typer.Option(
        "--grid",
        metavar="VALUE",
        help="New notes start on it: 1/8, 1/16, 1/8T (triplets), '1/16+1/8T', ...; 1/32T is anywhere. If not given, "
        "that of each part in the songs that were learned, or that of the song that they join.",
    ),
]
Pitches = Annotated[
    list[str] | None,
    typer.Option(
        "--pitches", metavar="PART=LIST", help="All that a part plays, such as 'drums=hats,snare'; may be repeated."
    ),
]
_LEVELS = "in each bar, 0-11: one for all, '3,5,-,7' (- as it comes) or a curve low..high."
Density = Annotated[str | None, typer.Option("--density", metavar="LEVELS", help=f"About how many notes {_LEVELS}")]
Register = Annotated[str | None, typer.Option("--register", metavar="LEVELS", help=f"About how high {_LEVELS}")]
Syncopation = Annotated[
    str | None, typer.Option("--syncopation", metavar="LEVELS", help=f"About how far off the beat {_LEVELS}")
]
Loudness = Annotated[str | None, typer.Option("--loudness", metavar="LEVELS", help=f"About how loud {_LEVELS}")]
Without = Annotated[
    str | None, typer.Option("--without", metavar="NAMES", help="Who must not play, such as 'piano, strings'.")
]
MaxCopy = Annotated[
    str | None,
    typer.Option(
        "--max-copy", metavar="LIMIT", help="No passage of learned songs longer than 8beats, or 24notes, in any key."
    ),
]
NotToCopy = Annotated[
    Path | None,
    typer.Option(
        "--corpus", metavar="CORPUS|FOLDER", help="Of --max-copy: the songs; those that BUNDLE learned from if kept."
    ),
]
TheseBars = Annotated[
    str | None,
    typer.Option("--bars", metavar="FIRST-LAST", help="Which bars, counted from 1: 5-8, 5, or 5- to the end; all."),
]
TheseParts = Annotated[
    str | None, typer.Option("--parts", metavar="NAMES", help="Which parts of INPUT, by name or instrument; all.")
]
MusicArgument = Annotated[
    Path, typer.Argument(readable=False, metavar="INPUT", help="MIDI or MusicXML; what is not new stays note for note.")
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


@dataclass(frozen=True)
class Asked:
    """What new notes obey, as options."""

    key: InKey = None
    chords: Chords = None
    chords_from: ChordsFrom = None
    chords_soft: ChordsSoft = False
    grid: Grid = None
    ranges: Ranges = None
    pitches: Pitches = None
    polyphony: Polyphony = None
    density: Density = None
    register: Register = None
    syncopation: Syncopation = None
    loudness: Loudness = None

    def wish(self, parts: str | None = None) -> Wish:
        """The wish for new notes, and for new parts."""
        from woodshed.recipes import wish as wishes

        wish = wishes.parse_wish(
            None, parts=parts, key=self.key, polyphony=self.polyphony, ranges=self.ranges or (), rules=self.rules()
        )
        return wishes.over_chords(wish, self.chords, self.chords_from, True)

    def rules(self, without: str | None = None, meter: str | None = None) -> Rules:
        """All that only bundles of recipe band obey."""
        from woodshed.recipes.rules import parse_rules

        levels = {
            "density": self.density, "register": self.register, "syncopation": self.syncopation,
            "velocity": self.loudness,
        }  # fmt: skip
        return parse_rules(
            without=without, meter=meter, grid=self.grid, soft_chords=self.chords_soft, pitches=self.pitches or (),
            levels=levels,
        )  # fmt: skip


@dataclass(frozen=True)
class Freedom:
    """How freely to draw, as options."""

    temperature: Temperature = None
    top_p: TopP = None
    top_k: TopK = None
    min_p: MinP = None
    repetition: Repetition = None

    def sampling(self, bundle: Bundle) -> Sampling:
        """The recipe's sampling, but for what is asked."""
        from woodshed.recipes import clip
        from woodshed.recipes import wish as wishes

        warmth = {} if self.temperature is None else wishes.parse_temperature(self.temperature)
        return clip.default_sampling(
            bundle, **warmth, top_p=self.top_p, top_k=self.top_k, min_p=self.min_p, repetition=self.repetition
        )


@dataclass(frozen=True)
class Making:
    """How many clips, by what chance, and where they go, as options."""

    output: Output
    count: Count = 1
    candidates: Candidates = 6
    seed: DrawnSeed = None
    audio: Audio = None
    picture: Picture = None
    threads: PlayingThreads = 1
    force: Force = False
    as_json: Json = False
    style: Style = None

    def play(
        self,
        folder: Path | None,
        freedom: Freedom,
        make: Callable[[Bundle, Sampling, int, Callable[[float], None]], list[Clip]],
        title: str = "",
    ) -> None:
        """Load the bundle, or blend those of the style; ``make`` clips with it, the sampling and a seed, call them so,
        and hand them over.
        """
        from woodshed.recipes import clip, styles

        style = styles.style_of(folder, self.style)
        use_threads(self.threads)
        seed = self.seed if self.seed is not None else clip.draw_seed()

        def made(tell: Callable[[float], None]) -> list[Clip]:
            bundle = styles.load_style(style)
            return clip.retitled(make(bundle, freedom.sampling(bundle), seed, tell), title)

        order = Order(self.output, self.count, self.audio, self.picture, self.force)
        deliver(Talk(self.as_json), order, made)


def options(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose parameters that are dataclasses of options, such as `Making`, are given field by field."""
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if isinstance(hint, type) and is_dataclass(hint)}
    parameters: list[Parameter] = []
    for name, parameter in signature(command).parameters.items():
        if name not in groups:
            parameters.append(parameter.replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY))
            continue
        own = get_type_hints(groups[name], include_extras=True)
        parameters += [
            Parameter(
                one.name, Parameter.KEYWORD_ONLY, annotation=own[one.name],
                default=Parameter.empty if one.default is MISSING else one.default,
            )
            for one in fields(groups[name])
        ]  # fmt: skip

    @wraps(command)
    def flat(**given: Any) -> None:
        gathered = {
            name: group(**{one.name: given.pop(one.name) for one in fields(group)}) for name, group in groups.items()
        }
        command(**given, **gathered)

    flat.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    flat.__annotations__ = {one.name: one.annotation for one in parameters}
    del flat.__wrapped__
    return flat


def read_music(path: Path) -> tuple[Song, str]:
    """A song called by its file, so that messages name it, and its own title."""
    from woodshed.recipes import files

    song = files.read_song(path, Talk(as_json=False).note)
    return song.replace(title=path.name), song.title


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
