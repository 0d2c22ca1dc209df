"""What each tile op computes, against plain loops and the definition of its numbers."""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.parser import Parser

from tilewright.backend.formats import FORMATS, Blocks, Packing, dequantise, pack, quantise
from tilewright.compiler.interp.tile import run_tile
from tilewright.dialects import context

Array = NDArray[Any]
RANDOM = np.random.default_rng(5)


def floats(*shape: int) -> NDArray[np.float32]:
    return RANDOM.standard_normal(shape).astype(np.float32)


def run(
    declared: str, body: str, data: dict[str, Array], **parameters: int | Sequence[int]
) -> dict[str, Array]:
    """Run a function of one block; `@y` and friends are declared in `declared`."""
    constants = "\n".join(f"%c{n} = arith.constant {n} : index" for n in range(9))
    function = f"func.func @main() {{\n{constants}\n{body}\nfunc.return\n}}"
    text = f"builtin.module {{\n{declared}\n{function}\n}}"
    module = Parser(context(), text).parse_module()
    module.verify()
    return run_tile(module, data, parameters)


def load(name: str, shape: str, memory: str = "spm") -> str:
    sizes = ", ".join(shape.split("x"))
    zeros = ", ".join("0" for _ in shape.split("x"))
    return (
        f"%{name} = tile.buffer : memref<{shape}xf32, #tw.{memory}>\n"
        f"tile.load @{name}[{zeros}] [{sizes}] to %{name}\n"
    )


def vec(expression: str, shape: str = "3x20", y: str = "3x20", **data: Array) -> Array:
    """`tile.vec` of loaded operands to @y."""
    declared = "".join(
        f"tg.global input @{n} : memref<{'x'.join(map(str, a.shape))}xf32, #tw.hbm>\n"
        for n, a in data.items()
    )
    declared += f"tg.global output @y : memref<{y}xf32, #tw.hbm>"
    loads = "".join(load(n, "x".join(map(str, a.shape))) for n, a in data.items())
    sizes, zeros = ", ".join(y.split("x")), ", ".join("0" for _ in y.split("x"))
    body = (
        f"{loads}%y = tile.buffer : memref<{y}xf32, #tw.spm>\ntile.vec {expression}\n"
        f"tile.store %y to @y[{zeros}] [{sizes}]"
    )
    return run(declared, body, data)["y"]


def test_vec_multiplies_adds_applies_and_combines_with_a_rounding_each() -> None:
    a, b, c, d = floats(3, 20), floats(3, 20), floats(1, 20), floats(3, 1)
    got = vec("neg(%a * %b + %c) max %d to %y", a=a, b=b, c=c, d=d)
    assert np.array_equal(got, np.maximum(-(a * b + c), d))
    assert np.array_equal(vec("id(%a * 0.1 + -2.0) to %y", a=a), a * np.float32(0.1) - 2)


@pytest.mark.parametrize(
    ("op", "want"),
    [
        ("add", np.add), ("sub", np.subtract), ("mul", np.multiply), ("max", np.maximum),
        ("min", np.minimum), ("lt", np.less), ("le", np.less_equal), ("eq", np.equal),
    ],
)  # fmt: skip
def test_vec_operators(op: str, want: Any) -> None:
    a, d = np.rint(floats(3, 20)), np.rint(floats(3, 20))
    assert np.array_equal(vec(f"id(%a) {op} %d to %y", a=a, d=d), want(a, d).astype(np.float32))


def sum16(row: Array) -> np.float32:
    """16 partials, then halves: written as the instruction's page says it."""
    partial = [np.float32(0)] * 16
    for j, value in enumerate(row):
        partial[j % 16] = np.float32(partial[j % 16] + value)
    for half in (8, 4, 2, 1):
        partial = [np.float32(partial[j] + partial[j + half]) for j in range(half)]
    return partial[0]


def test_vec_reduces_columns_in_16_partials() -> None:
    a = floats(3, 20)
    got = vec("id(%a) reduce sum to %y", y="3x1", a=a)
    assert got[:, 0].tolist() == [float(sum16(row)) for row in a]
    squares = vec("id(%a) reduce sumsq to %y", y="3x1", a=a)
    assert squares[:, 0].tolist() == [float(sum16(row * row)) for row in a]
    assert np.array_equal(vec("id(%a) reduce max to %y", y="3x1", a=a)[:, 0], a.max(1))
    assert np.array_equal(vec("id(%a) reduce min to %y", y="3x1", a=a)[:, 0], a.min(1))
    assert np.array_equal(vec("id(%a) reduce absmax to %y", y="3x1", a=a)[:, 0], abs(a).max(1))


