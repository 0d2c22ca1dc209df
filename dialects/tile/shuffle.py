"""The vector unit's other ops: select, topk, transpose, quantise."""

from __future__ import annotations

from typing import ClassVar, Self

from xdsl.dialects.builtin import IndexType, MemRefType
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..shaped import FLOATS
from ..spaces import EngineAttr, engine_attr
from ..text import after, many, operand, print_operands, print_word
from .base import (
    TileOp,
    element_of,
    read_engine,
    require_element,
    require_integer,
    require_space,
    shape_of,
)
from .vector import MAX_RANK


class BoundedOp(TileOp):
    """A vector op whose first and last axis may be bounded."""

    KIND: ClassVar = "vpu"
    rows = opt_operand_def(IndexType())
    cols = opt_operand_def(IndexType())

    def write_tail(self, printer: Printer) -> None:
        """` rows %m cols %n on vpu`."""
        print_word(printer, "rows", self.rows)
        print_word(printer, "cols", self.cols)
        self.write_engine(printer)

    def check_destination(self, role: str, value: SSAValue) -> None:
        """The vector unit writes scratchpad."""
        require_space(role, value, "spm")

    def check_rank(self, most: int) -> None:
        """All operands have one rank of at most `most`."""
        ranks = {len(shape_of(v)) for v in (*self.reads(), *self.writes())}
        if len(ranks) != 1 or not 1 <= min(ranks) <= most:
            raise VerifyException(f"operands have one rank, 1 to {most}, not {sorted(ranks)}")


def read_tail(parser: Parser) -> tuple[SSAValue | None, SSAValue | None, EngineAttr | None]:
    """`[rows %m] [cols %n] [on vpu]`."""
    rows = after(parser, "rows", lambda: operand(parser))
    cols = after(parser, "cols", lambda: operand(parser))
    return rows, cols, read_engine(parser)


