"""A name for what a function compiles to: it changes when the code does, or anything that the code takes in.

Followed are the byte code and constants of the function, of the functions that it calls, and the module constants that
they read; a comment, or a line further up in the file, changes nothing.
"""

from __future__ import annotations

import hashlib
from types import CodeType, FunctionType, ModuleType
from typing import Any, Protocol

import numpy as np


class Marked(Protocol):
    """What a fingerprint needs of a compiled function."""

    function: FunctionType
    options: dict[str, Any]


def fingerprint(marked: Marked, *more: str) -> str:
    """Hexadecimal digits that stand for the function and ``more``.

    Raises:
        TypeError: where the code reads a module constant of a kind that cannot be told apart by its value.
    """
    digest = hashlib.blake2b(digest_size=12)
    for text in more:
        digest.update(text.encode() + b"\0")
    seen: set[int] = set()
    waiting = [marked]
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        digest.update(repr(sorted(one.options.items())).encode())
        names = _take_code(one.function.__code__, digest)
        for name in sorted(names & one.function.__globals__.keys()):
            value = one.function.__globals__[name]
            digest.update(name.encode() + b"=")
            if _is_marked(value):
                waiting.append(value)
                digest.update(value.function.__qualname__.encode())
            else:
                digest.update(_constant(name, value))
    return digest.hexdigest()


def digits(text: str) -> str:
    """Eight hexadecimal digits that stand for a text."""
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _is_marked(value: Any) -> bool:
    return isinstance(getattr(value, "function", None), FunctionType) and isinstance(
        getattr(value, "options", None), dict
    )


def _take_code(code: CodeType, digest: Any) -> set[str]:
    """The names that the code reads, of code within it too."""
    digest.update(code.co_code + repr(code.co_varnames).encode() + repr(code.co_names).encode())
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _take_code(constant, digest)
        else:
            digest.update(repr(constant).encode())
    return names


def _constant(name: str, value: Any) -> bytes:
    if isinstance(value, np.ndarray):
        return str(value.dtype.descr).encode() + repr(value.shape).encode() + value.tobytes()
    if isinstance(value, int | float | str | np.generic | np.dtype | tuple) or value is None:
        return repr(value).encode()
    if isinstance(value, ModuleType):
        return value.__name__.encode()
    if isinstance(value, type):
        return f"{value.__qualname__}{getattr(value, '_fields', '')}".encode()
    raise TypeError(
        f"compiled code reads {name}, a {type(value).__name__}: give it a number, an array or a marked function"
    )
