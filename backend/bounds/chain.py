"""The dependency floor: what remains of a step when every byte is at hand at once.

One row is followed from its token to its logits. Between two things that wait for each other lies
at least the matrix unit's fill or the vector unit's startup, and whatever the matrix unit must do
for this row in between, one thing after another. Other rows only add to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..machine import Machine
from ..timing import ceil_div, cycles_to_ps, matmul_cycles
from .ops import Op, Product
from .step import ModelSizes, PolicySizes, Step


@dataclass(frozen=True)
class Chain:
    """Picoseconds of the chain and of its links."""

    picoseconds: int
    layer_picoseconds: int
    """One layer."""
    head_picoseconds: int
    """The last norm and the head; 0 where no logits are wanted."""
    memory_picoseconds: int
    """The first transfer before anything can start, and the last one after everything."""


def chain_of(
    config: ModelSizes, step: Step, policy: PolicySizes, machine: Machine, ops: list[Op]
) -> Chain:
    """The chain of the row with the longest context. A step without rows takes no time."""
    if not step.rows:
        return Chain(0, 0, 0, 0)
    links = _Links(machine, {op.name: op for op in ops})
    context = max(s.context for s in step.sequences if s.new)
    group = config.heads // config.kv_heads
    layer = links.layer(config, context * config.kv_heads * config.head_dim, group, policy)
    head = links.head() if step.logit_rows else 0
    memory = 2 * (machine.dma_issue_ps + machine.hbm_latency_ps) if machine.has_hbm else 0
    layer_ps, head_ps = cycles_to_ps(machine, layer), cycles_to_ps(machine, head)
    embedding = cycles_to_ps(machine, links.vec)
    total = memory + embedding + config.layers * layer_ps + head_ps
    return Chain(total, layer_ps, head_ps, memory)


@dataclass(frozen=True)
class _Links:
    machine: Machine
    ops: dict[str, Op]

    @property
    def vec(self) -> int:
        """Cycles of the shortest instruction of the vector unit."""
        return self.machine.vector_startup + 1

    def products(self, *symbols: str) -> int:
        """Cycles of the matrix unit for one row of the ops that hold any of these symbols."""
        return sum(
            _row_cycles(self.machine, product)
            for op in self.ops.values()
            if any(op.name == s or s in op.name.split("+") for s in symbols)
            for product in op.products
        )

    def layer(self, c: ModelSizes, elements: int, group: int, policy: PolicySizes) -> int:
        """Cycles from a layer's rows to the next one's; `elements` of K, and as many of V."""
        m, fill, vec = self.machine, self.machine.matrix_fill, self.vec
        # A product's last step needs the last of its operand, for all columns.
        tail = ceil_div(ceil_div(c.width, m.array_columns), m.arrays) * _least_pass(m)
        qkv = self.products("attn_qkv", "attn_q", "attn_k", "attn_v")
        scores = 2 * elements // (m.arrays * m.weight_rows * m.array_columns)
        output = self.products("attn_output")
        busy = qkv + scores + output + fill + vec
        norm = 3 * vec if c.qk_norm else 0  # squares, rsqrt, scaling
        least = _least_pass(m)
        waits = (
            (least + fill + norm + 2 * vec)  # q of a head, rope
            + (least + fill + 2 * vec)  # its scores, maximum, exponential
            + (least + fill + vec)  # P V, division by the sum
            + (tail + fill + vec)  # the output's last step, residual with its squares
        )
        attention = max(busy, waits)
        gate_up = self.products("ffn_gate_up", "ffn_gate", "ffn_up")
        down = self.products("ffn_down")
        feed = gate_up + fill + max(down + vec, 2 * vec + tail + fill + vec)
        return 2 * (2 * vec) + attention + feed  # two norms: rsqrt, scaling

    def head(self) -> int:
        """Cycles from the last layer's rows to the logits."""
        return 2 * self.vec + self.products("output") + self.machine.matrix_fill + self.vec


def _least_pass(machine: Machine) -> int:
    """Cycles of one sub-tile with one row."""
    return ceil_div(machine.array_rows, machine.weight_rows)


def _row_cycles(machine: Machine, product: Product) -> int:
    return matmul_cycles(machine, 1, product.n, product.k, product.phases)
