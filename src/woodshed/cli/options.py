"""Options that several commands share, so that they are called and explained alike."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

BundleArgument = Annotated[
    Path, typer.Argument(readable=False, metavar="BUNDLE", help="A folder made by `woodshed train`.")
]
BundleOrStyle = Annotated[
    Optional[Path],  # noqa: UP045 - typer reads it
    typer.Argument(readable=False, metavar="BUNDLE", help="A folder made by `woodshed train`, or base."),
]
"""Of commands that take `Style` instead; which of them was given is for `woodshed.recipes.styles` to say."""
Style = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--style",
        metavar="SHARES",
        help="Instead of BUNDLE: a blend of several that began from one, such as 'a.shed:0.5,b.shed:0.5'.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
DrawnSeed = Annotated[
    Optional[int],  # noqa: UP045 - typer reads it
    typer.Option("--seed", metavar="S", help="The same seed gives the same bytes; without one, one is drawn and told."),
]
Threads = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--threads", metavar="N", min=1, max=256, help="CPU threads to use; all cores if not given."),
]


def use_threads(threads: int | None) -> None:
    """Tell torch how many threads it may use; if it is not there yet, through the environment, which it reads first."""
    if threads is None:
        return
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(threads)
    else:
        os.environ["OMP_NUM_THREADS"] = str(threads)


PlayingThreads = Annotated[
    int,
    typer.Option("--threads", metavar="N", min=1, max=256, help="CPU threads; more than 1 seldom helps to play."),
]
