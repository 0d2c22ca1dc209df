"""Memory instructions of the reference engine, one function each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...backend.isa import BY_MNEMONIC, CONSTANT, F_FUNCTIONS, NO_REGISTER, OPS, REDUCTIONS, Ins
from ...backend.numerics import Band, matmul, narrow, reduce, vec
from .access import Access

if TYPE_CHECKING:
    from .reference import EngineState, ReferenceEngine

Array = npt.NDArray[Any]
f32 = np.float32


class Step:
    """One instruction being executed: its operands by name."""

    def __init__(self, core: ReferenceEngine, engine: EngineState, ins: Ins) -> None:
        self.core, self.engine, self.ins = core, engine, ins
        self.numbers = {s.name: i for i, s in enumerate(BY_MNEMONIC[ins.mnemonic].operands)}

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of an operand's view."""
        return self.core.program.views[self.ins.operands[name].view].shape

    def clip(self, shape: tuple[int, ...], *fields: str) -> tuple[int, ...]:
        """A shape clipped by the bound registers in these fields, one an axis."""
        bounds = [self.ins.fields[f] if f else NO_REGISTER for f in fields]
        return tuple(self.core.clip(self.engine, shape, bounds))

    def open(self, name: str, shape: tuple[int, ...], mode: str = "read") -> Access:
        """Check and open an operand with a clipped shape."""
        operand = self.ins.operands[name]
        return self.core.access(self.engine, self.numbers[name], operand, shape, mode)

    def put(self, access: Access, bits: Array) -> None:
        """Store elements and count them as written."""
        access.elements()[...] = bits
        self.core.wrote(access)

    def value(self, name: str, shape: tuple[int, ...]) -> Array | None:
        """A vector operand as float32; None where it is absent."""
        operand = self.ins.operands.get(name)
        if operand is None:
            return None
        if operand.kind == CONSTANT:
            return np.full((1,) * len(shape), self.core.constant(operand))
        return self.open(name, shape).floats()

    def register(self, field: str) -> int | None:
        """The value of an optional register."""
        number = self.ins.fields[field]
        return None if number == NO_REGISTER else self.engine.registers[number]


