"""The data card of the base weights, for people (`card_text`) and for programs (the facts it is made from)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

TEMPLATE = Path(__file__).resolve().with_name("card.md")
OPENEWLD = """OpenEWLD's maker writes that it holds public domain scores only. Its script takes a song as soon as one of
its authors died before 1948, is traditional or is missing from its table, so it also holds songs of authors who lived
on, which are still protected in many countries: "My Funny Valentine" (1937), "All the Things You Are" (1939),
"I'm Mandy Fly Me" (1976). Scores that name a holder of rights were left out; the rest were not looked at one by one."""
BAND = ("freedoom", "freedoom-history", "free-music", "easyrpg", "blasphemer")


def card_text(facts: Mapping[str, Any]) -> str:
    """The card as Markdown, from the content of ``facts.json``, for README or DATA.md of a bundle."""
    train, dev, sets = facts["train"], facts["held_out"], facts["sets"]
    closeness = facts["style15_overlap"]
    learned = {one["name"]: one["train"]["notes"] for one in sets}
    fields = {
        "songs": _count(train["songs"]),
        "notes": _count(train["notes"]),
        "hours": f"{train['hours']:.1f}",
        "dev_songs": _count(dev["songs"]),
        "dev_notes": _count(dev["notes"]),
        "sources": _sources(sets),
        "openewld": OPENEWLD if "openewld" in learned else "",
        "licences": "\n".join(f"- {one['name']}: {one['licence']}. {one['licence_found']}." for one in sets),
        "credits": "\n".join(f"- {one['credit']}: {one['licence']}" for one in sets),
        "held_out": "\n".join(f"- {why}: {count} songs" for why, count in facts["reasons"].items()),
        "style15_share": f"{closeness['mean']:.1%}",
        "style15_most": f"{closeness['most']:.1%}",
        "others": _count(closeness["others"]),
        "others_share": f"{closeness['others_mean']:.1%}",
        "files": _count(facts["files"]),
        "discards": ", ".join(f"{count} left out as {why}" for why, count in facts["discards"].items()),
        "changes": "\n".join(f"- {line}" for line in facts["changes"]),
        "band_songs": _count(sum(one["train"]["songs"] for one in sets if one["name"] in BAND)),
        "band_share": f"{sum(learned[name] for name in learned if name in BAND) / train['notes']:.0%}",
        "groove_share": f"{learned.get('groove', 0) / train['notes']:.0%}",
        "sizes": _sizes(sets),
        "version": facts["woodshed"],
        "content": facts["content_sha256"][:16],
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(fields)


def _sources(sets: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"| {one['title']} | {one['repository']} | {one['licence']} | {_count(one['train']['songs'])} "
        f"| {_count(one['train']['notes'])} | {one['train']['hours']:.1f} | {one['held_out']['songs']} "
        f"| {one['left_out']['songs']} |"
        for one in sets
    ]
    head = "| set | repository | licence | songs | notes | hours | development songs | songs held out otherwise |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *rows])


def _sizes(sets: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        f"| {one['name']} | {one['parts']['median']:g} ({one['parts']['least']} to {one['parts']['most']}) "
        f"| {one['median_notes']:g} | {', '.join(f'{meter} {count}' for meter, count in one['meters'].items())} |"
        for one in sets
    ]
    head = "| set | parts of a song, median | notes of a song, median | songs by meter at the start |"
    return "\n".join([head, "|---|---|---|---|", *rows])


def _count(number: int) -> str:
    return f"{number:,}"
