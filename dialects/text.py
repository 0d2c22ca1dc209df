"""What the custom texts of all dialects share: a type is written where a value is born, never
where it is used.

An op's text is its own part, then `attributes {...}` if passes hung any on it, then a location.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import copysign, inf, isfinite
from typing import TYPE_CHECKING, Self, TypeVar, cast

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    DenseArrayBase,
    FloatAttr,
    IntAttr,
    IntegerType,
    StringAttr,
    SymbolRefAttr,
    f32,
    i64,
)
from xdsl.dialects.utils.dynamic_index_list import print_dynamic_index_list
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import IRDLOperation
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

T = TypeVar("T")
LARGEST = (1 << 63) - 1
"""What lists of integers hold; -LARGEST - 1 is the mark of a value in them."""

if TYPE_CHECKING:
    I64Array = DenseArrayBase
else:
    I64Array = DenseArrayBase.constr(i64)


class TextOp(IRDLOperation, ABC):
    """An op with a text of its own: `read` and `write` do the op's part, this class the rest."""

    @classmethod
    @abstractmethod
    def read(cls, parser: Parser) -> Self:
        """Parse what follows the op's name."""

    @abstractmethod
    def write(self, printer: Printer) -> None:
        """Print what follows the op's name, starting with a space."""

    @classmethod
    def parse(cls, parser: Parser) -> Self:
        op = cls.read(parser)
        extra = parser.parse_optional_attr_dict_with_keyword()
        if extra is not None:
            op.attributes.update(extra.data)
        return op

    def print(self, printer: Printer) -> None:
        self.write(printer)
        if self.attributes:
            printer.print_string(" attributes ")
            printer.print_attr_dict(self.attributes)


def after(parser: Parser, keyword: str, parse: Callable[[], T]) -> T | None:
    """What `parse` gives if the next word is `keyword`, else None."""
    return parse() if parser.parse_optional_keyword(keyword) is not None else None


def operand(parser: Parser) -> SSAValue:
    """`%value`, with the type it was born with: structured code has no forward references."""
    value = optional_operand(parser)
    if value is None:
        parser.raise_error("operand expected")
    return value


def optional_operand(parser: Parser) -> SSAValue | None:
    """`%value`, if one comes next."""
    unresolved = parser.parse_optional_unresolved_operand()
    if unresolved is None:
        return None
    values = parser.ssa_values.get(unresolved.operand_name, ())
    if unresolved.index >= len(values):
        parser.raise_error("SSA value used before assignment", unresolved.span)
    return values[unresolved.index]


def parse_float(parser: Parser) -> float:
    """A decimal number, with or without a point."""
    return float(parser.parse_number(allow_boolean=False))


def natural(parser: AttrParser) -> int:
    """A decimal integer from 0 to LARGEST."""
    start = parser.pos
    value = parser.parse_integer(allow_boolean=False, allow_negative=False)
    if value > LARGEST:
        parser.raise_error(f"an integer of at most {LARGEST} expected", start)
    return value


def dimensions(parser: AttrParser) -> tuple[int, ...]:
    """`4x64` up to and including the comma behind it."""
    shape = [natural(parser)]
    while parser.parse_optional_punctuation(",") is None:
        parser.parse_shape_delimiter()
        shape.append(natural(parser))
    return tuple(shape)


def float_text(value: float) -> str:
    """The shortest decimal text that rounds to the float32 `value`, always with a point."""
    digits = 9
    for digits in range(1, 10):
        if to_f32(float(f"{value:.{digits}g}")) == value:
            break
    mantissa, mark, exponent = f"{value:.{digits}g}".partition("e")
    return (mantissa if "." in mantissa else mantissa + ".0") + mark + exponent


def to_f32(value: float) -> float:
    """`value` rounded to float32; infinite where float32 ends."""
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return copysign(inf, value)


def float_attr(value: float | None) -> FloatAttr | None:
    """A float32 attribute, or None for None. Raises ValueError for what text cannot say."""
    if value is not None and not isfinite(to_f32(value)):
        raise ValueError(f"{value} is no finite float32")
    return None if value is None else FloatAttr(to_f32(value), f32)


