"""What one song costs a model: nats of each field, and of each who plays.

========== ========================================================= ============================================
kind       whose nats they are                                       of nobody
========== ========================================================= ============================================
notes      rows of the part, by its role in the band                 rows that say that no note comes, or no more
events     all: the role of the one part that is heard; of a         ends of frames, fermatas, the end
           chorale, the soprano's, alto's, tenor's and bass's tokens
windows    all: the role of the one part that is heard               nothing
latent     tokens of the row, such as lead, bass and drums           the place in the latent space
rolls      cells of the track; of a melody, all                      nothing
========== ========================================================= ============================================

Roles are those that `woodshed.corpus.roles` finds, such as lead, bass, drums. When a note comes is said by its own
part: a drum that fills the time before a bass note pays for its own wait alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle import Bundle
from woodshed.bundle.kinds import EVENTS, LATENT, NOTES, ROLLS, event_model, kind_of, latent_model, roll_model
from woodshed.bundle.likelihood import clip_nats, event_nats, field_names, row_nats, song_nats
from woodshed.codecs import FIELDS
from woodshed.codecs.note_step import LONGEST_SHIFT, PART, TIME_SHIFT
from woodshed.music import Part, Song

Players = dict[str, tuple[float, int]]
"""Who plays -> nats, and how many notes."""


@dataclass(frozen=True)
class SongNats:
    """Of one arranged song."""

    fields: dict[str, float]
    """Nats of each field, over all rows."""
    notes: int
    players: Players
    """Their nats and what `fields` has beyond them, of nobody, add up to the same."""

    @property
    def nats(self) -> float:
        """Of everything."""
        return sum(self.fields.values())

    def __add__(self, other: SongNats) -> SongNats:
        """Of both."""
        players = dict(self.players)
        for name, (nats, notes) in other.players.items():
            known = players.get(name, (0.0, 0))
            players[name] = known[0] + nats, known[1] + notes
        fields = {name: nats + other.fields[name] for name, nats in self.fields.items()}
        return SongNats(fields, self.notes + other.notes, players)


def nats_of(bundle: Bundle, song: Song, only: Sequence[str] = ()) -> SongNats:
    """What an arranged song costs; of a latent space, all its clips.

    ``only`` names the fields of a bundle of notes that are asked about; what says that no note comes more is then left
    out too, since other kinds have nothing like it.
    """
    kind = kind_of(bundle)
    if kind == NOTES:
        return _of_rows(bundle, song, only)
    if kind == LATENT:
        return _of_clips(bundle, song)
    if kind == EVENTS and bundle.codec.name == "chorale":
        return _of_voices(bundle, song)
    fields, notes = song_nats(bundle, song)
    if kind == ROLLS and hasattr(bundle.codec, "names"):
        return SongNats(fields, notes, _of_tracks(bundle, song, fields))
    role = role_of(song.parts[0]) if song.parts else "other"
    return SongNats(fields, notes, {role: (sum(fields.values()), notes)} if notes else {})


def silence(bundle: Bundle) -> SongNats:
    """What nothing costs."""
    return SongNats(dict.fromkeys(field_names(bundle), 0.0), 0, {})


def role_of(part: Part) -> str:
    """Its role; where nobody looked for one, drums or other."""
    return part.role or ("drums" if part.is_drum else "other")


def _of_rows(bundle: Bundle, song: Song, only: Sequence[str]) -> SongNats:
    rows, nats = row_nats(bundle, song)
    is_note = rows[:, TIME_SHIFT] <= LONGEST_SHIFT
    if only:
        is_last = rows[:, TIME_SHIFT] > LONGEST_SHIFT + 1
        nats = np.where(is_last[:, None] | ~np.isin(FIELDS, only), 0.0, nats)
    notes = np.bincount(rows[is_note, PART], minlength=len(song.parts))
    spent = np.bincount(rows[is_note, PART], nats[is_note].sum(1), minlength=len(song.parts))
    players: Players = {}
    for part, own, count in zip(song.parts, spent.tolist(), notes.tolist(), strict=True):
        before = players.get(role_of(part), (0.0, 0))
        players[role_of(part)] = before[0] + own, before[1] + count
    fields = dict(zip(FIELDS, nats.sum(0).tolist(), strict=True))
    return SongNats({name: fields[name] for name in only or FIELDS}, int(is_note.sum()), _heard(players))


def _of_voices(bundle: Bundle, song: Song) -> SongNats:
    """Of a chorale: each frame names its voices from soprano to bass."""
    from woodshed.codecs.chorale import VOICES
    from woodshed.codecs.chorale_frames import REST, STRUCK, TIED

    _, codec = event_model(bundle)
    events = codec.encode(song)
    nats = event_nats(bundle, events, codec.steps_per_bar(song))
    sung = events >= REST
    voice = np.arange(int(sung.sum())) % len(VOICES)
    spent = np.bincount(voice, nats[sung], minlength=len(VOICES)).tolist()
    struck = (events[sung] >= STRUCK) & (events[sung] < TIED)
    notes = np.bincount(voice[struck], minlength=len(VOICES)).tolist()
    players = {part.name.lower(): (own, count) for part, own, count in zip(VOICES, spent, notes, strict=True)}
    (field,) = codec.field_sizes()
    return SongNats({field: float(nats.sum())}, codec.notes(events), _heard(players))


def _of_clips(bundle: Bundle, song: Song) -> SongNats:
    _, codec = latent_model(bundle)
    clips = [codec.encode(clip) for clip in codec.clips(song)]
    names = field_names(bundle)
    if not clips:
        return silence(bundle)
    tokens = np.stack(clips)  # (N, P, T)
    spent = clip_nats(bundle, tokens).sum(0).tolist()
    players = {}
    for row, name in enumerate(names[:-1]):  # the last is the place in the latent space
        alone = np.zeros_like(tokens)  # 0 is no note in any of the codecs
        alone[:, row] = tokens[:, row]
        players[name] = spent[row], sum(map(codec.notes, alone))
    return SongNats(dict(zip(names, spent, strict=True)), sum(map(codec.notes, clips)), _heard(players))


def _of_tracks(bundle: Bundle, song: Song, fields: dict[str, float]) -> Players:
    _, codec = roll_model(bundle)
    _, roll = codec.rows(song)
    tracks: NDArray[np.int64] = codec.cell_fields()
    alone = (np.where(tracks == track, roll, 0).astype(roll.dtype) for track in range(len(fields)))
    notes = [int(codec.starts(one).sum()) for one in alone]
    return _heard({name: (nats, count) for (name, nats), count in zip(fields.items(), notes, strict=True)})


def _heard(players: Players) -> Players:
    """Without those that have no note."""
    return {name: (nats, notes) for name, (nats, notes) in players.items() if notes}