def _axes(step: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    return step.clip(shape, *(f"axis{axis}" for axis in range(len(shape))))


def _value_shape(step: Step, shape: tuple[int, ...]) -> tuple[int, ...]:
    fields = {1: ("cols",), 2: ("rows", "cols"), 3: ("rows", "mid", "cols")}[len(shape)]
    return step.clip(shape, *fields)


def copy(step: Step) -> None:
    """dst = src inside the shape of src, zero bits elsewhere."""
    box = _axes(step, step.shape("dst"))
    inside = tuple(min(b, s) for b, s in zip(box, step.shape("src"), strict=True))
    dst = step.open("dst", box, "write")
    src = step.open("src", inside)
    bits = np.zeros(box, dst.elements().dtype)
    bits[tuple(slice(0, n) for n in inside)] = src.elements()
    step.put(dst, bits)


def fill(step: Step) -> None:
    """dst = the constant, converted."""
    dst = step.open("dst", _axes(step, step.shape("dst")), "write")
    value = np.full(1, step.core.constant(step.ins.operands["value"]))
    step.put(dst, narrow(value, dst.view.format))


def _indices(step: Step, count: int) -> Array:
    have = step.shape("index")[0]
    if have < count:
        step.core.extent_fault(step.engine, step.numbers["index"], have, count, 0)
    return step.open("index", (count,)).elements().copy()


def gather(step: Step) -> None:
    """dst[i] = src[index[i]], zeros out of range."""
    shape = step.shape("dst")
    count = step.clip(shape[:1], "rows")[0]
    index = _indices(step, count)
    dst = step.open("dst", (count, *shape[1:]), "write")
    rows, source = step.shape("src")[0], step.ins.operands["src"]
    bits = np.zeros(dst.shape, dst.elements().dtype)
    stride = step.core.program.views[source.view].strides[0]
    for i, j in enumerate(index):
        if 0 <= j < rows:
            bits[i] = _row(step, "src", int(j) * stride, "read").elements()[0]
    step.put(dst, bits)


def scatter(step: Step) -> None:
    """dst[index[i]] = src[i], i ascending, out of range dropped."""
    shape = step.shape("src")
    count = step.clip(shape[:1], "rows")[0]
    index = _indices(step, count)
    bits = step.open("src", (count, *shape[1:])).elements().copy()
    stride = step.core.program.views[step.ins.operands["dst"].view].strides[0]
    for i, j in enumerate(index):
        if 0 <= j < step.shape("dst")[0]:
            step.put(_row(step, "dst", int(j) * stride, "write"), bits[i])


def _row(step: Step, name: str, more: int, mode: str) -> Access:
    """One row of a view, `more` bytes from its first."""
    shape = (1, *step.shape(name)[1:])
    operand = step.ins.operands[name]
    return step.core.access(step.engine, step.numbers[name], operand, shape, mode, more)


def mm(step: Step) -> None:
    """acc += A @ B."""
    m, n = step.clip(step.shape("acc"), "m", "n")
    k = step.clip(step.shape("a")[1:], "k")[0]
    view = step.core.program.views[step.ins.operands["b"].view]
    transposed = bool(step.ins.fields["transposed"]) or view.order == "nk"
    if step.shape("a")[0] < m:
        step.core.extent_fault(step.engine, step.numbers["a"], step.shape("a")[0], m, 0)
    for axis, wanted in enumerate((n, k) if transposed else (k, n)):
        have = view.shape[axis]
        if view.order == "kn" and axis == 1:
            have = min(have, view.strides[1])
        if have < wanted:
            step.core.extent_fault(step.engine, step.numbers["b"], have, wanted, axis)
    if 0 in (m, n, k):
        return
    acc = step.open("acc", (m, n), "update")
    a = step.open("a", (m, k))
    b = step.open("b", (n, k) if transposed else (k, n))
    left = a.elements() if acc.view.format == "i32" else a.floats()
    right = b.matrix(bool(step.ins.fields["transposed"]))
    step.put(acc, matmul(acc.elements(), left, right))


def vector(step: Step) -> None:
    """v = f(a * b + c) op d, band, store, reduction."""
    fields = step.ins.fields
    shape = _value_shape(step, step.shape("dst" if "dst" in step.ins.operands else "a"))
    dst = step.open("dst", shape, "write") if "dst" in step.ins.operands else None
    red = None
    if "red" in step.ins.operands:
        red = step.open("red", (*shape[:-1], 1), "write")
    a, b, c, d = (step.value(name, shape) for name in "abcd")
    assert a is not None
    lo, hi = step.register("lo"), step.register("hi")
    banded = lo is not None or hi is not None
    fill_value = float(step.core.program.constants[fields["fill"]]) if banded else 0.0
    band = Band(lo, hi, fields["step"], fields["axis"], fill_value) if banded else None
    op = OPS[fields["op"]] if d is not None else None
    wide = np.broadcast_to(a, shape)
    v, reduced = vec(F_FUNCTIONS[fields["f"]], wide, b, c, op, d, band,
                     REDUCTIONS[fields["rop"]] if red is not None else None)  # fmt: skip
    if dst is not None:
        step.put(dst, narrow(v, dst.view.format))
    if red is not None and reduced is not None:
        step.put(red, narrow(reduced, red.view.format))


def select(step: Step) -> None:
    """dst = a where mask is not zero, else b."""
    shape = _value_shape(step, step.shape("dst"))
    dst = step.open("dst", shape, "write")
    mask, a, b = (step.value(name, shape) for name in ("mask", "a", "b"))
    assert mask is not None
    assert a is not None
    assert b is not None
    chosen = np.broadcast_to(np.where(mask != 0, a, b), shape)
    step.put(dst, narrow(chosen, dst.view.format))


def quantise(step: Step) -> None:
    """Blocks of a as int8 codes with a scale of their own."""
    shape = _value_shape(step, step.shape("codes"))
    block = step.shape("codes")[-1] // step.shape("scales")[-1]
    blocks = -(-shape[-1] // block) if block else 0
    codes = step.open("codes", shape, "write")
    scales = step.open("scales", (*shape[:-1], blocks), "write")
    a = step.value("a", shape)
    assert a is not None
    out = np.zeros(shape, np.int8)
    scale = np.zeros((*shape[:-1], blocks), f32)
    with np.errstate(all="ignore"):
        for i in range(blocks):
            part = a[..., i * block : (i + 1) * block]
            s = reduce("absmax", part) / f32(127)
            q = np.where(s == 0, f32(0), f32(1) / s)
            code = np.clip(np.rint(part * q), -127, 127)
            out[..., i * block : (i + 1) * block] = np.where(code != code, 0, code)
            scale[..., i] = s[..., 0]
    step.put(codes, out)
    step.put(scales, narrow(scale, scales.view.format))


def top(step: Step) -> None:
    """The largest of each row and its column; a NaN is largest; ties to the lowest column."""
    shape = _value_shape(step, step.shape("a"))
    values = step.open("values", (*shape[:-1], 1), "write")
    indices = step.open("indices", (*shape[:-1], 1), "write")
    a = step.value("a", shape)
    assert a is not None
    if shape[-1]:
        column = np.argmax(a, axis=-1, keepdims=True).astype(np.int32)
        best = np.take_along_axis(a, column, axis=-1)
    else:
        column = np.full((*shape[:-1], 1), -1, np.int32)
        best = np.full((*shape[:-1], 1), -np.inf, f32)
    step.put(values, narrow(best, values.view.format))
    step.put(indices, column)


def transpose(step: Step) -> None:
    """dst[c, r] = a[r, c] as bits."""
    rows, cols = step.clip(step.shape("a"), "rows", "cols")
    dst = step.open("dst", (cols, rows), "write")
    a = step.open("a", (rows, cols))
    step.put(dst, a.elements().T.copy())


_STEPS: dict[str, Callable[[Step], None]] = {
    "copy": copy, "fill": fill, "gather": gather, "scatter": scatter, "mm": mm, "vec": vector,
    "vsel": select, "vquant": quantise, "vtopk": top, "vtr": transpose,
}  # fmt: skip


def execute(core: ReferenceEngine, engine: EngineState, ins: Ins) -> None:
    """Carry out a memory instruction whose slots have begun."""
    _STEPS[ins.mnemonic](Step(core, engine, ins))
