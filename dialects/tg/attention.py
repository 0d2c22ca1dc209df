"""Rotary positions, the KV cache and attention over the sequences of a ragged step.

Sequence b owns rows row_start[b] .. + q_len[b] - 1; its row i stands at position kv_len[b] + i.
These are launch parameters of the module, read from the tables @row_start, @q_len and @kv_len.
"""

from __future__ import annotations

from typing import Self

from xdsl.dialects.builtin import (
    FloatAttr,
    IndexType,
    IntAttr,
    SymbolRefAttr,
    TensorType,
    UnitAttr,
)
from xdsl.ir import Attribute, SSAValue
from xdsl.irdl import (
    irdl_op_definition,
    operand_def,
    opt_operand_def,
    opt_prop_def,
    prop_def,
    result_def,
    traits_def,
)
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from ..text import (
    TextOp,
    after,
    float_attr,
    float_text,
    int_attr,
    many,
    natural,
    operand,
    optional_index,
    parse_float,
    parse_symbol,
    print_index,
    print_operands,
    print_type,
    symbol,
    symbol_text,
)
from .access import read_type
from .types import check_heads, check_rank, check_shared_heads, check_sizes, check_type


@irdl_op_definition
class RopeOp(TextOp):
    """Rotary embedding by halves, in each head: `%y = tg.rope %x, @cos, @sin heads 4 dim 16 : T`.

    With p the row's position, j < D/2, in the first D columns of each head (D = the head,
    unless `dim` says less): lo = x[j] * cos[p, j] - x[j + D/2] * sin[p, j]; hi = x[j + D/2] *
    cos[p, j] + x[j] * sin[p, j]. Other columns pass through. The tables have one row a position
    and D/2 columns.
    """

    name = "tg.rope"
    x = operand_def(TensorType)
    cos = prop_def(SymbolRefAttr)
    sin = prop_def(SymbolRefAttr)
    heads = prop_def(IntAttr)
    dim = opt_prop_def(IntAttr)
    result = result_def(TensorType)
    traits = traits_def(Pure())

    def __init__(
        self,
        x: SSAValue,
        cos: str | SymbolRefAttr,
        sin: str | SymbolRefAttr,
        heads: int,
        dim: int | None = None,
        type: Attribute | None = None,
    ):
        super().__init__(
            operands=[x],
            result_types=[x.type if type is None else type],
            properties={
                "cos": symbol(cos),
                "sin": symbol(sin),
                "heads": IntAttr(heads),
                "dim": int_attr(dim),
            },
        )

    @property
    def rotated(self) -> int:
        """D: how many columns of a head are rotated."""
        head = check_heads(check_rank("x", self.x, 2)[1], self.heads.data)
        return head if self.dim is None else self.dim.data

    @classmethod
    def read(cls, parser: Parser) -> Self:
        x = operand(parser)
        parser.parse_punctuation(",")
        cos = parse_symbol(parser)
        parser.parse_punctuation(",")
        sin = parse_symbol(parser)
        parser.parse_keyword("heads")
        heads = natural(parser)
        dim = after(parser, "dim", lambda: natural(parser))
        return cls(x, cos, sin, heads, dim, read_type(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.x)
        printer.print_string(f", {symbol_text(self.cos)}, {symbol_text(self.sin)}")
        printer.print_string(f" heads {self.heads.data}")
        if self.dim is not None:
            printer.print_string(f" dim {self.dim.data}")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.x.type)
        head = check_heads(check_rank("x", self.x, 2)[1], self.heads.data)
        if self.rotated % 2 or not 0 < self.rotated <= head:
            raise VerifyException(f"{self.rotated} of {head} columns do not rotate by halves")
        check_type("the result", self.result, self.x.type)


class CacheOp(TextOp):
    """An op on the caches of keys and values, of one layer if they have layers."""

    k_cache = prop_def(SymbolRefAttr)
    v_cache = prop_def(SymbolRefAttr)
    layer = opt_operand_def(IndexType())

    @property
    def k_cache_name(self) -> str:
        """The keys' global, without @."""
        return self.k_cache.string_value()

    @property
    def v_cache_name(self) -> str:
        """The values' global, without @."""
        return self.v_cache.string_value()

    def write_caches(self, printer: Printer) -> None:
        """`@k, @v[%l]`."""
        printer.print_string(f"{symbol_text(self.k_cache)}, {symbol_text(self.v_cache)}")
        print_index(printer, self.layer)


