"""A tiny SoundFont on disk: program 0 a looped sine, kit 0 two hi-hats that cut each other off."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


def _builder() -> ModuleType:
    """The module beside this file; test folders are no packages."""
    name = "woodshed_soundfont_builder"
    if name not in sys.modules:
        place = Path(__file__).with_name("soundfont_builder.py")
        spec = importlib.util.spec_from_file_location(name, place)
        if spec is None or spec.loader is None:
            raise ImportError(str(place))
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def builder() -> ModuleType:
    """`soundfont_builder`."""
    return _builder()


@pytest.fixture(scope="session")
def tiny_font(builder: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SoundFont of one sine: plain at program 0, with hi-hats at 42 and 46 of the drum kit."""
    looped = {54: 1, 38: -7200}
    presets = [
        builder.Preset(0, 0, [builder.Zone(0, looped)]),
        builder.Preset(
            128,
            0,
            [
                builder.Zone(0, {43: 42 | 42 << 8, **looped, 57: 1, 56: 0}),
                builder.Zone(0, {43: 46 | 46 << 8, **looped, 57: 1, 56: 0}),
            ],
        ),
    ]
    path = tmp_path_factory.mktemp("fonts") / "tiny.sf2"
    path.write_bytes(builder.build_soundfont(presets, [builder.sine()]))
    return path