@pytest.mark.parametrize(("name", "identity"), [("sum", 0.0), ("max", -np.inf), ("min", np.inf)])
def test_a_reduction_over_no_columns_gives_its_identity(name: str, identity: float) -> None:
    got = vec(f"id(%a) reduce {name} to %y cols %c0", y="3x1", a=floats(3, 20))
    assert (got == np.float32(identity)).all()


def test_a_band_keeps_columns_that_move_with_the_row() -> None:
    a = floats(3, 20)
    got = vec("id(%a) band lo %c1 hi %c4 step 1 axis 0 fill -1.0e+30 to %y", a=a)
    for row in range(3):
        for column in range(20):
            kept = 1 + row <= column < 4 + row
            assert got[row, column] == (a[row, column] if kept else np.float32(-1e30))


def test_a_fully_masked_row_of_softmax_is_0_and_not_nan() -> None:
    scores = floats(2, 8)
    text = (
        "id(%s * 0.5) band hi %c0 step 0 axis 0 fill -1.0e+30 reduce max to %m\n"
        "tile.vec neg(%m) to %n\n"
        "tile.vec exp(%s * 0.5 + %n) band hi %c0 step 0 axis 0 fill 0.0 to %y reduce sum to %m\n"
        "tile.vec id(%m) max 1.0e-30 to %m\n"
        "tile.vec reciprocal(%m) to %n\n"
        "tile.vec id(%y * %n) to %y"
    )
    buffers = "id(%s) to %y\n" + "".join(
        f"%{n} = tile.buffer : memref<2x1xf32, #tw.spm>\n" for n in "mn"
    )
    assert not vec(f"{buffers}tile.vec {text}", y="2x8", s=scores).any()


def test_axes_of_three_are_bounded_by_rows_mid_and_cols() -> None:
    a = floats(3, 4, 5)
    text = "id(0.0) to %y\ntile.vec id(%a) to %y rows %c2 mid %c3 cols %c4"
    got = vec(text, y="3x4x5", a=a)
    want = np.zeros_like(a)
    want[:2, :3, :4] = a[:2, :3, :4]
    assert np.array_equal(got, want)


def test_stores_to_bf16_and_f16_round_to_nearest_even() -> None:
    x = np.array([[1.00390625, 1.01171875, 3e38, 65519.996, 1e-8, np.nan]], np.float32)
    declared = (
        "tg.global input @x : memref<1x6xf32, #tw.hbm>\n"
        "tg.global output @b : memref<1x6xbf16, #tw.hbm>\n"
        "tg.global output @h : memref<1x6xf16, #tw.hbm>"
    )
    body = load("x", "1x6") + "".join(
        f"%{n} = tile.buffer : memref<1x6x{t}, #tw.spm>\ntile.vec id(%x) to %{n}\n"
        f"tile.store %{n} to @{n}[0, 0] [1, 6]\n"
        for n, t in (("b", "bf16"), ("h", "f16"))
    )
    got = run(declared, body, {"x": x})
    with np.errstate(all="ignore"):
        want = x.astype(ml_dtypes.bfloat16), x.astype(np.float16)
    assert np.array_equal(got["b"].astype(np.float32), want[0].astype(np.float32), equal_nan=True)
    assert np.array_equal(got["h"].astype(np.float32), want[1].astype(np.float32), equal_nan=True)


def product(a: Array, blocks: Blocks) -> Array:
    """acc += A B as the instruction's page says it, one element after another."""
    spec, f32 = blocks.spec, np.float32
    out = np.zeros((len(a), blocks.n), f32)
    for m in range(len(a)):
        for n in range(blocks.n):
            acc = f32(0)
            for first in range(0, blocks.k, spec.block):
                if blocks.scales is None:
                    acc = f32(acc + f32(a[m, first] * f32(blocks.codes[n, first])))
                    continue
                block, total, plain = first // spec.block, f32(0), f32(0)
                zero = spec.zero_point if blocks.zeros is None else int(blocks.zeros[n, block])
                for k in range(first, min(first + spec.block, blocks.k)):
                    total = f32(total + f32(a[m, k] * f32(int(blocks.codes[n, k]) - zero)))
                    plain = f32(plain + a[m, k])
                acc = f32(acc + f32(total * f32(blocks.scales[n, block])))
                if blocks.minima is not None:
                    acc = f32(acc + f32(plain * f32(blocks.minima[n, block])))
            out[m, n] = acc
    return out


