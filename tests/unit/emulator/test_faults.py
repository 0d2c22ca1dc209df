"""One program for each kind of fault; both engines report the same fault word for word."""

from collections.abc import Callable

import numpy as np
import pytest

from tilewright.backend.isa.view import View
from tilewright.backend.machine import load_machine
from tilewright.runtime.functional import KINDS, Emulator, Fault
from tilewright.runtime.functional.builder import Builder, Place

MACHINE = load_machine("tw-small")


def _base() -> Builder:
    """A scratch region, an input and a channel that ld fills and vpu reads."""
    b = Builder()
    b.region("s", "hbm", 0, 256, "scratch")
    b.region("x", "hbm", 256, 256, "input")
    b.channel("c", "ld", ["vpu"], 2, 64)
    b.region("l", "spm", 1024, 256, "local", "vpu")
    return b


def _places() -> tuple[Place, Place, Place, Place]:
    """s, x, c and the local buffer of `_base`."""
    return Place(2, 0), Place(2, 1), Place(1, 0), Place(2, 2)


def bounds(b: Builder) -> str:
    s, x, _, _ = _places()
    b.emit("ld", "li", rd=3, imm=192)
    b.emit("ld", "copy", dst=b.dense(s, "u8", 65, reg=3), src=b.dense(x, "u8", 65))
    return (
        "bounds fault at ld instruction 1: copy dst touches bytes 192 to 257 of region 's', "
        "which has 256 bytes"
    )


def alignment(b: Builder) -> str:
    s, x, _, _ = _places()
    b.emit("ld", "li", rd=3, imm=2)
    b.emit("ld", "copy", dst=b.dense(s, "f32", 2), src=b.dense(x, "f32", 2, reg=3))
    return (
        "alignment fault at ld instruction 1: copy src starts at byte 2 of region 'x', wanted a "
        "multiple of 4"
    )


def uninitialised(b: Builder) -> str:
    s, x, _, _ = _places()
    b.emit("ld", "copy", dst=b.dense(s, "u8", 5), src=b.dense(x, "u8", 5))
    b.emit("ld", "copy", dst=b.dense(s, "u8", 8, offset=64), src=b.dense(s, "u8", 8))
    return (
        "uninitialised fault at ld instruction 1: copy src reads byte 5 of region 's', which "
        "nothing has written"
    )


def extent(b: Builder) -> str:
    s, x, _, _ = _places()
    b.emit("ld", "gather", dst=b.dense(s, "u8", 3, 4), src=b.dense(x, "u8", 4, 4),
           index=b.dense(x, "i32", 2))  # fmt: skip
    return (
        "extent fault at ld instruction 0: gather index has extent 2 on axis 0, wanted at least 3"
    )


def age(b: Builder) -> str:
    _, x, c, _ = _places()
    b.emit("ld", "copy", dst=b.dense(c, "u8", 4, age=1).beginning(), src=b.dense(x, "u8", 4))
    return (
        "age fault at ld instruction 0: copy dst names slot 1 of channel 'c', this engine holds 1: "
        "its wait or acquire comes first"
    )


def commit(b: Builder) -> str:
    b.sync("ld", "commit", _places()[2])
    return "commit fault at ld instruction 0: commit of channel 'c' without an acquired slot"


def release(b: Builder) -> str:
    b.emit("vpu", "loop", counter=2, trips=3)
    b.sync("vpu", "release", _places()[2])
    b.emit("vpu", "next", counter=2)
    return (
        "release fault at vpu instruction 1 (counters 0): release of channel 'c' without a slot "
        "that was waited for"
    )


def held(b: Builder) -> str:
    b.sync("ld", "acquire", _places()[2])
    return "held fault at ld instruction 1: halt while 1 slots of channel 'c' are held"


def pop(b: Builder) -> str:
    _, x, _, _ = _places()
    n = b.channel("n", "ld", ["vpu"], 1, 64, base=256, kind="scalar", largest=6)
    b.emit("ld", "copy", dst=b.dense(n, "i32", 1).beginning().ending(), src=b.dense(x, "i32", 1))
    b.emit("vpu", "pop", rd=1, channel=n.id)
    return "pop fault at vpu instruction 0: pop took 7 from channel 'n', wanted 0 to 6"


def table(b: Builder) -> str:
    b.words = [5, 6]
    b.emit("st", "ldp", rd=0, word=2)
    return (
        "table fault at st instruction 0: ldp reads word 2 of the launch parameters, wanted 0 to 1"
    )


def unfinished(b: Builder) -> str:
    c = _places()[2]
    b.sync("ld", "acquire", c)
    b.sync("ld", "commit", c)
    return (
        "unfinished fault at launch: launch ended with 1 slots of channel 'c' committed and "
        "unread, wanted 0"
    )


