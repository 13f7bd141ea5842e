"""Woodshed: give it a few MIDI files; it practises them and plays you something new, that you can edit.

>>> import woodshed as ws
>>> band = ws.train("band", "my-songs", "mine.shed", minutes=5)  # doctest: +SKIP
>>> song = band.generate(bars=8, key="F minor", seed=7)  # doctest: +SKIP
>>> ws.write(song, "new.mid"); ws.render(song, "new.wav")  # doctest: +SKIP
"""

import typing as _typing

from woodshed.version import __version__

if _typing.TYPE_CHECKING:
    from woodshed.errors import WoodshedError
    from woodshed.music import Chord, Key, Meter, Part, Song
    from woodshed.recipes.api import Band, load, read, render, train, write

__all__ = [
    "Band", "Chord", "Key", "Meter", "Part", "Song", "WoodshedError", "__version__", "load", "read", "render", "train",
    "write",
]  # fmt: skip

_MUSIC, _API = "woodshed.music", "woodshed.recipes.api"
_HOMES = {
    "Band": _API,
    "Chord": _MUSIC,
    "Key": _MUSIC,
    "Meter": _MUSIC,
    "Part": _MUSIC,
    "Song": _MUSIC,
    "WoodshedError": "woodshed.errors",
    "load": _API,
    "read": _API,
    "render": _API,
    "train": _API,
    "write": _API,
}


def __getattr__(name: str) -> _typing.Any:
    """Load a room only when something of it is asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