def run_matmul(format: str, order: str, a: Array, blocks: Blocks) -> Array:
    k, n = blocks.k, blocks.n
    block = FORMATS[format].block
    whole = -(-k // block) * block
    packing = Packing(format, order, n, k, 32 if order == "kn" else 0)
    m = len(a)
    kind = "kn 32" if order == "kn" else "nk"
    tile = f"{whole}x32" if order == "kn" else f"{n}x{whole}"
    at, count = ("0, 0", whole // block) if order == "kn" else ("0", n)
    declared = (
        f"tg.global input @a : memref<{m}x{k}xf32, #tw.hbm>\n"
        f"tg.global weight @w : !lowbit.packed<{k}x{n}, {format}, {kind}> from \"'w'\"\n"
        f"tg.global output @y : memref<{m}x{n}xf32, #tw.hbm>"
    )
    body = load("a", f"{m}x{k}") + (
        f"%w = tile.buffer : memref<!lowbit.tile<{tile}, {format}, {order}>, #tw.spm>\n"
        f"tile.load @w[{at}] [{count}] to %w\n"
        f"%s = tile.buffer : memref<{m}x{n}xf32, #tw.acc>\n"
        f"tile.matmul %a, %w {'transposed ' if order == 'nk' else ''}into %s\n"
        f"%y = tile.buffer : memref<{m}x{n}xf32, #tw.spm>\n"
        f"tile.vec id(%s) to %y\ntile.store %y to @y[0, 0] [{m}, {n}]"
    )
    return run(declared, body, {"a": a, "w": pack(packing, blocks)})["y"]


@pytest.mark.parametrize("order", ["kn", "nk"])
@pytest.mark.parametrize("format", [name for name, row in FORMATS.items() if row.block <= 32])
def test_matmul_of_every_format_to_the_bit(format: str, order: str) -> None:
    k = 40 if FORMATS[format].block == 1 else 48
    a, blocks = floats(2, k), quantise(format, floats(24, k))
    assert np.array_equal(run_matmul(format, order, a, blocks), product(a, blocks))


def test_matmul_is_cut_by_rows_columns_and_depth() -> None:
    a, w = floats(4, 8), floats(8, 8)
    declared = (
        "tg.global input @a : memref<4x8xf32, #tw.hbm>\n"
        "tg.global input @w : memref<8x8xf32, #tw.hbm>\n"
        "tg.global output @y : memref<4x8xf32, #tw.hbm>"
    )
    body = load("a", "4x8") + load("w", "8x8") + (
        "%s = tile.buffer : memref<4x8xf32, #tw.acc>\n"
        "tile.matmul %a, %w into %s rows %c2 cols %c5 depth %c3\n"
        "tile.matmul %a, %w transposed into %s rows %c1 cols %c8 depth %c0\n"
        "%y = tile.buffer : memref<4x8xf32, #tw.spm>\n"
        "tile.vec id(%s) to %y\ntile.store %y to @y[0, 0] [4, 8]"
    )  # fmt: skip
    got = run(declared, body, {"a": a, "w": w})["y"]
    want = np.zeros((4, 8), np.float32)
    for k in range(3):
        want[:2, :5] += a[:2, k : k + 1] * w[k : k + 1, :5]
    assert np.array_equal(got, want)


def test_rows_of_a_packed_embedding_are_gathered_and_dequantised() -> None:
    blocks = quantise("q4_1", floats(10, 64))
    declared = (
        "tg.global weight @e : !lowbit.packed<64x10, q4_1, nk> from \"'e'\"\n"
        "tg.global input @ids : memref<6xi32, #tw.hbm>\n"
        "tg.global output @y : memref<4x64xf32, #tw.hbm>\ntg.scalar @n : 0 to 4"
    )
    body = (
        "%n = tg.get @n\n"
        "%e = tile.buffer : memref<!lowbit.tile<4x64, q4_1, nk>, #tw.spm>\n"
        "tile.gather @e[@ids[%c2]] [%n] to %e\n"
        "%y = tile.buffer : memref<4x64xf32, #tw.spm>\n"
        "tile.vec id(%e) to %y rows %n\ntile.store %y to @y[0, 0] [%n, 64]"
    )
    ids = np.array([0, 0, 9, 10, 3, 1], np.int32)
    data = {"e": pack(Packing("q4_1", "nk", 10, 64), blocks), "ids": ids}
    got = run(declared, body, data, n=3)["y"]
    rows = dequantise(blocks)
    assert np.array_equal(got, np.stack([rows[9], 0 * rows[0], rows[3], 0 * rows[0]]))


def test_select_topk_transpose_and_quantise() -> None:
    a, b = floats(3, 8), floats(3, 8)
    mask = (a > 0).astype(np.float32)
    a[1, 2] = a[1, 5] = 9.0
    declared = "".join(
        f"tg.global input @{n} : memref<3x8xf32, #tw.hbm>\n" for n in ("a", "b", "mask")
    ) + (
        "tg.global output @y : memref<3x8xf32, #tw.hbm>\n"
        "tg.global output @t : memref<8x3xf32, #tw.hbm>\n"
        "tg.global output @v : memref<3x1xf32, #tw.hbm>\n"
        "tg.global output @i : memref<3x1xi32, #tw.hbm>\n"
        "tg.global output @q : memref<3x8xi8, #tw.hbm>\n"
        "tg.global output @s : memref<3x2xf32, #tw.hbm>"
    )  # fmt: skip
    outputs = {"y": "3x8xf32", "t": "8x3xf32", "v": "3x1xf32", "i": "3x1xi32", "q": "3x8xi8",
               "s": "3x2xf32"}  # fmt: skip
    body = "".join(load(n, "3x8") for n in ("a", "b", "mask"))
    body += "".join(f"%{n} = tile.buffer : memref<{t}, #tw.spm>\n" for n, t in outputs.items())
    body += (
        "tile.select %mask, %a, %b to %y\ntile.topk %a to %v, %i\n"
        "tile.transpose %a to %t\ntile.quantise %a to %q, %s\n"
    )
    for name, type_ in outputs.items():
        sizes = ", ".join(type_.split("x")[:2])
        body += f"tile.store %{name} to @{name}[0, 0] [{sizes}]\n"
    got = run(declared, body, {"a": a, "b": b, "mask": mask})
    assert np.array_equal(got["y"], np.where(mask != 0, a, b))
    assert np.array_equal(got["t"], a.T)
    assert np.array_equal(got["v"][:, 0], a.max(1))
    assert np.array_equal(got["i"][:, 0], a.argmax(1))
    scales = abs(a.reshape(3, 2, 4)).max(2) / np.float32(127)
    assert np.array_equal(got["s"], scales)
    codes = np.rint(a.reshape(3, 2, 4) * (np.float32(1) / scales)[..., None])
    assert np.array_equal(got["q"], codes.reshape(3, 8).astype(np.int8))


def test_the_largest_of_no_columns_is_minus_infinity_at_minus_1() -> None:
    declared = (
        "tg.global input @a : memref<1x8xf32, #tw.hbm>\n"
        "tg.global output @v : memref<1x1xf32, #tw.hbm>\n"
        "tg.global output @i : memref<1x1xi32, #tw.hbm>"
    )
    body = load("a", "1x8") + (
        "%v = tile.buffer : memref<1x1xf32, #tw.spm>\n%i = tile.buffer : memref<1x1xi32, #tw.spm>\n"
        "tile.topk %a to %v, %i cols %c0\n"
        "tile.store %v to @v[0, 0] [1, 1]\ntile.store %i to @i[0, 0] [1, 1]"
    )
    got = run(declared, body, {"a": floats(1, 8)})
    assert (got["v"][0, 0], got["i"][0, 0]) == (-np.inf, -1)


def test_boxes_of_five_axes_and_parts_of_slots() -> None:
    x = floats(2, 3, 4, 5, 6)
    declared = (
        "tg.global input @x : memref<2x3x4x5x6xf32, #tw.hbm>\n"
        "tg.global output @y : memref<4x6xf32, #tw.hbm>\ntg.scalar @n : 0 to 4"
    )
    body = (
        "%n = tg.get @n\n%b = tile.buffer : memref<4x1x6xf32, #tw.spm>\n"
        "tile.load @x[1, 2, 0, %c3, 0] [1, 1, %n, 1, 6] to %b\n"
        "%p = tile.reshape %b : memref<4x6xf32, #tw.spm>\n"
        "%r = memref.subview %p[%c1, 2] [1, 3] [1, 1] : memref<4x6xf32, #tw.spm> to "
        "memref<1x3xf32, strided<[6, 1], offset: ?>, #tw.spm>\n"
        "tile.vec id(%r * 2.0) to %r\n"
        "tile.store %p to @y[0, 0] [%n, 6]"
    )
    got = run(declared, body, {"x": x}, n=3)["y"]
    want = np.zeros((4, 6), np.float32)
    want[:3] = x[1, 2, :3, 3]
    want[1, 2:5] *= 2
    assert np.array_equal(got, want)
