"""Declarations of a module: globals in hbm and launch parameters. They keep name and form at
all levels.
"""

from __future__ import annotations

from typing import Literal, Self

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    IndexType,
    IntAttr,
    MemRefType,
    StringAttr,
    SymbolRefAttr,
    TensorType,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure, SymbolOpInterface
from xdsl.utils.exceptions import VerifyException

from ..lowbit import PackedType
from ..shaped import is_memref, memref_of, nbytes, tensor_of
from ..spaces import SPM, SpmAttr, space_name
from ..text import (
    TextOp,
    after,
    int_attr,
    many,
    natural,
    optional_index,
    parse_symbol,
    print_index,
    print_type,
    string_attr,
    symbol,
    symbol_text,
)

ROLES = ("weight", "table", "state", "scratch", "input", "output")
STORED_ROLES = ("weight", "table")
"""Roles whose bytes stand in the image and are never written."""


@irdl_op_definition
class GlobalOp(TextOp):
    """Named bytes of a program: `tg.global weight @w : !lowbit.packed<2x64x96, q4_1, kn 32> from
    "recipe" at 4096`.

    The type is a tensor (before formats are chosen), a packed parameter, or a memref in
    `#tw.hbm`, or in `#tw.spm` on a machine without main memory, where a packed parameter is
    `in #tw.spm`. `from` is the recipe that makes the bytes of a weight or table from the
    checkpoint; `{l}` in it is the layer.
    """

    name = "tg.global"
    role = prop_def(StringAttr)
    sym_name = prop_def(StringAttr)
    type = prop_def(Attribute)
    recipe = opt_prop_def(StringAttr)
    at = opt_prop_def(IntAttr)
    space = opt_prop_def(SpmAttr)
    traits = traits_def(SymbolOpInterface())

    def __init__(
        self,
        role: str,
        name: str,
        type: Attribute,
        recipe: str | None = None,
        at: int | None = None,
        space: SpmAttr | None = None,
    ):
        super().__init__(
            properties={
                "role": StringAttr(role),
                "sym_name": StringAttr(name),
                "type": type,
                "recipe": string_attr(recipe),
                "at": int_attr(at),
                "space": space,
            }
        )

    @property
    def global_name(self) -> str:
        """The name, without @."""
        return self.sym_name.data

    @property
    def memory(self) -> Literal["hbm", "spm"]:
        """Where its bytes lie: in main memory, unless it says the scratchpad."""
        in_spm = self.space is not None or space_name(self.type) == "spm"
        return "spm" if in_spm else "hbm"

    @property
    def shape(self) -> tuple[int, ...]:
        """The logical shape: [layers,] K, N of a packed parameter."""
        return tuple(self.shaped.get_shape())

    @property
    def shaped(self) -> TensorType[Attribute] | MemRefType[Attribute] | PackedType:
        """The type as what it is."""
        if isinstance(self.type, PackedType):
            return self.type
        return memref_of(self.type) if is_memref(self.type) else tensor_of(self.type)

    @property
    def element(self) -> Attribute:
        """The element type; a packed parameter is its own."""
        shaped = self.shaped
        return shaped if isinstance(shaped, PackedType) else shaped.element_type

    @property
    def nbytes(self) -> int:
        """Bytes it takes. Raises VerifyException before formats and panels are chosen."""
        shaped = self.shaped
        return shaped.nbytes if isinstance(shaped, PackedType) else nbytes(shaped)

    @classmethod
    def read(cls, parser: Parser) -> Self:
        role = parser.parse_identifier()
        name = parser.parse_symbol_name().data
        parser.parse_punctuation(":")
        type_ = parser.parse_type()
        space = after(parser, "in", parser.parse_attribute)
        if space not in (None, SPM):
            parser.raise_error("a packed global is `in #tw.spm`, or in main memory")
        recipe = after(parser, "from", parser.parse_str_literal)
        at = after(parser, "at", lambda: natural(parser))
        return cls(role, name, type_, recipe, at, SPM if space is not None else None)

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {self.role.data} @{self.global_name}")
        print_type(printer, self.type)
        if self.space is not None:
            printer.print_string(" in ")
            printer.print_attribute(self.space)
        if self.recipe is not None:
            printer.print_string(" from ")
            printer.print_string_literal(self.recipe.data)
        if self.at is not None:
            printer.print_string(f" at {self.at.data}")

    def verify_(self) -> None:
        if self.role.data not in ROLES:
            raise VerifyException(f"no role is named {self.role.data!r}: {', '.join(ROLES)}")
        shaped = self.shaped
        if isinstance(shaped, MemRefType) and space_name(shaped) not in ("hbm", "spm"):
            raise VerifyException(f"a global lives in #tw.hbm or #tw.spm, not {shaped}")
        if DYNAMIC_INDEX in self.shape:
            raise VerifyException(f"a global has static sizes, not {shaped}")
        if self.space is not None and not isinstance(shaped, PackedType):
            raise VerifyException(f"the type says where it lies: {shaped}")
        if isinstance(shaped, PackedType) and self.role.data != "weight":
            raise VerifyException(f"only a weight is packed, not a global of role {self.role.data}")
        if self.recipe is not None and self.role.data not in STORED_ROLES:
            raise VerifyException(f"a global of role {self.role.data} has no recipe")
        if self.recipe is None and self.role.data in STORED_ROLES:
            raise VerifyException(f'a {self.role.data} says what its bytes are: from "recipe"')


