"""The entry that fills a scratchpad: what it copies, what outlives a launch, what is refused."""

from collections.abc import Callable

import numpy as np
import pytest

from tilewright.backend.isa import Program, Region
from tilewright.backend.machine import load_machine
from tilewright.passes.load_entry import load_program
from tilewright.runtime.functional import Emulator, Fault, Memories
from tilewright.runtime.functional.builder import Builder
from tilewright.runtime.timing.decoded import TimingError
from tilewright.runtime.timing.launch import time_program

MACHINE = load_machine("groq-like")
BOTH = pytest.mark.parametrize("engine", ["reference", "fast"])
REGIONS = (
    Region("gamma", "spm", 128, 64, "weight"),
    Region("host", "spm", 192, 384, "weight"),
    Region("cache", "spm", 1024, 64, "state"),
    Region("x", "spm", 1088, 64, "input"),
    Region("y", "spm", 1152, 64, "output"),
)
LAYERS = {"gamma": 1, "host": 3}
FIRST, END = 128, 576
STORED = np.random.default_rng(3).integers(0, 256, END - FIRST, dtype=np.uint8)


def a_step() -> Program:
    """Adds a weight to an input, in place, and keeps the sum."""
    b = Builder()
    places = {r.name: b.region(r.name, r.memory, r.base, r.nbytes, r.role) for r in REGIONS}
    for to in ("cache", "y"):
        b.emit("vpu", "vec", dst=b.dense(places[to], "f32", 16), a=b.dense(places["x"], "f32", 16),
               op="add", d=b.dense(places["gamma"], "f32", 16))  # fmt: skip
    return b.program()


def opened(engine: str) -> tuple[Memories, Emulator, Emulator]:
    """Memories, and the two entries on them."""
    load, step = load_program(REGIONS, LAYERS, MACHINE), a_step()
    memories = Memories(MACHINE, [load, step], STORED, FIRST)
    filling, working = (Emulator(one, MACHINE, memories, engine) for one in (load, step))
    return memories, filling, working


@BOTH
def test_it_copies_what_the_host_shows_layer_by_layer(engine: str) -> None:
    memories, load, _ = opened(engine)
    executed = load.run()
    np.testing.assert_array_equal(memories.spm.data[FIRST:END], STORED)
    assert executed["ld"] == 2 * 7 + 2 * 4 + 1  # A copy a layer, with the scalars around it.
    assert {name for name, count in executed.items() if count == 1} == set(executed) - {"ld"}
    window = load.program.region("host_0")
    assert (window.memory, window.base, window.nbytes) == ("host", FIRST, END - FIRST)


@BOTH
def test_weights_and_state_outlive_a_launch_and_outputs_do_not(engine: str) -> None:
    memories, load, step = opened(engine)
    x = np.arange(16, dtype=np.float32)
    step.write("x", x)
    with pytest.raises(Fault, match="gamma"):  # Nothing has filled the scratchpad.
        step.run()
    load.run()
    step.write("x", x)
    step.run()
    gamma = STORED[:64].view(np.float32)
    np.testing.assert_array_equal(step.read("y", np.float32), x + gamma)
    memories.begin_launch(step.program)
    written = {r.name: memories.spm.first_unwritten(r.base, r.base + r.nbytes) for r in REGIONS}
    assert written == {"gamma": -1, "host": -1, "cache": -1, "x": -1, "y": 1152}


def with_copy(source: str, target: str) -> Program:
    """A program that copies between two of these regions."""
    b = Builder()
    places = {r.name: b.region(r.name, r.memory, r.base, r.nbytes, r.role) for r in REGIONS}
    places["window"] = b.region("window", "host", FIRST, END - FIRST, "input")
    b.emit(
        "ld", "copy", dst=b.dense(places[target], "u8", 64), src=b.dense(places[source], "u8", 64)
    )
    return b.program()


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (lambda: with_copy("x", "gamma"), "writes region 'gamma', which is read-only"),
        (lambda: with_copy("x", "window"), "lies in host, wanted hbm or spm or acc"),
    ],
)
def test_only_the_host_writes_parameters(act: Callable[[], Program], message: str) -> None:
    with pytest.raises(Fault, match=message):
        Emulator(act(), MACHINE, Memories(MACHINE, [act()], STORED, FIRST), "reference")


def test_units_do_not_reach_the_window() -> None:
    b = Builder()
    window = b.region("window", "host", FIRST, 64, "input")
    y = b.region("y", "spm", 1152, 64, "output")
    b.emit("vpu", "vec", dst=b.dense(y, "f32", 16), a=b.dense(window, "f32", 16))
    with pytest.raises(Fault, match="vec a: lies in host, wanted spm or acc"):
        Emulator(b.program(), MACHINE, Memories(MACHINE, [], STORED, FIRST), "reference")


def test_the_window_ends_where_the_image_does() -> None:
    b = Builder()
    b.region("window", "host", FIRST, END - FIRST + 64, "input")
    with pytest.raises(Fault, match=r"region 'window' lies at 128\.\.640 of host"):
        Memories(MACHINE, [b.program()], STORED, FIRST)


def test_its_time_is_not_charged() -> None:
    with pytest.raises(TimingError, match="copies out of the host's window, whose bandwidth no"):
        time_program(load_program(REGIONS, LAYERS, MACHINE), MACHINE, {})
