"""What each recipe learns here, for how long, and the songs of both sides of the split."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from woodshed.corpus import BuildOptions, build_corpus
from woodshed.recipes.material import Material, is_corpus, open_material
from woodshed.recipes.recipe import Recipe, load_recipe, recipe_names
from woodshed.recipes.runs import as_learned

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDERS = {
    "openewld": "leadsheets/openewld",
    "nottingham": "folk/nottingham/melody",
    "freedoom": "band/freedoom",
    "chorales": "chorales/js-fakes",
    "groove": "groove",
    "bands": "band",
}
"""Name of a set -> its folder below WOODSHED_DATA."""
TITLES = {
    "openewld": "OpenEWLD lead sheets (public domain)",
    "nottingham": "Nottingham folk tunes (GPL-3: for comparison only)",
    "freedoom": "Freedoom, rock and metal for games (BSD-3)",
    "chorales": "JS Fake Chorales (CC BY 4.0: for comparison only)",
    "groove": "Groove, human drummers (CC BY 4.0)",
    "bands": "Freedoom, Blasphemer, EasyRPG and free music for bands (BSD-3, CC BY 4.0)",
}
LESSONS: dict[str, dict[str, float]] = {
    "attention-rnn": {"openewld": 3, "nottingham": 1},
    "band": {"freedoom": 3},
    "basic-rnn": {"openewld": 3, "nottingham": 1},
    "chorale": {"chorales": 3},
    "chord-melody": {"openewld": 2},
    "deeprock": {"freedoom": 1.5},
    "lookback-rnn": {"openewld": 3, "nottingham": 1},
    "markov": {"openewld": 0, "nottingham": 0},
    "mono-rnn": {"openewld": 3, "nottingham": 1},
    "pianoroll": {"freedoom": 3},
    "pitch-step-duration": {"freedoom": 1.5},
    "shred": {"freedoom": 1.5},
    "vae-band-1bar": {"bands": 8},
    "vae-drums-2bar": {"groove": 4},
    "vae-melody-2bar": {"openewld": 4},
    "vae-trio-16bar": {"bands": 5},
}
"""Recipe -> set -> minutes. The first set is the one whose pieces are drawn on the recipe's page. A chain counts in a
second however many minutes are given."""
BY_CODEC: dict[str, dict[str, float]] = {"melody": {"openewld": 3}, "chorale": {"chorales": 3}}
"""The same for a recipe that is not in the table, by its codec; all others learn what `OTHERS` says."""
OTHERS: dict[str, float] = {"freedoom": 1.5}


@dataclass(frozen=True)
class Lesson:
    """One recipe on one set."""

    recipe: Recipe
    data: str
    minutes: float

    @property
    def name(self) -> str:
        """As its bundle is called."""
        return f"{self.recipe.name}-{self.data}"


def lessons(names: Sequence[str] = (), data: Sequence[str] = (), scale: float = 1.0) -> list[Lesson]:
    """All that is to be learned, of the recipes and sets named (none: of all)."""
    found = []
    for name in recipe_names():
        recipe = load_recipe(name)
        table = LESSONS.get(name) or BY_CODEC.get(recipe.codec_name, OTHERS)
        for chosen, minutes in table.items():
            if (not names or name in names) and (not data or chosen in data):
                found.append(Lesson(recipe, chosen, minutes * scale))
    return found


def data_folder() -> Path:
    """Where the sets are."""
    return Path(os.environ.get("WOODSHED_DATA", REPOSITORY.parent / "shared" / "data"))


def corpus_of(data: str, work: Path, tell: Callable[[str], None]) -> Path:
    """The corpus of a set below ``work``, built on the first call."""
    out = work / f"corpus-{data}"
    if not is_corpus(out):
        report = build_corpus(data_folder() / FOLDERS[data], out, options=BuildOptions(), force=True)
        tell(f"{data}: {report.songs} songs of {report.files} files, {report.held_out} held out, {report.notes} notes")
    return out


def material_of(lesson: Lesson, work: Path) -> Material:
    """The songs, or the melodies in them, that the lesson learns from and those held out."""
    corpus = work / f"corpus-{lesson.data}"
    return as_learned(lesson.recipe, open_material(corpus, work))