def check_range(lo: int, hi: int) -> None:
    """Refuse a range without values."""
    if lo > hi:
        raise VerifyException(f"{lo} to {hi} is no range")


@irdl_op_definition
class ScalarOp(TextOp):
    """A launch parameter of one word and its range, both ends included: `tg.scalar @rows : 0 to
    128`.
    """

    name = "tg.scalar"
    sym_name = prop_def(StringAttr)
    lo = prop_def(IntAttr)
    hi = prop_def(IntAttr)
    traits = traits_def(SymbolOpInterface())

    def __init__(self, name: str, lo: int, hi: int):
        super().__init__(
            properties={"sym_name": StringAttr(name), "lo": IntAttr(lo), "hi": IntAttr(hi)}
        )

    @property
    def scalar_name(self) -> str:
        """The name, without @."""
        return self.sym_name.data

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        parser.parse_punctuation(":")
        lo = natural(parser)
        parser.parse_keyword("to")
        return cls(name, lo, natural(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" @{self.scalar_name} : {self.lo.data} to {self.hi.data}")

    def verify_(self) -> None:
        check_range(self.lo.data, self.hi.data)


@irdl_op_definition
class TableOp(TextOp):
    """A launch parameter of several words of one range: `tg.table @q_len : 4 x 0 to 128`."""

    name = "tg.table"
    sym_name = prop_def(StringAttr)
    count = prop_def(IntAttr)
    lo = prop_def(IntAttr)
    hi = prop_def(IntAttr)
    traits = traits_def(SymbolOpInterface())

    def __init__(self, name: str, count: int, lo: int, hi: int):
        super().__init__(
            properties={
                "sym_name": StringAttr(name),
                "count": IntAttr(count),
                "lo": IntAttr(lo),
                "hi": IntAttr(hi),
            }
        )

    @property
    def table_name(self) -> str:
        """The name, without @."""
        return self.sym_name.data

    @classmethod
    def read(cls, parser: Parser) -> Self:
        name = parser.parse_symbol_name().data
        parser.parse_punctuation(":")
        count = natural(parser)
        parser.parse_keyword("x")
        lo = natural(parser)
        parser.parse_keyword("to")
        return cls(name, count, lo, natural(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" @{self.table_name} : {self.count.data} x ")
        printer.print_string(f"{self.lo.data} to {self.hi.data}")

    def verify_(self) -> None:
        check_range(self.lo.data, self.hi.data)
        if self.count.data < 1:
            raise VerifyException("a table has at least 1 word")


@irdl_op_definition
class GetOp(TextOp):
    """The value of a launch parameter: `%m = tg.get @rows`, `%n = tg.get @q_len[%b]`; an index."""

    name = "tg.get"
    symbol = prop_def(SymbolRefAttr)
    index = opt_operand_def(IndexType())
    result = result_def(IndexType())
    traits = traits_def(Pure())

    def __init__(self, parameter: str | SymbolRefAttr, index: SSAValue | None = None):
        super().__init__(
            operands=[many(index)],
            result_types=[IndexType()],
            properties={"symbol": symbol(parameter)},
        )

    @property
    def parameter_name(self) -> str:
        """The parameter's name, without @."""
        return self.symbol.string_value()

    @classmethod
    def read(cls, parser: Parser) -> Self:
        return cls(parse_symbol(parser), optional_index(parser))

    def write(self, printer: Printer) -> None:
        printer.print_string(f" {symbol_text(self.symbol)}")
        print_index(printer, self.index)
