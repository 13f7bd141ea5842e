"""Music as data: songs, parts, keys, meters, chords and the grid. Knows no files and no models."""

from woodshed.music.chord import QUALITIES, QUALITY_NAMES, Chord
from woodshed.music.general_midi import parse_part, part_name
from woodshed.music.grid import GRID_NOTE, Grid
from woodshed.music.key import PITCH_NAMES, SCALES, Key, parse_pitch
from woodshed.music.melody import melody_song, parse_melody
from woodshed.music.meter import Meter
from woodshed.music.song import (
    BEND,
    CHORD,
    CONTROL,
    KEY,
    METER,
    NO_CHORD,
    NOTE,
    ROLES,
    SUSTAIN,
    TEMPO,
    Marker,
    Part,
    Song,
)
from woodshed.music.units import STEPS_PER_QUARTER, TICKS_PER_QUARTER

__all__ = [
    "BEND", "CHORD", "CONTROL", "GRID_NOTE", "KEY", "METER", "NOTE", "NO_CHORD", "PITCH_NAMES", "QUALITIES",
    "QUALITY_NAMES", "ROLES", "SCALES", "STEPS_PER_QUARTER", "SUSTAIN", "TEMPO", "TICKS_PER_QUARTER", "Chord", "Grid",
    "Key", "Marker", "Meter", "Part", "Song", "melody_song", "parse_melody",
    "parse_part", "parse_pitch", "part_name",
]  # fmt: skip
