"""From Python to machine code, by numba: only here is it imported."""

from __future__ import annotations

from itertools import count
from typing import Any

import numba
from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, overload, register_model, typeof_impl

from woodshed.compiled import store
from woodshed.compiled.arguments import Kind
from woodshed.compiled.function import Compiled

_numba: Any = numba
SIGNATURE = types.void(_numba.types.CPointer(types.int64), _numba.types.CPointer(types.float64))
_dispatchers: dict[int, Any] = {}


def build(marked: Compiled, kinds: tuple[Kind, ...]) -> store.MachineCode:
    """Machine code of a function for such arguments, with an entry that takes them as two tables, see `arguments`."""
    answers: list[str] = []
    entry = _entry(_dispatcher(marked), kinds, _writer(answers))
    made = numba.cfunc(SIGNATURE)(entry)
    module = binding.parse_assembly(made.inspect_llvm())
    outside = [one.name for one in (*module.functions, *module.global_variables) if one.is_declaration]
    helpers = [name for name in outside if not name.startswith("llvm.")]
    return store.MachineCode(made.native_name, answers[0], helpers, store.target_machine().emit_object(module))


def _dispatcher(marked: Compiled) -> Any:
    """What numba knows a marked function as."""
    if id(marked) not in _dispatchers:
        instruction = marked.options.get("instruction")
        made = numba.njit(_INSTRUCTIONS[instruction]) if instruction else None
        options = {"fastmath": marked.options.get("fastmath"), "_nrt": marked.options.get("allocates")}
        _dispatchers[id(marked)] = made or _numba.njit(nogil=True, **options)(marked.function)
    return _dispatchers[id(marked)]


@typeof_impl.register(Compiled)
def _type_of(value: Compiled, context: Any) -> Any:
    """A marked function that another calls is to numba what its own mark would have made of it."""
    return _Plain(_dispatcher(value))


class _Plain(_numba.types.Dispatcher):  # type: ignore[misc]
    """A function that is compiled once for all numbers of a type, where numba would do so for every constant anew."""

    def get_call_type(self, context: Any, args: Any, kws: Any) -> Any:
        plain = _numba.types.unliteral
        return super().get_call_type(context, [plain(one) for one in args], {name: plain(kws[name]) for name in kws})


register_model(_Plain)(models.OpaqueModel)


@intrinsic
def _pointer(context: Any, address: Any) -> Any:
    """A number as the address that it is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], cgutils.voidptr_t)

    return types.voidptr(address), generate


def converts_halves() -> bool:
    """Whether the processor has an instruction from float16 to float32: all of ARM, of Intel's kind since 2012."""
    return not binding.get_process_triple().startswith(("x86", "i")) or binding.get_host_cpu_features().get(
        "f16c", False
    )


@intrinsic
def _half(context: Any, bits: Any) -> Any:
    """The float16 of 16 bits as a float32."""

    def by_instruction(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    def by_hand(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        """Exponent and fraction where float32 has them are 2 ** 112 times too small, of the smallest numbers too."""
        word = ir.IntType(32)
        wide = builder.zext(arguments[0], word)
        size = builder.shl(builder.and_(wide, word(0x7FFF)), word(13))
        size = builder.fmul(builder.bitcast(size, ir.FloatType()), ir.FloatType()(2.0**112))
        sign = builder.shl(builder.and_(wide, word(0x8000)), word(16))
        return builder.bitcast(builder.or_(builder.bitcast(size, word), sign), ir.FloatType())

    return types.float32(types.uint16), by_instruction if converts_halves() else by_hand


def _from_half(bits: Any) -> Any:
    return _half(bits)  # type: ignore[call-arg]  # numba gives the first


_INSTRUCTIONS = {"half": _from_half}


def _writer(answers: list[str]) -> Any:
    """A function that writes an answer into the tables, and into ``answers`` of what kind it is once that is known."""

    def write(answer: Any, whole: Any, fractions: Any) -> None: ...

    @overload(write)
    def _(answer: Any, whole: Any, fractions: Any) -> Any:
        if isinstance(answer, types.NoneType):
            answers.append("none")

            def to_nowhere(answer: Any, whole: Any, fractions: Any) -> None:
                pass

            return to_nowhere
        if isinstance(answer, types.Float):
            answers.append("float")

            def to_fractions(answer: Any, whole: Any, fractions: Any) -> None:
                fractions[0] = answer

            return to_fractions
        if isinstance(answer, types.Integer | types.Boolean):
            answers.append("bool" if isinstance(answer, types.Boolean) else "int")

            def to_whole(answer: Any, whole: Any, fractions: Any) -> None:
                whole[0] = answer

            return to_whole
        return None

    return write


def _entry(function: Any, kinds: tuple[Kind, ...], write: Any) -> Any:
    """A Python function that puts the arguments together out of the tables, calls, and writes the answer down."""
    known: dict[str, Any] = {"pointer": _pointer, "carray": _numba.carray, "function": function, "write": write}
    lines: list[str] = []
    whole, fraction, number = count(2), count(1), count()

    def spell(kind: Kind) -> str:
        if kind[0] == "float":
            return f"fractions[{next(fraction)}]"
        if kind[0] == "int":
            return f"whole[{next(whole)}]"
        if kind[0] == "bool":
            return f"whole[{next(whole)}] != 0"
        name = f"v{next(number)}"
        if kind[0] == "array":
            known[f"type_{name}"] = kind[1]
            address = next(whole)
            shape = "".join(f"whole[{next(whole)}], " for _ in range(kind[2]))
            lines.append(f"{name} = carray(pointer(whole[{address}]), ({shape}), type_{name})")
            return name
        inner = "".join(f"{spell(one)}, " for one in kind[2])
        known[f"class_{name}"] = kind[1]
        return f"({inner})" if kind[1] is tuple else f"class_{name}({inner})"

    given = ", ".join(spell(kind) for kind in kinds)
    size = f"whole = carray(whole_at, {next(whole)})", f"fractions = carray(fractions_at, {next(fraction)})"
    call = (
        "try:",
        f"    write(function({given}), whole, fractions)",
        "    whole[1] = 1",
        "except Exception:",
        "    whole[1] = 0",
    )
    body = "\n    ".join((*size, *lines, *call))
    exec(f"def entry(whole_at, fractions_at):\n    {body}\n", known)  # numba compiles functions, not trees
    return known["entry"]
