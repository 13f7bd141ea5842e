"""Hot loops as machine code that is kept on disk, so that a second start loads neither the compiler nor its libraries.

`compiled` marks a function of numbers and arrays. Those that it calls must be marked too; only the outermost is ever
called from Python. What numba makes of it for given types of arguments is written to a file, under a name that follows
from the code itself, and read from there ever after by LLVM alone: 40 ms instead of half a second.

We differ from numba's ``cache=True`` in three ways. numba must be imported, and set up, before it looks into its cache.
Its cache goes by the file that a function stands in: after an edit in a function that another file compiles in, stale
code is left. And it unpickles what it finds.
"""

from woodshed.compiled.function import Compiled, compiled
from woodshed.compiled.halves import from_half, halves

__all__ = ["Compiled", "compiled", "from_half", "halves"]
