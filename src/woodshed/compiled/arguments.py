"""Arguments of a compiled function as two flat tables of numbers, which is all that machine code is given.

A number is a cell; an array is its address, then its shape; a tuple, named or not, is what lies in it, in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Kind = tuple[Any, ...]
"""Of a leaf ``("int",)``, ``("float",)``, ``("bool",)`` or ``("array", dtype, dimensions)``; of a tuple ``("tuple", its
class, the kinds of what lies in it)``."""

INT, FLOAT, BOOL = ("int",), ("float",), ("bool",)


def kind_of(value: Any) -> Kind:
    """What a compiled function is specialised for.

    Raises:
        TypeError: for what machine code cannot be given: an array that is not laid out row by row, an object.
    """
    if isinstance(value, np.ndarray):
        if not value.flags.c_contiguous:
            raise TypeError(
                f"an array of shape {value.shape} is not laid out row by row: give np.ascontiguousarray of it"
            )
        return ("array", value.dtype, value.ndim)
    if isinstance(value, tuple):
        return ("tuple", type(value), tuple(kind_of(one) for one in value))
    if isinstance(value, bool | np.bool_):
        return BOOL
    if isinstance(value, int | np.integer):
        return INT
    if isinstance(value, float | np.floating):
        return FLOAT
    raise TypeError(f"compiled code takes numbers, arrays and tuples of them, not {type(value).__name__}")


def spelled(kind: Kind) -> str:
    """A kind in words that are the same in every process.

    >>> spelled(("tuple", tuple, (("array", np.dtype(np.int64), 2), INT)))
    'tuple(<i8:2, int)'
    """
    if kind[0] == "array":
        return f"{kind[1].descr if kind[1].names else kind[1].str}:{kind[2]}"
    if kind[0] == "tuple":
        return f"{kind[1].__name__}({', '.join(spelled(one) for one in kind[2])})"
    return str(kind[0])


def laid_out(values: tuple[Any, ...]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The tables: whole numbers, addresses and shapes; fractions. Cell 0 of either is for the answer, and cell 1 of the
    first for whether there is one. The arrays must outlive the call."""
    whole: list[int] = [0, 0]
    fractions: list[float] = [0.0]
    _lay_out(values, whole, fractions)
    return np.array(whole, np.int64), np.array(fractions, np.float64)


def _lay_out(values: tuple[Any, ...], whole: list[int], fractions: list[float]) -> None:
    for value in values:
        if isinstance(value, np.ndarray):
            whole.append(value.ctypes.data)
            whole.extend(value.shape)
        elif isinstance(value, tuple):
            _lay_out(value, whole, fractions)
        elif isinstance(value, float | np.floating):
            fractions.append(float(value))
        else:
            whole.append(int(value))
