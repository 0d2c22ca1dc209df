"""Shapes of kernels of one op, from their descriptions."""

from collections.abc import Mapping

from xdsl.dialects.builtin import AnyFloat
from xdsl.ir import Attribute

from ...backend.timing import phases
from ..policy import Policy
from .activations import ACTIVATIONS
from .norm import LayerNorm, Norm
from .rowwise import DIRECT, Combine, Function, RowWise, Softmax
from .shapes import FLOAT
from .shapes_steps import RowWiseShape, StepShape
from .steps import Mix, Scores, SeenSoftmax


def element_bytes(element: Attribute) -> int:
    """Bytes of a float element."""
    assert isinstance(element, AnyFloat)
    return element.bitwidth // 8


def shape_of_step(
    label: str,
    kernel: RowWise | SeenSoftmax | Scores | Mix,
    policy: Policy,
    extents: Mapping[str, int],
    repeats: int,
    most_kv_block: int,
) -> RowWiseShape | StepShape:
    """The shape of a kernel of one op.

    `extents` gives the most rows by launch parameter, and `context`; `repeats` says how often a
    step runs the kernel.
    """
    match kernel:
        case RowWise():
            return _row_wise(label, kernel, extents[kernel.count], repeats)
        case SeenSoftmax():
            return _seen_softmax(label, kernel, extents["q_len"], repeats)
        case Scores() | Mix():
            return StepShape(
                label=label,
                most_rows=extents["q_len"],
                tasks=kernel.batch * kernel.heads,
                context=extents["context"],
                head=kernel.head,
                operand_bytes=element_bytes(kernel.element),
                kv_bytes=element_bytes(kernel.cache),
                out_bytes=element_bytes(kernel.result),
                phases=phases(policy.significand, policy.significand),
                repeats=repeats,
                transposed=isinstance(kernel, Scores),
                most_kv_block=most_kv_block,
            )


def _row_wise(label: str, kernel: RowWise, rows: int, repeats: int) -> RowWiseShape:
    columns = kernel.columns
    lines, local, parameters, passes = 1, 0, 0, 1
    in_bytes = {"rows": columns * element_bytes(kernel.element)}
    match kernel.op:
        case Norm():
            local, parameters, passes = 1, columns, 3
        case LayerNorm():
            local, parameters, passes = columns + 2, columns, 5
        case Softmax(heads):
            lines, local, passes = heads, columns + 2 * heads, 4
        case Function(f) if f not in DIRECT:
            steps = ACTIVATIONS[f][1] if f in ACTIVATIONS else 1
            local, passes = (columns, steps + 1) if steps > 1 else (0, 1)
        case Combine(kind="tensor", element=element):
            in_bytes["residual"] = columns * element_bytes(element)
        case Combine():
            parameters = columns
        case _:
            pass
    return RowWiseShape(
        label=label,
        most_rows=rows,
        tasks=1,
        lines=lines,
        columns=columns // lines,
        in_bytes=in_bytes,
        out_row_bytes=columns * element_bytes(kernel.result),
        local_row_bytes=local * FLOAT,
        vector_bytes=parameters * FLOAT,
        passes=passes,
        repeats=repeats,
    )


def _seen_softmax(label: str, kernel: SeenSoftmax, rows: int, repeats: int) -> RowWiseShape:
    return RowWiseShape(
        label=label,
        most_rows=rows,
        tasks=kernel.batch * kernel.heads,
        lines=1,
        columns=kernel.positions,
        in_bytes={"rows": kernel.positions * element_bytes(kernel.element)},
        out_row_bytes=kernel.positions * element_bytes(kernel.result),
        local_row_bytes=(kernel.positions + 2) * FLOAT,
        vector_bytes=0,
        passes=4,
        repeats=repeats,
    )
