"""The vector unit's main op: one pass of v = f(a * b + c) op d, band, store, reduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

from xdsl.dialects.builtin import (
    FloatAttr,
    IndexType,
    IntAttr,
    MemRefType,
    StringAttr,
)
from xdsl.ir import SSAValue
from xdsl.irdl import (
    AttrSizedOperandSegments,
    irdl_op_definition,
    opt_operand_def,
    opt_prop_def,
    prop_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..lowbit import TileType
from ..shaped import FLOATS
from ..spaces import EngineAttr, engine_attr
from ..text import (
    after,
    float_attr,
    float_text,
    int_attr,
    many,
    natural,
    operand,
    optional_operand,
    parse_float,
    print_word,
    string_attr,
)
from .base import (
    TileOp,
    element_of,
    read_engine,
    require_element,
    require_space,
    shape_of,
)

FUNCTIONS = (
    *("id", "neg", "abs", "exp", "log", "reciprocal", "rsqrt"),
    *("tanh", "erf", "sigmoid", "round", "floor"),
)
OPERATORS = ("add", "sub", "mul", "max", "min", "lt", "le", "eq")
REDUCTIONS = ("sum", "sumsq", "max", "min", "absmax")
MAX_RANK = 3


@dataclass(frozen=True)
class Band:
    """Columns kept: column c of row r iff lo + step * r <= c < hi + step * r; the others become
    `fill`.

    A missing limit is no limit. Rows count along `axis`, which is not the last one.
    """

    lo: SSAValue | None = None
    hi: SSAValue | None = None
    step: int = 0
    axis: int = 0
    fill: float = 0.0


@irdl_op_definition
class VecOp(TileOp):
    """v = f(a * b + c) op d; columns outside the band become fill; dst = v; red = reduction of
    v over columns.

    `tile.vec exp(%s * 0.125 + %n) band hi %hi step 1 axis 0 fill 0.0 to %p reduce sum to %l
    rows %m cols %n on vpu`. Each of a, b, c, d is a memref (f32, f16, bf16, or nk rows,
    dequantised) or a number; b, c and d may be missing (and are then not applied). Memrefs have
    one rank, 1 to 3, and broadcast along axes of size 1. `rows` bounds the first axis, `cols`
    the last, `mid` axis 1 of 3. A reduction over 0 columns gives its identity. Each `*`, `+`, f
    and op rounds to f32; a store rounds to nearest even.
    """

    name = "tile.vec"
    KIND: ClassVar = "vpu"
    f = prop_def(StringAttr)
    a = opt_operand_def(MemRefType)
    b = opt_operand_def(MemRefType)
    c = opt_operand_def(MemRefType)
    d = opt_operand_def(MemRefType)
    a_number = opt_prop_def(FloatAttr)
    b_number = opt_prop_def(FloatAttr)
    c_number = opt_prop_def(FloatAttr)
    d_number = opt_prop_def(FloatAttr)
    op = opt_prop_def(StringAttr)
    band_lo = opt_operand_def(IndexType())
    band_hi = opt_operand_def(IndexType())
    band_step = opt_prop_def(IntAttr)
    band_axis = opt_prop_def(IntAttr)
    band_fill = opt_prop_def(FloatAttr)
    dst = opt_operand_def(MemRefType)
    rop = opt_prop_def(StringAttr)
    red = opt_operand_def(MemRefType)
    rows = opt_operand_def(IndexType())
    mid = opt_operand_def(IndexType())
    cols = opt_operand_def(IndexType())
    irdl_options = (AttrSizedOperandSegments(as_property=True),)

    def __init__(
        self,
        f: str,
        a: SSAValue | float,
        b: SSAValue | float | None = None,
        c: SSAValue | float | None = None,
        op: str | None = None,
        d: SSAValue | float | None = None,
        dst: SSAValue | None = None,
        rop: str | None = None,
        red: SSAValue | None = None,
        band: Band | None = None,
        rows: SSAValue | None = None,
        mid: SSAValue | None = None,
        cols: SSAValue | None = None,
        engine: str | EngineAttr | None = None,
    ):
        sources = (a, b, c, d)
        values = [[s] if isinstance(s, SSAValue) else [] for s in sources]
        numbers = [None if isinstance(s, SSAValue) else float_attr(s) for s in sources]
        limits = many(band.lo if band else None), many(band.hi if band else None)
        super().__init__(
            operands=[*values, *limits, *map(many, (dst, red, rows, mid, cols))],
            properties={
                "f": StringAttr(f),
                **dict(zip(("a_number", "b_number", "c_number", "d_number"), numbers, strict=True)),
                "op": string_attr(op),
                "rop": string_attr(rop),
                "band_step": int_attr(band.step) if band else None,
                "band_axis": int_attr(band.axis) if band else None,
                "band_fill": float_attr(band.fill) if band else None,
                "engine": engine_attr(engine),
            },
        )

    @property
    def sources(self) -> tuple[SSAValue | float | None, ...]:
        """a, b, c, d: a memref, a number, or None if missing."""
        values = (self.a, self.b, self.c, self.d)
        numbers = (self.a_number, self.b_number, self.c_number, self.d_number)
        return tuple(
            number.value.data if number is not None else value
            for value, number in zip(values, numbers, strict=True)
        )

    @property
    def band(self) -> Band | None:
        """The band, if there is one."""
        if self.band_step is None or self.band_axis is None or self.band_fill is None:
            return None
        fill = self.band_fill.value.data
        return Band(self.band_lo, self.band_hi, self.band_step.data, self.band_axis.data, fill)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of v: that of dst, or else of the memrefs broadcast together."""
        if self.dst is not None:
            return shape_of(self.dst)
        shapes = [shape_of(s) for s in self.sources if isinstance(s, SSAValue)]
        return tuple(max(sizes) for sizes in zip(*shapes, strict=True))

    def reads(self) -> list[SSAValue]:
        return [s for s in self.sources if isinstance(s, SSAValue)]

    def writes(self) -> list[SSAValue]:
        return [v for v in (self.dst, self.red) if v is not None]

    @classmethod
    def read(cls, parser: Parser) -> Self:
        f = parser.parse_identifier()
        parser.parse_punctuation("(")
        a = read_source(parser)
        b = read_source(parser) if parser.parse_optional_punctuation("*") else None
        c = read_source(parser) if parser.parse_optional_punctuation("+") else None
        parser.parse_punctuation(")")
        op = parser.parse_optional_keyword_in(OPERATORS)
        d = read_source(parser) if op is not None else None
        band = after(parser, "band", lambda: read_band(parser))
        dst = after(parser, "to", lambda: operand(parser))
        rop, red = None, None
        if parser.parse_optional_keyword("reduce") is not None:
            rop = parser.parse_identifier()
            parser.parse_keyword("to")
            red = operand(parser)
        rows = after(parser, "rows", lambda: operand(parser))
        mid = after(parser, "mid", lambda: operand(parser))
        cols = after(parser, "cols", lambda: operand(parser))
        engine = read_engine(parser)
        return cls(f, a, b, c, op, d, dst, rop, red, band, rows, mid, cols, engine)

    def write(self, printer: Printer) -> None:
        a, b, c, d = self.sources
        printer.print_string(f" {self.f.data}(")
        for mark, source in (("", a), (" * ", b), (" + ", c)):
            write_source(printer, mark, source)
        printer.print_string(")")
        if self.op is not None:
            write_source(printer, f" {self.op.data} ", d)
        if (band := self.band) is not None:
            printer.print_string(" band")
            print_word(printer, "lo", band.lo)
            print_word(printer, "hi", band.hi)
            fill = float_text(band.fill)
            printer.print_string(f" step {band.step} axis {band.axis} fill {fill}")
        print_word(printer, "to", self.dst)
        if self.rop is not None:
            print_word(printer, f"reduce {self.rop.data} to", self.red)
        print_word(printer, "rows", self.rows)
        print_word(printer, "mid", self.mid)
        print_word(printer, "cols", self.cols)
        self.write_engine(printer)

    def verify_(self) -> None:
        super().verify_()
        check_word("function", self.f, FUNCTIONS)
        check_word("operator", self.op, OPERATORS)
        check_word("reduction", self.rop, REDUCTIONS)
        if (self.op is None) != (self.sources[3] is None):
            raise VerifyException("an operator and d come together")
        if (self.rop is None) != (self.red is None):
            raise VerifyException("a reduction and its destination come together")
        if self.sources[0] is None or any(
            value is not None and number is not None
            for value, number in zip(
                (self.a, self.b, self.c, self.d),
                (self.a_number, self.b_number, self.c_number, self.d_number),
                strict=True,
            )
        ):
            raise VerifyException("a source is a memref or a number, and a is not missing")
        if self.dst is None and self.red is None:
            raise VerifyException("a value is stored or reduced: `to`, `reduce`, or both")
        if self.dst is None and not self.reads():
            raise VerifyException("numbers alone have no shape: store them with `to`")
        self.verify_memrefs()
        self.verify_bounds()

    def verify_memrefs(self) -> None:
        """Elements, spaces and shapes."""
        for name, source in zip("abcd", self.sources, strict=True):
            if isinstance(source, SSAValue):
                require_element(name, source, (*FLOATS, TileType))
                tile = element_of(source)
                if isinstance(tile, TileType) and tile.order.data != "nk":
                    raise VerifyException(
                        f"{name} is a kn tile: the vector unit reads nk rows only"
                    )
        for name, value in (("dst", self.dst), ("red", self.red)):
            if value is not None:
                require_space(name, value, "spm")
                require_element(name, value, FLOATS)
        ranks = {len(shape_of(v)) for v in (*self.reads(), *self.writes())}
        if len(ranks) != 1 or not 1 <= min(ranks) <= MAX_RANK:
            raise VerifyException(f"operands have one rank, 1 to {MAX_RANK}, not {sorted(ranks)}")
        shape = self.shape
        for value in self.reads():
            if any(n not in (1, m) for n, m in zip(shape_of(value), shape, strict=True)):
                raise VerifyException(
                    f"{list(shape_of(value))} does not broadcast to {list(shape)}"
                )
        if self.red is not None and shape_of(self.red) != (*shape[:-1], 1):
            raise VerifyException(
                f"columns of {list(shape)} reduce to {[*shape[:-1], 1]}, "
                f"not {list(shape_of(self.red))}"
            )

    def verify_bounds(self) -> None:
        """Bounds and band fit the rank."""
        rank = len(self.shape)
        if self.rows is not None and rank == 1:
            raise VerifyException("`rows` bounds the first of at least 2 axes; 1 axis has `cols`")
        if self.mid is not None and rank != 3:
            raise VerifyException(f"`mid` bounds axis 1 of 3; the value has {rank}")
        if (band := self.band) is None:
            if self.band_lo is not None or self.band_hi is not None:
                raise VerifyException("a band has step, axis and fill")
            return
        if band.step not in (0, 1):
            raise VerifyException(f"a band steps by 0 or 1 a row, not {band.step}")
        if band.axis >= max(rank - 1, 1):
            raise VerifyException(
                f"the rows of a band lie along an axis before the last of {rank}, not {band.axis}"
            )


def check_word(role: str, word: StringAttr | None, known: tuple[str, ...]) -> None:
    """Refuse a word that is not in the list."""
    if word is not None and word.data not in known:
        raise VerifyException(f"no {role} is named {word.data!r}: {', '.join(known)}")


def read_source(parser: Parser) -> SSAValue | float:
    """`%value` or a number."""
    value = optional_operand(parser)
    return parse_float(parser) if value is None else value


def write_source(printer: Printer, mark: str, source: SSAValue | float | None) -> None:
    """The mark and the source, or nothing."""
    if source is None:
        return
    printer.print_string(mark)
    if isinstance(source, SSAValue):
        printer.print_operand(source)
    else:
        printer.print_string(float_text(source))


def read_band(parser: Parser) -> Band:
    """`[lo %lo] [hi %hi] step 1 axis 0 fill 0.0`."""
    lo = after(parser, "lo", lambda: operand(parser))
    hi = after(parser, "hi", lambda: operand(parser))
    parser.parse_keyword("step")
    step = natural(parser)
    parser.parse_keyword("axis")
    axis = natural(parser)
    parser.parse_keyword("fill")
    return Band(lo, hi, step, axis, parse_float(parser))
