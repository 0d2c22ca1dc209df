"""A pipeline that goes on from task to task has the bits of the plain loops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, UnitAttr, i64
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
from tilewright.passes.skew import HINT, OVERLAP, SkewPass
from tilewright.passes.verify_streams import StreamError, verify_streams

TASKS = """
builtin.module attributes {{tw.policy = "exact"}} {{
  tg.global input @q : memref<4x2x8xf32, #tw.hbm>
  tg.global input @k : memref<4x6x8x8xf32, #tw.hbm>
  tg.global output @y : memref<4x2x8xf32, #tw.hbm>
  tg.scalar @tasks : 0 to 4
  tg.table @blocks : 4 x 0 to 6
  func.func @attend() {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %tasks = tg.get @tasks
    {outside}
    scf.for %j = %c0 to %tasks step %c1 {{
      %n = tg.get @blocks[%j]
      %query = tile.buffer : memref<2x8xf32, #tw.spm>
      tile.load @q[%j, 0, 0] [1, 2, 8] to %query
      %sum = tile.buffer : memref<2x1xf32, #tw.spm>
      tile.vec id(0.5) to %sum
      %out = tile.buffer : memref<2x8xf32, #tw.spm>
      tile.vec id(0.25) to %out
      scf.for %t = %c0 to %n step %c1 {{
        %key = tile.buffer : memref<8x8xf32, #tw.spm>
        tile.load @k[%j, %t, 0, 0] [1, 1, 8, 8] to %key
        %s = tile.buffer : memref<2x8xf32, #tw.acc>
        tile.matmul %query, %key transposed into %s
        %p = tile.buffer : memref<2x8xf32, #tw.spm>
        %added = tile.buffer : memref<2x1xf32, #tw.spm>
        %decay = tile.buffer : memref<2x1xf32, #tw.spm>
        tile.vec sigmoid(%s) to %p reduce sum to %added
        tile.vec id(%sum * 0.75) to %decay
        tile.vec id(%sum * 0.5 + %added) to %sum
        %value = tile.buffer : memref<8x8xf32, #tw.spm>
        tile.load @k[%j, %t, 0, 0] [1, 1, 8, 8] to %value
        %o = tile.buffer : memref<2x8xf32, #tw.acc>
        tile.matmul %p, %value into %o
        tile.vec id(%out * %decay + %o) to %out
        {inside}
      }}
      %done = tile.buffer : memref<2x8xf32, #tw.spm>
      tile.vec id(%out * %sum) to %done
      tile.store %done to @y[%j, 0, 0] [1, 2, 8]
      {behind}
    }}
    func.return
  }}
}}
"""
Arrays = dict[str, NDArray[Any]]


def tasks(
    cuts: int, overlap: bool, outside: str = "", inside: str = "", behind: str = ""
) -> ModuleOp:
    text = TASKS.format(outside=outside, inside=inside, behind=behind)
    module = Parser(context(), text).parse_module()
    for loop in [op for op in module.walk() if isinstance(op, scf.ForOp)]:
        name = loop.body.block.args[0].name_hint
        if name == "t" and cuts:
            loop.attributes[HINT] = IntegerAttr(cuts, i64)
        if name == "j" and overlap:
            loop.attributes[OVERLAP] = UnitAttr()
    for one in (AssignEnginesPass(), ChannelsPass(), SkewPass(), SizeRingsPass()):
        one.apply(context(), module)
    module.verify()
    return module


def launch(blocks: Sequence[int]) -> tuple[Arrays, dict[str, Any]]:
    random = np.random.default_rng(7)
    shapes = {"q": (4, 2, 8), "k": (4, 6, 8, 8)}
    data = {name: random.standard_normal(s).astype(np.float32) for name, s in shapes.items()}
    table = np.array([*blocks, *([0] * (4 - len(blocks)))], dtype=np.int64)
    return data, {"tasks": len(blocks), "blocks": table}


CASES = [(), (0,), (1,), (2,), (6,), (0, 0), (1, 1, 1, 1), (3, 0, 4), (2, 1, 5, 2), (0, 3, 1, 6)]


@pytest.mark.parametrize("cuts", [1, 2])
@pytest.mark.parametrize("blocks", CASES)
def test_tasks_that_overlap_keep_the_bits(cuts: int, blocks: tuple[int, ...]) -> None:
    data, parameters = launch(blocks)
    want = run_tile(tasks(0, False), data, parameters)
    module = tasks(cuts, True)
    verify_streams(module)
    assert find_races(module, data, parameters) == []
    for seed in (None, 1, 2):
        got = run_tile(module, data, parameters, seed=seed)
        for name, values in want.items():
            np.testing.assert_array_equal(got[name], values)


def turns(module: ModuleOp) -> list[Operation]:
    """What picks the buffer of a task or of a trip."""
    return [op for op in module.walk() if isinstance(op, arith.RemUIOp)]


def test_what_two_tasks_use_at_once_has_a_turn_for_each() -> None:
    assert turns(tasks(1, True)) == []
    module = tasks(2, True)
    shapes = [shape_of(op.result) for op in module.walk() if isinstance(op, BufferOp)]
    assert shapes.count((2, 2, 8)) == 1, "out: begun by the second stage, ended by the third"
    assert shapes.count((4, 2, 1)) == 1, "decay: two trips of two tasks"
    assert shapes.count((2, 2, 1)) == 1, "sum: read by the end of one, begun by the next"
    data, parameters = launch((2, 1, 5, 2))
    want = run_tile(module, data, parameters)["y"]
    for op in turns(module):  # One turn for all: tasks overwrite each other's.
        block = op.parent_block()
        assert block is not None
        first = arith.ConstantOp(IntegerAttr.from_index_int_value(0))
        block.insert_op_before(first, op)
        op.results[0].replace_all_uses_with(first.result)
    assert not np.array_equal(run_tile(module, data, parameters)["y"], want)


def test_every_commit_and_release_of_what_crosses_is_needed() -> None:
    def ends(module: ModuleOp) -> list[CommitOp | ReleaseOp]:
        return [op for op in module.walk() if isinstance(op, CommitOp | ReleaseOp)]

    channels = [op.begin.channel_name for op in ends(tasks(2, True))]
    assert {"s", "o"} <= set(channels)
    for number, channel in enumerate(channels):
        module = tasks(2, True)
        op = ends(module)[number]
        op.detach()
        op.erase()
        with pytest.raises(StreamError, match=f"@{channel}"):
            verify_streams(module)


ALL = """%all = tile.buffer : memref<2x8xf32, #tw.spm>
    tile.vec id(0.0) to %all"""
PART = """%part = memref.subview %out[0, 0] [2, 4] [1, 1] : memref<2x8xf32, #tw.spm> to memref<2x4xf32, strided<[8, 1]>, #tw.spm>
      tile.vec id(1.0) to %part"""  # noqa: E501


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (
            {
                "outside": ALL,
                "inside": "tile.vec id(%s) to %all",
                "behind": "tile.vec id(%all * 2.0) to %all",
            },
            r"stages \[1, 2\] of different tasks would use %all at once; drop tile.overlap",
        ),
        (
            {"behind": PART},
            "a part of %out would cross tasks; drop tile.overlap, or use the whole buffer",
        ),
    ],
)
def test_tasks_that_cannot_overlap_are_refused(places: dict[str, str], message: str) -> None:
    with pytest.raises(PassError, match=message):
        tasks(2, True, **places)
