"""Hard constraints, compiled to masks: which symbols a field of the next row may take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from woodshed.codecs import SIZES, NoteStepCodec
from woodshed.codecs.note_step import END, LONGEST_SHIFT, PART, PITCH, TIME_SHIFT
from woodshed.errors import InfeasibleCanvas
from woodshed.generation.canvas import Constraints
from woodshed.music import Part, part_name


class Rules:
    """The constraints of one canvas over the parts that the model sees, for B streams at once.

    ``owners`` maps each of the model's parts to the song's part that it plays for.
    """

    def __init__(
        self,
        codec: NoteStepCodec,
        parts: tuple[Part, ...],
        owners: list[int],
        constraints: Constraints,
        open_parts: set[int],
        drum_pitches: list[int],
    ) -> None:
        self.codec, self.parts = codec, len(parts)
        self.playable = np.zeros((self.parts, SIZES[PITCH]), bool)
        self.polyphony = np.full(self.parts, SIZES[PITCH])
        for slot, part in enumerate(parts):
            owner = owners[slot]
            if owner in open_parts:
                self.playable[slot] = _playable(part, owner, constraints, drum_pitches)
            self.polyphony[slot] = constraints.polyphony.get(owner, SIZES[PITCH])
        if not self.playable.any():
            raise InfeasibleCanvas("no part is open; open at least one")

    def allowed(
        self,
        field: int,
        previous: NDArray[np.int64],
        partial: NDArray[np.int64],
        started: NDArray[np.int64],
        soonest: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """(B, ids) which ids of ``field`` obey all constraints and the order of rows.

        ``started`` (B, parts) counts the notes that start on the step of the row before; ``soonest`` (B,) is the
        least time shift that reaches the open region.
        """
        mask = self.codec.legal(field, previous, partial, self.parts)
        if field == TIME_SHIFT:
            mask[:, END] = False
            mask &= np.arange(SIZES[TIME_SHIFT]) >= np.minimum(soonest, LONGEST_SHIFT + 1)[:, None]
            together = partial.copy()
            together[:, TIME_SHIFT] = 0
            mask[:, 0] &= self._parts(previous, together, started).any(1)
        elif field == PART:
            mask = np.zeros_like(mask)
            mask[:, : self.parts] = self._parts(previous, partial, started)
        elif field == PITCH:
            mask &= self.playable[partial[:, PART]]
        return mask

    def _parts(
        self, previous: NDArray[np.int64], partial: NDArray[np.int64], started: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """(B, parts) the parts in which one more note may start on the partial row's step."""
        together = (partial[:, TIME_SHIFT] == 0) & (previous[:, TIME_SHIFT] <= LONGEST_SHIFT)
        mask = self.codec.legal(PART, previous, partial, self.parts)[:, : self.parts] & self.playable.any(1)
        mask &= ~together[:, None] | (started < self.polyphony)
        # The part that played last may go on only above its last pitch.
        above = np.arange(SIZES[PITCH]) > previous[:, PITCH, None]
        again = (self.playable[previous[:, PART]] & above).any(1)
        rows = np.flatnonzero(together & ~again)
        mask[rows, previous[rows, PART]] = False
        return mask


def _playable(part: Part, index: int, constraints: Constraints, drum_pitches: list[int]) -> NDArray[np.bool_]:
    """(128,) the pitches that one part may play.

    Raises:
        InfeasibleCanvas: if there is none.
    """
    pitches = np.arange(SIZES[PITCH])
    low, high = constraints.pitch_ranges.get(index, (0, 127))
    mask = (pitches >= low) & (pitches <= high)
    if part.is_drum:
        mask &= np.isin(pitches, drum_pitches) if drum_pitches else True
    elif constraints.key is not None:
        mask &= np.isin(pitches % 12, constraints.key.pitch_classes)
    if not mask.any():
        name, key = part_name(part), constraints.key
        raise InfeasibleCanvas(
            f"{name}: no pitch lies in {low}-{high}{f' and in {key}' if key else ''}; widen the range"
        )
    return mask
