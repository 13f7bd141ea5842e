"""Hot loops as machine code that is kept on disk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numba.core.errors import NumbaError
from numpy.typing import NDArray

from woodshed.compiled import Compiled, build, compiled, from_half, halves, store
from woodshed.compiled.fingerprint import fingerprint

STEP = 3


class Pair(NamedTuple):
    """Two arrays, one of them a table."""

    ids: NDArray[np.int64]
    table: tuple[NDArray[np.float32], NDArray[np.float32]]


@compiled
def _inner(ids, weight):  # type: ignore[no-untyped-def]
    total = 0.0
    for one in ids:
        total += one * weight
    return total


@compiled(allocates=True)
def weighed(pair, weight, twice):  # type: ignore[no-untyped-def]
    """The sum of the ids, weighed; the table is counted up."""
    pair.table[1][:] += STEP
    answer = _inner(pair.ids, weight) + pair.table[0][0, 1]
    return 2 * answer if twice else answer


@compiled(allocates=True)
def nothing(ids):  # type: ignore[no-untyped-def]
    """Turn the ids round."""
    ids[:] = ids[::-1].copy()


@compiled
def secretly(ids):  # type: ignore[no-untyped-def]
    """As `nothing`, but it does not say that it makes an array."""
    ids[:] = ids[::-1].copy()


@compiled
def which(ids, most):  # type: ignore[no-untyped-def]
    """Where the first id above a limit is; whether the last is."""
    for at in range(len(ids)):
        if ids[at] > most:
            return at
    return -1


@compiled
def shared(number, parts):  # type: ignore[no-untyped-def]
    """A quotient."""
    return number // parts


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Machine code goes into a folder of the test's own, and no function remembers any."""
    monkeypatch.setattr(store, "folders", lambda: [tmp_path / "code"])
    for one in (weighed, nothing, which, shared):
        monkeypatch.setattr(one, "_entries", {})
    return tmp_path / "code"


def pair() -> Pair:
    table = np.arange(6, dtype=np.float32).reshape(2, 3)
    return Pair(np.array([1, 2, 3]), (table, table.copy()))


def test_numbers_arrays_and_tuples_of_them_go_in_and_a_number_comes_back() -> None:
    given = pair()
    assert weighed(given, 0.5, False) == pytest.approx(4.0)
    assert weighed(given, 0.5, True) == pytest.approx(8.0)
    assert given.table[1].tolist() == (given.table[0] + 2 * STEP).tolist(), "arrays change in place"


def test_what_answers_with_nothing_and_what_answers_with_a_place() -> None:
    ids = np.arange(4)
    assert nothing(ids) is None
    assert ids.tolist() == [3, 2, 1, 0]
    assert (which(ids, 2), which(ids, 9)) == (0, -1)


def test_what_python_would_raise_is_raised(capfd: pytest.CaptureFixture[str]) -> None:
    assert shared(7, 2) == 3
    with pytest.raises(RuntimeError, match="shared stopped at an error"):
        shared(7, 0)


def test_what_makes_an_array_and_does_not_say_so_is_refused() -> None:
    """Nobody would count who holds it, so nobody would ever free it."""
    with pytest.raises(NumbaError, match="NRT required"):
        secretly(np.array([1, 2, 3]))


def test_an_array_that_is_not_laid_out_row_by_row_is_refused() -> None:
    with pytest.raises(TypeError, match="not laid out row by row"):
        nothing(np.arange(8)[::2])
    with pytest.raises(TypeError, match="not str"):
        which("ids", 2)


def test_code_is_read_from_disk_and_damaged_code_is_made_anew(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing(np.arange(3))
    (kept,) = own_folder.iterdir()
    monkeypatch.setattr(nothing, "_entries", {})
    with monkeypatch.context() as without_compiler:
        without_compiler.setattr(Compiled, "_made", None)
        nothing(np.arange(3))
    monkeypatch.setattr(nothing, "_entries", {})
    whole = kept.read_bytes()
    for damaged in (b"not what it was", whole[:-100], whole[:-9] + b"x" + whole[-8:]):
        kept.write_bytes(damaged)
        monkeypatch.setattr(nothing, "_entries", {})
        nothing(np.arange(3))
        assert kept.read_bytes().split(b"\n")[0].startswith(b"{")
        assert len(kept.read_bytes()) > 1000


def test_code_for_other_arguments_lies_beside_and_older_code_goes(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    which(np.arange(3), 1)
    which(np.arange(3, dtype=np.int32), 1)
    assert len(list(own_folder.iterdir())) == 2
    monkeypatch.setattr(which, "_entries", {})
    monkeypatch.setattr(store, "environment", lambda: "another machine")
    which(np.arange(3), 1)
    assert len(list(own_folder.iterdir())) == 2


def test_the_fingerprint_follows_the_code_it_calls_and_the_constants_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(weighed)
    assert before == fingerprint(weighed)
    monkeypatch.setitem(globals(), "STEP", 4)
    assert fingerprint(weighed) != before
    monkeypatch.undo()

    def _inner(ids, weight):  # type: ignore[no-untyped-def]
        return 0.0

    monkeypatch.setitem(globals(), "_inner", compiled(_inner))
    assert fingerprint(weighed) != before
    monkeypatch.setitem(globals(), "STEP", object())
    with pytest.raises(TypeError, match="reads STEP, a object"):
        fingerprint(weighed)


def test_playing_loads_neither_torch_nor_the_compiler() -> None:
    play = (
        "import sys; import woodshed as ws; ws.load('base').generate(bars=1, seed=1);"
        "print(sorted({'torch', 'numba'} & set(sys.modules)))"
    )
    for _ in range(2):  # the first may have to compile
        done = subprocess.run([sys.executable, "-c", play], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@compiled
def added(rows, out):  # type: ignore[no-untyped-def]
    """Each half as a number."""
    for i in range(len(rows)):
        out[i] = from_half(rows[i])


@pytest.mark.parametrize("by_instruction", [True, False])
def test_a_half_is_the_number_whose_bits_it_has_with_the_processors_instruction_and_without(
    by_instruction: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_instruction and not build.converts_halves():
        pytest.skip("this processor has no such instruction")
    monkeypatch.setattr(build, "converts_halves", lambda: by_instruction)
    monkeypatch.setattr(build, "_dispatchers", {})
    monkeypatch.setattr(added, "_entries", {})
    every = np.arange(1 << 16, dtype=np.uint16)
    every = every[np.isfinite(every.view(np.float16))]
    out = np.empty(len(every), np.float32)
    added(every, out)
    assert (out == every.view(np.float16).astype(np.float32)).all()
    assert (np.signbit(out) == np.signbit(every.view(np.float16))).all()


def test_halves_are_the_nearest_and_are_read_in_python_too() -> None:
    numbers = np.array([[1.0, -2.5], [1 / 3, 1e-7]], np.float32)
    bits = halves(numbers)
    assert bits.dtype == np.uint16
    assert [[from_half.function(bit) for bit in row] for row in bits] == numbers.astype(np.float16).tolist()
