"""`mm` and `vec` as plain loops written from docs/ISA.md alone, against backend.numerics, in bits.

The loops read packed bytes by chapter 5 and share no code with the units they check.
"""

import operator
import random
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
import pytest

from tilewright.backend.formats import ELEMENTS, FORMATS, Format, Packing, pack, quantise
from tilewright.backend.isa import F_FUNCTIONS, OPS, REDUCTIONS
from tilewright.backend.numerics import Band, Operand, matmul, vec

f32 = np.float32
F32Array = npt.NDArray[np.float32]
SHAPES = 200


def same_bits(found: npt.NDArray[Any], wanted: npt.NDArray[Any]) -> bool:
    """Equal shapes and bits, any NaN like any other."""
    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    if found.dtype != np.float32:
        return bool(np.array_equal(found, wanted))
    equal = found.view(np.uint32) == wanted.view(np.uint32)
    return bool(np.all(equal | (np.isnan(found) & np.isnan(wanted))))


@dataclass
class Packed:
    """Packed bytes, and where chapter 5 says that the parts of a value are."""

    row: Format
    order: str
    data: npt.NDArray[np.uint8]
    strides: tuple[int, int]

    def number(self, at: int, element: str) -> np.float32:
        """An element of the bytes as a float32."""
        dtype = ELEMENTS[element]
        raw = self.data[at : at + dtype.itemsize].tobytes()
        return f32(np.frombuffer(raw, dtype)[0])

    def header(self, n: int, i: int) -> tuple[int, list[int], int]:
        """Of column or row n, block i: address of the scale, of the rest, step between codes."""
        scale = ELEMENTS[self.row.scale or "u8"].itemsize
        rest = self.row.block_header_bytes - scale
        if self.order == "kn":
            q, w = i * self.strides[0], self.strides[1]
            return q + n * scale, [q + w * scale + n * rest], w
        q = n * self.strides[0] + i * self.strides[1]
        return q, [q + scale], 1

    def code(self, n: int, i: int, k: int) -> int:
        """The code of value k of block i."""
        _, _, step = self.header(n, i)
        if self.order == "kn":
            start = i * self.strides[0] + step * self.row.block_header_bytes + n
        else:
            start = n * self.strides[0] + i * self.strides[1] + self.row.block_header_bytes
        if self.row.code_bits == 8:
            return int(self.data[start + k * step].astype(np.int8))
        byte = int(self.data[start + k // 2 * step])
        return byte >> 4 if k % 2 else byte & 15

    def plain(self, n: int, k: int) -> np.float32:
        """Element (k, n) of a format without block scales."""
        size = ELEMENTS[self.row.name].itemsize
        if self.order == "kn":
            return self.number(k * self.strides[0] + n * size, self.row.name)
        return self.number(n * self.strides[0] + k * self.strides[1], self.row.name)


def mm_loop(acc: F32Array, a: F32Array, b: Packed, start: int, count: int) -> None:
    """`mm` on the values of K from `start`, a block border, of `count` of them; updates acc."""
    row = b.row
    for m in range(acc.shape[0]):
        for n in range(acc.shape[1]):
            total = acc[m, n]
            if row.scale is None:
                for k in range(count):
                    total = total + a[m, k] * b.plain(n, start + k)
            else:
                for block in range(-(-count // row.block)):
                    ks = range(block * row.block, min(count, (block + 1) * row.block))
                    i = start // row.block + block
                    scale_at, (rest_at,), _ = b.header(n, i)
                    zero = int(b.data[rest_at]) if row.zero else row.zero_point
                    s = f32(0)
                    for k in ks:
                        s = s + a[m, k] * f32(b.code(n, i, k - block * row.block) - zero)
                    total = total + s * b.number(scale_at, row.scale)
                    if row.minimum:
                        x = f32(0)
                        for k in ks:
                            x = x + a[m, k]
                        total = total + x * b.number(rest_at, row.minimum)
            acc[m, n] = total


def packed_operand(name: str, order: str, rng: np.random.Generator, n: int, k: int) -> Any:
    """Random rows of a format: the packed bytes of one panel, and the unit's operand."""
    rows = rng.normal(0, 1, (n, k)).astype(np.float32)
    rows[:, :: int(rng.integers(2, 40))] *= f32(0)
    blocks = quantise(name, rows)
    width = -(-n // 16) * 16
    packing = Packing(name, order, n, k, width if order == "kn" else 0)
    row = FORMATS[name]
    strides = (packing.block_bytes(width), width) if order == "kn" else (
        packing.row_bytes, row.block_bytes)  # fmt: skip
    return Packed(row, order, pack(packing, blocks), strides), Operand.from_blocks(blocks)


def activations(rng: np.random.Generator, m: int, k: int) -> tuple[npt.NDArray[Any], F32Array]:
    """Random rows as f32, bf16 or f16, now and then with special values; and them widened."""
    a = (rng.normal(0, 1, (m, k)) * 10.0 ** rng.integers(-3, 4)).astype(np.float32)
    if k and rng.random() < 0.2:
        special = np.array([np.inf, -np.inf, np.nan, -0.0, 1e-42, 3e38], np.float32)
        a[rng.integers(0, m), rng.integers(0, k)] = rng.choice(special)
    dtype = (np.float32, ml_dtypes.bfloat16, np.float16)[rng.integers(0, 3)]
    with np.errstate(all="ignore"):
        narrow = a.astype(dtype)
        return narrow, narrow.astype(np.float32)


@pytest.mark.parametrize("order", ["kn", "nk"])
@pytest.mark.parametrize("name", FORMATS)
def test_mm_of_every_format_and_order(name: str, order: str) -> None:
    rng = np.random.default_rng([*name.encode(), *order.encode()])
    block = FORMATS[name].block
    for _ in range(SHAPES // (2 * len(FORMATS)) + 1):
        m, n = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 5, 17]))
        k = int(rng.integers(1, 2 * block + 20))
        packed, operand = packed_operand(name, order, rng, n, k)
        stored, a = activations(rng, m, k)
        # Two tiles of K, cut on a block border; the second may end inside a block.
        cut = int(rng.integers(0, k // block + 1)) * block
        used = int(rng.integers(cut, k + 1))
        wanted = rng.normal(0, 1, (m, n)).astype(np.float32)
        found = matmul(wanted, stored[:, :used], operand)
        with np.errstate(all="ignore"):
            mm_loop(wanted, a[:, :cut], packed, 0, cut)
            mm_loop(wanted, a[:, cut:used], packed, cut, used - cut)
        assert same_bits(found, wanted), f"{name} {order} M={m} N={n} K={used} of {k}, cut {cut}"


def test_mm_of_dense_views_and_their_transposes() -> None:
    rng = np.random.default_rng(11)
    for _ in range(SHAPES):
        m, n, k = int(rng.integers(1, 5)), int(rng.choice([1, 2, 7])), int(rng.integers(0, 40))
        stored, a = activations(rng, m, k)
        transposed = bool(rng.integers(0, 2))
        b = rng.normal(0, 1, (n, k) if transposed else (k, n)).astype(np.float32)
        wanted = np.zeros((m, n), np.float32)
        found = matmul(wanted, stored, Operand(b.T if transposed else b))
        with np.errstate(all="ignore"):
            for i in range(m):
                for j in range(n):
                    for x in range(k):
                        product = a[i, x] * (b[j, x] if transposed else b[x, j])
                        wanted[i, j] = wanted[i, j] + product
        assert same_bits(found, wanted)


def test_mm_of_integers_wraps_at_32_bits() -> None:
    rng = np.random.default_rng(12)
    for _ in range(20):
        m, n, k = (int(rng.integers(1, 9)) for _ in range(3))
        a = rng.integers(-128, 128, (m, k), dtype=np.int8)
        b = rng.integers(-128, 128, (k, n), dtype=np.int8)
        acc = rng.integers(-(1 << 31), 1 << 31, (m, n), dtype=np.int32)
        acc[0, 0] = (1 << 31) - 1
        wanted = acc.copy()
        for i in range(m):
            for j in range(n):
                total = int(acc[i, j]) + sum(int(a[i, x]) * int(b[x, j]) for x in range(k))
                wanted[i, j] = (total + (1 << 31)) % (1 << 32) - (1 << 31)
        with np.errstate(all="ignore"):
            assert same_bits(matmul(acc, a, Operand(b)), wanted)


def larger(x: np.float32, y: np.float32) -> np.float32:
    """Chapter 8's max."""
    return x if x > y or x != x else y


def smaller(x: np.float32, y: np.float32) -> np.float32:
    """Chapter 8's min."""
    return x if x < y or x != x else y


COMBINE: dict[str, Any] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "max": larger,
    "min": smaller,
    "lt": operator.lt,  # a bool, stored as 1.0 or 0.0
    "le": operator.le,
    "eq": operator.eq,
}


def reduce_row(rop: str, values: list[np.float32]) -> np.float32:
    """The reduction of one row."""
    start = {"max": -np.inf, "min": np.inf}.get(rop, 0.0)
    combine = {"sum": COMBINE["add"], "sumsq": COMBINE["add"], "min": smaller}.get(rop, larger)
    p = [f32(start)] * 16
    for j, v in enumerate(values):
        if rop == "sumsq":
            v = v * v
        elif rop == "absmax":
            v = np.abs(v)
        p[j % 16] = combine(p[j % 16], v)
    for half in (8, 4, 2, 1):
        for j in range(half):
            p[j] = combine(p[j], p[j + half])
    return p[0]


def apply(f: str, t: F32Array, page: dict[str, Any]) -> F32Array:
    """f by its name, elementary functions as the page lists them."""
    match f:
        case "identity":
            return t
        case "neg":
            return (t.view(np.uint32) ^ np.uint32(1 << 31)).view(np.float32)
        case "abs":
            return (t.view(np.uint32) & np.uint32((1 << 31) - 1)).view(np.float32)
        case "round":
            return np.round(t)
        case "floor":
            return np.floor(t)
        case _:
            return np.asarray(page[f](t), np.float32)


def vec_values(rng: np.random.Generator, shape: tuple[int, ...]) -> F32Array:
    """Random numbers of a shape, some axes broadcast, some values special."""
    shape = tuple(1 if rng.random() < 0.2 else n for n in shape)
    v = (rng.normal(0, 1, shape) * 10.0 ** rng.integers(-2, 3)).astype(np.float32)
    if rng.random() < 0.2:
        special = np.array([np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-42], np.float32)
        v.flat[:: int(rng.integers(1, 9))] = rng.choice(special)
    return v


@pytest.mark.parametrize("part", range(4))
def test_vec(part: int, page_definitions: dict[str, Any]) -> None:
    rng, pick = np.random.default_rng(100 + part), random.Random(part)
    with np.errstate(all="ignore"):
        for _ in range(SHAPES // 4):
            one_vec(rng, pick, page_definitions)


def one_vec(rng: np.random.Generator, pick: random.Random, page: dict[str, Any]) -> None:
    """One random instruction: the unit against loops over its elements."""
    rank = pick.randint(1, 3)
    shape = (*(pick.randint(1, 4) for _ in range(rank - 1)), pick.choice([0, 1, 3, 16, 17, 40]))
    f, op = pick.choice(F_FUNCTIONS), pick.choice(OPS)
    rop = pick.choice(REDUCTIONS)
    a = np.broadcast_to(vec_values(rng, shape), shape)
    b, c = (vec_values(rng, shape) if pick.random() < 0.6 else None for _ in range(2))
    d = None if op == "none" else vec_values(rng, shape)
    band = None
    if rank > 1 and pick.random() < 0.5:
        lo, hi = (pick.choice([None, pick.randint(-9, 30)]) for _ in range(2))
        band = Band(lo, hi, pick.randint(0, 1), pick.randint(0, rank - 2), -1e30)
    found, reduced = vec(
        f, a, b, c, None if op == "none" else op, d, band, None if rop == "none" else rop
    )
    t = np.empty(shape, np.float32)
    wide = [None if x is None else np.broadcast_to(x, shape) for x in (b, c, d)]
    for index in np.ndindex(shape):
        value = a[index]
        if wide[0] is not None:
            value = value * wide[0][index]
        if wide[1] is not None:
            value = value + wide[1][index]
        t[index] = value
    v = apply(f, t, page)
    for index in np.ndindex(shape):
        if wide[2] is not None:
            v[index] = COMBINE[op](v[index], wide[2][index])
        if band is not None:
            shift, column = band.step * index[band.axis], index[-1]
            below = band.lo is not None and column < band.lo + shift
            above = band.hi is not None and column >= band.hi + shift
            if below or above:
                v[index] = f32(-1e30)
    assert same_bits(found, v), f"{f} {op} {shape} {band}"
    if reduced is not None:
        red = np.empty((*shape[:-1], 1), np.float32)
        for outer in np.ndindex(shape[:-1]):
            red[(*outer, 0)] = reduce_row(rop, [v[(*outer, j)] for j in range(shape[-1])])
        assert same_bits(reduced, red), f"{rop} of {shape}"
