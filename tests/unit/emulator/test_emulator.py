"""The emulator's own behaviour: orders, launches, memories, the compiled function's cache."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tilewright.backend.machine import load_machine
from tilewright.runtime.functional import (
    Emulator,
    EmulatorError,
    Fault,
    Memories,
    OrderError,
    fast,
    find_order,
)
from tilewright.runtime.functional.builder import Builder
from tilewright.runtime.functional.memories import Memory
from tilewright.runtime.functional.parameters import launch_words

MACHINE = load_machine("tw-small")
BOTH = pytest.mark.parametrize("engine", ["reference", "fast"])


def _counter() -> Builder:
    """Adds the input to a state for as many trips as the parameter says."""
    b = Builder()
    x = b.region("x", "hbm", 0, 64, "input")
    state = b.region("state", "hbm", 64, 64, "state")
    out = b.region("y", "hbm", 128, 64, "output")
    ring = b.channel("ring", "ld", ["vpu"], 2, 128)
    back = b.channel("back", "vpu", ["st"], 1, 64, base=256)
    order = b.token("order", "st", ["ld"], 2, primed=1)
    trips = b.parameter("trips", lo=0, hi=9)
    for engine in ("ld", "vpu", "st"):
        b.emit(engine, "ldp", rd=0, word=trips)
        b.emit(engine, "loop", counter=1, count=0)
    b.sync("ld", "wait", order)
    b.emit("ld", "copy", dst=b.dense(ring, "f32", 16).beginning(), src=b.dense(x, "f32", 16))
    b.emit("ld", "copy", dst=b.dense(ring, "f32", 16, offset=64).ending(),
           src=b.dense(state, "f32", 16))  # fmt: skip
    b.sync("ld", "release", order)
    b.emit("vpu", "vec", dst=b.dense(back, "f32", 16).beginning().ending(),
           a=b.dense(ring, "f32", 16).beginning(), op="add",
           d=b.dense(ring, "f32", 16, offset=64).ending())  # fmt: skip
    b.emit("st", "copy", dst=b.dense(state, "f32", 16),
           src=b.dense(back, "f32", 16).beginning())  # fmt: skip
    b.emit("st", "copy", dst=b.dense(out, "f32", 16), src=b.dense(back, "f32", 16).ending())
    b.sync("st", "acquire", order)
    b.sync("st", "commit", order)
    for engine in ("ld", "vpu", "st"):
        b.emit(engine, "next", counter=1)
    return b


@BOTH
@pytest.mark.parametrize("order", ["sequential", "loads-earliest", "stores-latest", "random:-3"])
@pytest.mark.parametrize("trips", [0, 1, 5])
def test_state_persists_over_launches(engine: str, order: str, trips: int) -> None:
    emulator = Emulator(_counter().program(), MACHINE, engine=engine, order=order)
    emulator.write("x", np.arange(16, dtype=np.float32))
    emulator.write("state", np.ones(16, np.float32))
    counts = emulator.run({"trips": trips})
    emulator.run({"trips": trips})
    wanted = 1 + 2 * trips * np.arange(16, dtype=np.float32)
    np.testing.assert_array_equal(emulator.read("state", np.float32), wanted)
    assert counts == {"ld": 3 + 5 * trips, "vpu": 3 + 2 * trips, "st": 3 + 5 * trips}


@BOTH
def test_scratch_is_forgotten_between_launches(engine: str) -> None:
    b = Builder()
    s = b.region("s", "hbm", 0, 64, "scratch")
    x = b.region("x", "hbm", 64, 64, "input")
    ready = b.parameter("write", hi=1)
    b.emit("ld", "ldp", rd=0, word=ready)
    b.emit("ld", "copy", dst=b.dense(s, "u8", 64), src=b.dense(x, "u8", 64), axis0=1)
    b.emit("ld", "loop", counter=0, count=0)
    b.emit("ld", "copy", dst=b.dense(s, "u8", 64), src=b.dense(x, "u8", 64))
    b.emit("ld", "next", counter=0)
    t = b.region("t", "hbm", 128, 64, "scratch")
    b.emit("ld", "copy", dst=b.dense(t, "u8", 64), src=b.dense(s, "u8", 64))
    emulator = Emulator(b.program(), MACHINE, engine=engine)
    emulator.write("x", np.arange(64, dtype=np.uint8))
    emulator.run({"write": 1})
    with pytest.raises(Fault, match="reads byte 0 of region 's'"):
        emulator.run({"write": 0})
    unchecked = Emulator(b.program(), MACHINE, emulator.memories, engine, checks=False)
    unchecked.run({"write": 0})


def test_parameters_are_checked_by_name() -> None:
    b = _counter()
    b.parameter("lengths", count=3, lo=-1, hi=4)
    emulator = Emulator(b.program(), MACHINE, engine="reference")
    assert launch_words(emulator.program, {"trips": 2, "lengths": [4, -1]}).tolist() == [
        2,
        4,
        -1,
        0,
    ]
    for given, text in (
        ({"trips": 2}, "parameter 'lengths' is missing"),
        ({"trips": 2, "lengths": [1, 2, 3, 4]}, "has 4 values, wanted 3"),
        ({"trips": 2, "lengths": 1, "rows": 1}, "parameter 'rows' is unknown; the entry has trips"),
        ({"trips": 2, "lengths": [0, 5]}, r"'lengths'\[1\] is 5, wanted -1 to 4"),
    ):
        with pytest.raises(Fault, match=text):
            launch_words(emulator.program, given)


def test_names_that_are_none() -> None:
    with pytest.raises(OrderError, match="order 'fastest' is unknown; use sequential, loads-"):
        find_order("fastest")
    with pytest.raises(EmulatorError, match="engine 'quick' is unknown; use fast or reference"):
        Emulator(_counter().program(), MACHINE, engine="quick")


def test_writes_that_do_not_fit_are_refused() -> None:
    b = _counter()
    b.region("w", "hbm", 256, 64, "weight")
    emulator = Emulator(b.program(), MACHINE, engine="reference")
    with pytest.raises(Fault, match="65 bytes at 0 cannot be written to input region 'x'"):
        emulator.write("x", np.zeros(65, np.uint8))
    with pytest.raises(Fault, match="cannot be written to weight region 'w'"):
        emulator.write("w", np.zeros(4, np.uint8))
    with pytest.raises(Fault, match="no bytes for 'w'"):
        emulator.read("w")
    b.region("far", "spm", MACHINE.spm_bytes, 64, "local")
    with pytest.raises(Fault, match="region 'far' lies at"):
        Memories(MACHINE, [b.program()])


def test_the_shadow_knows_every_byte() -> None:
    memory, rng = Memory("m", 1000), np.random.default_rng(0)
    written = np.zeros(1000, np.bool_)
    for _ in range(300):
        start, end = sorted(int(n) for n in rng.integers(0, 1001, 2))
        value = bool(rng.random() < 0.6)
        memory.mark(start, end, value)
        written[start:end] = value
        start, end = sorted(int(n) for n in rng.integers(0, 1001, 2))
        missing = np.flatnonzero(~written[start:end])
        assert memory.first_unwritten(start, end) == (start + missing[0] if missing.size else -1)


def _copied_package(folder: Path) -> Path:
    """The kernels' packages copied beside nothing else; the folder of the kernels."""
    root = Path(fast.__file__).parents[2]
    for part in ("backend", "runtime"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(root / part, folder / part, ignore=ignore)
    return folder / "runtime" / "functional"


def test_an_edited_kernel_is_compiled_anew(tmp_path: Path) -> None:
    kernels = _copied_package(tmp_path)
    before = fast.cache_folder(kernels)
    assert before == fast.cache_folder(Path(fast.__file__).parent)
    for name in ("kernel_chunk.py", "layout.py"):
        file = kernels / name
        file.write_text(file.read_text() + "\n# edited\n")
        assert fast.cache_folder(kernels) != before
        before = fast.cache_folder(kernels)


TINY = """
import numpy as np
from tilewright.backend.machine import load_machine
from tilewright.runtime.functional import Emulator
from tilewright.runtime.functional.builder import Builder
b = Builder()
x = b.region("x", "hbm", 0, 4096, "input")
y = b.region("y", "hbm", 4096, 4096, "output")
c = b.channel("c", "ld", ["mxu"], 1, 4096)
acc = b.channel("acc", "mxu", ["vpu"], 1, 4096, "acc")
o = b.channel("o", "vpu", ["st"], 1, 4096, base=4096)
b.emit("ld", "copy", dst=b.dense(c, "f32", 64).beginning().ending(), src=b.dense(x, "f32", 64))
b.emit("mxu", "mm", acc=b.dense(acc, "f32", 3, 5).beginning().ending(),
       a=b.dense(c, "f32", 3, 7).beginning(), b=b.dense(c, "f32", 7, 5, offset=84).ending())
b.emit("vpu", "vec", dst=b.dense(o, "f32", 3, 5).beginning(), a=b.dense(acc, "f32", 3, 5)
       .beginning().ending(), red=b.dense(o, "f32", 3, 1, offset=60).ending(), rop="sum", f="erf")
b.emit("st", "copy", dst=b.dense(y, "f32", 18), src=b.dense(o, "f32", 18).beginning().ending())
out = []
for engine in ("reference", "fast"):
    emulator = Emulator(b.program(), load_machine("tw-small"), engine=engine)
    emulator.write("x", np.sin(np.arange(64, dtype=np.float32)))
    emulator.run()
    out.append(emulator.read("y")[:72].tobytes())
assert out[0] == out[1]
print("equal")
"""


def _python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    names = {**os.environ, **environment}
    names["PYTHONPATH"] = str(Path(__file__).parents[2] / ".ns")
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=names, text=True, capture_output=True
    )


def test_kernels_run_without_the_compiler() -> None:
    done = _python(TINY, NUMBA_DISABLE_JIT="1")
    assert done.stdout == "equal\n", done.stderr


def test_a_missing_numba_is_an_error_with_the_line_that_installs_it() -> None:
    code = """
import sys
sys.modules["numba"] = None
from tilewright.runtime.functional import FastEngineError
from tilewright.runtime.functional.fast import compiled_run
try:
    compiled_run()
except FastEngineError as error:
    print(error)
"""
    done = _python(code)
    assert "needs numba, which is not installed: pip install numba" in done.stdout, done.stderr


def test_the_reference_engine_does_not_load_numba() -> None:
    code = TINY.replace('("reference", "fast")', '("reference", "reference")')
    done = _python(code + "\nimport sys\nassert 'numba' not in sys.modules\n")
    assert done.stdout == "equal\n", done.stderr
