"""How the commands talk: to people on stdout and stderr, to programs as JSON on stdout and nothing else there."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress


BAR_WIDTH = 12
"""Columns: leaves room for figures beside it on a narrow terminal."""

PIPED_WIDTH = 200
"""Columns of a table that no terminal shows: nothing is cut that somebody may look for."""
PATIENCE = 0.4
"""Seconds without a word."""


class Talk:
    """One command's voice."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def say(self, line: str) -> None:
        """A line that answers what was asked; to stderr when stdout belongs to a program."""
        print(line, file=sys.stderr if self.as_json else sys.stdout, flush=True)

    def note(self, line: str) -> None:
        """A line beside the answer, to stderr."""
        print(line, file=sys.stderr, flush=True)

    def facts(self, facts: dict[str, Any]) -> None:
        """One line of JSON, for programs only."""
        if self.as_json:
            print(json.dumps(facts, ensure_ascii=False, default=str), flush=True)

    def show(self, thing: RenderableType) -> None:
        """A table, for people only."""
        from rich.console import Console

        if not self.as_json:
            Console(width=None if sys.stdout.isatty() else PIPED_WIDTH).print(thing)

    @contextmanager
    def progress(self, *extra: str) -> Iterator[Progress]:
        """A progress display on stderr, silent unless that is a terminal; ``extra`` are more columns."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        console = Console(stderr=True)
        columns = [
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_WIDTH),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            Remaining(),
        ]
        with Progress(
            *columns, *map(TextColumn, extra), console=console, transient=True, disable=not console.is_terminal
        ) as bar:
            yield bar

    @contextmanager
    def stages(self, **names: str) -> Iterator[Callable[[str, int, int], None]]:
        """A bar for each stage, as it is first told of; ``names`` say what to call the stages."""
        with self.progress() as bar:
            tasks: dict[str, Any] = {}

            def tell(stage: str, done: int, total: int) -> None:
                if stage not in tasks:
                    tasks[stage] = bar.add_task(names.get(stage, stage))
                bar.update(tasks[stage], completed=done, total=max(total, 1))

            yield tell

    @contextmanager
    def share(self, name: str) -> Iterator[Callable[[float], None]]:
        """One bar for work that tells the share that is done, 0-1. It comes once the work has taken `PATIENCE`: a clip
        that is ready sooner does not wait for the library that draws bars.
        """
        begun, shown = monotonic(), Lock()
        with ExitStack() as stack:
            bars: list[tuple[Progress, Any]] = []

            def tell(share: float) -> None:
                with shown:
                    if not bars and monotonic() - begun > PATIENCE:
                        bar = stack.enter_context(self.progress())
                        bars.append((bar, bar.add_task(name, total=1.0)))
                for bar, task in bars:
                    bar.update(task, completed=share)

            yield tell
