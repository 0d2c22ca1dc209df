"""What no channel can carry is refused by name, with what to do."""

from __future__ import annotations

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.dialects import context
from tilewright.passes.assign_engines import AssignEnginesPass
from tilewright.passes.channels import ChannelsPass
from tilewright.passes.located import PassError

PROGRAM = """
builtin.module {{
  tg.global input @x : memref<4x32xf32, #tw.hbm>
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @entry() {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    {body}
    func.return
  }}
}}
"""
SPM = "memref<4x32xf32, #tw.spm>"
LOAD = "tile.load @x[0, 0] [4, 32] to %a"
STORE = 'tile.store %a to @y[0, 0] [4, 32] loc("out")'


def stream(*body: str) -> ModuleOp:
    module = Parser(context(), PROGRAM.format(body="\n    ".join(body))).parse_module()
    AssignEnginesPass("tw-1").apply(context(), module)
    ChannelsPass().apply(context(), module)
    module.verify()
    return module


def test_two_writers_are_refused() -> None:
    with pytest.raises(PassError, match="ld1 and vpu write this buffer of ld1, vpu, st"):
        stream(f"%a = tile.buffer : {SPM}", LOAD, "tile.vec exp(%a) to %a", STORE)


def test_a_buffer_nobody_writes_is_refused() -> None:
    with pytest.raises(PassError, match="nobody writes this buffer of st, vpu"):
        stream(
            f"%a = tile.buffer : {SPM}",
            f"%b = tile.buffer : {SPM}",
            STORE,
            "tile.vec id(%a) to %b",
        )


def test_a_reader_inside_the_writers_loop_is_refused() -> None:
    with pytest.raises(
        PassError,
        match=r"tile\.store at out: st reads a buffer that vpu still touches later or in "
        r"the same loop .* declare the buffer inside the loop",
    ):
        stream(
            f"%a = tile.buffer : {SPM}",
            "scf.for %i = %c0 to %c2 step %c1 {",
            "tile.vec id(1.0) to %a",
            STORE,
            "}",
        )


def test_a_ring_of_two_producers_is_refused() -> None:
    with pytest.raises(PassError, match="does not go with ring 'r', from vpu to"):
        stream(
            f'%b = tile.buffer ring "r" : {SPM}',
            "tile.vec id(1.0) to %b",
            "tile.store %b to @y[0, 0] [4, 32]",
            f'%a = tile.buffer ring "r" : {SPM}',
            LOAD,
            STORE,
        )


def test_a_slot_held_across_a_loop_of_its_ring_is_refused() -> None:
    with pytest.raises(PassError, match="ring 'r' cannot hold this buffer: it is held across a"):
        stream(
            f'%b = tile.buffer ring "r" : {SPM}',
            "tile.vec id(1.0) to %b",
            "scf.for %i = %c0 to %c2 step %c1 {",
            f'%a = tile.buffer ring "r" : {SPM}',
            "tile.vec id(1.0) to %a",
            STORE,
            "}",
            "tile.store %b to @y[0, 0] [4, 32]",
        )


def test_sums_that_nobody_reads_are_refused() -> None:
    with pytest.raises(PassError, match="this accumulator is touched by mxu alone"):
        stream(
            f"%a = tile.buffer : {SPM}",
            LOAD,
            "%s = tile.buffer : memref<4x4xf32, #tw.acc>",
            "tile.matmul %a, %a transposed into %s",
        )


def test_what_nobody_touches_is_dropped() -> None:
    module = stream(
        f"%a = tile.buffer : {SPM}",
        "%p = memref.subview %a[0, 0] [1, 32] [1, 1] : memref<4x32xf32, #tw.spm> to "
        "memref<1x32xf32, strided<[32, 1]>, #tw.spm>",
    )
    assert not any(op.name in ("tile.buffer", "memref.subview") for op in module.walk())
