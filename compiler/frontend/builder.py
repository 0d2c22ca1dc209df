"""The one builder: sizes, features and recipes in, a graph-level module for one entry out.

An entry is a ragged step over B sequences: sequence b owns q_len[b] of the packed rows from
row_start[b] on, its row i stands at position kv_len[b] + i. Layers are one loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from xdsl.builder import Builder
from xdsl.dialects.arith import ConstantOp
from xdsl.dialects.builtin import (
    BFloat16Type,
    Float32Type,
    IntegerAttr,
    IntegerType,
    MemRefType,
    ModuleOp,
    StringAttr,
    TensorType,
)
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.dialects.scf import ForOp, YieldOp
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue
from xdsl.rewriter import InsertPoint

from ...backend.errors import TilewrightError
from ...dialects import tg
from ...dialects.locations import locate, named
from ...dialects.lowbit import PackedType
from ...dialects.spaces import HBM
from .model_config import ModelConfig
from .parameters import Parameter, Parameters
from .tables import table_recipe

KV_ELEMENTS: Final[dict[str, Attribute]] = {"exact": Float32Type(), "bf16": BFloat16Type()}
"""Numeric policies and the element type of their KV cache."""


class BuildError(TilewrightError):
    """An entry that the model cannot have: names what was asked, what is possible and why."""


@dataclass(frozen=True)
class EntryShape:
    """Limits of one entry: its name, sequences, new positions of a sequence, cached positions."""

    name: str
    batch: int
    chunk: int
    """1 for decode."""
    max_context: int

    @property
    def rows(self) -> int:
        """Packed rows of a full step."""
        return self.batch * self.chunk


def build(config: ModelConfig, entry: EntryShape, policy: str, parameters: Parameters) -> ModuleOp:
    """A verified module named as the entry. Raises BuildError."""
    _check(config, entry, policy)
    by_symbol = parameters.by_symbol()
    module = ModuleOp([], {"tw.policy": StringAttr(policy)}, StringAttr(entry.name))
    module.location = named(entry.name)
    body = Builder(InsertPoint.at_end(module.body.block))
    for op in _declarations(config, entry, policy, parameters):
        body.insert(op)
    block = Block()
    _Body(config, by_symbol, Builder(InsertPoint.at_end(block))).write()
    function = FuncOp(entry.name, ((), ()), Region(block))
    locate(function, module.location)
    body.insert(function)
    module.verify()
    return module


def _check(config: ModelConfig, entry: EntryShape, policy: str) -> None:
    if policy not in KV_ELEMENTS:
        raise BuildError(f"policy {policy!r} is unknown, wanted one of {', '.join(KV_ELEMENTS)}")
    for name in ("batch", "chunk", "max_context"):
        if getattr(entry, name) < 1:
            raise BuildError(
                f"entry {entry.name}: {name} is {getattr(entry, name)}, wanted 1 or more"
            )
    if entry.chunk > entry.max_context:
        raise BuildError(
            f"entry {entry.name}: a chunk of {entry.chunk} exceeds the context of "
            f"{entry.max_context} positions"
        )
    if entry.max_context > config.max_positions:
        raise BuildError(
            f"entry {entry.name}: a context of {entry.max_context} positions exceeds the "
            f"{config.max_positions} that the model was made for"
        )
    if config.window is not None and entry.max_context > config.window:
        raise BuildError(
            f"entry {entry.name}: the model attends a sliding window of {config.window} positions, "
            f"which a context of {entry.max_context} exceeds: ask for {config.window} or less"
        )


def _hbm(element: Attribute, *shape: int) -> MemRefType[Attribute]:
    return MemRefType(element, shape, memory_space=HBM)


def _declarations(
    config: ModelConfig, entry: EntryShape, policy: str, parameters: Parameters
) -> list[Operation]:
    """Launch parameters, weights, tables, state, inputs and output, in this order.

    Each is located at its name; what every layer has its own of, at `blk.{l}.name`.
    """
    rows, batch, context = entry.rows, entry.batch, entry.max_context
    half, f32, i32 = config.rope.dim // 2, Float32Type(), IntegerType(32)
    cache = _hbm(
        KV_ELEMENTS[policy], config.layers, batch, config.kv_heads, context, config.head_dim
    )

    def weight(p: Parameter) -> Operation:
        layers = (config.layers,) if p.layered else ()
        if p.columns is None:
            return tg.GlobalOp("weight", p.symbol, _hbm(f32, *layers, p.rows), p.recipe)
        type_ = PackedType((*layers, p.columns, p.rows), p.format, p.order)
        return tg.GlobalOp("weight", p.symbol, type_, p.recipe)

    def table(name: str) -> Operation:
        recipe = table_recipe(name, config.rope, context)
        return tg.GlobalOp("table", name, _hbm(f32, context, half), recipe)

    declared: list[Operation] = [
        tg.ScalarOp("rows", 0, rows),
        tg.ScalarOp("logit_rows", 0, rows),
        tg.TableOp("row_start", batch, 0, rows),
        tg.TableOp("q_len", batch, 0, entry.chunk),
        tg.TableOp("kv_len", batch, 0, context - 1),
        *(weight(p) for p in parameters.all),
        table("rope_cos"),
        table("rope_sin"),
        tg.GlobalOp("state", "k_cache", cache),
        tg.GlobalOp("state", "v_cache", cache),
        tg.GlobalOp("input", "tokens", _hbm(i32, rows)),
        tg.GlobalOp("input", "logit_index", _hbm(i32, rows)),
        tg.GlobalOp("output", "logits", _hbm(f32, rows, config.vocab)),
    ]
    layered = {p.symbol for p in parameters.all if p.layered} | {"k_cache", "v_cache"}
    for op in declared:
        assert isinstance(op, tg.ScalarOp | tg.TableOp | tg.GlobalOp)
        name = op.sym_name.data
        op.location = named(f"blk.{{l}}.{name}" if name in layered else name)
    return declared


class _Body:
    """Writes the function of an entry op by op; each op gets the name of its place in the model."""

    def __init__(
        self, config: ModelConfig, parameters: dict[str, Parameter], builder: Builder
    ) -> None:
        self.config, self.parameters, self.builder = config, parameters, builder
        self.layer: SSAValue | None = None

    def write(self) -> None:
        """Embedding, layers, norm and head."""
        c = self.config
        bounds = [self._index(value) for value in (0, 1, c.layers)]
        rows = tg.rows_type(c.width, "rows", Float32Type())
        x = self._add(tg.EmbedOp("token_embd", "tokens", rows), "token_embd", "x")
        body = Block(arg_types=[bounds[0].type, rows])
        loop = ForOp(bounds[0], bounds[2], bounds[1], [x], body)
        loop.location = named("blk")
        outer, self.builder = self.builder, Builder(InsertPoint.at_end(body))
        self.layer, x = body.args
        self.layer.name_hint, x.name_hint = "l", "x"
        last = YieldOp(self._layer(x))
        last.location = loop.location
        self.builder.insert(last)
        self.layer, self.builder = None, outer
        self.builder.insert(loop)
        x = loop.results[0]
        picked = tg.rows_type(c.width, "logit_rows", Float32Type())
        x = self._add(tg.TakeOp(x, "logit_index", picked, inside=True), "logit_rows", "picked")
        x = self._norm(x, "output_norm")
        x = self._matmul(x, "output")
        self._insert(tg.OutputOp(x, "logits"), "output")
        self.builder.insert(ReturnOp())

    def _layer(self, x: SSAValue) -> SSAValue:
        c = self.config
        n = self._norm(x, "attn_norm")
        q, k = self._heads(n, "attn_q", c.heads), self._heads(n, "attn_k", c.kv_heads)
        v = self._matmul(n, "attn_v")
        self._insert(tg.KvAppendOp(k, v, "k_cache", "v_cache", self.layer), "kv_append")
        attention = tg.AttentionOp(
            q, "k_cache", "v_cache", self.layer, c.heads, c.kv_heads, c.scale
        )
        o = self._matmul(self._add(attention, "attention", "o"), "attn_output")
        x = self._add(tg.BinaryOp("add", x, o), "attn_output", "x")
        n = self._norm(x, "ffn_norm")
        gate, up = self._matmul(n, "ffn_gate"), self._matmul(n, "ffn_up")
        a = self._add(tg.UnaryOp(c.activation, gate), "ffn_gate", "a")
        h = self._add(tg.BinaryOp("mul", a, up), "ffn_gate", "h")
        return self._add(tg.BinaryOp("add", x, self._matmul(h, "ffn_down")), "ffn_down", "x")

    def _heads(self, n: SSAValue, name: str, heads: int) -> SSAValue:
        """Projection, norm of each head where the model has one, rope."""
        x = self._matmul(n, name)
        if self.config.qk_norm:
            x = self._norm(x, f"{name}_norm", heads)
        rope = tg.RopeOp(x, "rope_cos", "rope_sin", heads)
        return self._add(rope, f"{name}_rope", name.removeprefix("attn_"))

    def _matmul(self, x: SSAValue, name: str) -> SSAValue:
        """x @ weight, plus the bias where the model has one."""
        y = self._add(tg.MatmulOp(x, self._weight(name)), name, name.rpartition("_")[2])
        bias = f"{name}_bias"
        if bias not in self.parameters:
            return y
        return self._add(tg.BinaryOp("add", y, self._weight(bias)), bias)

    def _norm(self, x: SSAValue, name: str, heads: int | None = None) -> SSAValue:
        norm = tg.RmsNormOp(x, self._weight(name), self.config.eps, heads)
        return self._add(norm, name, "n")

    def _weight(self, name: str) -> SSAValue:
        p = self.parameters[name]
        shape = (p.rows,) if p.columns is None else (p.columns, p.rows)
        layer = self.layer if p.layered else None
        return self._add(tg.WeightOp(name, TensorType(Float32Type(), shape), layer), name, "w")

    def _index(self, value: int) -> SSAValue:
        constant = ConstantOp(IntegerAttr.from_index_int_value(value))
        constant.result.name_hint = f"c{value}"
        return self.builder.insert(constant).result

    def _insert(self, op: Operation, place: str) -> None:
        prefix = "blk.{l}." if self.layer is not None else ""
        op.location = named(prefix + place)
        self.builder.insert(op)

    def _add(self, op: Operation, place: str, hint: str | None = None) -> SSAValue:
        """Insert an op of one result; `hint` is the result's name in the text."""
        self._insert(op, place)
        (result,) = op.results
        result.name_hint = hint
        return result
