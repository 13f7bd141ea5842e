"""What ``import woodshed`` offers: the same functions as the command line, for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, Unpack

from woodshed.bundle import LATENT, Bundle, kind_of, load_bundle
from woodshed.errors import UnknownName
from woodshed.music import Key, Meter, Part, Song, parse_part
from woodshed.music.chord_sheet import parse_chords
from woodshed.recipes import files, play
from woodshed.recipes.chorales import DRAWS, harmonise_song, parse_voices
from woodshed.recipes.clip import CANDIDATES, default_sampling, draw_seed
from woodshed.recipes.latents import vary_song
from woodshed.recipes.paths import interpolate_songs
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.rules import OPTION_OF, parse_drums, parse_rules
from woodshed.recipes.runs import Listener, train_recipe
from woodshed.recipes.styles import load_style
from woodshed.recipes.verbs import sings
from woodshed.recipes.wish import Wish, refuse_attributes

__all__ = ["Band", "load", "read", "render", "train", "write"]


class HowToDraw(TypedDict, total=False):
    """How freely to play; fields of `woodshed.generation.filters.Sampling`, where their ranges are."""

    temperature: float
    temperatures: dict[str, float]
    top_k: int
    top_p: float
    min_p: float
    repetition: float


class Asked(HowToDraw, total=False):
    """What new notes obey; what only recipe band obeys is refused by the others."""

    key: str | Key | None
    chords: str | None
    """One a bar, "Am F C G", or "Am F | C G"."""
    soft_chords: bool
    """Whether chords are favoured instead of obeyed."""
    grid: str | None
    """Where notes may start, such as "1/16"."""
    polyphony: int | None
    ranges: Mapping[str, tuple[int, int]]
    """Name of a part, or of its instrument -> its lowest and highest pitch."""
    pitches: Mapping[str, Sequence[int]]
    """The same -> all that it plays."""
    density: str | int
    """A level of 0-11, one for each bar, "3,5,-,7", or a curve, "low..high"; so are the next."""
    register: str | int
    syncopation: str | int
    loudness: str | int
    without: str | None
    """Who must not play."""


class Band:
    """A trained bundle that can be asked to play. Made by `load` or `train`.

    Every method takes ``seed`` (the same seed, the same song; None draws one) and the options of `HowToDraw`; those
    that write notes also take what these obey, `Asked`.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def __repr__(self) -> str:
        return f"Band({str(self.bundle.folder or self.bundle.name)!r}, recipe={self.bundle.recipe!r})"

    def generate(
        self,
        *,
        bars: int = 8,
        parts: str | Sequence[str | Part] | None = None,
        tempo: float | None = None,
        meter: str | Meter | None = None,
        attributes: Mapping[str, float] | None = None,
        like: Song | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **asked: Unpack[Asked],
    ) -> Song:
        """A new song of ``bars`` bars: ``band.generate(parts="drums, bass", key="F minor", tempo=140, seed=7)``.

        ``meter`` may be several that take turns, "7/8,4/4". With ``like``, the style is that song's, see `play_like`.

        Raises:
            UsageError: for what does not exist or lies outside its range.
        """
        wish = _wish(asked, bars=bars, parts=parts, meter=meter)
        wish = replace(wish, bpm=tempo, attributes=attributes or {})
        sampling, draw = default_sampling(self.bundle, **_how(asked)), _draw(seed, candidates)
        if like is not None:
            from woodshed.recipes.like import play_like

            return play_like(self.bundle, like, wish, sampling, count=1, **draw)[0].song
        return play.generate(self.bundle, wish, sampling, **draw)[0].song

    def continue_(
        self,
        song: Song,
        *,
        bars: int = 8,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **asked: Unpack[Asked],
    ) -> Song:
        """``song`` note for note, and ``bars`` new bars after it.

        Raises:
            InfeasibleCanvas: if the song has no note.
            UsageError: for what does not exist or lies outside its range.
        """
        sampling = default_sampling(self.bundle, **_how(asked))
        wish = _wish(asked, bars=bars)
        return play.continue_song(self.bundle, song, wish, sampling, **_draw(seed, candidates))[0].song

    def infill(
        self,
        song: Song,
        *,
        bars: tuple[int, int | None] | None = None,
        parts: str | None = None,
        what: str = "notes",
        add: str | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **asked: Unpack[Asked],
    ) -> Song:
        """``song`` with bars of some parts anew: ``band.infill(song, bars=(5, 8), parts="guitar")``.

        With ``what="pitches"`` the rhythm stays. With ``add="hats"`` all stays, and these drums join the part.

        Raises:
            BundleError: if the bundle fills no canvas.
            UsageError: for what does not exist or lies outside its range.
        """
        from woodshed.recipes import canvases

        sampling, wish = default_sampling(self.bundle, **_how(asked)), _wish(asked)
        drums = () if add is None else parse_drums(add)
        return canvases.infill(
            self.bundle, song, wish, sampling, bars=bars, parts=parts, what=what, add=drums, **_draw(seed, candidates)
        )[0].song

    def accompany(
        self,
        song: Song,
        *,
        parts: str | Sequence[str | Part] | None = None,
        bars: tuple[int, int | None] | None = None,
        taps: str | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **asked: Unpack[Asked],
    ) -> Song:
        """``song`` note for note, and new parts that play along: ``band.accompany(song, parts="bass, drums")``.

        ``taps`` names a part whose rhythm is played on drums instead.

        Raises:
            BundleError: if the bundle fills no canvas.
            UsageError: for what does not exist or lies outside its range.
        """
        from woodshed.recipes import canvases

        sampling, wish = default_sampling(self.bundle, **_how(asked)), _wish(asked, parts=parts)
        draw = _draw(seed, candidates)
        if taps is not None:
            return canvases.play_taps(self.bundle, song, wish, sampling, taps=taps, **draw)[0].song
        return canvases.accompany(self.bundle, song, wish, sampling, bars=bars, **draw)[0].song

    def solo(
        self,
        backing: Song,
        *,
        bars: tuple[int, int | None] = (1, None),
        part: str | Part | None = None,
        range: tuple[int, int] | None = None,
        primer: Song | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **asked: Unpack[Asked],
    ) -> Song:
        """``backing`` note for note, and a part that plays over it: ``band.solo(song, key="F minor", bars=(9, 24))``.

        ``bars`` are the first and the last, counted from 1; None is the end. Without a key it is found in the backing.
        ``range`` is the lowest and highest pitch of the solo. A window net goes on from the end of ``primer``.

        Raises:
            BundleError: if the bundle plays no solos.
            InfeasibleCanvas: if the backing has no notes, or key and range leave nothing to play.
            UsageError: for what does not exist or lies outside its range.
        """
        from woodshed.recipes.over import Over, play_over

        first, last = bars
        wish = _wish(asked, parts=None if part is None else [part])
        wish = wish if range is None else replace(wish, ranges={"solo": range})
        place = Over(backing, backing.title or "the backing", first, None if last is None else last - first + 1)
        sampling = default_sampling(self.bundle, **_how(asked))
        return play_over(self.bundle, place, wish, sampling, primer, count=1, **_draw(seed, candidates))[0].song

    def harmonise(
        self,
        song: Song,
        *,
        voices: str | Sequence[str] = "soprano",
        parts: str | Sequence[str | Part] | None = None,
        seed: int | None = None,
        candidates: int = DRAWS,
        **asked: Unpack[Asked],
    ) -> Song:
        """``song`` note for note, and new voices.

        Of recipe chorale: its parts sing ``voices``, and each voice that is missing is found. A part for which
        ``voices`` has ``"-"`` is left out, and its voice found anew: ``"soprano, -, -, -"``. Of recipe band: ``parts``,
        such as "violin, cello", move with the notes of the song.

        Raises:
            BundleError: if the bundle finds no voices.
            CodecError: if the voices cannot sing what is given.
            UsageError: for what does not exist or lies outside its range.
        """
        from woodshed.recipes import canvases

        sampling, draw = default_sampling(self.bundle, **_how(asked)), _draw(seed, candidates)
        wish = _wish(asked, parts=parts)
        if not sings(self.bundle):
            return canvases.add_voices(self.bundle, song, wish, sampling, **draw)[0].song
        canvases.refuse_canvas(self.bundle, "harmonise", wish)
        names = parse_voices(voices if isinstance(voices, str) else ",".join(voices))
        return harmonise_song(self.bundle, song, names, sampling, **draw)[0].song

    def vary(
        self,
        song: Song,
        *,
        by: float = 0.3,
        what: str = "notes",
        parts: str | None = None,
        attributes: Mapping[str, float] | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **asked: Unpack[Asked],
    ) -> Song:
        """``song`` with ``by``, 0-1, of it new: 0 is the song itself, 1 keeps nothing of what the bundle can hear.

        Of recipe band: ``what`` is notes, pitches, durations, velocities or timing, of ``parts``. Of recipes with a
        latent space: ``attributes`` are how many standard deviations more of each, ``{"density": 1.0}``.

        Raises:
            BundleError: if the bundle can vary nothing.
            CodecError: if it hears nothing in the song, or not its meter.
            UsageError: for what does not exist or lies outside its range.
        """
        from woodshed.recipes import canvases

        sampling, wish = default_sampling(self.bundle, **_how(asked)), _wish(asked)
        if kind_of(self.bundle) == LATENT:
            canvases.refuse_canvas(self.bundle, "vary", wish, what=None if what == "notes" else what, parts=parts)
            return vary_song(self.bundle, song, by, attributes, sampling, seed=_seed(seed))[0].song
        refuse_attributes(self.bundle.recipe, attributes or {})
        return canvases.vary(
            self.bundle, song, wish, sampling, by=by, what=what, parts=parts, **_draw(seed, candidates)
        )[0].song

    def humanise(
        self,
        song: Song,
        *,
        strength: float = 1.0,
        what: str | Sequence[str] = ("velocity", "timing"),
        steady: bool = False,
        parts: str | None = None,
        bars: tuple[int, int | None] | None = None,
        seed: int | None = None,
        **how: Unpack[HowToDraw],
    ) -> Song:
        """``song`` with another touch: how loud and how late each note is. Pitches and places on the grid stay.

        ``strength`` 0 is the song itself, 1 as drawn, at most 1.5. ``steady`` plays what is most to be expected.

        Raises:
            BundleError: if the bundle fills no canvas.
            UsageError: for what does not exist or lies outside its range.
        """
        from woodshed.recipes.feel import humanise

        names = [name.strip() for name in what.split(",")] if isinstance(what, str) else list(what)
        return humanise(
            self.bundle, song, default_sampling(self.bundle, **how), what=names, strength=strength, steady=steady,
            parts=parts, bars=bars, seed=_seed(seed),
        )[0].song  # fmt: skip

    def interpolate(
        self, first: Song, second: Song, *, steps: int = 9, seed: int | None = None, **how: Unpack[HowToDraw]
    ) -> list[Song]:
        """``steps`` songs from the first to the second, both of them included note for note.

        Raises:
            BundleError: if the bundle has no latent space.
            CodecError: if it hears nothing in one of them, or not its meter.
            UsageError: for what does not exist or lies outside its range.
        """
        sampling = default_sampling(self.bundle, **how)
        clips = interpolate_songs(self.bundle, first, second, steps, sampling, seed=_seed(seed))
        return [clip.song for clip in clips]


