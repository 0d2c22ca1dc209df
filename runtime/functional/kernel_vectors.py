"""The inner loops of the matrix unit as LLVM vectors of 16 columns, on absolute addresses.

numba has no vector type, so these few loops are written as LLVM instructions: plain multiplies and
adds (no flag that would let LLVM contract or reorder them), one column to a lane, so every column
keeps the order that `backend.numerics.matrix` defines. `kernel_scalar` holds the same functions in
plain Python; they stand in when NUMBA_DISABLE_JIT is set.

Addresses and strides are int64 bytes. The functions are generated once for each row count.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false, reportPrivateImportUsage=false
# numba and llvmlite have no type stubs.

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
I8, I16, I32, I64 = (ir.IntType(n) for n in (8, 16, 32, 64))
F32 = ir.FloatType()
VEC = ir.VectorType(F32, LANES)


def _const(value):
    return ir.Constant(I64, value)


def _at(b, address, offset, kind):
    where = b.add(address, _const(offset)) if isinstance(offset, int) else b.add(address, offset)
    return b.inttoptr(where, kind.as_pointer())


def _load(b, address, offset, kind, align):
    return b.load(_at(b, address, offset, kind), align=align)


def _store(b, value, address, offset, align=4):
    b.store(value, _at(b, address, offset, value.type), align=align)


def _splat(b, scalar):
    """A vector with the scalar in every lane."""
    kind = ir.VectorType(scalar.type, LANES)
    undefined = ir.Constant(kind, ir.Undefined)
    one = b.insert_element(undefined, scalar, ir.Constant(I32, 0))
    mask = ir.Constant(ir.VectorType(I32, LANES), [0] * LANES)
    return b.shuffle_vector(one, undefined, mask)


def _constants(kind, value):
    return ir.Constant(ir.VectorType(kind, LANES), [value] * LANES)


def _halves(b, address, offset):
    """16 float16 widened to float32 by integers, which works on every processor."""
    wide = ir.VectorType(I32, LANES)
    raw = b.zext(_load(b, address, offset, ir.VectorType(I16, LANES), 2), wide)
    magnitude = b.and_(raw, _constants(I32, 0x7FFF))
    scaled = b.bitcast(b.shl(magnitude, _constants(I32, 13)), VEC)
    bits = b.bitcast(b.fmul(scaled, _constants(F32, 2.0**112)), wide)
    special = b.icmp_unsigned(">=", magnitude, _constants(I32, 0x7C00))
    bits = b.select(special, b.or_(bits, _constants(I32, 0x7F800000)), bits)
    sign = b.shl(b.and_(raw, _constants(I32, 0x8000)), _constants(I32, 16))
    return b.bitcast(b.or_(bits, sign), VEC)


def _bytes(b, address, offset):
    return _load(b, address, offset, ir.VectorType(I8, LANES), 1)


def _nibbles(b, raw, zero):
    """Low and high nibble of 16 bytes as float32, less `zero` (a constant or a vector of i32)."""
    wide = ir.VectorType(I32, LANES)
    parts = (b.and_(raw, _constants(I8, 15)), b.lshr(raw, _constants(I8, 4)))
    whole = [b.zext(part, wide) for part in parts]
    if zero is not None:
        whole = [b.sub(part, zero) for part in whole]
    return [b.sitofp(part, VEC) for part in whole]


def _signed(b, raw):
    return [b.sitofp(b.sext(raw, ir.VectorType(I32, LANES)), VEC)]


def _chain(b, total, factor, value):
    b.store(b.fadd(b.load(total), b.fmul(factor, value)), total)


def _prefetch(b, address):
    """Ask for the line of an address; a hint, which no address can make fail."""
    kind = I8.as_pointer()
    signature = ir.FunctionType(ir.VoidType(), [kind, I32, I32, I32])
    hint = b.module.declare_intrinsic("llvm.prefetch", [kind], signature)
    read, keep, data = ir.Constant(I32, 0), ir.Constant(I32, 3), ir.Constant(I32, 1)
    b.call(hint, [b.inttoptr(address, kind), read, keep, data])


def _codes(b, zero_mode, bits, codes, width, zeros, j, group, ahead):
    """Decoded float32 vectors of code row j for one group of 16 columns: one or two rows of K.

    The line `ahead` bytes further, that of the next block, is asked for once in 64 columns.
    """
    where = b.add(b.mul(j, width), _const(group * LANES))
    if group % 4 == 0:
        _prefetch(b, b.add(codes, b.add(where, ahead)))
    raw = _bytes(b, codes, where)
    if bits == 8:
        return _signed(b, raw)
    zero = None
    if zero_mode == "constant":
        zero = _constants(I32, 8)
    elif zero_mode == "stored":
        stored = _bytes(b, zeros, group * LANES)
        zero = b.zext(stored, ir.VectorType(I32, LANES))
    return _nibbles(b, raw, zero)


def _name(function, name):
    function.__name__ = name
    return intrinsic(function)


def make_gemv(rows, groups, bits, zero_mode, minima):
    """One block of K for `rows` rows of A and groups * 16 columns of packed B.

    (acc, acc_stride, x, x_stride, codes, width, scales, extra, sums, sums_stride, code_rows,
    ahead): S = chain of x * (code - zero) from +0; acc = acc + S * scale; with minima then
    acc = acc + X * m, where `extra` addresses the block's minima or zeros and `sums` the block's X
    of row 0.
    """

    def gemv(typing, acc, acc_stride, x, x_stride, codes, width, scales, extra, sums, sums_stride,
             code_rows, ahead):  # fmt: skip
        def generate(context, b, signature, args):
            acc, acc_s, x, x_s, codes, width, scales, extra, sums, sums_s, code_rows, ahead = args
            zero = _constants(F32, 0.0)
            total = [[cgutils.alloca_once_value(b, zero) for _ in range(groups)]
                     for _ in range(rows)]  # fmt: skip
            step = 4 if bits == 8 else 8
            with cgutils.for_range(b, code_rows, intp=I64) as loop:
                at = b.mul(loop.index, _const(step))
                parts = 1 if bits == 8 else 2
                factors = [
                    [_splat(b, _load(b, x, b.add(b.mul(x_s, _const(r)), b.add(at, _const(4 * p))),
                                     F32, 4)) for p in range(parts)]
                    for r in range(rows)
                ]  # fmt: skip
                for g in range(groups):
                    values = _codes(b, zero_mode, bits, codes, width, extra, loop.index, g,
                                    ahead)  # fmt: skip
                    for r in range(rows):
                        for part, value in enumerate(values):
                            _chain(b, total[r][g], factors[r][part], value)
            for g in range(groups):
                scale = _halves(b, scales, g * 2 * LANES)
                low = _halves(b, extra, g * 2 * LANES) if minima else None
                for r in range(rows):
                    where = b.add(b.mul(acc_s, _const(r)), _const(g * 4 * LANES))
                    value = _load(b, acc, where, VEC, 4)
                    value = b.fadd(value, b.fmul(b.load(total[r][g]), scale))
                    if minima:
                        x_sum = _load(b, sums, b.mul(sums_s, _const(r)), F32, 4)
                        value = b.fadd(value, b.fmul(_splat(b, x_sum), low))
                    _store(b, value, acc, where)
            return context.get_dummy_value()

        return types.void(*(types.int64,) * 12), generate

    kind = f"{bits}_{zero_mode}_{'m' if minima else 'n'}"
    return _name(gemv, f"gemv_{rows}_{groups}_{kind}")


def make_decode(bits, zero_mode):
    """Codes of one block of K, 16 columns, as float32 rows: (codes, width, zeros, out, out_stride,
    code_rows, ahead)."""

    def decode(typing, codes, width, zeros, out, out_stride, code_rows, ahead):
        def generate(context, b, signature, args):
            codes, width, zeros, out, out_s, code_rows, ahead = args
            parts = 1 if bits == 8 else 2
            with cgutils.for_range(b, code_rows, intp=I64) as loop:
                values = _codes(b, zero_mode, bits, codes, width, zeros, loop.index, 0, ahead)
                row = b.mul(loop.index, b.mul(out_s, _const(parts)))
                for part, value in enumerate(values):
                    _store(b, value, out, b.add(row, b.mul(out_s, _const(part))))
            return context.get_dummy_value()

        return types.void(*(types.int64,) * 7), generate

    return _name(decode, f"decode_{bits}_{zero_mode}")


@intrinsic
def halves_16(typing, source, out):
    """16 float16 at `source` as float32 at `out`."""

    def generate(context, b, signature, args):
        _store(b, _halves(b, args[0], 0), args[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


def make_chain(rows, groups):
    """acc = acc + x_k * w_k for k ascending, `rows` rows and groups * 16 columns.

    (acc, acc_stride, x, x_stride, w, w_stride, depth).
    """

    def chain(typing, acc, acc_stride, x, x_stride, w, w_stride, depth):
        def generate(context, b, signature, args):
            acc, acc_s, x, x_s, w, w_s, depth = args
            where = [[b.add(b.mul(acc_s, _const(r)), _const(g * 4 * LANES)) for g in range(groups)]
                     for r in range(rows)]  # fmt: skip
            total = [[cgutils.alloca_once_value(b, _load(b, acc, at, VEC, 4)) for at in row]
                     for row in where]  # fmt: skip
            _panel_loop(b, total, x, x_s, w, w_s, depth)
            for row, at in zip(total, where, strict=True):
                for value, offset in zip(row, at, strict=True):
                    _store(b, b.load(value), acc, offset)
            return context.get_dummy_value()

        return types.void(*(types.int64,) * 7), generate

    return _name(chain, f"chain_{rows}_{groups}")


def make_block(rows, groups, minima):
    """One block of decoded codes: S = chain from +0, acc = acc + S * scale, acc = acc + X * m.

    (acc, acc_stride, x, x_stride, w, w_stride, scales, minima, sums, sums_stride, depth); scales
    and minima are float32.
    """

    def block(typing, acc, acc_stride, x, x_stride, w, w_stride, scales, lows, sums, sums_stride,
              depth):  # fmt: skip
        def generate(context, b, signature, args):
            acc, acc_s, x, x_s, w, w_s, scales, lows, sums, sums_s, depth = args
            zero = _constants(F32, 0.0)
            total = [[cgutils.alloca_once_value(b, zero) for _ in range(groups)]
                     for _ in range(rows)]  # fmt: skip
            _panel_loop(b, total, x, x_s, w, w_s, depth)
            for g in range(groups):
                scale = _load(b, scales, g * 4 * LANES, VEC, 4)
                low = _load(b, lows, g * 4 * LANES, VEC, 4) if minima else None
                for r in range(rows):
                    where = b.add(b.mul(acc_s, _const(r)), _const(g * 4 * LANES))
                    value = _load(b, acc, where, VEC, 4)
                    value = b.fadd(value, b.fmul(b.load(total[r][g]), scale))
                    if minima:
                        x_sum = _load(b, sums, b.mul(sums_s, _const(r)), F32, 4)
                        value = b.fadd(value, b.fmul(_splat(b, x_sum), low))
                    _store(b, value, acc, where)
            return context.get_dummy_value()

        return types.void(*(types.int64,) * 11), generate

    return _name(block, f"block_{rows}_{groups}_{'m' if minima else 'n'}")


def _panel_loop(b, total, x, x_s, w, w_s, depth):
    with cgutils.for_range(b, depth, intp=I64) as loop:
        row, at = b.mul(loop.index, w_s), b.mul(loop.index, _const(4))
        values = [_load(b, w, b.add(row, _const(g * 4 * LANES)), VEC, 4)
                  for g in range(len(total[0]))]  # fmt: skip
        for r, line in enumerate(total):
            factor = _splat(b, _load(b, x, b.add(b.mul(x_s, _const(r)), at), F32, 4))
            for slot, value in zip(line, values, strict=True):
                _chain(b, slot, factor, value)


@intrinsic
def transpose_16(typing, source, source_stride, out, out_stride):
    """16 rows of 16 float32 at `source` as 16 columns at `out`."""

    def generate(context, b, signature, args):
        source, source_s, out, out_s = args
        rows = [_load(b, source, b.mul(source_s, _const(r)), VEC, 4) for r in range(LANES)]
        half = LANES // 2
        while half:
            # Rows r and r + half exchange their off-diagonal halves of 2 * half columns.
            mask_low = [c if not c & half else LANES + c - half for c in range(LANES)]
            mask_high = [c + half if not c & half else LANES + c for c in range(LANES)]
            masks = [ir.Constant(ir.VectorType(I32, LANES), m) for m in (mask_low, mask_high)]
            for r in range(LANES):
                if not r & half:
                    low, high = rows[r], rows[r + half]
                    rows[r] = b.shuffle_vector(low, high, masks[0])
                    rows[r + half] = b.shuffle_vector(low, high, masks[1])
            half //= 2
        for r, row in enumerate(rows):
            _store(b, row, out, b.mul(out_s, _const(r)))
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 4), generate


@intrinsic
def pointer(typing, address):
    """An address as a void pointer, for numba.carray."""

    def generate(context, b, signature, args):
        return b.inttoptr(args[0], I8.as_pointer())

    return types.voidptr(types.int64), generate


@intrinsic
def copy_bytes(typing, out, source, count):
    """memcpy; the ranges do not overlap."""

    def generate(context, b, signature, args):
        out, source = (b.inttoptr(a, I8.as_pointer()) for a in args[:2])
        cgutils.raw_memcpy(b, out, source, args[2], 1)
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 3), generate


unit = cfunc("void(int64, int64, int64, int64, int64, int64)", cache=True)
"""Decorator of a unit: a cached C function, called through its `address`."""


@intrinsic
def call_unit(typing, function, row, place, shape, low, high, scratch):
    """Call a C function of six int64 through its address."""

    def generate(context, b, signature, args):
        kind = ir.FunctionType(ir.VoidType(), [I64] * 6)
        b.call(b.inttoptr(args[0], kind.as_pointer()), args[1:])
        return context.get_dummy_value()

    return types.void(*(types.int64,) * 7), generate


@intrinsic
def bits_of(typing, value):
    """The bits of a float32 as int32."""
    return types.int32(types.float32), lambda c, b, s, args: b.bitcast(args[0], I32)


@intrinsic
def float_of(typing, value):
    """The float32 of 32 bits."""
    return types.float32(types.int32), lambda c, b, s, args: b.bitcast(args[0], F32)


@njit
def bytes_at(address, count):
    """uint8 array over memory."""
    return carray(pointer(address), (count,), np.uint8)


@njit
def signed_bytes_at(address, count):
    """int8 array over memory."""
    return carray(pointer(address), (count,), np.int8)


@njit
def shorts_at(address, count):
    """uint16 array over memory."""
    return carray(pointer(address), (count,), np.uint16)


@njit
def integers_at(address, count):
    """int32 array over memory."""
    return carray(pointer(address), (count,), np.int32)


@njit
def floats_at(address, count):
    """float32 array over memory."""
    return carray(pointer(address), (count,), np.float32)


@njit
def words_at(address, count):
    """int64 array over memory."""
    return carray(pointer(address), (count,), np.int64)
