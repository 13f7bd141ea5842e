"""The next batch is drawn while a model learns from this one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

State = dict[str, Any]


class Ahead:
    """Batches one after another, each drawn while the one before is used; they are those that would come without.

    What draws must give Python's lock away while it works (compiled code does, and most of numpy), or nothing is won.
    """

    def __init__(self, draw: Callable[[np.random.Generator], Any], rng: np.random.Generator) -> None:
        self.state: State = rng.bit_generator.state  # type: ignore[assignment]
        """Of the generator after the last batch that was taken: a run that goes on from there draws what is next."""
        self._draw, self._rng = draw, rng
        self._thread = ThreadPoolExecutor(1, "draws-ahead")
        self._next: Future[tuple[Any, State]] = self._thread.submit(self._make)

    def take(self) -> Any:
        """The next batch.

        Raises:
            Exception: whatever the drawing raised.
        """
        batch, self.state = self._next.result()
        self._next = self._thread.submit(self._make)
        return batch

    def close(self) -> None:
        """Draw no more."""
        self._thread.shutdown(cancel_futures=True)

    def _make(self) -> tuple[Any, State]:
        batch = self._draw(self._rng)
        return batch, self._rng.bit_generator.state  # type: ignore[return-value]