def load(folder: Path | str | Mapping[str, float]) -> Band:
    """A bundle that `train` or ``woodshed train`` made, ``"base"``, or a blend of several, each with its share:
    ``load({"a.shed": 0.5, "b.shed": 0.5})``.

    Raises:
        BundleError: if one is missing, damaged or too new; or if several do not fit together, see `blend`.
        OutOfRange: for a share that is not above 0.
    """
    if isinstance(folder, Mapping):
        return Band(load_style([(Path(name), share) for name, share in folder.items()]))
    return Band(load_bundle(folder))


def train(
    recipe: str,
    music: Path | str,
    output: Path | str,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    changes: Sequence[str] = (),
    held_out: Path | str | None = None,
    base: Path | str | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    force: bool = False,
    listener: Listener | None = None,
) -> Band:
    """Train a recipe on a corpus or a folder of music; as ``woodshed train``, whose ``--set`` is ``changes`` and
    whose ``--from`` is ``base``.

    Raises:
        WoodshedError: see `woodshed.recipes.runs.train_recipe`.
    """
    outcome = train_recipe(
        load_recipe(recipe, changes), Path(music), Path(output), minutes=minutes, steps=steps, seed=seed, device=device,
        held_out=None if held_out is None else Path(held_out), base=None if base is None else Path(base),
        resume=resume, force=force, listener=listener,
    )  # fmt: skip
    return Band(outcome.bundle)


