"""The mark on a function that is to be compiled, and the call."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from threading import Lock
from types import FunctionType
from typing import Any, cast, overload

from woodshed.compiled import store
from woodshed.compiled.arguments import Kind, kind_of, laid_out, spelled
from woodshed.compiled.fingerprint import digits, fingerprint

_ANSWERS: dict[str, Callable[[int, float], Any]] = {
    "none": lambda whole, fraction: None,
    "int": lambda whole, fraction: whole,
    "bool": lambda whole, fraction: bool(whole),
    "float": lambda whole, fraction: fraction,
}
_lock = Lock()
_log = logging.getLogger(__name__)


class Compiled:
    """A function as machine code, one for each kinds of arguments that it is called with from Python.

    Compiled on the first call ever, which takes seconds; read from disk on the first of a process. While it runs, other
    threads of Python do too. Arrays in its arguments are changed in place. It answers with a number or nothing.
    """

    def __init__(self, function: FunctionType, options: dict[str, Any]) -> None:
        self.function = function
        self.options = options
        self.__doc__ = function.__doc__
        self._entries: dict[tuple[Kind, ...], tuple[store.Entry, str]] = {}

    def __repr__(self) -> str:
        return f"<compiled {self.function.__module__}.{self.function.__qualname__}>"

    def __call__(self, *values: Any) -> Any:
        """Run it.

        Raises:
            TypeError: for arguments that machine code cannot be given, see `arguments.kind_of`.
            RuntimeError: where Python would have raised, such as for a division by zero.
        """
        kinds = tuple(kind_of(value) for value in values)
        entry, answer = self._entries.get(kinds) or self._entry(kinds)
        whole, fractions = laid_out(values)
        entry(whole.ctypes.data, fractions.ctypes.data)
        if not whole[1]:
            raise RuntimeError(
                f"{self.function.__qualname__} stopped at an error: as Python, {self!r}.function would name it"
            )
        return _ANSWERS[answer](int(whole[0]), float(fractions[0]))

    def name(self, kinds: tuple[Kind, ...]) -> str:
        """What its machine code for such arguments is called: the function, its arguments, all that is compiled in."""
        words = ", ".join(spelled(kind) for kind in kinds)
        place = f"{self.function.__module__.removeprefix('woodshed.')}.{self.function.__qualname__}"
        return f"{place}-{sys.implementation.cache_tag}-{digits(words)}-{fingerprint(self, words, store.environment())}"

    def _entry(self, kinds: tuple[Kind, ...]) -> tuple[store.Entry, str]:
        with _lock:
            if kinds not in self._entries:
                self._entries[kinds] = self._kept(kinds) or self._made(kinds)
            return self._entries[kinds]

    def _kept(self, kinds: tuple[Kind, ...]) -> tuple[store.Entry, str] | None:
        found = store.read(self.name(kinds))
        entry = found and store.load(found)
        return (entry, found.answer) if found and entry else None

    def _made(self, kinds: tuple[Kind, ...]) -> tuple[store.Entry, str]:
        from woodshed.compiled.build import build

        _log.info("compiling %s for this machine: up to a minute and a half, this once", self.function.__qualname__)
        made = build(self, kinds)
        entry = store.load(made)
        if entry is None:
            raise RuntimeError(f"{self!r} calls what is not there: {', '.join(made.helpers)}")
        store.keep(self.name(kinds), made)
        return entry, made.answer


@overload
def compiled(function: Callable[..., Any], /) -> Compiled: ...
@overload
def compiled(*, fastmath: bool = ..., allocates: bool = ...) -> Callable[[Callable[..., Any]], Compiled]: ...
def compiled(
    function: Callable[..., Any] | None = None, /, *, fastmath: bool = False, allocates: bool = False
) -> Compiled | Callable[[Callable[..., Any]], Compiled]:
    """Mark a function.

    ``fastmath``: sums may be taken in any order, and so side by side. ``allocates``: it makes arrays, or returns one.
    Where a function does not, nobody counts who holds the arrays that it is given, a sixth of the time in the player;
    numba refuses to compile one that makes arrays and does not say so.
    """

    def mark(one: Callable[..., Any]) -> Compiled:
        return Compiled(cast(FunctionType, one), {"fastmath": fastmath, "allocates": allocates})

    return mark if function is None else mark(function)
