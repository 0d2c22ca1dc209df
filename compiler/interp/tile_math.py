"""What the units compute on places of memory, through `backend.numerics`: equal to the emulator.

Every function takes places that are already clipped by their bounds.
"""

from dataclasses import dataclass

import numpy as np

from ...backend.formats import Blocks, Packing, dequantise, find_format, unpack
from ...backend.numerics import Band, Operand, matmul, narrow, reduce, vec, widen
from .tile_memory import Array, Mistake, Packed, Place


def packed_rows(place: Place) -> tuple[Packing, Array]:
    """The packing of what is left of a packed tile after its bound, and its bytes."""
    packed = place.packed
    assert packed is not None, "not a packed tile"
    data = np.ascontiguousarray(place.read())
    count = place.shape[0]
    if packed.order == "nk":
        return Packing(packed.format, "nk", count, packed.columns), data
    whole = Packing(packed.format, "kn", packed.columns, packed.rows, packed.columns)
    k = count * whole.spec.block
    return Packing(packed.format, "kn", packed.columns, k, packed.columns), data


def packed_place(packed: Packed, at: Place) -> Place:
    """`at`, a run of bytes, as rows of blocks (`kn`) or of outputs (`nk`) that bounds can clip."""
    if packed.order == "nk":
        row = Packing(packed.format, "nk", packed.rows, packed.columns).row_bytes
        shape = (packed.rows, row)
    else:
        whole = Packing(packed.format, "kn", packed.columns, packed.rows, packed.columns)
        shape = (whole.blocks, whole.block_bytes(packed.columns))
    return Place(at.memory, at.offset, shape, (shape[1], 1), "u8", packed, at.lease)


def unpack_plain(packing: Packing, data: Array) -> Blocks:
    """The blocks of packed bytes; a scale for each row that is kept elsewhere counts as 1."""
    ones = np.ones(packing.n, np.float32) if packing.spec.channel_scale else None
    return unpack(packing, data, ones)


def widened(place: Place) -> Array:
    """Elements as float32: packed nk rows dequantised, plain ones exactly widened."""
    if place.packed is None:
        return widen(place.read(), place.element)
    if place.packed.order != "nk":
        raise Mistake("a kn tile is read by the matrix unit only; want nk rows")
    if not place.shape[0]:
        return np.zeros((0, place.packed.columns), np.float32)
    packing, data = packed_rows(place)
    return dequantise(unpack_plain(packing, data))


def clip_weight(place: Place, depth: int, columns: int, transposed: bool) -> Place:
    """The part of the right operand that a product of that depth and width reads."""
    packed = place.packed
    if packed is None:
        return place.clip(columns, depth) if transposed else place.clip(depth, columns)
    if packed.order == "nk":
        return place.clip(columns, None)
    block = find_format(packed.format).block
    return place.clip(-(-depth // block), None)


def weight(place: Place, depth: int, columns: int, transposed: bool) -> Operand:
    """The right operand [K, N] of a clipped place; K is `depth` rounded up to whole blocks."""
    if place.packed is None:
        values = place.read()
        values = values if place.element == "i8" else widen(values, place.element)
        return Operand(values.T if transposed else values)
    if depth == 0 or columns == 0:
        return Operand(np.zeros((depth, columns), np.float32))
    packing, data = packed_rows(place)
    spec = packing.spec
    blocks = unpack_plain(packing, data)
    count = -(-depth // spec.block)
    codes = blocks.codes[:columns, : count * spec.block]
    if spec.dense is not None:
        return Operand(codes.T if spec.dense == "i8" else codes.astype(np.float32).T)
    exact = codes.astype(np.int16) - np.int16(spec.zero_point)
    if blocks.zeros is not None:
        zeros = blocks.zeros[:columns, :count].astype(np.int16)
        exact = exact - np.repeat(zeros, spec.block, axis=1)
    assert blocks.scales is not None, f"{spec.name} has block scales"
    scales = blocks.scales[:columns, :count].T.astype(np.float32)
    minima = blocks.minima
    if minima is not None:
        minima = minima[:columns, :count].T.astype(np.float32)
    return Operand(exact.T.astype(np.float32), spec.block, scales, minima)


def multiply(acc: Place, a: Place, b: Operand) -> None:
    """acc += a @ b. Where `a` stops inside b's last block, the rest of the block counts as 0."""
    left = a.read()
    if a.element != "i8":
        left = widen(left, a.element)
    missing = b.codes.shape[0] - left.shape[1]
    if missing:
        left = np.pad(left, ((0, 0), (0, missing)))
    acc.write(matmul(acc.read(), left, b))


@dataclass(frozen=True)
class VectorForm:
    """The function fields of a vector instruction; `op` and `reduction` may be missing."""

    function: str
    op: str | None = None
    reduction: str | None = None


def vector(
    form: VectorForm,
    operands: tuple[Array | None, Array | None, Array | None, Array | None],
    band: Band | None,
    shape: tuple[int, ...],
    to: Place | None,
    reduced: Place | None,
) -> None:
    """v = f(a*b + c) op d of `shape`, masked by the band; stored and/or reduced."""
    a, b, c, d = (None if x is None else np.broadcast_to(x, shape) for x in operands)
    assert a is not None, "a vector instruction has an operand a"
    value, total = vec(form.function, a, b, c, form.op, d, band, form.reduction)
    if to is not None:
        to.write(narrow(np.ascontiguousarray(value), to.element))
    if reduced is not None:
        assert total is not None, "a reduction has a name"
        reduced.write(narrow(np.ascontiguousarray(total), reduced.element))


def largest(values: Array) -> tuple[Array, Array]:
    """Of each row the largest value and its column: NaN above all, the lowest column of equals.

    A row of no columns gives -inf and -1.
    """
    if values.shape[-1] == 0:
        shape = (*values.shape[:-1], 1)
        return np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int32)
    index = np.argmax(values, axis=-1)[..., None]
    return np.take_along_axis(values, index, -1), index.astype(np.int32)


def quantised(values: Array, block: int) -> tuple[Array, Array]:
    """int8 codes of float32 [M, C] and the float32 scale of each block of columns.

    scale = absmax / 127, code = rint(a * (1 / scale)) within -127 .. 127; zeros where scale is 0.
    """
    m, columns = values.shape
    count = -(-columns // block)
    codes = np.zeros((m, columns), np.int8)
    scales = np.zeros((m, count), np.float32)
    with np.errstate(all="ignore"):
        for i in range(count):
            part = values[:, i * block : (i + 1) * block]
            scale = reduce("absmax", part)[:, 0] / np.float32(127)
            inverse = np.where(scale == 0, np.float32(0), np.float32(1) / scale)
            ratio = np.rint(part * inverse[:, None])
            whole = np.where(np.isnan(ratio), np.float32(0), np.clip(ratio, -127, 127))
            codes[:, i * block : (i + 1) * block] = whole.astype(np.int8)
            scales[:, i] = scale
    return codes, scales