def read(path: Path | str) -> Song:
    """A song from a MIDI or MusicXML file.

    Raises:
        FileError: if it cannot be read, or is no music.
    """
    return files.read_song(Path(path))


def write(song: Song, path: Path | str) -> None:
    """Write a song as a MIDI file; one that is there is replaced.

    Raises:
        UnknownName: if the path does not end in .mid.
        FileError: if it cannot be written.
    """
    from woodshed.formats import write_midi

    write_midi(song, files.output_paths(Path(path), 1)[0])


def render(song: Song, path: Path | str) -> None:
    """Write a song as sound (.wav, .flac, .ogg, .mp3) or as a picture (.png, .svg, .pdf, .txt).

    Raises:
        UnknownName: for another ending.
        FileError: if it cannot be written.
    """
    files.render_song(song, Path(path))


def _wish(
    asked: Asked,
    bars: int = Wish.bars,
    parts: str | Sequence[str | Part] | None = None,
    meter: str | Meter | None = None,
) -> Wish:
    """What is asked for, as the verbs want it."""
    names = parts.split(",") if isinstance(parts, str) else parts
    key, chords = asked.get("key"), asked.get("chords")
    levels = {control: asked.get(name) for control, name in OPTION_OF.items()}
    rules = parse_rules(
        without=asked.get("without"),
        meter=None if meter is None else str(meter),
        grid=asked.get("grid"),
        soft_chords=asked.get("soft_chords", False),
        levels={control: None if text is None else str(text) for control, text in levels.items()},
    )
    return Wish(
        bars=bars,
        parts=None if names is None else tuple(_part(name) for name in names),
        key=Key.parse(key) if isinstance(key, str) else key,
        meter=Meter.parse(meter.split(",")[0]) if isinstance(meter, str) else meter,
        polyphony=asked.get("polyphony"),
        ranges=asked.get("ranges", {}),
        chords=None if chords is None else parse_chords(chords),
        rules=replace(rules, pitches={name: tuple(list_) for name, list_ in asked.get("pitches", {}).items()}),
    )


def _how(asked: Asked) -> dict[str, Any]:
    """How freely to draw, of what is asked."""
    return {name: value for name, value in asked.items() if name in HowToDraw.__annotations__}


def _draw(seed: int | None, candidates: int) -> _Chance:
    return {"seed": _seed(seed), "candidates": candidates}


class _Chance(TypedDict):
    seed: int
    candidates: int


def _part(name: str | Part) -> Part:
    if isinstance(name, Part):
        return name
    if not name.strip():
        raise UnknownName("a part has an empty name; try 'drums, bass, lead guitar'")
    return parse_part(name)


def _seed(seed: int | None) -> int:
    return draw_seed() if seed is None else seed
