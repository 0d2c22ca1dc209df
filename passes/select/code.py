"""One engine's program between IR and registers: instructions that still ask for sums.

`select.lower` builds it, `select.registers` gives every sum a register, `select.build` writes the
`tw` ops.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from xdsl.ir import Operation, SSAValue

from ...backend.isa import View
from .scalars import Scope, Sum

PlaceKind = Literal["channel", "region", "constant"]


def offset_name(operand: str) -> str:
    """The name under which the offset register of an operand is asked for."""
    return f"{operand} offset"


@dataclass
class Place:
    """An operand: a place, how it is seen, and what it does to its channel.

    Attributes:
        kind: what `name` names; a constant has no name but a `value`.
        name: channel or region.
        view: shape, strides and constant offset; None for a constant.
        offset: bytes added at run time; constant 0 for none.
        age: slots of the channel that the engine holds and are older.
        begin: acquire or wait before.
        end: commit or release after.
        value: the constant.
        slot: the slot of a channel that is meant, as the IR holds it.
    """

    kind: PlaceKind
    name: str = ""
    view: View | None = None
    offset: Sum = field(default_factory=Sum)
    age: int = 0
    begin: bool = False
    end: bool = False
    value: float = 0.0
    slot: SSAValue | None = None


@dataclass
class Instruction:
    """An instruction of the table with its operands, and sums where it has bound registers.

    Attributes:
        mnemonic: row of the instruction table.
        source: the op it comes from, for locations and messages.
        operands: places by operand name.
        fields: enums and numbers by field name.
        constants: float32 constants by field name.
        channel: channel of a sync or pop.
        values: sums by the name of the register field that holds them.
        result: the sum that a pop defines.
    """

    mnemonic: str
    source: Operation
    operands: dict[str, Place] = field(default_factory=dict[str, Place])
    fields: dict[str, int] = field(default_factory=dict[str, int])
    constants: dict[str, float] = field(default_factory=dict[str, float])
    channel: str = ""
    values: dict[str, Sum] = field(default_factory=dict[str, Sum])
    result: Sum | None = None

    def wanted(self) -> dict[str, Sum]:
        """Every sum that must be in a register: by field, and by `offset_name` of an operand."""
        offsets = {
            offset_name(name): place.offset
            for name, place in self.operands.items()
            if not place.offset.is_constant
        }
        return self.values | offsets


@dataclass
class Loop:
    """A loop of `count` trips; its counter is c<scope.depth - 1>."""

    scope: Scope
    count: Sum
    source: Operation
    body: list[Instruction | Loop] = field(default_factory=list["Instruction | Loop"])


Code = list[Instruction | Loop]
