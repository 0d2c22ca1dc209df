"""Pipelined attention has the bits of the plain one; loops that cannot be cut are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Operation
from xdsl.parser import Parser

from tilewright.compiler.interp.races import find_races
from tilewright.compiler.interp.tile import run_tile
from tilewright.dialects import context
from tilewright.dialects.stream import CommitOp, ReleaseOp
from tilewright.dialects.tile import BufferOp, shape_of
from tilewright.passes.assign_engines import AssignEnginesPass
from tilewright.passes.channels import ChannelsPass
from tilewright.passes.located import PassError
from tilewright.passes.size_rings import SizeRingsPass
from tilewright.passes.skew import HINT, SkewPass
from tilewright.passes.verify_streams import StreamError, verify_streams

PROGRAMS = Path(__file__).parents[1] / "streams" / "programs"
Arrays = dict[str, NDArray[Any]]


def streamed(cuts: int) -> ModuleOp:
    """Program B with room for 61 positions, its loop over blocks of 8 marked."""
    text = (PROGRAMS / "b_tiled.mlir").read_text()
    text = text.replace("2x40x32", "2x64x32").replace("0 to 37", "0 to 61")
    module = Parser(context(), text).parse_module()
    loop = loop_over_blocks(module)
    if cuts:
        loop.attributes[HINT] = IntegerAttr(cuts, i64)
    for one in (AssignEnginesPass(), ChannelsPass(), SkewPass(), SizeRingsPass()):
        one.apply(context(), module)
    module.verify()
    return module


def loop_over_blocks(module: ModuleOp) -> scf.ForOp:
    loops = [op for op in module.walk() if isinstance(op, scf.ForOp)]
    return next(op for op in loops if op.body.block.args[0].name_hint == "t")


def launch(ctx: int) -> tuple[Arrays, dict[str, int]]:
    random = np.random.default_rng(5)
    shapes = {"qkv": (3, 8, 32), "k_cache": (2, 64, 32), "v_cache": (2, 64, 32)}
    data = {name: random.standard_normal(s).astype(np.float32) for name, s in shapes.items()}
    return data, {"ctx": ctx, "steps": 3}


@pytest.mark.parametrize("cuts", [1, 2])
@pytest.mark.parametrize(
    ("ctx", "trips"), [(0, (0, 1, 1)), (7, (1, 1, 2)), (17, (3, 3, 3)), (49, (7, 7, 7))]
)
def test_a_pipeline_keeps_the_bits(cuts: int, ctx: int, trips: tuple[int, ...]) -> None:
    assert tuple(-(-(ctx + step) // 8) for step in range(3)) == trips
    data, parameters = launch(ctx)
    want = run_tile(streamed(0), data, parameters)
    module = streamed(cuts)
    marks = verify_streams(module)
    assert (marks["s"], marks["o"]) == (2, cuts)
    assert find_races(module, data, parameters) == []
    for seed in (None, 1, 2):
        got = run_tile(module, data, parameters, seed=seed)
        for name, values in want.items():
            np.testing.assert_array_equal(got[name], values)


def decays(module: ModuleOp) -> list[Operation]:
    """What picks the turn of a stage in the buffer that two stages share."""
    return [op for op in module.walk() if isinstance(op, arith.RemUIOp)]


def test_what_a_later_stage_reads_has_a_turn_for_each_trip_under_way() -> None:
    assert decays(streamed(1)) == []
    module = streamed(2)
    shapes = [shape_of(op.result) for op in module.walk() if isinstance(op, BufferOp)]
    assert shapes.count((2, 4, 1)) == 1
    assert len(decays(module)) == 2
    data, parameters = launch(49)
    want = run_tile(module, data, parameters)["y"]
    for op in decays(module):  # One turn for all trips: the next trip overwrites the last one's.
        block = op.parent_block()
        assert block is not None
        first = arith.ConstantOp(IntegerAttr.from_index_int_value(0))
        block.insert_op_before(first, op)
        op.results[0].replace_all_uses_with(first.result)
    assert not np.array_equal(run_tile(module, data, parameters)["y"], want)


def test_every_commit_and_release_of_a_pipeline_is_needed() -> None:
    def ends(module: ModuleOp) -> list[CommitOp | ReleaseOp]:
        return [op for op in module.walk() if isinstance(op, CommitOp | ReleaseOp)]

    crossing = [op.begin.channel_name for op in ends(streamed(2))]
    assert crossing.count("s") == crossing.count("o") == 4
    for number, channel in enumerate(crossing):
        module = streamed(2)
        op = ends(module)[number]
        op.detach()
        op.erase()
        with pytest.raises(StreamError, match=f"@{channel}"):
            verify_streams(module)


PROGRAM = """
builtin.module {{
  tg.global scratch @x : memref<4x32xf32, #tw.hbm>
  func.func @entry() {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %sum = tile.buffer : memref<4x4xf32, #tw.spm>
    %next = tile.buffer : memref<4x32xf32, #tw.spm>
    scf.for %t = %c0 to %c2 step %c1 {{
      {body}
    }} {{tile.skew = {cuts} : i64}}
    func.return
  }}
}}
"""
FROM_VPU = """%a = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %a
      %s = tile.buffer : memref<4x4xf32, #tw.acc>
      tile.matmul %a, %a transposed into %s
      %t0 = tile.buffer : memref<4x4xf32, #tw.spm>
      tile.vec id(%s) to %t0"""
BOTH_WAYS = """%a = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.load @x[0, 0] [4, 32] to %a
      %b = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(%a) to %b
      tile.store %b to @x[0, 0] [4, 32]"""
ONE_ENGINE = """%a = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %a"""
OWN_USE = """%a = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(%next) to %a
      %s = tile.buffer : memref<4x4xf32, #tw.acc>
      tile.matmul %a, %a transposed into %s
      tile.vec id(%next * 2.0) to %next
      tile.vec id(%s) to %sum
      %last = memref.subview %next[0, 0] [4, 4] [1, 1] : memref<4x32xf32, #tw.spm> to memref<4x4xf32, strided<[32, 1]>, #tw.spm>
      tile.vec id(%s) to %last"""  # noqa: E501
OF_ALL_TRIPS = """%a = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %a
      tile.vec id(%next * 2.0) to %next
      %s = tile.buffer : memref<4x4xf32, #tw.acc>
      tile.matmul %a, %a transposed into %s
      %last = memref.subview %next[0, 0] [4, 4] [1, 1] : memref<4x32xf32, #tw.spm> to memref<4x4xf32, strided<[32, 1]>, #tw.spm>
      tile.vec id(%s * %last) to %sum"""  # noqa: E501
TWO_SLOTS = """%a = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %a
      %s = tile.buffer ring "s" : memref<4x4xf32, #tw.acc>
      tile.matmul %a, %a transposed into %s
      tile.vec id(%s) to %sum
      %b = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %b
      %s1 = tile.buffer ring "s" : memref<4x4xf32, #tw.acc>
      tile.matmul %b, %b transposed into %s1
      tile.vec id(%s1) to %sum"""
PART = """%a = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %a
      %b = tile.buffer : memref<4x32xf32, #tw.spm>
      tile.vec id(1.0) to %b
      %s = tile.buffer : memref<4x4xf32, #tw.acc>
      tile.matmul %a, %a transposed into %s
      %last = memref.subview %b[0, 0] [4, 4] [1, 1] : memref<4x32xf32, #tw.spm> to memref<4x4xf32, strided<[32, 1]>, #tw.spm>
      tile.vec id(%s * %last) to %sum"""  # noqa: E501


def skewed(body: str, cuts: int) -> ModuleOp:
    module = Parser(context(), PROGRAM.format(body=body, cuts=cuts)).parse_module()
    for one in (AssignEnginesPass(), ChannelsPass(), SkewPass()):
        one.apply(context(), module)
    module.verify()
    return module


@pytest.mark.parametrize(
    ("body", "cuts", "message"),
    [
        (ONE_ENGINE, 0, "tile.skew is a number of cuts >= 1"),
        (ONE_ENGINE, 1, "tile.skew = 1 wants as many products of mxu .* this loop has 0; lower"),
        (FROM_VPU, 2, "tile.skew = 2 wants as many products of mxu .* this loop has 1; lower"),
        (BOTH_WAYS, 1, "a loop with tokens or scalars cannot be skewed"),
        (OWN_USE, 1, "the product needs what the vector unit makes of the one before; lower"),
        (OF_ALL_TRIPS, 1, "%next would be read when the next trip has written it again; lower"),
        (TWO_SLOTS, 1, "a second slot, of @s, would cross; lower tile.skew"),
        (PART, 1, "a part of %b would cross trips; lower tile.skew, or use the whole buffer"),
    ],
)
def test_loops_that_cannot_be_cut_are_refused(body: str, cuts: int, message: str) -> None:
    with pytest.raises(PassError, match=message):
        skewed(body, cuts)


def test_an_operand_made_by_the_vector_unit_goes_along() -> None:
    verify_streams(skewed(FROM_VPU, 1))
