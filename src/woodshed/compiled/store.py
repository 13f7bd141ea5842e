"""Machine code on disk, and in memory: written once, loaded by LLVM alone.

A file is one line of JSON (the entry's name, what it answers with, which helpers it calls) and an object file. It lies
beside the byte code of the package, where Python keeps what it compiled too, or in the user's cache if that is closed.
"""

from __future__ import annotations

import builtins
import ctypes
import hashlib
import json
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from woodshed.places import cache_folder

HELPERS = {"numba._helperlib": "_helperlib", "numba.core.runtime._nrt_python": "core/runtime/_nrt_python"}
"""numba's own C modules, whose functions compiled code calls; they load without numba."""
Entry = Callable[[int, int], None]
"""Machine code: it is told where the two tables of its arguments lie, see `arguments`."""


@dataclass(frozen=True)
class MachineCode:
    """What was compiled."""

    symbol: str
    """The name of the entry."""
    answer: str
    """What comes back: none, int, bool or float."""
    helpers: list[str]
    """Names of what it calls outside of itself."""
    code: bytes
    """An object file of this machine."""


def environment() -> str:
    """What else machine code depends on: how its entry is built, Python, numba, LLVM, numpy, the processor."""
    import llvmlite
    import numpy as np
    from llvmlite import binding

    ours = [Path(__file__).with_name(f"{name}.py").read_text() for name in ("arguments", "build")]
    version = (_numba_folder() / "_version.py").read_text()
    machine = binding.get_process_triple(), binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten()
    libraries = str(sys.implementation.cache_tag), version, llvmlite.__version__, np.__version__
    return " ".join((*ours, *libraries, *machine))


def folders() -> list[Path]:
    """Where code is looked for and kept, the first that can be written."""
    return [Path(__file__).parent / "__pycache__", cache_folder() / "compiled"]


def read(name: str) -> MachineCode | None:
    """What was kept under a name; None if nothing was, or it is damaged."""
    for folder in folders():
        try:
            line, code = (folder / f"{name}.o").read_bytes().split(b"\n", 1)
            head = json.loads(line)
            if head.pop("checksum") == _checksum(code):  # LLVM would end the process over half a file
                return MachineCode(**head, code=code)
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return None


def keep(name: str, made: MachineCode) -> None:
    """Keep it under a name, in place of what older code of the function left; nowhere if no folder can be written."""
    head = {key: value for key, value in asdict(made).items() if key != "code"}
    whole = json.dumps({**head, "checksum": _checksum(made.code)}).encode() + b"\n" + made.code
    for folder in folders():
        temporary = folder / f".{name}-{secrets.token_hex(4)}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary.write_bytes(whole)
            os.replace(temporary, folder / f"{name}.o")
        except OSError:
            temporary.unlink(missing_ok=True)
            continue
        for older in folder.glob(f"{name.rsplit('-', 1)[0]}-*.o"):
            if older.name != f"{name}.o":
                older.unlink(missing_ok=True)
        return


def _checksum(code: bytes) -> str:
    return hashlib.blake2b(code, digest_size=16).hexdigest()


_loaded: list[Any] = []
"""Machine code lives as long as its engine; a process never gives any back."""


def load(made: MachineCode) -> Entry | None:
    """The entry, ready to call without Python's lock; None where a helper is missing."""
    from llvmlite import binding

    if not all(_offer(helper) for helper in made.helpers):
        return None
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), target_machine())
    engine.add_object_file(binding.ObjectFileRef.from_data(made.code))
    engine.finalize_object()
    _loaded.append(engine)
    return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p)(engine.get_function_address(made.symbol))


def target_machine() -> Any:
    """This machine, as LLVM sees it."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_triple(binding.get_process_triple()).create_target_machine(
        opt=3,
        cpu=binding.get_host_cpu_name(),
        features=binding.get_host_cpu_features().flatten(),
        codemodel="jitdefault",
        jit=True,
    )


def _numba_folder() -> Path:
    spec = find_spec("numba")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("numba is not installed")
    return Path(spec.origin).parent


def _offer(name: str) -> bool:
    """Tell LLVM where a helper lies, unless numba itself has done so; whether there is one."""
    from llvmlite import binding

    if binding.address_of_symbol(name):
        return True
    if name.startswith("PyExc_"):  # to numba this is the class, where C has a pointer to it
        address: int | None = id(getattr(builtins, name.removeprefix("PyExc_")))
    else:
        address = _helpers().get(name) or _exported(name)
    if address:
        binding.add_symbol(name, address)
    return bool(address)


@cache
def _helpers() -> dict[str, int]:
    """Where numba's own helpers lie."""
    found = {}
    for (name, path), prefix in zip(HELPERS.items(), ("numba_", "NRT_"), strict=True):
        place = next(one for suffix in EXTENSION_SUFFIXES for one in _numba_folder().glob(path + suffix))
        module = sys.modules.get(name) or _load_helper(name, place)
        found.update({prefix + helper: address for helper, address in module.c_helpers.items()})
    return found


def _exported(name: str) -> int | None:
    """Where a function of Python or of the C library lies."""
    try:
        function = getattr(ctypes.pythonapi, name)
    except AttributeError:
        return None
    return ctypes.cast(function, ctypes.c_void_p).value


def _load_helper(name: str, place: Path) -> Any:
    spec = spec_from_file_location(name, place, loader=ExtensionFileLoader(name, str(place)))
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} cannot be loaded")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
