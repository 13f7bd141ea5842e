"""How a style is typed: bundles with shares, and paths of any kind."""

from __future__ import annotations

from pathlib import Path

import pytest

import woodshed as ws
from woodshed.errors import BundleError, OutOfRange, UsageError
from woodshed.recipes.styles import parse_style, style_of


def typed(text: str) -> list[tuple[str, float]]:
    return [(str(path), share) for path, share in parse_style(text)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("a.shed:0.5,b.shed:0.5", [("a.shed", 0.5), ("b.shed", 0.5)]),
        ("a.shed:3, b.shed:1 ,c.shed:.5", [("a.shed", 3.0), ("b.shed", 1.0), ("c.shed", 0.5)]),
        ("a.shed:1e-1,b.shed:2.", [("a.shed", 0.1), ("b.shed", 2.0)]),
        ("a.shed,b.shed", [("a.shed", 1.0), ("b.shed", 1.0)]),
        ("a.shed", [("a.shed", 1.0)]),
        ("a.shed:2", [("a.shed", 2.0)]),
        ("C:\\mine:0.5,take:2:0.5", [("C:\\mine", 0.5), ("take:2", 0.5)]),
        ("a.shed:-1,b.shed:0", [("a.shed", -1.0), ("b.shed", 0.0)]),
    ],
)
def test_bundles_and_shares_are_told_apart(text: str, meant: list[tuple[str, float]]) -> None:
    assert typed(text) == meant


@pytest.mark.parametrize("name", ["take:2", "a:0.5,b:0.5", "one, two", "x:1,"])
def test_a_folder_of_that_name_is_that_bundle_alone(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    assert typed(name) == [(name, 1.0)]


def test_a_folder_with_a_comma_can_be_one_of_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one:1, two").mkdir()
    assert typed("b.shed:0.5,one:1, two:0.5") == [("b.shed", 0.5), ("one:1, two", 0.5)]


@pytest.mark.parametrize("text", ["a.shed:0.5,b.shed", "a.shed,b.shed:0.5"])
def test_a_bundle_without_a_share_beside_one_with_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"not each bundle has a share; write it as a\.shed:0\.5,b\.shed:0\.5"):
        parse_style(text)


@pytest.mark.parametrize("text", ["", " , ", "a.shed:half,b.shed:half", ":0.5"])
def test_what_names_no_bundles_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no bundles"):
        parse_style(text)


def test_a_bundle_is_never_taken_for_a_style() -> None:
    assert style_of(Path("a:0.5,b:0.5"), None) == ((Path("a:0.5,b:0.5"), 1.0),)
    assert style_of(None, "a:0.5,b:0.5") == [(Path("a"), 0.5), (Path("b"), 0.5)]


def test_python_loads_a_blend_by_its_shares(tiny_bundle: Path) -> None:
    band = ws.load({str(tiny_bundle): 0.5})
    assert band.generate(bars=2, seed=1, candidates=1) == ws.load(tiny_bundle).generate(bars=2, seed=1, candidates=1)
    with pytest.raises(BundleError, match=r"did not begin from one bundle|differ in"):
        ws.load({str(tiny_bundle): 0.5, "base": 0.5})
    with pytest.raises(OutOfRange, match="share 0"):
        ws.load({str(tiny_bundle): 0.0})
    with pytest.raises(OutOfRange, match="0 bundles"):
        ws.load({})
