"""What ``import woodshed`` offers: the same functions as the command line, for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

from woodshed.bundle import LATENT, Bundle, kind_of, load_bundle
from woodshed.music import Meter, Part, Song
from woodshed.recipes import files, play
from woodshed.recipes.api_asked import Asked, HowToDraw, chance_of, how_to_draw, seed_of, wish_of
from woodshed.recipes.chorales import DRAWS, harmonise_song, parse_voices
from woodshed.recipes.clip import CANDIDATES, default_sampling
from woodshed.recipes.latents import vary_song
from woodshed.recipes.paths import interpolate_songs
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.rules import parse_drums
from woodshed.recipes.runs import Listener, train_recipe
from woodshed.recipes.styles import load_style
from woodshed.recipes.verbs import sings
from woodshed.recipes.wish import refuse_attributes

__all__ = ["Band", "load", "read", "render", "train", "write"]


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
        max_copy: str | None = None,
        corpus: Path | str | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **asked: Unpack[Asked],
    ) -> Song:
        """A new song of ``bars`` bars: ``band.generate(parts="drums, bass", key="F minor", tempo=140, seed=7)``.

        ``meter`` may be several that take turns, "7/8,4/4". With ``like``, the style is that song's, see `play_like`.
        With ``max_copy``, "8beats" or "24notes", nothing longer stands in the songs of ``corpus``, a corpus or a folder
        of music; None is what the bundle keeps of its training.

        Raises:
            UsageError: for what does not exist or lies outside its range.
        """
        wish = wish_of(asked, bars=bars, parts=parts, meter=meter)
        wish = replace(wish, bpm=tempo, attributes=attributes or {})
        if max_copy is not None:
            from woodshed.recipes.novelty import copy_limit

            limit = copy_limit(max_copy, None if corpus is None else Path(corpus), self.bundle.folder or Path())
            wish = replace(wish, rules=replace(wish.rules, copying=limit))
        sampling, draw = default_sampling(self.bundle, **how_to_draw(asked)), chance_of(seed, candidates)
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
        sampling = default_sampling(self.bundle, **how_to_draw(asked))
        wish = wish_of(asked, bars=bars)
        return play.continue_song(self.bundle, song, wish, sampling, **chance_of(seed, candidates))[0].song

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

        sampling, wish = default_sampling(self.bundle, **how_to_draw(asked)), wish_of(asked)
        drums = () if add is None else parse_drums(add)
        return canvases.infill(
            self.bundle,
            song,
            wish,
            sampling,
            bars=bars,
            parts=parts,
            what=what,
            add=drums,
            **chance_of(seed, candidates),
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

        sampling, wish = default_sampling(self.bundle, **how_to_draw(asked)), wish_of(asked, parts=parts)
        draw = chance_of(seed, candidates)
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
        wish = wish_of(asked, parts=None if part is None else [part])
        wish = wish if range is None else replace(wish, ranges={"solo": range})
        place = Over(backing, backing.title or "the backing", first, None if last is None else last - first + 1)
        sampling = default_sampling(self.bundle, **how_to_draw(asked))
        return play_over(self.bundle, place, wish, sampling, primer, count=1, **chance_of(seed, candidates))[0].song

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

        sampling, draw = default_sampling(self.bundle, **how_to_draw(asked)), chance_of(seed, candidates)
        wish = wish_of(asked, parts=parts)
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

        sampling, wish = default_sampling(self.bundle, **how_to_draw(asked)), wish_of(asked)
        if kind_of(self.bundle) == LATENT:
            canvases.refuse_canvas(self.bundle, "vary", wish, what=None if what == "notes" else what, parts=parts)
            return vary_song(self.bundle, song, by, attributes, sampling, seed=seed_of(seed))[0].song
        refuse_attributes(self.bundle.recipe, attributes or {})
        return canvases.vary(
            self.bundle, song, wish, sampling, by=by, what=what, parts=parts, **chance_of(seed, candidates)
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
            parts=parts, bars=bars, seed=seed_of(seed),
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
        clips = interpolate_songs(self.bundle, first, second, steps, sampling, seed=seed_of(seed))
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
