"""What ``import woodshed`` offers: the same functions as the command line, for Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from woodshed.bundle import Bundle, load_bundle
from woodshed.errors import UnknownName
from woodshed.music import Key, Meter, Part, Song, parse_part
from woodshed.recipes import files, play
from woodshed.recipes.chorales import DRAWS, harmonise_song, parse_voices
from woodshed.recipes.clip import CANDIDATES, default_sampling, draw_seed
from woodshed.recipes.latents import vary_song
from woodshed.recipes.paths import interpolate_songs
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import Listener, train_recipe
from woodshed.recipes.wish import Wish

__all__ = ["Band", "load", "read", "render", "train", "write"]


class HowToDraw(TypedDict, total=False):
    """How freely to play; fields of `woodshed.generation.filters.Sampling`, where their ranges are."""

    temperature: float
    temperatures: dict[str, float]
    top_k: int
    top_p: float
    min_p: float
    repetition: float


class Band:
    """A trained bundle that can be asked to play. Made by `load` or `train`.

    Every method takes ``seed`` (the same seed, the same song; None draws one) and the options of `HowToDraw`.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def __repr__(self) -> str:
        return f"Band({str(self.bundle.folder)!r}, recipe={self.bundle.recipe!r})"

    def generate(
        self,
        *,
        bars: int = 8,
        parts: str | Sequence[str | Part] | None = None,
        key: str | Key | None = None,
        tempo: float | None = None,
        meter: str | Meter | None = None,
        polyphony: int | None = None,
        ranges: Mapping[str, tuple[int, int]] | None = None,
        attributes: Mapping[str, float] | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **how: Unpack[HowToDraw],
    ) -> Song:
        """A new song of ``bars`` bars: ``band.generate(parts="drums, bass", key="F minor", tempo=140, seed=7)``.

        ``ranges`` maps the name of a part, or of its instrument, to its lowest and highest pitch.

        Raises:
            UsageError: for what does not exist or lies outside its range.
        """
        names = parts.split(",") if isinstance(parts, str) else parts
        wish = Wish(
            bars=bars,
            parts=None if names is None else tuple(_part(name) for name in names),
            key=Key.parse(key) if isinstance(key, str) else key,
            bpm=tempo,
            meter=Meter.parse(meter) if isinstance(meter, str) else meter,
            polyphony=polyphony,
            ranges=ranges or {},
            attributes=attributes or {},
        )
        sampling = default_sampling(self.bundle, **how)
        return play.generate(self.bundle, wish, sampling, seed=_seed(seed), candidates=candidates)[0].song

    def solo(
        self,
        backing: Song,
        *,
        key: str | Key | None = None,
        bars: tuple[int, int | None] = (1, None),
        part: str | Part | None = None,
        range: tuple[int, int] | None = None,
        primer: Song | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **how: Unpack[HowToDraw],
    ) -> Song:
        """``backing`` note for note, and a part that plays over it: ``band.solo(song, key="F minor", bars=(9, 24))``.

        ``bars`` are the first and the last, counted from 1; None is the end. Without a key it is found in the backing.
        ``range`` is the lowest and highest pitch of the solo. It goes on from the end of ``primer``, if there is one.

        Raises:
            BundleError: if the bundle plays no solos.
            InfeasibleCanvas: if the backing has no notes, or key and range leave nothing to play.
            UsageError: for what does not exist or lies outside its range.
        """
        from woodshed.recipes.over import Over, play_over

        first, last = bars
        parts = None if part is None else (_part(part),)
        wish = Wish(
            key=Key.parse(key) if isinstance(key, str) else key, parts=parts,
            ranges={} if range is None else {"solo": range},
        )  # fmt: skip
        place = Over(backing, backing.title or "the backing", first, None if last is None else last - first + 1)
        sampling = default_sampling(self.bundle, **how)
        clips = play_over(self.bundle, place, wish, sampling, primer, seed=_seed(seed), count=1, candidates=candidates)
        return clips[0].song

    def continue_(
        self,
        song: Song,
        *,
        bars: int = 8,
        key: str | Key | None = None,
        polyphony: int | None = None,
        ranges: Mapping[str, tuple[int, int]] | None = None,
        seed: int | None = None,
        candidates: int = CANDIDATES,
        **how: Unpack[HowToDraw],
    ) -> Song:
        """``song`` note for note, and ``bars`` new bars after it.

        Raises:
            InfeasibleCanvas: if the song has no note.
            UsageError: for what does not exist or lies outside its range.
        """
        wish = Wish(
            bars=bars, key=Key.parse(key) if isinstance(key, str) else key, polyphony=polyphony, ranges=ranges or {}
        )
        sampling = default_sampling(self.bundle, **how)
        return play.continue_song(self.bundle, song, wish, sampling, seed=_seed(seed), candidates=candidates)[0].song

    def harmonise(
        self,
        song: Song,
        *,
        voices: str | Sequence[str] = "soprano",
        seed: int | None = None,
        candidates: int = DRAWS,
        **how: Unpack[HowToDraw],
    ) -> Song:
        """``song`` note for note, whose parts sing ``voices``, and a new part for each voice that is missing.

        A part for which ``voices`` has ``"-"`` is left out, and its voice found anew: ``"soprano, -, -, -"``.

        Raises:
            BundleError: if the bundle knows no chorales.
            CodecError: if the voices cannot sing what is given.
            UsageError: for what does not exist or lies outside its range.
        """
        names = parse_voices(voices if isinstance(voices, str) else ",".join(voices))
        sampling = default_sampling(self.bundle, **how)
        return harmonise_song(self.bundle, song, names, sampling, seed=_seed(seed), candidates=candidates)[0].song

    def vary(
        self,
        song: Song,
        *,
        by: float = 0.3,
        attributes: Mapping[str, float] | None = None,
        seed: int | None = None,
        **how: Unpack[HowToDraw],
    ) -> Song:
        """``song`` with ``by``, 0-1, of it new: 0 is the song itself, 1 keeps nothing of what the bundle can hear.

        ``attributes`` are how many standard deviations more of each: ``{"density": 1.0}``.

        Raises:
            BundleError: if the bundle has no latent space.
            CodecError: if it hears nothing in the song, or not its meter.
            UsageError: for what does not exist or lies outside its range.
        """
        sampling = default_sampling(self.bundle, **how)
        return vary_song(self.bundle, song, by, attributes, sampling, seed=_seed(seed))[0].song

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


def load(folder: Path | str) -> Band:
    """A bundle that `train` or ``woodshed train`` made.

    Raises:
        BundleError: if it is missing, damaged or too new.
    """
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


def _part(name: str | Part) -> Part:
    if isinstance(name, Part):
        return name
    if not name.strip():
        raise UnknownName("a part has an empty name; try 'drums, bass, lead guitar'")
    return parse_part(name)


def _seed(seed: int | None) -> int:
    return draw_seed() if seed is None else seed
