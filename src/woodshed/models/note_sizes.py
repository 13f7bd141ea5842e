"""The sizes of a `NoteModel`, and of its tensors: all that can be said of it without torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FIELD_SIZES = (195, 16, 128, 384, 32, 32)
PROGRAMS, NO_PROGRAM, DRUM_PROGRAM = 130, 129, 128
OCCURRENCES, OPENNESS = 8, 3
OPEN = 1
POINTERS, RECORDS = 15, 16
VOTERS, VOTE_CLASSES = 16, 128
WORTH_UNIT = 8.0
"""What votes are worth is kept in so many nats, so that Adam moves it that much faster than other weights."""
ANCHORS, INTERVALS, TALLIES = 5, 24, 5
POSITIONS, BEATS, BAR_NUMBERS = 192, 12, 16
LEVELS, CONTROLS = 13, 4
"""Twelve levels of each control, and none."""
SIZE_LIMITS = {"width": 4096, "layers": 64, "head_width": 4096}
"""No size may be larger: a damaged config must not ask for all memory."""


@dataclass(frozen=True)
class NoteModelConfig:
    """Sizes of a `NoteModel`."""

    width: int = 128
    """D, the residual stream and the state of each layer."""
    layers: int = 2
    head_width: int = 128
    """H, the hidden layer that each field's head has."""
    dropout: float = 0.25

    def __post_init__(self) -> None:
        for name, limit in SIZE_LIMITS.items():
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= limit:
                raise ValueError(f"model {name} {value!r} is outside 1-{limit}; {type(self).__dict__[name]} is usual")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"model dropout {self.dropout} is outside 0 to below 1; 0.25 is usual")

    def as_dict(self) -> dict[str, Any]:
        """The sizes as JSON."""
        return asdict(self)


def shapes_of(config: NoteModelConfig) -> dict[str, tuple[int, ...]]:
    """Name -> shape of each tensor in a bundle's ``model.safetensors``."""
    width, hidden = config.width, config.head_width
    shift, _, pitch, duration, velocity, microtiming = FIELD_SIZES
    told = {"shift": (shift, 5), "pitch": (2 * pitch, 3), "duration": (duration, 2), "velocity": (velocity, 1)}
    told |= {"open": (PROGRAMS, 6), "level": (CONTROLS * LEVELS, 6), "next_level": (CONTROLS * LEVELS, 1)}
    shapes: dict[str, tuple[int, ...]] = {"norm.weight": (width,), "record_trust": (6, POINTERS, RECORDS)}
    shapes["vote_worth"] = 6, VOTERS, VOTE_CLASSES
    shapes |= {f"{name}_then.weight": (ids, heads * hidden) for name, (ids, heads) in told.items()}
    lists = {
        "row_in": [(ids, width) for ids in (shift, 2 * pitch, duration, velocity, microtiming)],
        "part_in": [(ids, width) for ids in (PROGRAMS, OCCURRENCES, OPENNESS)],
        "place_in": [(ids, width) for ids in (POSITIONS, BEATS, BAR_NUMBERS, POSITIONS)],
        "place_then": [(ids, 5 * hidden) for ids in (POSITIONS, BEATS, BAR_NUMBERS)],
        "part_then": [(ids, 4 * hidden) for ids in (PROGRAMS, OCCURRENCES, OPENNESS)],
        "part_key": [(ids, hidden) for ids in (PROGRAMS, OCCURRENCES, OPENNESS)],
        "expected_then": [(POINTERS * (ids + 1 + RECORDS), hidden) for ids in FIELD_SIZES],
    }
    shapes |= {f"{name}.{i}.weight": shape for name, tables in lists.items() for i, shape in enumerate(tables)}
    layers = {"head_in": (6 * hidden, width), "tally": (TALLIES, hidden)}
    layers |= {"interval": (ANCHORS * (2 * INTERVALS + 1), hidden)}
    layers |= {f"trust.{field}": (POINTERS, hidden) for field in range(6)}
    layers |= {f"vote_trust.{field}": (VOTERS, hidden) for field in range(6)}
    layers |= {f"head_out.{i}": (ids, hidden) for i, ids in enumerate(FIELD_SIZES[:1] + FIELD_SIZES[2:])}
    for i in range(config.layers):
        layers[f"body.{i}.gates"] = 4 * width, width
        shapes |= {f"body.{i}.norm.weight": (width,), f"body.{i}.output.weight": (width, width)}
    for name, shape in layers.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes
