"""The operations of a step as plain counts: bytes that must move, multiply-adds, lane work.

Nothing here knows a machine. Each count is for the whole step, all layers together, and is a least
one: what any program must do that computes the model's values from the packed weights and the KV
cache in main memory (docs/bounds.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from ..formats import find_format
from ..timing import mac_class, phases, significand
from .step import ModelSizes, PolicySizes, Step

FLOAT = 4
"""Bytes of a float32: norms, biases, scales, tables, logits."""
INDEX = 4
"""Bytes of a token or of an index of a row."""

Formats = Mapping[str, str]
"""Symbol of a matrix (`attn_q`, `output`, `token_embd`, ...) -> name of its packed format."""

MATRICES = (
    "token_embd",
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "ffn_gate",
    "ffn_up",
    "ffn_down",
    "output",
)


def uniform_formats(weights: str, embedding: str = "bf16") -> Formats:
    """All matrices of matmuls in one format, the embedding in its own."""
    return {**dict.fromkeys(MATRICES, weights), "token_embd": embedding}


@dataclass(frozen=True)
class Bytes:
    """Bytes of main memory by what they are."""

    weights: int = 0
    """Packed matrices, norms, biases, scales."""
    kv_read: int = 0
    """Cached positions before the step; its own are at hand."""
    kv_written: int = 0
    rows: int = 0
    """Rows of the embedding and of the rope tables, tokens and indices."""
    logits: int = 0

    def __add__(self, other: Bytes) -> Bytes:
        return Bytes(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def total(self) -> int:
        """All of them."""
        return sum(getattr(self, f.name) for f in fields(self))

    @property
    def written(self) -> int:
        """Those that enter main memory; the others leave it."""
        return self.kv_written + self.logits


@dataclass(frozen=True)
class Product:
    """A matrix product [m, k] x [k, n], done `repeats` times."""

    m: int
    k: int
    n: int
    phases: int
    mac_class: int
    """4, 8 or 16: what a multiply-add costs (`backend.timing.energy.mac_class`)."""
    repeats: int

    @property
    def macs(self) -> int:
        """Multiply-adds, each counted once whatever its phases."""
        return self.m * self.k * self.n * self.repeats

    @property
    def phased_macs(self) -> int:
        """Multiply-adds times the passes of the matrix unit that each takes."""
        return self.macs * self.phases


@dataclass(frozen=True)
class Scores:
    """Q K^T and P V of all heads, sequences and layers: two products without a fixed shape."""

    macs: int
    """Multiply-adds of both together: each row and each position that it attends."""
    elements: int
    """Elements of K and V that enter the matrix unit at least once."""
    phases: int

    @property
    def phased_macs(self) -> int:
        """Multiply-adds times the passes of the matrix unit that each takes."""
        return self.macs * self.phases


@dataclass(frozen=True)
class Op:
    """One operation of the model, over all layers."""

    name: str
    bytes: Bytes = Bytes()
    products: tuple[Product, ...] = ()
    scores: Scores | None = None
    lane_work: int = 0
    """Elements times the least number of passes over them by the vector unit."""
    index_bytes: int = 0
    """Of the bytes, tokens and indices: what needs no place on chip."""

    @property
    def macs(self) -> int:
        """Multiply-adds, each counted once whatever its phases."""
        linear = sum(product.macs for product in self.products)
        return linear + (self.scores.macs if self.scores else 0)

    @property
    def phased_macs(self) -> int:
        """Multiply-adds times the passes of the matrix unit that each takes."""
        linear = sum(product.phased_macs for product in self.products)
        return linear + (self.scores.phased_macs if self.scores else 0)


def ops_of(config: ModelSizes, step: Step, policy: PolicySizes, formats: Formats) -> list[Op]:
    """The operations of a step in the order of the model. Raises FormatError."""
    writer = _Writer(config, step, policy, formats)
    return [
        writer.embedding(),
        writer.norm("attn_norm"),
        *writer.inputs("attn_qkv", ("attn_q", "attn_k", "attn_v")),
        writer.heads(),
        writer.attention(),
        *writer.inputs("attn_output", ("attn_output",)),
        writer.norm("ffn_norm"),
        *writer.inputs("ffn_gate_up", ("ffn_gate", "ffn_up")),
        *writer.inputs("ffn_down", ("ffn_down",)),
        writer.norm("output_norm"),
        *writer.inputs("output", ("output",)),
    ]


@dataclass(frozen=True)
class _Writer:
    config: ModelSizes
    step: Step
    policy: PolicySizes
    formats: Formats

    def embedding(self) -> Op:
        """A row for each token, and the tokens themselves."""
        c, rows = self.config, self.step.rows
        spec = find_format(self.formats["token_embd"])
        nbytes = Bytes(rows=rows * (spec.row_bytes(c.width) + INDEX))
        return Op("token_embd", nbytes, lane_work=rows * c.width, index_bytes=rows * INDEX)

    def norm(self, name: str) -> Op:
        """One pass scales the rows; squares are summed while the rows are made."""
        last = name == "output_norm"
        repeats = 1 if last else self.config.layers
        rows = self.step.logit_rows if last else self.step.rows
        nbytes = Bytes(weights=repeats * self.config.width * FLOAT if rows else 0)
        return Op(name, nbytes, lane_work=repeats * rows * self.config.width)

    def inputs(self, name: str, symbols: tuple[str, ...]) -> list[Op]:
        """Matmuls of the same rows: one product where their formats are equal."""
        c = self.config
        groups: dict[str, list[str]] = {}
        for symbol in symbols:
            groups.setdefault(self.formats[symbol], []).append(symbol)
        repeats = 1 if name == "output" else c.layers
        m = self.step.logit_rows if name == "output" else self.step.rows
        ops: list[Op] = []
        for format_, group in groups.items():
            n, k = sum(self._rows(s) for s in group), self._columns(group[0])
            spec = find_format(format_)
            stored = n * spec.row_bytes(k)
            stored += n * FLOAT if spec.channel_scale else 0
            stored += sum(self._rows(s) * FLOAT for s in group if self._has_bias(s))
            passes = phases(self.policy.significand, significand(format_))
            logits = m * n * FLOAT if name == "output" else 0
            # Of one row there is nothing to pick.
            indices = m * INDEX if name == "output" and self.step.rows > 1 else 0
            nbytes = Bytes(weights=repeats * stored if m else 0, rows=indices, logits=logits)
            product = Product(m, k, n, passes, mac_class("bf16", format_), repeats)
            work = repeats * m * sum(self._lane_work(s) for s in group)
            label = name if len(groups) == 1 else "+".join(group)
            ops.append(Op(label, nbytes, (product,), lane_work=work, index_bytes=indices))
        return ops

    def heads(self) -> Op:
        """Rope tables, gammas of heads, and the step's own K and V into the cache."""
        c, rows, layers = self.config, self.step.rows, self.config.layers
        table = 2 * self.step.positions * (c.rope.dim // 2) * FLOAT
        gammas = 2 * c.head_dim * FLOAT * layers if c.qk_norm and rows else 0
        written = 2 * layers * rows * c.kv_heads * c.head_dim * self.policy.cache_bytes
        return Op("kv_append", Bytes(weights=gammas, kv_written=written, rows=table))

    def attention(self) -> Op:
        """Scores twice through the vector unit (a maximum, an exponential), outputs once."""
        c, layers = self.config, self.config.layers
        sequences = [s for s in self.step.sequences if s.new]
        pairs = sum(s.pairs for s in sequences)
        elements = 2 * sum(s.context for s in sequences) * c.kv_heads * c.head_dim * layers
        read = 2 * self.step.cached * c.kv_heads * c.head_dim * layers * self.policy.cache_bytes
        passes = phases(self.policy.significand, self.policy.significand)
        macs = 2 * layers * c.heads * c.head_dim * pairs
        work = layers * c.heads * (2 * pairs + self.step.rows * c.head_dim)
        return Op("attention", Bytes(kv_read=read), (), Scores(macs, elements, passes), work)

    def _rows(self, symbol: str) -> int:
        """Output features."""
        c = self.config
        q, kv = c.heads * c.head_dim, c.kv_heads * c.head_dim
        sizes = {"attn_q": q, "attn_k": kv, "attn_v": kv, "ffn_gate": c.ffn, "ffn_up": c.ffn}
        return sizes.get(symbol, c.vocab if symbol == "output" else c.width)

    def _columns(self, symbol: str) -> int:
        """Input features."""
        c = self.config
        return {"attn_output": c.heads * c.head_dim, "ffn_down": c.ffn}.get(symbol, c.width)

    def _has_bias(self, symbol: str) -> bool:
        c = self.config
        if symbol in ("attn_q", "attn_k", "attn_v"):
            return c.qkv_bias
        return c.output_bias if symbol == "attn_output" else c.mlp_bias and symbol != "output"

    def _lane_work(self, symbol: str) -> int:
        """Work on a row of a product: it leaves the accumulator; q and k are normed and turned."""
        c = self.config
        rows = self._rows(symbol)
        if symbol not in ("attn_q", "attn_k"):
            return rows
        turned = rows // c.head_dim * c.rope.dim  # four half passes where one would do without
        return rows + turned + (2 * rows if c.qk_norm else 0)