@irdl_op_definition
class SelectOp(BoundedOp):
    """dst = a where mask is not 0, else b: `tile.select %mask, %a, %b to %dst rows %m cols %n
    on vpu`.

    Sources broadcast along axes of size 1; all are floats.
    """

    name = "tile.select"
    mask = operand_def(MemRefType)
    a = operand_def(MemRefType)
    b = operand_def(MemRefType)
    dst = operand_def(MemRefType)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        mask: SSAValue,
        a: SSAValue,
        b: SSAValue,
        dst: SSAValue,
        rows: SSAValue | None = None,
        cols: SSAValue | None = None,
        engine: str | EngineAttr | None = None,
    ):
        super().__init__(
            operands=[mask, a, b, dst, many(rows), many(cols)],
            properties={"engine": engine_attr(engine)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        mask, a, b = parser.parse_comma_separated_list(
            parser.Delimiter.NONE, lambda: operand(parser)
        )
        parser.parse_keyword("to")
        return cls(mask, a, b, operand(parser), *read_tail(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.mask, self.a, self.b)
        print_word(printer, "to", self.dst)
        self.write_tail(printer)

    def reads(self) -> list[SSAValue]:
        return [self.mask, self.a, self.b]

    def writes(self) -> list[SSAValue]:
        return [self.dst]

    def verify_(self) -> None:
        super().verify_()
        self.check_destination("dst", self.dst)
        self.check_rank(MAX_RANK)
        shape = shape_of(self.dst)
        for value in (*self.reads(), self.dst):
            require_element("an operand", value, FLOATS)
            if any(n not in (1, m) for n, m in zip(shape_of(value), shape, strict=True)):
                raise VerifyException(
                    f"{list(shape_of(value))} does not broadcast to {list(shape)}"
                )


@irdl_op_definition
class TopkOp(BoundedOp):
    """val[r, 0] = largest of a[r, :], idx[r, 0] its column (the lowest of equals): `tile.topk
    %a to %val, %idx`.

    `a` and `val` are f32, `idx` is i32.
    """

    name = "tile.topk"
    a = operand_def(MemRefType)
    val = operand_def(MemRefType)
    idx = operand_def(MemRefType)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        a: SSAValue,
        val: SSAValue,
        idx: SSAValue,
        rows: SSAValue | None = None,
        cols: SSAValue | None = None,
        engine: str | EngineAttr | None = None,
    ):
        super().__init__(
            operands=[a, val, idx, many(rows), many(cols)],
            properties={"engine": engine_attr(engine)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        a = operand(parser)
        parser.parse_keyword("to")
        val = operand(parser)
        parser.parse_punctuation(",")
        return cls(a, val, operand(parser), *read_tail(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.a)
        printer.print_string(" to ")
        printer.print_list((self.val, self.idx), printer.print_operand)
        self.write_tail(printer)

    def reads(self) -> list[SSAValue]:
        return [self.a]

    def writes(self) -> list[SSAValue]:
        return [self.val, self.idx]

    def verify_(self) -> None:
        super().verify_()
        self.check_destination("val", self.val)
        self.check_destination("idx", self.idx)
        self.check_rank(2)
        require_element("a", self.a, FLOATS)
        require_element("val", self.val, FLOATS)
        require_integer("idx", self.idx, 32)
        wanted = (*shape_of(self.a)[:-1], 1)
        for role, value in (("val", self.val), ("idx", self.idx)):
            if shape_of(value) != wanted:
                raise VerifyException(f"{role} is {list(wanted)}, not {list(shape_of(value))}")


@irdl_op_definition
class TransposeOp(BoundedOp):
    """dst[c, r] = a[r, c]: `tile.transpose %a to %dst rows %m cols %n on vpu`; bounds are those
    of `a`.
    """

    name = "tile.transpose"
    a = operand_def(MemRefType)
    dst = operand_def(MemRefType)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        a: SSAValue,
        dst: SSAValue,
        rows: SSAValue | None = None,
        cols: SSAValue | None = None,
        engine: str | EngineAttr | None = None,
    ):
        super().__init__(
            operands=[a, dst, many(rows), many(cols)],
            properties={"engine": engine_attr(engine)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        a = operand(parser)
        parser.parse_keyword("to")
        return cls(a, operand(parser), *read_tail(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.a)
        print_word(printer, "to", self.dst)
        self.write_tail(printer)

    def reads(self) -> list[SSAValue]:
        return [self.a]

    def writes(self) -> list[SSAValue]:
        return [self.dst]

    def verify_(self) -> None:
        super().verify_()
        self.check_destination("dst", self.dst)
        a, dst = shape_of(self.a), shape_of(self.dst)
        if len(a) != 2 or dst != a[::-1]:
            raise VerifyException(f"{list(a)} does not transpose to {list(dst)}")
        if element_of(self.a) != element_of(self.dst):
            raise VerifyException(
                f"a transpose keeps the element: {element_of(self.a)} to {element_of(self.dst)}"
            )


@irdl_op_definition
class QuantiseOp(BoundedOp):
    """codes = round(a / scale), scale = absmax / 127 of each block of columns: `tile.quantise
    %a to %codes, %scales`.

    `a` is f32 [rows, cols], `codes` i8 of that shape, `scales` f32 [rows, blocks], blocks
    dividing cols.
    """

    name = "tile.quantise"
    a = operand_def(MemRefType)
    codes = operand_def(MemRefType)
    scales = operand_def(MemRefType)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        a: SSAValue,
        codes: SSAValue,
        scales: SSAValue,
        rows: SSAValue | None = None,
        cols: SSAValue | None = None,
        engine: str | EngineAttr | None = None,
    ):
        super().__init__(
            operands=[a, codes, scales, many(rows), many(cols)],
            properties={"engine": engine_attr(engine)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        a = operand(parser)
        parser.parse_keyword("to")
        codes = operand(parser)
        parser.parse_punctuation(",")
        return cls(a, codes, operand(parser), *read_tail(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.a)
        printer.print_string(" to ")
        printer.print_list((self.codes, self.scales), printer.print_operand)
        self.write_tail(printer)

    def reads(self) -> list[SSAValue]:
        return [self.a]

    def writes(self) -> list[SSAValue]:
        return [self.codes, self.scales]

    def verify_(self) -> None:
        super().verify_()
        self.check_destination("codes", self.codes)
        self.check_destination("scales", self.scales)
        require_element("a", self.a, FLOATS)
        require_integer("codes", self.codes, 8)
        require_element("scales", self.scales, FLOATS)
        a, codes, scales = shape_of(self.a), shape_of(self.codes), shape_of(self.scales)
        if len(a) != 2 or codes != a:
            raise VerifyException(f"codes have the shape of a, {list(a)}, not {list(codes)}")
        if len(scales) != 2 or scales[0] != a[0] or a[1] % scales[1]:
            raise VerifyException(f"scales of {list(scales)} do not divide the blocks of {list(a)}")
