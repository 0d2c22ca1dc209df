"""Index values of the IR → sums. What the scalar unit cannot do is refused by name of its op."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from xdsl.dialects import arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from ...backend.isa import BY_MNEMONIC
from ...dialects.tg import GetOp
from ..located import PassError, located
from .scalars import Scalars, Scope, Sum

REGISTER_BITS = BY_MNEMONIC["li"].field("imm").width
"""Bits of a register: `li` fills one."""


class IndexValues:
    """The sum of every index value met so far."""

    def __init__(self, scalars: Scalars, parameters: Mapping[str, int]):
        """`parameters`: word offset of each launch parameter in the table."""
        self.scalars = scalars
        self.parameters = parameters
        self._known: dict[SSAValue, Sum] = {}

    def define(self, value: SSAValue, result: Sum) -> None:
        """Say what a loop counter or a received word is."""
        self._known[value] = result

    def counter(self, body: Block, scope: Scope) -> None:
        """The counter of a loop."""
        self.define(body.args[0], self.scalars.counter(scope))

    def of(self, value: SSAValue | int) -> Sum:
        """The sum of a value. Raises PassError for arithmetic that the machine does not have."""
        if isinstance(value, int):
            return Sum(value)
        known = self._known.get(value)
        if known is None:
            assert isinstance(value.owner, Operation), "a counter is defined before it is used"
            known = self._known[value] = self._compute(value.owner)
        return known

    def _compute(self, op: Operation) -> Sum:
        match op:
            case arith.ConstantOp(value=IntegerAttr() as number):
                return Sum(number.value.data)
            case GetOp():
                index = self.of(op.index) if op.index is not None else None
                return self.scalars.word(self.parameters[op.parameter_name], index)
            case _:
                pass
        rule = _RULES.get(type(op))
        if rule is None:
            raise PassError(
                f"{located(op)}: the scalar unit has no such operation; index values are made of "
                "add, sub, mul, min, max, and division or remainder by a power of two",
                op,
            )
        return rule(self, op, self.of(op.operands[0]), self.of(op.operands[1]))

    def power(self, op: Operation, value: Sum) -> int:
        """The exponent of a power of two. Raises PassError for any other divisor."""
        number = value.constant
        if not value.is_constant or number < 1 or number & (number - 1):
            found = number if value.is_constant else "a value known at run time only"
            raise PassError(
                f"{located(op)}: the divisor is {found}, wanted a constant power of two: the "
                "scalar unit shifts and masks, and does not divide",
                op,
            )
        return number.bit_length() - 1

    def bits(self, op: Operation, value: Sum) -> int:
        """A constant shift. Raises PassError for any other."""
        if not value.is_constant or not 0 <= value.constant < REGISTER_BITS:
            raise PassError(
                f"{located(op)}: wanted a constant shift of 0 to {REGISTER_BITS - 1}", op
            )
        return value.constant


_Rule = Callable[[IndexValues, Operation, Sum, Sum], Sum]


def _divide(values: IndexValues, op: Operation, a: Sum, b: Sum) -> Sum:
    return values.scalars.shift_right(a, values.power(op, b))


def _divide_up(values: IndexValues, op: Operation, a: Sum, b: Sum) -> Sum:
    power = values.power(op, b)
    return values.scalars.shift_right(values.scalars.add(a, Sum((1 << power) - 1)), power)


def _remainder(values: IndexValues, op: Operation, a: Sum, b: Sum) -> Sum:
    return values.scalars.mask(a, (1 << values.power(op, b)) - 1)


def _and(values: IndexValues, op: Operation, a: Sum, b: Sum) -> Sum:
    if not b.is_constant:
        a, b = b, a
    if not b.is_constant:
        raise PassError(f"{located(op)}: wanted a constant mask", op)
    return values.scalars.mask(a, b.constant)


_RULES: dict[type[Operation], _Rule] = {
    arith.AddiOp: lambda values, op, a, b: values.scalars.add(a, b),
    arith.SubiOp: lambda values, op, a, b: values.scalars.subtract(a, b),
    arith.MuliOp: lambda values, op, a, b: values.scalars.multiply(a, b),
    arith.MinUIOp: lambda values, op, a, b: values.scalars.minimum(a, b),
    arith.MinSIOp: lambda values, op, a, b: values.scalars.minimum(a, b),
    arith.MaxUIOp: lambda values, op, a, b: values.scalars.maximum(a, b),
    arith.MaxSIOp: lambda values, op, a, b: values.scalars.maximum(a, b),
    arith.DivUIOp: _divide,
    arith.DivSIOp: _divide,
    arith.FloorDivSIOp: _divide,
    arith.CeilDivUIOp: _divide_up,
    arith.CeilDivSIOp: _divide_up,
    arith.RemUIOp: _remainder,
    arith.RemSIOp: _remainder,
    arith.AndIOp: _and,
    arith.ShLIOp: lambda values, op, a, b: values.scalars.shift_left(a, values.bits(op, b)),
    arith.ShRUIOp: lambda values, op, a, b: values.scalars.shift_right(a, values.bits(op, b)),
    arith.ShRSIOp: lambda values, op, a, b: values.scalars.shift_right(a, values.bits(op, b)),
}
"""Unsigned and signed forms are one: an index that is divided is never negative."""
