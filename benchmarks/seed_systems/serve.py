"""Answer one JSON line with another until the input ends: both sides are asked in this way. Plain Python."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any


def serve(answers: dict[str, Callable[..., dict[str, Any]]]) -> None:
    """Each line names a task and its options. What libraries print goes to the standard error."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        replies.write(json.dumps(answers[asked.pop("task")](**asked)) + "\n")
        replies.flush()


class Clock:
    """Seconds since it was made: of the wall, and of the processor, which hardly knows of other work on the machine."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Of the wall."""
        return time.perf_counter() - self.wall

    def rates(self, units: int) -> dict[str, Any]:
        """Units per second by both."""
        return {"rate": units / self.seconds, "processor_rate": units / (time.process_time() - self.processor)}


def repeat(work: Callable[[], int], seconds: float) -> dict[str, Any]:
    """`Clock.rates` of ``work``, which does some and says how many, called again until the time is up."""
    clock, units = Clock(), 0
    while clock.seconds < seconds:
        units += work()
    return clock.rates(units)
