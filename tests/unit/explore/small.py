"""A launch made by hand: `ld` fills a ring from main memory, `vpu` doubles, `st` writes back."""

from dataclasses import replace

from tilewright.backend.bounds import step_of
from tilewright.backend.image import Image
from tilewright.backend.isa import Program
from tilewright.backend.machine import load_machine
from tilewright.runtime.functional.builder import Builder
from tilewright.runtime.functional.parameters import Parameters
from tilewright.runtime.timing import time_program
from tilewright.runtime.timing.steps import TimedStep

MACHINE = load_machine("tw-small")
TRIPS = 3
ENGINES = {"ld": "blk.{l}.load", "vpu": "blk.{l}.double", "st": "blk.{l}.store"}
"""Engine -> the op of the model that its instructions belong to."""


def program() -> Program:
    """The ring `ring` has two slots of 256 bytes, `back` one behind it; `sum` lies in between."""
    b = Builder()
    x = b.region("x", "hbm", 0, 1024, "input")
    y = b.region("y", "hbm", 1024, 1024, "output")
    total = b.region("sum", "spm", 768, 256, "local", "vpu")
    ring = b.channel("ring", "ld", ["vpu"], 2, 256)
    back = b.channel("back", "vpu", ["st"], 1, 256, base=512)
    for trip in range(TRIPS):
        b.emit("ld", "copy", dst=b.dense(ring, "f32", 64).beginning().ending(),
               src=b.dense(x, "f32", 64, offset=256 * trip))  # fmt: skip
        b.emit("vpu", "vec", dst=b.dense(total, "f32", 64),
               a=b.dense(ring, "f32", 64).beginning().ending(), b=b.constant(2.0))  # fmt: skip
        b.emit("vpu", "vec", dst=b.dense(back, "f32", 64).beginning().ending(),
               a=b.dense(total, "f32", 64))  # fmt: skip
        b.emit("st", "copy", dst=b.dense(y, "f32", 64, offset=256 * trip),
               src=b.dense(back, "f32", 64).beginning().ending())  # fmt: skip
    made = b.program()
    places = {engine: [op] * len(made.engines[engine]) for engine, op in ENGINES.items()}
    return replace(made, locations=places)


def image() -> Image:
    """An image whose entry `decode` is the program."""
    return Image(MACHINE.to_dict(), "bf16", {"decode": program()})


def step(launches: int = 1) -> TimedStep:
    """Launches of the program, as if they were a decode step of one sequence."""
    result = time_program(program(), MACHINE, {})
    parameters: Parameters = {}
    one = step_of("decode", [8])
    return TimedStep("decode", one, "", (result,) * launches, (parameters,) * launches)
