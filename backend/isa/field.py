"""The instruction word: where its parts lie, and the kinds of field that a row of the table uses.

A word has 256 bits, stored as four little-endian uint64: bits 0-7 opcode, bits 8-199 six operand
fields of 32 bits, bits 200-255 the function. An instruction without memory operands uses the
operand bits for wide immediates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

WORD_BITS = 256
OPCODE_BITS = 8
OPERAND_LOW = 8
OPERAND_BITS = 32
OPERANDS = 6
FUNCTION_LOW = OPERAND_LOW + OPERANDS * OPERAND_BITS
FUNCTION_BITS = WORD_BITS - FUNCTION_LOW

REGISTERS = 16
COUNTERS = 8
COUNTER_LOW = 16
"""Register number of loop counter c0: numbers 0-15 are r0-r15, 16-23 are c0-c7."""
NO_REGISTER = 31

FieldKind = Literal[
    "destination", "source", "optional", "counter", "unsigned", "signed", "enum", "flag",
    "channel", "constant",
]  # fmt: skip
KIND_MEANINGS: dict[FieldKind, str] = {
    "destination": "r0 to r15, written",
    "source": "r0 to r15 or c0 to c7, read",
    "optional": "r0 to r15 or c0 to c7, read; 31 is none",
    "counter": "c0 to c7, by its own number 0 to 7",
    "unsigned": "unsigned integer",
    "signed": "two's complement integer",
    "enum": "one of the named values",
    "flag": "0 or 1",
    "channel": "index into the channel table",
    "constant": "index into the constant table",
}


@dataclass(frozen=True)
class Field:
    """A run of bits of the word outside the six operand fields' own layout."""

    name: str
    low: int
    """Lowest bit, counted in the whole word."""
    width: int
    kind: FieldKind
    doc: str
    values: tuple[str, ...] = ()
    """Names of an enum's values; a field holds the index."""
    default: int | None = None
    """What an absent field means; None: it must be given."""
    minimum: int | None = None
    """Smallest legal value where the kind would allow less."""

    @property
    def high(self) -> int:
        """Highest bit."""
        return self.low + self.width - 1

    @property
    def smallest(self) -> int:
        """Smallest legal value."""
        if self.minimum is not None:
            return self.minimum
        return -(1 << (self.width - 1)) if self.kind == "signed" else 0

    @property
    def largest(self) -> int:
        """Largest legal value (a register field holds `NO_REGISTER` besides, when optional)."""
        match self.kind:
            case "destination":
                return REGISTERS - 1
            case "source" | "optional":
                return REGISTERS + COUNTERS - 1
            case "counter":
                return COUNTERS - 1
            case "enum":
                return len(self.values) - 1
            case "signed":
                return (1 << (self.width - 1)) - 1
            case _:
                return (1 << self.width) - 1

    def accepts(self, value: int) -> bool:
        """True for a legal value."""
        if self.kind == "optional" and value == NO_REGISTER:
            return True
        return self.smallest <= value <= self.largest

    @property
    def wanted(self) -> str:
        """The legal values in words, for messages and the page."""
        if self.kind == "enum":
            return f"0..{self.largest} ({' '.join(self.values)})"
        extra = f" or {NO_REGISTER} (none)" if self.kind == "optional" else ""
        return f"{self.smallest}..{self.largest}{extra}"


KINDS = ("none", "channel", "region", "constant")
NONE, CHANNEL, REGION, CONSTANT = range(4)


@dataclass(frozen=True)
class OperandPart:
    """A run of bits inside a 32-bit operand field."""

    name: str
    low: int
    width: int
    doc: str

    @property
    def largest(self) -> int:
        """Largest value the bits hold."""
        return (1 << self.width) - 1


OPERAND_PARTS = (
    OperandPart("kind", 0, 3, "0 no operand, 1 channel, 2 region, 3 constant"),
    OperandPart("id", 3, 8, "channel or region number"),
    OperandPart("view", 11, 10, "view-table index; for a constant, its constant-table index"),
    OperandPart("age", 21, 3, "which slot this engine holds of the channel, 0 the oldest"),
    OperandPart("reg", 24, 5, "register added to the address in bytes; 31 none"),
    OperandPart("begin", 29, 1, "wait or acquire one slot before, blocking"),
    OperandPart("end", 30, 1, "release or commit one slot at completion"),
)


@dataclass(frozen=True)
class Operand:
    """One operand field: a place, a view of it, and what happens to its channel."""

    kind: int = NONE
    """NONE, CHANNEL, REGION or CONSTANT."""
    id: int = 0
    view: int = 0
    age: int = 0
    reg: int = NO_REGISTER
    begin: bool = False
    end: bool = False


def channel(id: int, view: int, age: int = 0, reg: int = NO_REGISTER,
            begin: bool = False, end: bool = False) -> Operand:  # fmt: skip
    """An operand in a slot of channel `id`, seen through view `view`."""
    return Operand(CHANNEL, id, view, age, reg, begin, end)


def region(id: int, view: int, reg: int = NO_REGISTER) -> Operand:
    """An operand in region `id`, seen through view `view`."""
    return Operand(REGION, id, view, 0, reg)


def constant(index: int) -> Operand:
    """A float32 constant, broadcast to every shape."""
    return Operand(CONSTANT, 0, index)


def register_name(number: int) -> str:
    """`r3`, `c0`, or `none`."""
    if number == NO_REGISTER:
        return "none"
    return f"r{number}" if number < COUNTER_LOW else f"c{number - COUNTER_LOW}"
