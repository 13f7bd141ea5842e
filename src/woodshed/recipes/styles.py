"""In whose style to play: one bundle, or several with their shares."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from woodshed.bundle import Bundle, blend, load_bundle
from woodshed.bundle.bundle import bundle_folder
from woodshed.errors import UsageError

Style = Sequence[tuple[Path, float]]
"""Bundles with their shares."""
HOW = "write it as a.shed:0.5,b.shed:0.5"
_SHARE = re.compile(r":\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(?:,|$)", re.IGNORECASE)


def style_of(bundle: Path | None, text: str | None) -> Style:
    """What a command is given: a bundle, or the ``text`` of a style instead.

    Raises:
        UsageError: for a text that is no style.
    """
    return ((bundle, 1.0),) if bundle is not None else parse_style(text or "")


def parse_style(text: str) -> Style:
    """Bundles with their shares, as they are typed: ``"a.shed:0.5,b.shed:0.5"``; without any share all have the same.

    Of a path that is there, colons and commas are its own: a text that names a folder is that bundle alone.

    >>> [(str(path), share) for path, share in parse_style("base:0.3, mine:take:2:0.7")]
    [('base', 0.3), ('mine:take:2', 0.7)]

    Raises:
        UsageError: for a text of another form.
    """
    if text and bundle_folder(text).exists():
        return ((Path(text), 1.0),)
    found, rest = [], text
    while matches := [match for match in _SHARE.finditer(rest) if rest[: match.start()].strip()]:
        there = [match for match in matches if Path(rest[: match.start()].strip()).exists()]
        chosen = there[-1] if there else matches[0]
        found.append((Path(rest[: chosen.start()].strip()), float(chosen[1])))
        rest = rest[chosen.end() :]
    if not found:
        found = [(Path(name.strip()), 1.0) for name in text.split(",") if name.strip()]
        found = found if not _is_odd(found, ":") else []
    elif rest.strip() or _is_odd(found, ","):
        raise UsageError(f"--style {text}: not each bundle has a share; {HOW}, or name them without any")
    if not found:
        raise UsageError(f"--style {text}: this names no bundles with shares; {HOW}")
    return found


def load_style(style: Style) -> Bundle:
    """The bundle, or the blend of several.

    Raises:
        BundleError: if one is missing or damaged, or if they do not fit together, see `blend`.
        OutOfRange: for a share that is not above 0.
    """
    return blend([load_bundle(folder) for folder, _ in style], [share for _, share in style])


def _is_odd(found: Style, mark: str) -> bool:
    """Whether a path has this mark and is not there: then the mark was meant to part it."""
    return any(mark in str(path) and not path.exists() for path, _ in found)
