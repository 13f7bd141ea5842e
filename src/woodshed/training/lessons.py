"""What a run learns from: batches and their loss, for each kind of bundle, and the loss on held-out songs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from woodshed.bundle import NOTES, ROLLS, WINDOWS, Bundle, kind_of
from woodshed.bundle.kinds import LATENT
from woodshed.bundle.likelihood import clip_nats, field_names, song_nats
from woodshed.codecs import NoteStepCodec
from woodshed.errors import CorpusError
from woodshed.models.note_model import Inputs
from woodshed.music import Song
from woodshed.training.examples import Augmentation, Batch, Windows, encode_examples

if TYPE_CHECKING:
    from woodshed.training.latent_lessons import LatentOptions

MEASURED_CLIPS = 512
"""Of more held-out clips, so many are measured while training, evenly spread."""


class Loss(NamedTuple):
    """Of one batch."""

    nats: Tensor
    """Summed over all that was scored."""
    scored: int
    """How many predictions that is: the gradient is that of their mean."""
    notes: int
    """How many notes are in them."""


class Lessons(Protocol):
    """Where the loop gets its batches from; it knows nothing else of the music."""

    def draw(self, rng: np.random.Generator) -> Any:
        """One batch; the generator is the only source of chance."""
        ...

    def loss(self, model: Any, batch: Any, device: torch.device) -> Loss:
        """How badly a model predicts it."""
        ...


class NoteLessons:
    """Walks through songs of many parts, for the note model."""

    def __init__(
        self, codec: NoteStepCodec, songs: Sequence[Song], batch: int, length: int, vary: Augmentation
    ) -> None:
        self.windows = Windows(codec, encode_examples(codec, songs), batch, length, vary, torch.get_num_threads())
        self.state: list[Tensor] | None = None
        """What the model remembers of the walks, at the end of the last batch."""

    def draw(self, rng: np.random.Generator) -> Batch:
        """See `Windows.draw`."""
        return self.windows.draw(rng)

    def loss(self, model: Any, batch: Batch, device: torch.device) -> Loss:
        """Nats of what is open in all rows."""
        inputs = Inputs(*(torch.from_numpy(array).to(device) for array in batch.inputs))
        before = None
        if self.state is not None:
            goes_on = torch.from_numpy(batch.goes_on).to(device)[:, None]
            before = [torch.where(goes_on, state.detach(), 0.0) for state in self.state]
        nats, self.state = model.losses(inputs, before)
        summed = (nats * torch.from_numpy(batch.scored).to(device)).sum()
        return Loss(summed, int(batch.scored.any(2).sum()), batch.notes)


def make_lessons(
    bundle: Bundle,
    songs: Sequence[Song],
    batch: int,
    length: int,
    vary: Augmentation,
    unique_factor: int = 0,
    latent: LatentOptions | None = None,
) -> Lessons:
    """The lessons that the bundle's model can learn from.

    Raises:
        CorpusError: if no song has a note.
    """
    if kind_of(bundle) == NOTES:
        return NoteLessons(bundle.codec, songs, batch, length, vary)
    if kind_of(bundle) == LATENT:
        from woodshed.training.latent_lessons import LatentLessons

        return LatentLessons(bundle.codec, songs, batch, vary, latent)
    if kind_of(bundle) == WINDOWS:
        from woodshed.training.window_lessons import WindowLessons

        return WindowLessons(bundle.codec, songs, batch, bundle.model.config.window, unique_factor)
    if kind_of(bundle) == ROLLS:
        from woodshed.training.roll_lessons import RollLessons

        return RollLessons(bundle.codec, songs, batch, length)
    from woodshed.training.event_lessons import EventLessons

    return EventLessons(bundle.codec, songs, batch, length, vary)


def held_out_nats(bundle: Bundle, songs: Sequence[Song]) -> dict[str, float]:
    """Nats per note of each field, over whole arranged songs.

    Raises:
        CorpusError: if the songs have no note.
    """
    total, notes = dict.fromkeys(field_names(bundle), 0.0), 0
    if kind_of(bundle) == LATENT:
        clips = [bundle.codec.encode(songs[i]) for i in range(0, len(songs), -(-len(songs) // MEASURED_CLIPS))]
        summed = clip_nats(bundle, np.stack(clips)).sum(0).tolist()
        total, notes = dict(zip(total, summed, strict=True)), sum(map(bundle.codec.notes, clips))
        songs = ()
    for song in songs:
        nats, count = song_nats(bundle, song)
        total = {name: total[name] + nats[name] for name in total}
        notes += count
    if not notes:
        raise CorpusError("the held-out songs have no notes; hold out others")
    return {name: value / notes for name, value in total.items()}
