"""Attention in steps: scores, then tg.softmax, then the values mixed by it.

Rows and sequences are those of tg.attention. Scores lie side by side by query head: with P the
positions of a cache, column h * P + t is head h and position t. Columns from the sequence's length
on hold nothing.
"""

from __future__ import annotations

from typing import Self

from xdsl.dialects.builtin import FloatAttr, IndexType, IntAttr, SymbolRefAttr, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    prop_def,
    result_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer

from ..text import (
    TextOp,
    float_attr,
    float_text,
    many,
    natural,
    operand,
    parse_float,
    parse_symbol,
    print_type,
    symbol,
    symbol_text,
)
from .access import read_type
from .types import check_heads, check_rank, check_same_rows, check_shared_heads, check_sizes


class OneCacheOp(TextOp):
    """An op that reads one cache, of one layer if it has layers, by query head."""

    cache = prop_def(SymbolRefAttr)
    layer = opt_operand_def(IndexType())
    heads = prop_def(IntAttr)
    kv_heads = prop_def(IntAttr)
    result = result_def(TensorType)

    @property
    def cache_name(self) -> str:
        """The cache's global, without @."""
        return self.cache.string_value()

    def write_cache(self, printer: Printer, x: SSAValue) -> None:
        """`%x cache @k[%l] heads 4 kv_heads 2`."""
        printer.print_string(" ")
        printer.print_operand(x)
        printer.print_string(f" cache {symbol_text(self.cache)}")
        if self.layer is not None:
            printer.print_string("[")
            printer.print_operand(self.layer)
            printer.print_string("]")
        printer.print_string(f" heads {self.heads.data} kv_heads {self.kv_heads.data}")

    def verify_heads(self, x: SSAValue) -> None:
        """Columns of `x` and of the result are whole heads, and query heads share KV heads."""
        check_sizes(x.type)
        for role, value in (("x", x), ("the result", self.result)):
            check_heads(check_rank(role, value, 2)[1], self.heads.data)
        check_shared_heads(self.heads.data, self.kv_heads.data)
        check_same_rows(x, self.result)


def _read_cache(parser: Parser) -> tuple[SSAValue, SymbolRefAttr, SSAValue | None, int, int]:
    x = operand(parser)
    parser.parse_keyword("cache")
    cache, layer = parse_symbol(parser), None
    if parser.parse_optional_punctuation("[") is not None:
        layer = operand(parser)
        parser.parse_punctuation("]")
    parser.parse_keyword("heads")
    heads = natural(parser)
    parser.parse_keyword("kv_heads")
    return x, cache, layer, heads, natural(parser)


@irdl_op_definition
class ScoresOp(OneCacheOp):
    """scale * q k^T by query head: `%s = tg.scores %q cache @k_cache[%l] heads 4 kv_heads 2 scale
    0.125 : T`.

    result[r, h * P + t] = scale * (head h of row r) . (position t of KV head h / (heads /
    kv_heads)), for all t of the row's sequence, those of this step included.
    """

    name = "tg.scores"
    q = operand_def(TensorType)
    scale = prop_def(FloatAttr)

    def __init__(
        self,
        q: SSAValue,
        cache: str | SymbolRefAttr,
        layer: SSAValue | None,
        heads: int,
        kv_heads: int,
        scale: float,
        type: Attribute,
    ):
        super().__init__(
            operands=[q, many(layer)],
            result_types=[type],
            properties={
                "cache": symbol(cache),
                "heads": IntAttr(heads),
                "kv_heads": IntAttr(kv_heads),
                "scale": float_attr(scale),
            },
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        given = _read_cache(parser)
        parser.parse_keyword("scale")
        scale = parse_float(parser)
        return cls(*given, scale, read_type(parser))

    def write(self, printer: Printer) -> None:
        self.write_cache(printer, self.q)
        printer.print_string(f" scale {float_text(self.scale.value.data)}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        self.verify_heads(self.q)


@irdl_op_definition
class MixOp(OneCacheOp):
    """p v by query head: `%o = tg.mix %p cache @v_cache[%l] heads 4 kv_heads 2 : T`.

    Head h of result[r] = the sum over t of p[r, h * P + t] times position t of KV head h / (heads /
    kv_heads), t over the row's sequence.
    """

    name = "tg.mix"
    p = operand_def(TensorType)

    def __init__(
        self,
        p: SSAValue,
        cache: str | SymbolRefAttr,
        layer: SSAValue | None,
        heads: int,
        kv_heads: int,
        type: Attribute,
    ):
        super().__init__(
            operands=[p, many(layer)],
            result_types=[type],
            properties={
                "cache": symbol(cache),
                "heads": IntAttr(heads),
                "kv_heads": IntAttr(kv_heads),
            },
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        return cls(*_read_cache(parser), read_type(parser))

    def write(self, printer: Printer) -> None:
        self.write_cache(printer, self.p)
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        self.verify_heads(self.p)