def deadlock(b: Builder) -> str:
    _, _, c, local = _places()
    b.emit("vpu", "vec", dst=b.dense(local, "f32", 4), a=b.dense(c, "f32", 4).beginning())
    b.sync("ld", "acquire", c, 3)
    return (
        "deadlock fault at launch: no engine can go on: ld at instruction 0 (sync) is at "
        "acquire of 'c'; vpu at instruction 0 (vec) is at wait of 'c'"
    )


def operand(b: Builder) -> str:
    _, x, _, local = _places()
    b.emit("ld", "copy", dst=b.dense(local, "u8", 4), src=b.dense(x, "u8", 4))
    return "operand fault at ld instruction 0: copy dst: region 'l' belongs to vpu"


def parameter(b: Builder) -> str:
    b.parameter("rows", lo=0, hi=8)
    b.emit("ld", "ldp", rd=0, word=0)
    return "parameter fault at launch: parameter 'rows'[0] is 9, wanted 0 to 8"


CASES: dict[str, Callable[[Builder], str]] = {
    f.__name__: f
    for f in (bounds, alignment, uninitialised, extent, age, commit, release, held, pop, table,
              unfinished, deadlock, operand, parameter)
}  # fmt: skip


def test_every_kind_is_pinned() -> None:
    assert set(CASES) == set(KINDS)


def _launch(b: Builder, engine: str, parameters: dict[str, int]) -> None:
    emulator = Emulator(b.program(), MACHINE, engine=engine)
    emulator.write("x", np.array([7, 1, 2, 3], np.int32))
    emulator.run(parameters)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_fault(kind: str, engine: str) -> None:
    b = _base()
    text = CASES[kind](b)
    with pytest.raises(Fault) as caught:
        _launch(b, engine, {"rows": 9} if kind == "parameter" else {})
    assert str(caught.value) == text
    assert caught.value.kind == kind


LIMITS: dict[str, tuple[Callable[[Builder], None], str]] = {
    "engine": (
        lambda b: b.emit("st", "vsel", dst=b.dense(_places()[3], "f32", 4), mask=b.constant(1),
                         a=b.constant(1), b=b.constant(1)),
        "vsel: runs on vpu, not on st",
    ),
    "producer": (
        lambda b: b.sync("vpu", "acquire", _places()[2]),
        "the producer of channel 'c' is ld, not vpu",
    ),
    "consumer": (
        lambda b: b.sync("st", "wait", _places()[2]),
        "consumers of channel 'c' are vpu, not st",
    ),
    "waited slot": (
        lambda b: b.emit("vpu", "vec", dst=b.dense(_places()[2], "f32", 4), a=b.constant(1)),
        "vec dst: writes a slot of 'c', whose producer is ld",
    ),
    "ranks": (
        lambda b: b.emit("ld", "copy", dst=b.dense(_places()[0], "u8", 4),
                         src=b.dense(_places()[1], "u8", 4, 1)),
        "copy: views differ: rank 1 u8 and rank 2 u8",
    ),
    "broadcast": (
        lambda b: b.emit("ld", "copy", dst=b.at(_places()[0], View("u8", (4, 4), (0, 1))),
                         src=b.dense(_places()[1], "u8", 4, 4)),
        "copy dst: writes a view that broadcasts (stride 0)",
    ),
    "reduction": (
        lambda b: b.emit("vpu", "vec", dst=b.dense(_places()[3], "f32", 4), a=b.constant(1),
                         rop="sum"),
        "vec: rop and red come together",
    ),
    "shape": (
        lambda b: b.emit("vpu", "vec", dst=b.dense(_places()[3], "f32", 4),
                         a=b.dense(_places()[3], "f32", 5)),
        "vec: a has shape (5,), wanted (4,) as of dst",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LIMITS)
def test_limit_of_the_table(name: str) -> None:
    emit, text = LIMITS[name]
    b = _base()
    emit(b)
    with pytest.raises(Fault, match="operand fault") as caught:
        Emulator(b.program(), MACHINE, engine="reference")
    assert text in str(caught.value)


def test_a_location_is_part_of_the_message() -> None:
    b = _base()
    commit(b)
    program = b.program()
    program.locations["ld"] = ["blk.0.ffn_down", ""]
    with pytest.raises(Fault, match=r"at ld instruction 0, blk\.0\.ffn_down: commit of"):
        Emulator(program, MACHINE, engine="reference").run()


def test_a_missing_halt_and_a_strange_engine_are_refused() -> None:
    b = _base()
    b.emit("ld", "li", rd=0, imm=1)
    with pytest.raises(Fault, match=r"halt stands at \[\], wanted once"):
        Emulator(b.program(halt=False), MACHINE, engine="reference")
    b = _base()
    b.emit("ld7", "li", rd=0, imm=1)
    with pytest.raises(Fault, match="machine tw-small has no engine 'ld7'"):
        Emulator(b.program(), MACHINE, engine="reference")
