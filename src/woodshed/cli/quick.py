"""What makes the first note come sooner."""

from __future__ import annotations

import sys

_BLAS = "scipy.linalg.cython_blas"


def load_compiler() -> None:
    """Load numba without SciPy's linear algebra, which it looks for as it starts and which nothing here asks of it.

    That halves the time until compiled code is ready. Only the command line does so: in a process that is
    not ours somebody else's compiled code may want it.
    """
    if _BLAS in sys.modules or "numba.np.arraymath" in sys.modules:
        return
    sys.modules[_BLAS] = None  # type: ignore[assignment]  # an import of it now fails, as where SciPy is missing
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        del sys.modules[_BLAS]
