"""The matrix unit's op."""

from __future__ import annotations

from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    BFloat16Type,
    Float16Type,
    Float32Type,
    IndexType,
    MemRefType,
    UnitAttr,
)
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ...backend.formats import COLUMN_STEP
from ..lowbit import TileType
from ..spaces import EngineAttr, engine_attr
from ..text import after, many, operand, print_operands, print_word
from .base import (
    TileOp,
    element_of,
    read_engine,
    require_element,
    require_space,
    shape_of,
)


@irdl_op_definition
class MatmulOp(TileOp):
    """acc[m, n] += sum over k of a[m, k] * w[k, n], k ascending; `transposed`: w is [n, k].

    `tile.matmul %a, %w into %acc rows %m cols %n depth %k on mxu`. `a` is f32 or bf16 in spm,
    `w` dense or a packed tile in spm, `acc` f32 in acc. `rows`, `cols`, `depth` bound m, n, k.
    A packed tile is wider than needed by less than a block of K and less than 16 columns.
    """

    name = "tile.matmul"
    KIND: ClassVar = "mxu"
    a = operand_def(MemRefType)
    w = operand_def(MemRefType)
    acc = operand_def(MemRefType)
    rows = opt_operand_def(IndexType())
    cols = opt_operand_def(IndexType())
    depth = opt_operand_def(IndexType())
    transposed = opt_prop_def(UnitAttr)
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        a: SSAValue,
        w: SSAValue,
        acc: SSAValue,
        transposed: bool = False,
        rows: SSAValue | None = None,
        cols: SSAValue | None = None,
        depth: SSAValue | None = None,
        engine: str | EngineAttr | None = None,
    ):
        super().__init__(
            operands=[a, w, acc, many(rows), many(cols), many(depth)],
            properties={
                "transposed": UnitAttr() if transposed else None,
                "engine": engine_attr(engine),
            },
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        a = operand(parser)
        parser.parse_punctuation(",")
        w = operand(parser)
        transposed = parser.parse_optional_keyword("transposed") is not None
        parser.parse_keyword("into")
        acc = operand(parser)
        rows = after(parser, "rows", lambda: operand(parser))
        cols = after(parser, "cols", lambda: operand(parser))
        depth = after(parser, "depth", lambda: operand(parser))
        return cls(a, w, acc, transposed, rows, cols, depth, read_engine(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.a, self.w)
        printer.print_string(" transposed into " if self.transposed else " into ")
        printer.print_operand(self.acc)
        print_word(printer, "rows", self.rows)
        print_word(printer, "cols", self.cols)
        print_word(printer, "depth", self.depth)
        self.write_engine(printer)

    def reads(self) -> list[SSAValue]:
        return [self.a, self.w]

    def writes(self) -> list[SSAValue]:
        return [self.acc]

    def verify_(self) -> None:
        super().verify_()
        require_space("a", self.a, "spm")
        require_space("w", self.w, "spm")
        require_space("acc", self.acc, "acc")
        require_element("a", self.a, (Float32Type, BFloat16Type))
        require_element("w", self.w, (Float32Type, BFloat16Type, Float16Type, TileType))
        require_element("acc", self.acc, Float32Type)
        a, w, acc = shape_of(self.a), shape_of(self.w), shape_of(self.acc)
        if not len(a) == len(w) == len(acc) == 2:
            raise VerifyException(f"a matmul has operands of 2 axes, not {a}, {w}, {acc}")
        depth, columns = a[1], acc[1]
        tile = element_of(self.w)
        if isinstance(tile, TileType):
            depth = -(-depth // tile.block) * tile.block
            if (tile.order.data == "nk") != (self.transposed is not None):
                raise VerifyException("an nk tile is multiplied transposed, a kn tile is not")
            if tile.order.data == "kn":
                columns = -(-columns // COLUMN_STEP) * COLUMN_STEP
        if (w[::-1] if self.transposed else w) != (depth, columns) or a[0] != acc[0]:
            mark = " transposed" if self.transposed else ""
            raise VerifyException(f"shapes {list(a)} x {list(w)}{mark} do not give {list(acc)}")
