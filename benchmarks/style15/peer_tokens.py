"""The peer's data: MidiTok REMI tokens of one stream for all parts, augmented like ours, with or without BPE."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import symusic
from miditok import REMI, TokenizerConfig, TokSequence
from numpy.typing import NDArray

LOUDER = 2
"""Velocities move by at most this many of the 32 levels, as in our training."""
SONG_START = 0.1
"""Chance that a window is the beginning of its song, as in our training."""


@dataclass(frozen=True)
class TokenSong:
    """One song as the peer reads it."""

    file: str
    variants: list[NDArray[np.int64]]
    """(tokens,) ids, BOS and EOS included. The song as written comes first, augmented versions may follow."""
    notes_file: int
    """Notes in the MIDI file."""
    notes: int
    """Notes that the tokens hold: what nats are divided by."""


def remi() -> REMI:
    """REMI on our grid: 12 steps per quarter note, durations to 8 bars of 4/4, 32 velocities, every MIDI pitch.

    All songs are in 4/4, so meters need no token. Tempo is left out on both sides.
    """
    return REMI(
        TokenizerConfig(
            pitch_range=(0, 127),
            drums_pitch_range=(0, 127),
            beat_res={(0, 32): 12},
            num_velocities=32,
            special_tokens=["PAD", "BOS", "EOS"],
            use_programs=True,
            use_time_signatures=False,
            use_tempos=False,
        )
    )


def learn_bpe(tokenizer: REMI, files: list[Path], vocabulary: int, transpose: int) -> None:
    """Let byte pair encoding learn from the training songs in every transposition that training will use."""
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            for semitones in range(-transpose, transpose + 1):
                song = symusic.Score(path)
                for track in song.tracks:
                    pitches = [note.pitch + semitones for note in track.notes]
                    if not track.is_drum and pitches and min(pitches) >= 0 and max(pitches) <= 127:
                        track.shift_pitch(semitones, inplace=True)
                song.dump_midi(Path(folder) / f"{path.stem}{semitones:+d}.mid")
        tokenizer.train(vocab_size=vocabulary, model="BPE", files_paths=sorted(Path(folder).glob("*.mid")))


def read_songs(tokenizer: REMI, files: list[Path], transpose: int = 0) -> list[TokenSong]:
    """Tokenise ``files``; with ``transpose`` every pitch and loudness variant is made now, off the training clock."""
    tables = _variants(tokenizer, transpose)
    return [_read_song(tokenizer, path, tables) for path in files]


def draw(
    songs: list[TokenSong], batch: int, context: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets, both (batch, context): random windows, songs weighing as many tokens as they have."""
    weights = np.array([len(song.variants[0]) for song in songs], float)
    windows = np.empty((batch, context + 1), np.int64)
    for i, song in enumerate(rng.choice(len(songs), batch, p=weights / weights.sum())):
        ids = songs[song].variants[int(rng.integers(len(songs[song].variants)))]
        start = int(rng.integers(len(ids) - context)) if rng.random() > SONG_START else 0
        windows[i] = ids[start : start + context + 1]
    return windows[:, :-1], windows[:, 1:]


def _read_song(tokenizer: REMI, path: Path, tables: list[NDArray[np.int64]]) -> TokenSong:
    score = symusic.Score(path)
    sequence = tokenizer.encode(score, encode_ids=False)
    base = np.array(sequence.ids, np.int64)
    notes = sum(token.startswith(("Pitch_", "PitchDrum_")) for token in sequence.tokens)
    variants = [_finish(tokenizer, table[base]) for table in tables]
    return TokenSong(path.name, variants, score.note_num(), notes)


def _finish(tokenizer: REMI, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """BPE where it was learned, then BOS and EOS."""
    if tokenizer.is_trained:
        sequence = TokSequence(ids=ids.tolist())
        tokenizer.complete_sequence(sequence, complete_bytes=True)
        tokenizer.encode_token_ids(sequence)
        ids = np.array(sequence.ids, np.int64)
    return np.concatenate(([tokenizer["BOS_None"]], ids, [tokenizer["EOS_None"]]))


def _variants(tokenizer: REMI, transpose: int) -> list[NDArray[np.int64]]:
    """Tables (base vocabulary,) from id to id, nothing changed first, then transposed and louder or softer."""
    plain = np.arange(1 + max(tokenizer.vocab.values()), dtype=np.int64)
    if not transpose:
        return [plain]
    pitches = np.array([tokenizer.vocab[f"Pitch_{pitch}"] for pitch in range(128)])
    velocities = np.array([tokenizer.vocab[f"Velocity_{v}"] for v in tokenizer.velocities if v > 0])
    tables = [plain]
    for semitones in range(-transpose, transpose + 1):
        for louder in range(-LOUDER, LOUDER + 1):
            table = plain.copy()
            table[pitches] = pitches[np.clip(np.arange(128) + semitones, 0, 127)]
            table[velocities] = velocities[np.clip(np.arange(len(velocities)) + louder, 0, len(velocities) - 1)]
            tables.append(table)
    return tables
