"""Numbers of 16 bits in compiled code: half the memory to wait for."""

from __future__ import annotations

from types import FunctionType
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from woodshed.compiled.function import Compiled


def halves(array: NDArray[Any]) -> NDArray[np.uint16]:
    """The nearest float16 of each number, as bits: what `from_half` reads."""
    return np.ascontiguousarray(array, np.float16).view(np.uint16)


def _from_half(bits: Any) -> np.float32:
    """The float16 of these 16 bits; compiled code has an instruction for it, see `build`."""
    return np.float32(np.uint16(bits).view(np.float16))


from_half = Compiled(cast(FunctionType, _from_half), {"instruction": "half"})
"""To be called in compiled code, of elements of what `halves` made."""
