"""The small pieces of the report page: escaped text, data addresses, pictures, tables.

Everything that comes from a file (titles, part names) is untrusted and goes through `text`.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from woodshed.music import Song
from woodshed.rendering.piano_roll import LEFT, RIGHT, piano_roll_svg

POINTS_PER_INCH = 72
PIXELS_PER_INCH = 46
"""How small a picture may become on a phone before it scrolls sideways instead."""


def text(value: object) -> str:
    """Any value as text for a page: nothing in it is markup, and nothing in it cannot be written as UTF-8."""
    shown = "".join(sign if sign.isprintable() else " " for sign in str(value))
    return html.escape(shown.encode("utf-8", "replace").decode("utf-8"), quote=True)


def prose(value: str) -> str:
    """Text in which what stands between back-ticks is a command."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text(value))


def data_address(content: bytes, media_type: str) -> str:
    """The content itself as an address, so that the page needs no other file."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def svg_picture(light: str, dark: str, description: str) -> str:
    """An SVG in a frame of its own, where its names and styles meet nothing else; another for dark screens."""
    light_address, dark_address = (data_address(svg.encode("utf-8"), "image/svg+xml") for svg in (light, dark))
    other = f'<source media="(prefers-color-scheme: dark)" srcset="{dark_address}">' if dark != light else ""
    return f'<picture>{other}<img alt="{text(description)}" src="{light_address}"></picture>'


def piano_roll(song: Song, title: str, highlight_bar: int | None) -> str:
    """The piano roll, with what the page's script needs to run a line over it: when and where each bar begins."""
    no_title = " "  # the page has it already
    light, dark = (
        piano_roll_svg(song, title=no_title, highlight_bar=highlight_bar, style=style) for style in ("light", "dark")
    )
    width = svg_width_inches(light)
    lines = song.bar_lines()
    place = (LEFT + (width - LEFT - RIGHT) * (lines - lines[0]) / (lines[-1] - lines[0])) / width
    seconds = song.seconds(lines)
    return (
        f'<div class="scroll"><div class="roll" style="min-width:{width * PIXELS_PER_INCH:.0f}px"'
        f' data-seconds="{_numbers(seconds)}" data-places="{_numbers(place)}">'
        f'{svg_picture(light, dark, f"Piano roll of {title}")}<div class="playhead"></div></div></div>'
    )


def svg_width_inches(svg: str) -> float:
    """Width that an SVG of matplotlib says it has."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ', svg)
    return float(found[1]) / POINTS_PER_INCH if found else LEFT + RIGHT + 8.5


def _numbers(values: NDArray[np.float64]) -> str:
    return json.dumps([round(float(value), 4) for value in values])


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, words: Sequence[int] = ()) -> str:
    """A table of cells that are already markup; columns ``words`` are aligned left."""

    def cell(tag: str, column: int, content: str) -> str:
        return f"<{tag}{' class=words' if column in words else ''}>{content}</{tag}>"

    heading = "".join(cell("th", column, content) for column, content in enumerate(head))
    body = "".join(
        "<tr>" + "".join(cell("td", column, content) for column, content in enumerate(row)) + "</tr>" for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names and values as tiles."""
    tiles = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in pairs)
    return f'<dl class="facts">{tiles}</dl>'


def bars(values: Iterable[tuple[str, float]], unit: str) -> str:
    """Names and amounts as horizontal bars."""
    listed = list(values)
    most = max((value for _, value in listed), default=0.0) or 1.0
    rows = "".join(
        f'<span>{text(name)}</span><i style="width:{max(100 * value / most, 0.5):.1f}%"></i>'
        f'<span class="faint">{value:.3f} {text(unit)}</span>'
        for name, value in listed
    )
    return f'<div class="bars">{rows}</div>'


def file_name(title: str, suffix: str) -> str:
    """A title as the name of a file that every system accepts."""
    plain = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:60]
    return (plain or "clip") + suffix
