"""Kernel descriptions -> shapes for the search: the numbers of a kernel, without its names."""

from collections.abc import Mapping

from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Attribute

from ...backend.formats import FORMATS
from ...backend.timing import phases, significand
from ...dialects.lowbit import PackedType
from ..policy import Policy
from .activations import ACTIVATIONS
from .attention import Attention
from .kernels import Description
from .linear import Linear
from .rows import Embedding, Heads
from .shapes import FLOAT, AttentionShape, Kernel, LinearShape, RowsShape


def element_bytes(element: Attribute) -> int:
    """Bytes of a float element."""
    assert isinstance(element, AnyFloat)
    return element.bitwidth // 8


def shape_of_kernel(
    label: str,
    kernel: Description,
    policy: Policy,
    extents: Mapping[str, int],
    repeats: int,
    kv_block: int | None,
    most_kv_block: int,
) -> Kernel:
    """The shape of one kernel.

    `extents` gives rows and logit_rows (most packed rows), q_len (most rows of one sequence) and
    context (positions of a cache).
    """
    match kernel:
        case Linear():
            return _linear(label, kernel, policy, extents[kernel.count], repeats)
        case Attention():
            return AttentionShape(
                label=label,
                most_rows=extents["q_len"],
                batch=kernel.batch,
                context=extents["context"],
                group=kernel.group,
                kv_heads=kernel.kv_heads,
                head=kernel.head,
                operand_bytes=element_bytes(kernel.operand),
                kv_bytes=element_bytes(kernel.cache),
                out_bytes=element_bytes(kernel.result),
                phases=phases(policy.significand, policy.significand),
                repeats=repeats,
                kv_block=kv_block,
                most_kv_block=most_kv_block,
            )
        case Heads():
            return _heads(label, kernel, extents["q_len"], repeats)
        case Embedding():
            return _embedding(label, kernel.packed, extents[kernel.count])


def _linear(label: str, kernel: Linear, policy: Policy, rows: int, repeats: int) -> LinearShape:
    packing = kernel.packing
    spec = FORMATS[packing.format]
    written = [step for step in kernel.steps if step.kind != "half"]
    passes = [ACTIVATIONS[s.fn][1] if s.kind == "unary" else 1 for s in written]
    return LinearShape(
        label=label,
        most_rows=rows,
        k=packing.k,
        n=packing.n,
        panel=packing.panel,
        block=spec.block,
        block_bytes=packing.block_bytes(packing.panel),
        phases=phases(policy.significand, significand(packing.format)),
        operand_bytes=element_bytes(kernel.operand),
        through_vector=kernel.through_vector,
        out_columns=packing.panel // 2 if kernel.halved else packing.panel,
        out_bytes=element_bytes(kernel.result),
        residuals=sum(step.kind == "tensor" for step in kernel.steps),
        temporaries=max(len(written) - 1, 0),
        vector_steps=max(sum(passes), 1),
        repeats=repeats,
    )


def _heads(label: str, kernel: Heads, rows: int, repeats: int) -> RowsShape:
    widest = max(part.columns for part in kernel.parts)
    dim = max((p.rope.dim for p in kernel.parts if p.rope is not None), default=0)
    local = sum(
        part.columns + part.heads if part.norm is not None else 0 for part in kernel.parts
    ) + sum(p.heads * (p.rope.dim // 2) for p in kernel.parts if p.rope is not None)
    return RowsShape(
        label=label,
        most_rows=rows,
        batch=kernel.batch,
        in_bytes={"rows": widest * FLOAT, "angles": dim * FLOAT},
        out_row_bytes=max(part.columns * element_bytes(part.element) for part in kernel.parts),
        local_row_bytes=local * FLOAT,
        vector_bytes=FLOAT * max((p.head for p in kernel.parts if p.norm is not None), default=0),
        vector_columns=widest,
        repeats=repeats,
    )


def _embedding(label: str, packed: PackedType, rows: int) -> RowsShape:
    packing = packed.packing
    return RowsShape(
        label=label,
        most_rows=rows,
        batch=1,
        in_bytes={"picked": packing.row_bytes},
        out_row_bytes=packing.k * FLOAT,
        local_row_bytes=0,
        vector_bytes=0,
        vector_columns=packing.k,
        repeats=1,
    )
