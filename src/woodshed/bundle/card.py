"""The card: what a person should know before using a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from woodshed.words import counted

_WAYS = {
    "generate": "Play it: `woodshed generate THIS-FOLDER -o new.mid`",
    "continue": "carry on a clip: `woodshed continue THIS-FOLDER clip.mid -o more.mid`",
    "harmonise": "find the voices around a melody: `woodshed harmonise THIS-FOLDER melody.mid -o four.mid`",
    "interpolate": "go from one clip to another: `woodshed interpolate THIS-FOLDER a.mid b.mid -o between.mid`",
    "vary": "change a clip a little: `woodshed vary THIS-FOLDER clip.mid --by 0.3 -o other.mid`",
}
"""Verb -> how it is asked for."""


def card_text(config: dict[str, Any], verbs: Sequence[str] = ("generate", "continue")) -> str:
    """README.md of a bundle: data, licence, loss, date, how to use (with these verbs) and cite."""
    training, style = config["training"], config["style"]
    loss = training.get("held_out_nats_per_note")
    measured = "not measured (no song could be held out)" if loss is None else f"{loss:.3f} nats per note"
    called = training.get("called", "song")
    licences = ", ".join(training.get("licences", [])) or "none; ask the makers before you share"
    rows = [
        ("Recipe", config["recipe"]),
        ("Learned from", f"{_pieces(training)}, {training.get('notes', '?')} notes"),
        *_passages(training.get("passages")),
        *_combinations(training.get("four_note_combinations")),
        *(_blended(training.get("blend")) or _heritage(training.get("base"))),
        ("Source", training.get("source", "not recorded")),
        ("Licence files found beside the music", licences),
        ("Held-out loss", f"{measured}, {counted(training.get('held_out_songs', 0), called)} kept aside"),
        ("Trained", _when(training)),
        ("Parameters", f"{training.get('parameters', '?'):,}" if training.get("parameters") else "?"),
        ("Tempo of the music", f"{style.get('bpm', 120):.0f} quarter notes per minute"),
        ("Made with", f"Woodshed {config['woodshed_version']}"),
    ]
    newline = "\n"
    ways = f", or{newline}".join(_WAYS[verb] for verb in verbs if verb in _WAYS)
    table = newline.join(f"| {name} | {value} |" for name, value in rows)
    return f"""---
library_name: woodshed
tags: [music, midi, symbolic-music]
---
# A style, learned by Woodshed

| | |
|---|---|
{table}

{ways}.

What it makes resembles what it learned from. The rights in that music stay with its makers: this model is
only as free to share as the files above. To cite: "Woodshed {config["woodshed_version"]}, recipe {config["recipe"]}".
"""


def _when(training: dict[str, Any]) -> str:
    """``2026-11-22, 5.0 minutes on cpu``"""
    if "blend" in training:
        return "not itself: its weights are the mean of those of others"
    return f"{training.get('date', '?')}, {training.get('minutes', 0):.1f} minutes on {training.get('device', '?')}"


def _pieces(training: dict[str, Any]) -> str:
    """``15 songs``"""
    number = training.get("songs")
    return counted(number, training.get("called", "song")) if isinstance(number, int) else "? songs"


def _heritage(base: Any) -> list[tuple[str, str]]:
    """A row for each bundle that stands behind this one, nearest first."""
    rows: list[tuple[str, str]] = []
    while isinstance(base, dict) and len(rows) < 8:
        rows.append(("Begun from", f"{base.get('bundle', '?')}: {_learned(base)}"))
        base = base.get("base")
    return rows


def _blended(parts: Any) -> list[tuple[str, str]]:
    """A row for each bundle that was blended into this one, and for each that stands behind it."""
    rows: list[tuple[str, str]] = []
    for part in parts if isinstance(parts, list) else ():
        rows.append((f"{part['share']:.0%} of it", f"{part.get('bundle', '?')}: {_learned(part)}"))
        rows += _heritage(part.get("base"))
    return rows


def _learned(record: dict[str, Any]) -> str:
    """What a bundle behind this one learned from, and by which licences."""
    licences = ", ".join(map(str, record.get("licences") or ())) or "none found"
    learned = f"{_pieces(record)}, {record.get('notes', '?')} notes of {record.get('source', '?')}"
    return f"{learned}; licence files: {licences}"


def _passages(passages: Any) -> list[tuple[str, str]]:
    """A row where a bundle holds music word for word."""
    if not isinstance(passages, list) or not passages:
        return []
    titles = ", ".join(str(passage.get("title") or "?")[:60] for passage in passages if isinstance(passage, dict))
    return [("Holds the beginnings of", f"{titles}: real music, from which it plays on")]


def _combinations(found: Any) -> list[tuple[str, str]]:
    """A row for what chords a choir has learned."""
    if not isinstance(found, dict) or not isinstance(found.get("distinct"), int):
        return []
    return [("Four-note combinations", f"{found['distinct']:,} different ones, {found.get('once', '?')} of them once")]
