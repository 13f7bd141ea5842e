"""The page of a listening test: one file for a browser, from disk or any server; nothing in it comes from a network.

Its content security policy allows its own script and style by their hashes, clips that it holds itself, and no address
at all. It knows clips by ids alone, in the order of the ids; who made which is in the key, which is never in it.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

from woodshed.evaluation.listening import PAIRS, Design
from woodshed.evaluation.report_parts import text
from woodshed.rendering.output import written_whole
from woodshed.version import __version__

THINKING_SECONDS = 6.0
"""What a reader takes for an answer beside the listening."""
FORMAT_VERSION = 1
"""Of what the page knows, and of the results that it saves."""
ID_SIGNS = 12


def page_data(
    design: Design,
    sounds: Mapping[str, bytes],
    *,
    title: str,
    seed: int,
    clip_seconds: float,
    must_hear_seconds: float,
    lufs: float,
) -> dict[str, Any]:
    """What the page knows: the design, the MP3 of each clip, and the test's id, which is a digest of all the rest."""
    data = {
        "version": FORMAT_VERSION,
        "woodshed": __version__,
        "title": title,
        "seed": seed,
        "seconds": clip_seconds,
        "must_hear_ms": round(1000 * must_hear_seconds),
        "lufs": lufs,
        **asdict(design),
        "clips": {clip: base64.b64encode(sounds[clip]).decode("ascii") for clip in sorted(sounds)},
    }
    return {"test": hashlib.sha256(_json(data).encode()).hexdigest()[:ID_SIGNS], **data}


def minutes_of(design: Design, clip_seconds: float) -> float:
    """How long a reader sits over it, who hears every clip once."""
    asked = len(design.sheets[0])
    return asked * (len(design.trials[0]) * clip_seconds + THINKING_SECONDS) / 60


def write_page(path: Path, design: Design, data: Mapping[str, Any]) -> None:
    """Write the page; it appears whole or not at all.

    Raises:
        FileError: if it cannot be written.
    """
    style, script = _resource("listening.css"), _resource("listening.js")
    policy = (
        "default-src 'none'; img-src data:; media-src blob:; "
        f"style-src {_allowed(style)}; script-src {_allowed(script)}; base-uri 'none'; form-action 'none'"
    )
    filled = {
        "policy": policy,
        "title": text(data["title"]),
        **_words(design, data["seconds"]),
        "question": design.question,
        "clips": _clip_cards(design.question),
        "keys": "".join(f"<dt>{_keys(keys)}</dt><dd>{does}</dd>" for keys, does in _key_help(design.question)),
        "style": style,
        "data": _json(data),
        "script": script,
    }
    page = _resource("listening.html")
    parts = page.split("{{")
    page = parts[0] + "".join(filled[name] + rest for name, rest in (part.split("}}", 1) for part in parts[1:]))
    with written_whole(Path(path)) as temporary:
        temporary.write_bytes(page.encode("utf-8"))


def _resource(name: str) -> str:
    return (files("woodshed.evaluation") / name).read_text(encoding="utf-8")


def _allowed(content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _json(data: Mapping[str, Any]) -> str:
    """JSON that ends no script element, whatever a title holds."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


def _words(design: Design, clip_seconds: float) -> dict[str, str]:
    """The sentences of the page."""
    asked, minutes = len(design.sheets[0]), max(round(minutes_of(design, clip_seconds)), 1)
    told = f"It takes about {minutes} minute{'' if minutes == 1 else 's'}; you may stop and go on later."
    if design.question == PAIRS:
        return {
            "ask": "Which do you prefer?",
            "known": "I know this music (at least one of the two)",
            "lead": f"You will hear {asked} pairs of clips of {clip_seconds:.0f} seconds, and say each time which you "
            "prefer as music. Some were made by people, some by machines. There is no right or wrong; only your ears "
            f"count. {told}",
        }
    return {
        "ask": "Did a human or a machine make this?",
        "known": "I know this music",
        "lead": f"You will hear {asked} clips of {clip_seconds:.0f} seconds, and say of each whether a human or a "
        f"machine made it. Guess where you are not sure. {told}",
    }


def _clip_cards(question: str) -> str:
    """What is played, and the answers below."""
    if question == PAIRS:
        return "".join(
            _card(name, f"the {name.lower()} clip", [(f"I prefer the {name.lower()}", "", str(number))])
            for number, name in ((1, "First"), (2, "Second"))
        )
    return _card("", "the clip", [("A human", "human", "1"), ("A machine", "machine", "2")])


def _card(heading: str, name: str, answers: list[tuple[str, str, str]]) -> str:
    buttons = "".join(
        f'<button type="button" class="choice" data-answer="{answer}" data-said="Chosen: {words}."'
        f' aria-pressed="false">{words}<kbd>{key}</kbd></button>'
        for words, answer, key in answers
    )
    head = f"<h3>{heading}</h3>" if heading else ""
    return (
        f'<article class="clip" data-name="{name}">{head}<button type="button" class="play" aria-label="Play {name}">'
        '<svg viewBox="0 0 24 24" aria-hidden="true"><path class="go" d="M8.5 5.2v13.6L19.5 12z"/>'
        '<path class="stop" d="M7 6h3.6v12H7zM13.4 6H17v12h-3.6z"/></svg></button>'
        f'<div class="line"><input type="range" class="place" min="0" step="0.1" value="0" '
        f'aria-label="Place in {name}"><span class="time"></span></div><div class="answers">{buttons}</div></article>'
    )


def _key_help(question: str) -> list[tuple[tuple[str, ...], str]]:
    own = (
        [(("←", "→"), "play or stop the first, the second clip"), (("1", "2"), "prefer the first, the second")]
        if question == PAIRS
        else [(("1", "2"), "a human, a machine"), (("H", "M"), "the same")]
    )
    return [(("Space",), "play or stop"), *own, (("K",), "I know this music"), (("Enter",), "next")]


def _keys(keys: tuple[str, ...]) -> str:
    return "".join(f"<kbd>{key}</kbd>" for key in keys)
