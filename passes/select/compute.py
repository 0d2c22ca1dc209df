"""Ops of the matrix and the vector unit → `mm`, `vec`, `vsel`, `vtopk`, `vtr`, `vquant`."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.ir import Operation, SSAValue

from ...backend.isa import F_FUNCTIONS, OPS, REDUCTIONS
from ...dialects.lowbit import TileType
from ...dialects.tile import (
    MatmulOp,
    QuantiseOp,
    SelectOp,
    TopkOp,
    TransposeOp,
    VecOp,
    element_of,
    shape_of,
)
from ..located import PassError, located
from .code import Instruction, Place
from .places import Places
from .scalars import Sum

IDENTITY = {"id": "identity"}
"""Words of the tile dialect that the instruction table spells differently."""


def bound(places: Places, value: SSAValue | None, extent: int) -> Sum | None:
    """The sum of a bound, None where there is none or it never clips."""
    if value is None:
        return None
    result = places.values.of(value)
    return None if result.is_constant and result.constant >= extent else result


def bounds(
    places: Places, shape: Sequence[int], **values: tuple[SSAValue | None, int]
) -> dict[str, Sum]:
    """Bound fields by name, each from a value and the axis it clips."""
    sums = {name: bound(places, value, shape[axis]) for name, (value, axis) in values.items()}
    return {name: value for name, value in sums.items() if value is not None}


def matmul(op: MatmulOp, places: Places) -> Instruction:
    """acc += a @ b."""
    operands = {
        "acc": places.operand(op.acc, op),
        "a": places.operand(op.a, op),
        "b": places.operand(op.w, op),
    }
    extents = (*shape_of(op.acc), shape_of(op.a)[1])
    values = bounds(places, extents, m=(op.rows, 0), n=(op.cols, 1), k=(op.depth, 2))
    fields = {"transposed": int(op.transposed is not None)}
    return Instruction("mm", op, operands, fields, values=values)


def vector(op: VecOp, places: Places) -> Instruction:
    """v = f(a * b + c) op d, stored and reduced."""
    shape = op.shape
    sources = list(op.sources)
    if op.dst is None and not isinstance(sources[0], SSAValue):
        # Without dst the shape is that of a; a * b is b * a to the bit.
        sources[0], sources[1] = sources[1], sources[0]
        if not isinstance(sources[0], SSAValue):
            raise PassError(
                f"{located(op)}: a reduction alone takes its shape from a or b, and neither is a "
                "buffer: store the value as well",
                op,
            )
    operands: dict[str, Place] = {}
    if op.dst is not None:
        operands["dst"] = places.operand(op.dst, op)
    if op.red is not None:
        operands["red"] = places.operand(op.red, op)
    for name, source in zip("abcd", sources, strict=True):
        if isinstance(source, SSAValue):
            operands[name] = _source(places, source, op, shape)
        elif source is not None:
            operands[name] = Place("constant", value=source)
    values = bounds(
        places, shape, rows=(op.rows, 0), mid=(op.mid, len(shape) - 2), cols=(op.cols, -1)
    )
    instruction = Instruction("vec", op, operands, _functions(op), values=values)
    if (band := op.band) is not None:
        if band.lo is not None:
            values["lo"] = places.values.of(band.lo)
        if band.hi is not None:
            values["hi"] = places.values.of(band.hi)
        instruction.fields |= {"step": band.step, "axis": band.axis}
        instruction.constants["fill"] = band.fill
    return instruction


def _functions(op: VecOp) -> dict[str, int]:
    f = op.f.data
    return {
        "f": F_FUNCTIONS.index(IDENTITY.get(f, f)),
        "op": OPS.index(op.op.data) if op.op is not None else 0,
        "rop": REDUCTIONS.index(op.rop.data) if op.rop is not None else 0,
    }


def _source(places: Places, value: SSAValue, op: Operation, shape: Sequence[int]) -> Place:
    """A source, broadcast; packed rows have the value's shape already."""
    if isinstance(element_of(value), TileType):
        if tuple(shape_of(value)) != tuple(shape):
            raise PassError(
                f"{located(op)}: packed rows of {list(shape_of(value))} do not broadcast to "
                f"{list(shape)}",
                op,
            )
        return places.tile(value, op)
    return places.dense(value, op, shape)


def select(op: SelectOp, places: Places) -> Instruction:
    """dst = mask ? a : b."""
    shape = shape_of(op.dst)
    operands = {"dst": places.operand(op.dst, op)}
    for name, value in (("mask", op.mask), ("a", op.a), ("b", op.b)):
        operands[name] = _source(places, value, op, shape)
    return Instruction(
        "vsel", op, operands, values=bounds(places, shape, rows=(op.rows, 0), cols=(op.cols, -1))
    )


def plain(op: TopkOp | TransposeOp | QuantiseOp, places: Places) -> Instruction:
    """topk, transpose and quantise: operands as they are, bounds on the source."""
    match op:
        case TopkOp():
            mnemonic, named = "vtopk", {"values": op.val, "indices": op.idx, "a": op.a}
        case TransposeOp():
            mnemonic, named = "vtr", {"dst": op.dst, "a": op.a}
        case QuantiseOp():
            mnemonic, named = "vquant", {"codes": op.codes, "scales": op.scales, "a": op.a}
    operands = {name: places.operand(value, op) for name, value in named.items()}
    shape = shape_of(op.a)
    values = bounds(places, shape, rows=(op.rows, 0), cols=(op.cols, -1))
    return Instruction(mnemonic, op, operands, values=values)
