"""How many slots of each channel one launch fills at most. An analysis.

A loop makes no more trips than the largest value that its count can take, which follows from the
ranges of the launch parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from ..dialects.declared import Symbols
from ..dialects.stream import AcquireOp, SendOp, SignalOp
from ..dialects.tg import GetOp
from .memory import channels_of
from .symbols import entry_function

Range = tuple[int, int]
"""Smallest and largest value of an index, both included."""


def fills(module: ModuleOp) -> dict[str, int | None]:
    """By channel, the most slots that a launch fills, primed ones included; None: no bound known.

    The module is one function and its channels. Raises PassError for another.
    """
    found: dict[str, int | None] = {
        c.channel_name: c.primed.data if c.primed is not None else 0 for c in channels_of(module)
    }
    _Walk(Symbols(module), found).block(entry_function(module).body.block, 1)
    return found


@dataclass
class _Walk:
    """One walk over the program, with the trips of the loops around."""

    symbols: Symbols
    found: dict[str, int | None]
    ranges: dict[SSAValue, Range] = field(default_factory=dict[SSAValue, Range])

    def block(self, block: Block, trips: int | None) -> None:
        """All ops of a block that is run `trips` times at most."""
        for op in block.ops:
            if isinstance(op, AcquireOp | SignalOp | SendOp):
                before = self.found[op.channel_name]
                if before is not None:
                    self.found[op.channel_name] = None if trips is None else before + trips
            elif isinstance(op, scf.ForOp):
                self.loop(op, trips)
            else:
                self.define(op)

    def loop(self, op: scf.ForOp, trips: int | None) -> None:
        """A loop, from 0 by 1, that is reached `trips` times at most."""
        count = self.ranges.get(op.ub)
        if count is None:
            self.block(op.body.block, None)
            return
        most = max(count[1], 0)
        self.ranges[op.body.block.args[0]] = 0, max(most - 1, 0)
        self.block(op.body.block, None if trips is None else trips * most)

    def define(self, op: Operation) -> None:
        """The range of an index that is computed, where it is known."""
        if isinstance(op, arith.ConstantOp):
            if isinstance(op.value, IntegerAttr):
                number = op.value.value.data
                self.ranges[op.result] = number, number
        elif isinstance(op, GetOp):
            parameter = self.symbols.parameter(op.parameter_name)
            self.ranges[op.result] = parameter.lo.data, parameter.hi.data
        elif len(op.results) == 1:
            combined = _combined(op, self.ranges)
            if combined is not None:
                self.ranges[op.results[0]] = combined


def _combined(op: Operation, ranges: Mapping[SSAValue, Range]) -> Range | None:
    """The range of an arithmetic op of two known ranges; None for other ops."""
    if len(op.operands) != 2 or not all(value in ranges for value in op.operands):
        return None
    (low, high), (least, most) = (ranges[value] for value in op.operands)
    match op:
        case arith.AddiOp():
            return low + least, high + most
        case arith.SubiOp():
            return low - most, high - least
        case arith.MuliOp():
            corners = (low * least, low * most, high * least, high * most)
            return min(corners), max(corners)
        case arith.MinSIOp():
            return min(low, least), min(high, most)
        case arith.MaxSIOp():
            return max(low, least), max(high, most)
        case arith.ShRUIOp() if low >= 0 and least == most >= 0:
            return low >> least, high >> least
        case _:
            return None
