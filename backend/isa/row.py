"""What one row of the instruction table says, and the shorthands its rows are written with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .field import FUNCTION_LOW, NO_REGISTER, OPERAND_LOW, Field

Access = Literal["read", "write", "update"]
ALL_ENGINES = ("ld", "st", "mxu", "vpu")


@dataclass(frozen=True)
class OperandSpec:
    """An operand of an instruction: its name, what happens to it, and which places it may name."""

    name: str
    access: Access
    doc: str
    optional: bool = False
    allows_constant: bool = False
    formats: tuple[str, ...] = ()
    """Formats a view of it may have; empty: any dense one."""
    ranks: tuple[int, int] = (1, 3)
    """Smallest and largest rank of its view."""
    spaces: tuple[str, ...] = ("spm",)
    """Memories its place may lie in."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: operands in the order of the operand fields, fields, and meaning."""

    mnemonic: str
    summary: str
    """One line."""
    engines: tuple[str, ...]
    """Engine kinds that execute it."""
    operands: tuple[OperandSpec, ...]
    fields: tuple[Field, ...]
    meaning: str
    """The functional model, exact to the bit, as Markdown."""
    limits: tuple[str, ...]
    """What the operands and fields must satisfy; a violation is a fault."""
    duration: str
    """What docs/timing.md charges, in short."""

    def field(self, name: str) -> Field:
        """A field by name (KeyError when the instruction has none of that name)."""
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(f"{self.mnemonic} has no field '{name}'")


def function(
    *fields: tuple[str, int, str] | tuple[str, int, str, tuple[str, ...]],
) -> tuple[Field, ...]:
    """Enums and flags, packed upward from the function's first bit: (name, width, doc[, values]).

    An enum without values is a flag. The first value of an enum is its default.
    """
    low, out = FUNCTION_LOW, list[Field]()
    for name, width, doc, *rest in fields:
        values = rest[0] if rest else ()
        out.append(Field(name, low, width, "enum" if values else "flag", doc, values, 0))
        low += width
    return tuple(out)


def bounds(low: int, *names: tuple[str, str]) -> tuple[Field, ...]:
    """Bound registers of 5 bits from bit `low` upward: (name, what it clips)."""
    return tuple(
        Field(name, low + 5 * i, 5, "optional", f"bound of {what}", default=NO_REGISTER)
        for i, (name, what) in enumerate(names)
    )


def immediate(name: str, width: int, kind: Literal["signed", "unsigned"], doc: str,
              default: int | None = None, low: int = OPERAND_LOW) -> Field:  # fmt: skip
    """A wide number in the operand bits of an instruction without memory operands."""
    return Field(name, low, width, kind, doc, default=default)
