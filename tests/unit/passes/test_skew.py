"""Skewed attention has the bits of the plain one; loops that cannot be skewed are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from xdsl.dialects import scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.parser import Parser

from tilewright.compiler.interp.races import find_races
from tilewright.compiler.interp.tile import run_tile
from tilewright.dialects import context
from tilewright.passes.assign_engines import AssignEnginesPass
from tilewright.passes.channels import ChannelsPass
from tilewright.passes.located import PassError
from tilewright.passes.size_rings import SizeRingsPass
from tilewright.passes.skew import HINT, SkewPass
from tilewright.passes.verify_streams import verify_streams

PROGRAMS = Path(__file__).parents[1] / "streams" / "programs"


def streamed(distance: int | None) -> ModuleOp:
    """Program B, its loop over KV blocks marked."""
    module = Parser(context(), (PROGRAMS / "b_tiled.mlir").read_text()).parse_module()
    for op in module.walk():
        if isinstance(op, scf.ForOp) and op.body.block.args[0].name_hint == "t":
            if distance is not None:
                op.attributes[HINT] = IntegerAttr(distance, i64)
    for one in (AssignEnginesPass(), ChannelsPass(), SkewPass(), SizeRingsPass()):
        one.apply(context(), module)
    module.verify()
    return module


@pytest.mark.parametrize("distance", [1, 2])
@pytest.mark.parametrize("ctx", [0, 1, 9, 17, 34])
def test_skew_keeps_the_bits(distance: int, ctx: int) -> None:
    random = np.random.default_rng(5)
    data = {
        "qkv": random.standard_normal((3, 8, 32)).astype(np.float32),
        "k_cache": random.standard_normal((2, 40, 32)).astype(np.float32),
        "v_cache": random.standard_normal((2, 40, 32)).astype(np.float32),
    }
    parameters = {"ctx": ctx, "steps": 3}
    want = run_tile(streamed(None), data, parameters)
    module = streamed(distance)
    marks = verify_streams(module)
    assert marks["s"] == 2
    assert find_races(module, data, parameters) == []
    for seed in (None, 1, 2):
        got = run_tile(module, data, parameters, seed=seed)
        for name, values in want.items():
            np.testing.assert_array_equal(got[name], values)


PROGRAM = """
builtin.module {{
  tg.global scratch @x : memref<4x32xf32, #tw.hbm>
  func.func @entry() {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    scf.for %t = %c0 to %c2 step %c1 {{
      {body}
    }} {{tile.skew = {distance} : i64}}
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


@pytest.mark.parametrize(
    ("body", "distance", "message"),
    [
        (ONE_ENGINE, 1, "no product of mxu is used by vpu in this loop; drop tile.skew"),
        (ONE_ENGINE, 0, "tile.skew is a number of trips >= 1"),
        (BOTH_WAYS, 1, "a loop with tokens or scalars cannot be skewed"),
    ],
)
def test_loops_that_cannot_be_skewed_are_refused(body: str, distance: int, message: str) -> None:
    text = PROGRAM.format(body=body, distance=distance)
    module = Parser(context(), text).parse_module()
    AssignEnginesPass().apply(context(), module)
    ChannelsPass().apply(context(), module)
    with pytest.raises(PassError, match=message):
        SkewPass().apply(context(), module)


def test_an_operand_made_by_the_vector_unit_goes_along() -> None:
    module = Parser(context(), PROGRAM.format(body=FROM_VPU, distance=1)).parse_module()
    for one in (AssignEnginesPass(), ChannelsPass(), SkewPass()):
        one.apply(context(), module)
    module.verify()
    verify_streams(module)