def int_attr(value: int | None) -> IntAttr | None:
    """An integer attribute, or None for None."""
    return None if value is None else IntAttr(value)


def string_attr(value: str | None) -> StringAttr | None:
    """A string attribute, or None for None."""
    return None if value is None else StringAttr(value)


def symbol(name: str | SymbolRefAttr) -> SymbolRefAttr:
    """`name` as a reference to a symbol of the module."""
    return SymbolRefAttr(name) if isinstance(name, str) else name


def parse_symbol(parser: Parser) -> SymbolRefAttr:
    """`@name`."""
    return SymbolRefAttr(parser.parse_symbol_name())


def symbol_text(reference: SymbolRefAttr) -> str:
    """`@name`."""
    return "@" + reference.string_value()


def optional_index(parser: Parser) -> SSAValue | None:
    """`[%index]`, if it comes next."""
    if parser.parse_optional_punctuation("[") is None:
        return None
    index = operand(parser)
    parser.parse_punctuation("]")
    return index


def print_index(printer: Printer, index: SSAValue | None) -> None:
    """The inverse of `optional_index`."""
    if index is not None:
        printer.print_string("[")
        printer.print_operand(index)
        printer.print_string("]")


def parse_values(parser: Parser) -> list[SSAValue | int]:
    """`[%a, 4, ...]`: SSA values and integers."""

    def one() -> SSAValue | int:
        value = optional_operand(parser)
        return natural(parser) if value is None else value

    return parser.parse_comma_separated_list(parser.Delimiter.SQUARE, one)


def print_values(printer: Printer, values: Sequence[SSAValue], static: DenseArrayBase) -> None:
    """The inverse of `parse_values`."""
    print_dynamic_index_list(printer, DYNAMIC_INDEX, values, static_values(static))


def split_values(mixed: Sequence[SSAValue | int]) -> tuple[list[SSAValue], DenseArrayBase]:
    """The SSA values of a list, and an array with the integers and a mark for each value."""
    dynamic = [v for v in mixed if not isinstance(v, int)]
    static = [v if isinstance(v, int) else DYNAMIC_INDEX for v in mixed]
    return dynamic, DenseArrayBase.from_list(i64, static)


def join_values(dynamic: Sequence[SSAValue], static: DenseArrayBase) -> tuple[SSAValue | int, ...]:
    """The inverse of `split_values`."""
    values = iter(dynamic)
    return tuple(next(values) if n == DYNAMIC_INDEX else n for n in static_values(static))


def check_values(dynamic: Sequence[SSAValue], static: DenseArrayBase) -> None:
    """VerifyException unless every mark has a value and every integer is natural."""
    numbers = static_values(static)
    marks = numbers.count(DYNAMIC_INDEX)
    if marks != len(dynamic):
        raise VerifyException(f"{len(dynamic)} values for {marks} marks of one")
    below = [n for n in numbers if n < 0 and n != DYNAMIC_INDEX]
    if below:
        raise VerifyException(f"found {below[0]}, wanted integers from 0")


def static_values(static: DenseArrayBase) -> tuple[int, ...]:
    """The integers of an i64 array."""
    return tuple(cast(DenseArrayBase[IntegerType], static).get_values())


def print_operands(printer: Printer, *values: SSAValue) -> None:
    """` %a, %b`."""
    printer.print_string(" ")
    printer.print_list(values, printer.print_operand)


def print_word(printer: Printer, word: str, value: SSAValue | None) -> None:
    """` word %value`, or nothing for None."""
    if value is not None:
        printer.print_string(f" {word} ")
        printer.print_operand(value)


def print_type(printer: Printer, type_: Attribute) -> None:
    """` : type`."""
    printer.print_string(" : ")
    printer.print_attribute(type_)


def many(value: SSAValue | None) -> list[SSAValue]:
    """An optional operand as xDSL wants it."""
    return [] if value is None else [value]
