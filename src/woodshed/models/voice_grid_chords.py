"""The net of four voices on a grid with the chord of each frame as a fifth, which is decided first.

It is what TonicNet does: the chord of the frame at hand is told before its notes, and what it costs to tell it is
counted beside. It is there to compare on that footing; `woodshed.models.voice_grid` needs no chords. We differ in that
chords are heard in any key alike: next to a table of chords there is one of their distance from the chord before.

Source: O. Peracha, "Improving polyphonic music models with feature-rich encoding" (ISMIR 2020): TonicNet.

Shape letters: as in `woodshed.models.voice_grid`; Q qualities of triads.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from woodshed.models.voice_grid import TONAL, CountedBatch, VoiceGridConfig, VoiceGridNet

QUALITIES = 4
"""Q: major, minor, diminished, augmented."""
OTHER = 12 * QUALITIES
"""A chord that is none of these; before it, 12 roots of each quality."""
NONE = OTHER + 1
CHORDS = NONE + 1


class ChordedVoiceGridNet(VoiceGridNet):
    """Rows (B, T, R) and cells (B, T, V + 1), the last the class of a chord below `CHORDS` -> nats (B, T, V + 1)."""

    name: ClassVar[str] = "voice-grid-chords"

    def __init__(self, config: VoiceGridConfig) -> None:
        super().__init__(config)
        hidden = config.hidden
        self.chord = nn.Embedding(CHORDS, hidden)
        self.chord_classes = nn.Embedding((QUALITIES + 2) * 12, TONAL)
        """What a pitch class is to a chord: by quality and distance from its root."""
        self.came = nn.Embedding(CHORDS, hidden)
        self.next_chord = nn.Linear(config.width + hidden, hidden)
        self.say_chord = nn.Linear(hidden, CHORDS + OTHER + 1)
        nn.init.normal_(self.chord.weight, std=0.05)
        nn.init.normal_(self.came.weight, std=0.05)

    def nats(
        self,
        rows: Tensor,
        cells: Tensor,
        shift: Tensor,
        order: tuple[int, ...],
        counted: dict[int, CountedBatch] | None = None,
    ) -> Tensor:
        """(B, T, V + 1) of each cell, its chord known, and of the chord."""
        known = self.body(rows, shift, self.look_at(cells[..., 0], shift))
        chords = self._moved(cells[..., -1], shift)
        told = self._tell(known, chords)
        notes = -torch.stack(self.log_chances(told, rows, cells[..., :-1], shift, order, counted or {}), -1)
        return torch.cat((notes, self._chord_nats(known, chords)[..., None]), -1)

    def _moved(self, chords: Tensor, shift: Tensor) -> Tensor:
        """Chords with their roots as classes of cells; what is no chord, as where a piece has ended, is `NONE`."""
        root = (chords % 12 + 1 - self.config.lowest + shift[:, None]) % 12
        moved = torch.where(chords < OTHER, chords // 12 * 12 + root, chords)
        return torch.where(chords < 0, NONE, moved)

    def _tell(self, known: Tensor, chords: Tensor) -> Tensor:
        """What is known before a frame, and its chord with it."""
        c = self.config
        state, told, classes = torch.split(known, [c.width, c.hidden, 12 * TONAL], -1)
        every = torch.arange(12, device=chords.device)
        root = torch.where(chords < OTHER, chords % 12, 0)[..., None]
        quality = torch.where(chords < OTHER, chords // 12, chords - OTHER + QUALITIES)[..., None]
        seen = self.chord_classes(quality * 12 + (every - root) % 12).flatten(-2)
        return torch.cat((state, told + self.chord(chords), classes + seen), -1)

    def _chord_nats(self, known: Tensor, chords: Tensor) -> Tensor:
        """(B, T) of each chord, given all before it."""
        c = self.config
        before = torch.cat((torch.full_like(chords[:, :1], NONE), chords[:, :-1]), 1)
        heard = self.next_chord(self._drop(known[..., : c.width + c.hidden])) + self.came(before)
        absolute, near, held = torch.split(self.say_chord(self._drop(F.gelu(heard))), [CHORDS, OTHER, 1], -1)
        every = torch.arange(OTHER, device=chords.device)
        root = torch.where(before < OTHER, before % 12, 0)[..., None]
        turned = near.gather(-1, every // 12 * 12 + (every % 12 - root) % 12)
        logits = (absolute + F.pad(turned, (0, CHORDS - OTHER))).float()
        logits = logits.scatter_add(-1, before[..., None], held.float())
        return F.cross_entropy(logits.transpose(1, 2), chords, reduction="none")
