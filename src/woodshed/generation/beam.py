"""How widely a line of events is searched."""

from __future__ import annotations

from dataclasses import dataclass

from woodshed.errors import OutOfRange


@dataclass(frozen=True)
class Beam:
    """How widely to search. The default draws each event once."""

    size: int = 1
    """So many sequences are kept at each step, the likeliest."""
    branch_factor: int = 1
    """Each of them is tried with so many draws of the next event."""

    def __post_init__(self) -> None:
        for name, value in (("beam", self.size), ("branch-factor", self.branch_factor)):
            if not 1 <= value <= 64:
                raise OutOfRange(f"{name} {value} is outside 1-64")
