"""Charts of a model learning."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import OutOfRange, UnknownName
from woodshed.rendering.charts import draw_loss_curve, loss_curve_svg

MINUTES = np.linspace(0.0, 2.0, 200)
TRAIN = (MINUTES, 3.0 + np.exp(-MINUTES))
HELD_OUT = (MINUTES[::40], 3.2 + np.exp(-MINUTES[::40]))


def test_a_chart_is_written_as_picture_and_as_text(tmp_path: Path) -> None:
    draw_loss_curve(TRAIN, HELD_OUT, tmp_path / "loss.png", title="Two minutes")
    draw_loss_curve(TRAIN, HELD_OUT, tmp_path / "loss.svg", style="dark")
    assert (tmp_path / "loss.png").read_bytes().startswith(b"\x89PNG")
    text = loss_curve_svg(TRAIN, HELD_OUT)
    assert text.startswith("<svg")
    ElementTree.fromstring(text)


def test_empty_short_and_broken_curves_are_drawn() -> None:
    for train, held_out in (
        (([], []), ([], [])),
        (([1.0], [3.0]), ([], [])),
        (([0.0, 1.0, 2.0], [3.0, np.nan, np.inf]), ([1.0], [np.nan])),
    ):
        assert loss_curve_svg(train, held_out).startswith("<svg")


def test_curves_that_do_not_fit_and_odd_suffixes_are_named(tmp_path: Path) -> None:
    with pytest.raises(OutOfRange, match="2 minutes but 1 losses"):
        loss_curve_svg(([0, 1], [3.0]), ([], []))
    with pytest.raises(UnknownName, match=r"\.png"):
        draw_loss_curve(TRAIN, HELD_OUT, tmp_path / "loss.gif")
