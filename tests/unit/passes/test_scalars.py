"""Index arithmetic as sums: equal values are equal; what the scalar unit cannot do is refused."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.backend.machine import Machine, load_machine
from tilewright.dialects import context
from tilewright.passes.encode import encode_module
from tilewright.passes.located import PassError
from tilewright.passes.select import SelectPass
from tilewright.passes.select.scalars import Scalars, Scope, Sum


def test_sums_are_canonical() -> None:
    scalars = Scalars()
    i, n = scalars.counter(Scope(1)), scalars.word(0)
    left = scalars.subtract(scalars.scale(scalars.add(i, n), 4), scalars.scale(n, 3))
    right = scalars.add(n, scalars.shift_left(i, 2))
    assert left == right
    assert scalars.subtract(left, right) == Sum(0)


def test_min_and_max_of_values_a_constant_apart() -> None:
    scalars = Scalars()
    n = scalars.word(0)
    above = scalars.add(n, Sum(3))
    assert scalars.minimum(n, above) == n
    assert scalars.maximum(above, n) == above
    assert scalars.minimum(n, Sum(8)) == scalars.minimum(Sum(8), n)


def test_division_by_powers_of_two() -> None:
    scalars = Scalars()
    assert scalars.shift_right(Sum(17), 3) == Sum(2)
    assert scalars.mask(Sum(17), 7) == Sum(1)
    n = scalars.word(2)
    assert scalars.shift_right(n, 0) == n
    assert scalars.home(scalars.mask(n, 7)) is scalars.root


STORE = """
builtin.module {{
  tg.scalar @n : 0 to 64
  tg.global scratch @x : memref<64x32xf32, #tw.hbm> at 0
  stream.channel @a from vpu to [st] : 2 slots of 128 in #tw.spm at 0
  func.func @st() {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c4 = arith.constant 4 : index
    %c6 = arith.constant 6 : index
    %n = tg.get @n
    {code}
    func.return
  }}
}}
"""
SLOT = """%a = stream.wait @a on st : memref<1x32xf32, #tw.spm>
    tile.store %a to @x[%i, 0] [1, 32] on st
    stream.release %a"""


def select(code: Sequence[str]) -> ModuleOp:
    module = Parser(context(), STORE.format(code="\n    ".join(code))).parse_module()
    SelectPass("tw-small").apply(context(), module)
    module.verify()
    return module


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            ['%i = arith.divui %n, %c6 : index loc("blk.{l}.attention")', SLOT],
            "arith.divui at blk.{l}.attention: the divisor is 6, wanted a constant power of two",
        ),
        (
            ["%i = arith.remui %c4, %n : index", SLOT],
            "arith.remui: the divisor is a value known at run time only",
        ),
        (
            ["%i = arith.xori %n, %c4 : index", SLOT],
            "arith.xori: the scalar unit has no such operation",
        ),
        (
            ["scf.for %i = %c1 to %n step %c1 {", SLOT, "}"],
            "scf.for: loops run from 0 by 1",
        ),
    ],
)
def test_what_the_machine_cannot_compute_is_refused(code: list[str], message: str) -> None:
    with pytest.raises(PassError, match=message):
        select(code)


def test_loops_deeper_than_the_machine_counts_are_refused() -> None:
    code = [f"scf.for %i{d} = %c0 to %n step %c1 {{" for d in range(9)]
    with pytest.raises(PassError, match="9 loops are nested, tw-small counts 8"):
        select([*code, SLOT.replace("%i,", "%i8,"), *["}"] * 9])


def test_programs_without_instructions_are_refused() -> None:
    machine: Machine = load_machine("tw-small")
    module = Parser(context(), "builtin.module {\n}").parse_module()
    with pytest.raises(PassError, match="found none: project and select come before encode"):
        encode_module(module, machine)