def read_caches(parser: Parser) -> tuple[SymbolRefAttr, SymbolRefAttr, SSAValue | None]:
    """`@k, @v[%l]`."""
    k_cache = parse_symbol(parser)
    parser.parse_punctuation(",")
    return k_cache, parse_symbol(parser), optional_index(parser)


@irdl_op_definition
class KvAppendOp(CacheOp):
    """cache[l, b, g, kv_len[b] + i, :] = row i of head g: `tg.kv_append %k, %v to @k_cache,
    @v_cache[%l]`.

    The caches are [layers,] sequences x KV heads x positions x head dimension.
    """

    name = "tg.kv_append"
    k = operand_def(TensorType)
    v = operand_def(TensorType)

    def __init__(
        self,
        k: SSAValue,
        v: SSAValue,
        k_cache: str | SymbolRefAttr,
        v_cache: str | SymbolRefAttr,
        layer: SSAValue | None = None,
    ):
        super().__init__(
            operands=[k, v, many(layer)],
            properties={"k_cache": symbol(k_cache), "v_cache": symbol(v_cache)},
        )

    @classmethod
    def read(cls, parser: Parser) -> Self:
        k = operand(parser)
        parser.parse_punctuation(",")
        v = operand(parser)
        parser.parse_keyword("to")
        return cls(k, v, *read_caches(parser))

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.k, self.v)
        printer.print_string(" to ")
        self.write_caches(printer)

    def verify_(self) -> None:
        check_sizes(self.k.type)
        check_rank("k", self.k, 2)
        check_type("v", self.v, self.k.type)


@irdl_op_definition
class AttentionOp(CacheOp):
    """softmax(scale * q k^T) v by query head, over positions 0 .. kv_len[b] + i of its own
    sequence; with `full`, over all of them, 0 .. kv_len[b] + q_len[b] - 1.

    `%o = tg.attention %q cache @k_cache, @v_cache[%l] heads 4 kv_heads 2 scale 0.125 full : T`.
    Keys and values are read from the cache, those of this step included: their kv_append stands
    before. Query head h reads KV head h / (heads / kv_heads).
    """

    name = "tg.attention"
    q = operand_def(TensorType)
    heads = prop_def(IntAttr)
    kv_heads = prop_def(IntAttr)
    scale = prop_def(FloatAttr)
    full = opt_prop_def(UnitAttr)
    result = result_def(TensorType)

    def __init__(
        self,
        q: SSAValue,
        k_cache: str | SymbolRefAttr,
        v_cache: str | SymbolRefAttr,
        layer: SSAValue | None,
        heads: int,
        kv_heads: int,
        scale: float,
        type: Attribute | None = None,
        full: bool = False,
    ):
        super().__init__(
            operands=[q, many(layer)],
            result_types=[q.type if type is None else type],
            properties={
                "k_cache": symbol(k_cache),
                "v_cache": symbol(v_cache),
                "heads": IntAttr(heads),
                "kv_heads": IntAttr(kv_heads),
                "scale": float_attr(scale),
                "full": UnitAttr() if full else None,
            },
        )

    @property
    def seen(self) -> str:
        """Which positions a row sees, as tg.softmax says it."""
        return "causal" if self.full is None else "full"

    @classmethod
    def read(cls, parser: Parser) -> Self:
        q = operand(parser)
        parser.parse_keyword("cache")
        caches = read_caches(parser)
        parser.parse_keyword("heads")
        heads = natural(parser)
        parser.parse_keyword("kv_heads")
        kv_heads = natural(parser)
        parser.parse_keyword("scale")
        scale = parse_float(parser)
        full = parser.parse_optional_keyword("full") is not None
        return cls(q, *caches, heads, kv_heads, scale, read_type(parser), full)

    def write(self, printer: Printer) -> None:
        print_operands(printer, self.q)
        printer.print_string(" cache ")
        self.write_caches(printer)
        printer.print_string(f" heads {self.heads.data} kv_heads {self.kv_heads.data}")
        printer.print_string(f" scale {float_text(self.scale.value.data)}")
        if self.full is not None:
            printer.print_string(" full")
        print_type(printer, self.result.type)

    def verify_(self) -> None:
        check_sizes(self.q.type)
        check_heads(check_rank("q", self.q, 2)[1], self.heads.data)
        check_shared_heads(self.heads.data, self.kv_heads.data)
        check_type("the result", self.result, self.q.type)
