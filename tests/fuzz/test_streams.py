"""Generated streams: the compiled engine equals the reference engine, bit for bit, in any order."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st
from long_runs import announce, fuzzed

from tilewright.backend.formats import FORMATS, Packing, pack, quantise
from tilewright.backend.isa.rows_compute import F_FUNCTIONS, OPS, REDUCTIONS
from tilewright.backend.isa.view import ELEMENT_BYTES, Order, View, contiguous_strides
from tilewright.backend.machine import load_machine
from tilewright.runtime.functional import Emulator, Fault, Memories
from tilewright.runtime.functional.builder import Builder, Place, Use

MACHINE = load_machine("tw-small")
ORDERS = ("sequential", "loads-earliest", "stores-latest", "random:5")
ROOM = 32768
"""Bytes of a source or result region."""
SEEDS = st.integers(0, 2**32 - 1)

Random = np.random.Generator
Bytes = npt.NDArray[np.uint8]
Outcome = tuple[bytes, dict[str, int]] | str


def finite_bytes(rng: Random, count: int) -> Bytes:
    """Bytes that are moderate numbers as float32, now and then special ones."""
    x = rng.normal(size=count // 4).astype(np.float32)
    odd = rng.random(x.size) < 0.02
    x[odd] = rng.choice(np.array([0, -0.0, np.inf, -np.inf, np.nan, 1e-40], np.float32), odd.sum())
    return x.view(np.uint8)


def canonical(raw: Bytes) -> bytes:
    """The bytes with every float32 NaN the same: its sign and payload are not defined."""
    x = raw.view(np.float32).copy()
    x[np.isnan(x)] = np.nan
    return x.tobytes()


class Bench:
    """ld fills two spm regions from hbm, one unit works on them, st brings the result back."""

    def __init__(self, rng: Random, unit: str) -> None:
        self.b, self.rng, self.unit = Builder(), rng, unit
        self.input = self.b.region("in", "hbm", 0, 2 * ROOM, "input")
        self.output = self.b.region("out", "hbm", 2 * ROOM, ROOM, "output")
        self.source = self.b.region("a", "spm", 0, ROOM, "local")
        self.result = self.b.region("d", "spm", ROOM, ROOM, "local")
        self.data = finite_bytes(rng, 2 * ROOM)
        filled = self.b.token("filled", "ld", [unit])
        for place, offset in ((self.source, 0), (self.result, ROOM)):
            self.b.emit("ld", "copy", dst=self.b.dense(place, "u8", ROOM),
                        src=self.b.dense(self.input, "u8", ROOM, offset=offset))  # fmt: skip
        for kind, engine in (("acquire", "ld"), ("commit", "ld"), ("wait", unit)):
            self.b.sync(engine, kind, filled)
        self.filled, self.done = filled, self.b.token("done", unit, ["st"])

    def finish(self) -> None:
        """The unit hands over and st stores the whole result region."""
        b, unit = self.b, self.unit
        b.sync(unit, "release", self.filled)
        b.sync(unit, "acquire", self.done)
        b.sync(unit, "commit", self.done)
        b.sync("st", "wait", self.done)
        b.emit("st", "copy", dst=b.dense(self.output, "u8", ROOM),
               src=b.dense(self.result, "u8", ROOM))  # fmt: skip
        b.sync("st", "release", self.done)

    def view(self, place: Place, format: str, shape: tuple[int, ...], broadcast: bool) -> Use:
        """A random strided look at a place; constants and broadcasts where allowed."""
        item = ELEMENT_BYTES[format]
        if broadcast and self.rng.random() < 0.15:
            return self.b.constant(float(np.float32(self.rng.normal())))
        inner = shape[-1] + int(self.rng.integers(0, 3))
        strides = list(contiguous_strides(format, (*shape[:-1], inner)))
        if broadcast:
            for axis in range(len(shape)):
                if self.rng.random() < 0.2:
                    strides[axis] = 0
        spare = ROOM - sum(n * s for n, s in zip(shape, strides, strict=True)) - item
        offset = int(self.rng.integers(0, max(1, min(spare // item, 50)))) * item
        return self.b.at(place, View(format, shape, tuple(strides), "", offset))

    def register(self, extent: int) -> int:
        """A register that clips an axis, or none."""
        if self.rng.random() < 0.6:
            return 31
        number = int(self.rng.integers(0, 16))
        self.b.emit(self.unit, "li", rd=number, imm=int(self.rng.integers(-1, extent + 3)))
        return number


def outcome(bench: Bench, engine: str, order: str, weights: Bytes | None = None) -> Outcome:
    """The result bytes and counts, or the fault's text."""
    program = bench.b.program()
    memories = Memories(MACHINE, [program], weights, 1 << 20)
    try:
        emulator = Emulator(program, MACHINE, memories, engine, order)
        emulator.write("in", bench.data)
        counts = emulator.run()
    except Fault as fault:
        return str(fault)
    return canonical(emulator.read("out")), counts


def same_everywhere(bench: Bench, weights: Bytes | None = None) -> Outcome:
    """Reference and fast in every order, equal; the common outcome."""
    wanted = outcome(bench, "reference", "sequential", weights)
    for order in ORDERS:
        assert outcome(bench, "fast", order, weights) == wanted
    return wanted


def _shape(rng: Random, rank: int) -> tuple[int, ...]:
    last = int(rng.choice([1, 2, 15, 16, 17, 24, 33, 80, 96, 130]))
    return (*(int(n) for n in rng.integers(1, 6, rank - 1)), last)


def _vec(t: Bench) -> None:
    rng = t.rng
    rank = int(rng.integers(1, 4))
    shape = _shape(rng, rank)
    parts: dict[str, Use | int | str] = {}
    form = str(rng.choice(["f32", "bf16", "f16"]))
    if rng.random() < 0.8:
        parts["dst"] = t.view(t.result, form, shape, False)
    if rng.random() < 0.5 or "dst" not in parts:
        parts["red"] = t.b.dense(t.result, "f32", *shape[:-1], 1, offset=ROOM - 4096)
        parts["rop"] = str(rng.choice(REDUCTIONS[1:]))
    sources = ["f32", "f32", "bf16", "f16", "i8", "u8", "i32"]
    parts["a"] = t.view(t.source, str(rng.choice(sources)), shape, "dst" in parts)
    for name in "bcd":
        if rng.random() < 0.5:
            parts[name] = t.view(t.source, str(rng.choice(sources)), shape, True)
    if "d" in parts:
        parts["op"] = str(rng.choice(OPS[1:]))
    parts["f"] = str(rng.choice(F_FUNCTIONS))
    if rng.random() < 0.5:
        parts |= {"fill": t.b.constant_number(-1e30), "step": int(rng.integers(0, 2))}
        parts |= {"lo": t.register(shape[-1]), "hi": t.register(shape[-1])}
        parts["axis"] = int(rng.integers(0, 2)) if rank == 3 else 0
    _bounds(t, shape, parts)
    t.b.emit("vpu", "vec", **parts)


def _bounds(t: Bench, shape: tuple[int, ...], parts: dict[str, Use | int | str]) -> None:
    # A register is set once at most, so that an earlier bound keeps its value.
    used = {parts.get("lo"), parts.get("hi"), 31}
    for name, axis in (("rows", 0), ("mid", 1), ("cols", -1)):
        if (name == "mid" and len(shape) < 3) or (name == "rows" and len(shape) < 2):
            continue
        number = int(t.rng.integers(0, 16))
        if number in used or t.rng.random() < 0.6:
            continue
        used.add(number)
        t.b.emit("vpu", "li", rd=number, imm=int(t.rng.integers(-1, shape[axis] + 3)))
        parts[name] = number


def _select(t: Bench) -> None:
    shape = _shape(t.rng, int(t.rng.integers(1, 4)))
    parts: dict[str, Use | int | str] = {"dst": t.view(t.result, "f32", shape, False)}
    for name in ("mask", "a", "b"):
        parts[name] = t.view(t.source, "f32", shape, True)
    _bounds(t, shape, parts)
    t.b.emit("vpu", "vsel", **parts)


def _quantise(t: Bench) -> None:
    rows, block, blocks = (int(n) for n in t.rng.integers(1, 6, 3))
    shape = (rows, block * 8 * blocks)
    parts: dict[str, Use | int | str] = {
        "codes": t.view(t.result, "i8", shape, False),
        "scales": t.b.dense(t.result, "f32", rows, blocks, offset=ROOM - 4096),
        "a": t.view(t.source, "f32", shape, False),
    }
    _bounds(t, shape, parts)
    t.b.emit("vpu", "vquant", **parts)


def _top(t: Bench) -> None:
    shape = _shape(t.rng, int(t.rng.integers(1, 4)))
    one = (*shape[:-1], 1)
    parts: dict[str, Use | int | str] = {
        "values": t.view(t.result, "f32", one, False),
        "indices": t.b.dense(t.result, "i32", *one, offset=ROOM - 4096),
        "a": t.view(t.source, str(t.rng.choice(["f32", "bf16", "i8"])), shape, False),
    }
    _bounds(t, shape, parts)
    t.b.emit("vpu", "vtopk", **parts)


def _transpose(t: Bench) -> None:
    form = str(t.rng.choice(list(ELEMENT_BYTES)))
    rows, columns = _shape(t.rng, 2)
    parts: dict[str, Use | int | str] = {
        "dst": t.view(t.result, form, (columns, rows + 1), False),
        "a": t.view(t.source, form, (rows, columns), False),
    }
    _bounds(t, (rows, columns), parts)
    t.b.emit("vpu", "vtr", **parts)


VECTOR: tuple[Callable[[Bench], None], ...] = (
    _vec, _vec, _vec, _select, _quantise, _top, _transpose,
)  # fmt: skip


def test_ranges() -> None:
    announce(
        "test_streams",
        {
            "instructions": "1 to 4 of the vector unit or moves, views of any strides; products",
            "extents": "1 to 130, registers and bounds from 1 below to 2 above",
            "values": "moderate, one in fifty 0, infinite, no number, or subnormal",
            "orders": ", ".join(ORDERS),
        },
    )


@fuzzed(40)
@given(SEEDS)
def test_vector_instructions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    bench = Bench(rng, "vpu")
    for _ in range(int(rng.integers(1, 5))):
        VECTOR[int(rng.integers(0, len(VECTOR)))](bench)
    bench.finish()
    assert not isinstance(same_everywhere(bench), str)


@fuzzed(40)
@given(SEEDS)
def test_moves(seed: int) -> None:
    """copy with outside zeros and bounds, fill, gather and scatter with wild indices, on `ld1`."""
    rng = np.random.default_rng(seed)
    t = Bench(rng, "ld1")
    form = str(rng.choice(list(ELEMENT_BYTES)))
    for _ in range(int(rng.integers(1, 5))):
        rank = int(rng.integers(1, 6))
        shape = tuple(int(n) for n in rng.integers(1, 5, rank))
        inside = tuple(max(1, n + int(rng.integers(-2, 2))) for n in shape)
        kind = int(rng.integers(0, 4))
        if kind == 0:
            bounds = {f"axis{axis}": 31 for axis in range(rank)}
            axis = int(rng.integers(0, rank))
            bounds[f"axis{axis}"] = t.register(shape[axis])
            t.b.emit("ld1", "copy", dst=t.view(t.result, form, shape, False),
                     src=t.view(t.source, form, inside, False), **bounds)  # fmt: skip
        elif kind == 1:
            t.b.emit("ld1", "fill", dst=t.view(t.result, form, shape, False),
                     value=t.b.constant(float(rng.normal() * 50)),
                     axis0=t.register(shape[0]))  # fmt: skip
        else:
            count = int(rng.integers(1, 6))
            index = rng.integers(-1, inside[0] + 1, count).astype(np.int32)
            where = ROOM - 512
            t.data[where : where + 4 * count] = index.view(np.uint8)
            rows, other = (count, *shape[1:]), (inside[0], *shape[1:])
            dst, src = (rows, other) if kind == 2 else (other, rows)
            t.b.emit("ld1", "gather" if kind == 2 else "scatter",
                     dst=t.view(t.result, form, dst, False),
                     src=t.view(t.source, form, src, False),
                     index=t.b.dense(t.source, "i32", count, offset=where),
                     rows=t.register(count))  # fmt: skip
    t.finish()
    assert not isinstance(same_everywhere(t), str)


@fuzzed(60)
@given(SEEDS, st.sampled_from([*FORMATS, "f32", "q4_1"]))
def test_products_through_a_pipeline(seed: int, format: str) -> None:
    """ld streams blocks of weights in a loop, mxu accumulates, vpu finishes, st stores."""
    rng = np.random.default_rng(seed)
    m, steps = int(rng.integers(1, 11)), int(rng.integers(1, 4))
    n = int(rng.choice([1, 16, 17, 40, 64, 65, 100]))
    block = FORMATS[format].block
    deep = block * int(rng.integers(1, 3)) * (1 if block > 1 else 24)
    order: Order = "kn" if rng.random() < 0.6 else "nk"
    weights = rng.normal(size=(n, deep * steps)).astype(np.float32)
    width = -(-n // 16) * 16
    tiles = [Packing(format, order, n, deep, width if order == "kn" else 0) for _ in range(steps)]
    raw = [pack(p, quantise(format, weights[:, i * deep : (i + 1) * deep]))
           for i, p in enumerate(tiles)]  # fmt: skip
    size = raw[0].nbytes
    slot = -(-size // 64) * 64
    b = Builder()
    w = b.region("w", "hbm", 1 << 20, size * steps, "weight")
    source = b.region("in", "hbm", 0, 2 * ROOM, "input")
    out = b.region("out", "hbm", 2 * ROOM, ROOM, "output")
    integer = format == "i8" and rng.random() < 0.5
    aform = "i8" if integer else str(rng.choice(["f32", "bf16", "f16"]))
    row = deep * steps * ELEMENT_BYTES[aform]
    a_bytes, y_bytes = -(-m * row // 64) * 64, -(-m * n * 4 // 64) * 64
    ring = b.channel("ring", "ld", ["mxu"], int(rng.integers(1, 3)), slot)
    a = b.channel("a", "ld1", ["mxu"], 1, a_bytes, base=2 * slot)
    acc = b.channel("acc", "mxu", ["vpu"], 1, y_bytes, "acc")
    y = b.channel("y", "vpu", ["st"], 1, y_bytes, base=2 * slot + a_bytes)
    b.emit("ld", "li", rd=1, imm=0)
    b.emit("ld", "loop", counter=0, trips=steps)
    b.emit("ld", "copy", dst=b.dense(ring, "u8", size).beginning().ending(),
           src=b.dense(w, "u8", size, reg=1))  # fmt: skip
    b.emit("ld", "alu", fn="add", rd=1, ra=1, imm=size)
    b.emit("ld", "next", counter=0)
    b.emit("ld1", "copy", dst=b.dense(a, "u8", m * row).beginning().ending(),
           src=b.dense(source, "u8", m * row))  # fmt: skip
    step = tiles[0]
    strides = (step.block_bytes(width), width) if order == "kn" else (
        step.row_bytes, step.spec.block_bytes)  # fmt: skip
    shape = (deep, n) if order == "kn" else (n, deep)
    b.sync("mxu", "acquire", acc)
    b.sync("mxu", "wait", a)
    b.emit("mxu", "li", rd=2, imm=0)
    b.emit("mxu", "ldp", rd=4, word=b.parameter("rows", hi=64))
    b.emit("mxu", "loop", counter=3, trips=steps)
    item = ELEMENT_BYTES[aform]
    b.emit("mxu", "mm", acc=b.dense(acc, "i32" if integer else "f32", m, n),
           a=b.at(a, View(aform, (m, deep), (row, item)), reg=2),
           b=b.at(ring, View(format, shape, strides, order)).beginning().ending(), m=4,
           transposed=int(order == "nk"))  # fmt: skip
    b.emit("mxu", "alu", fn="add", rd=2, ra=2, imm=deep * item)
    b.emit("mxu", "next", counter=3)
    b.sync("mxu", "release", a)
    b.sync("mxu", "commit", acc)
    form = "i32" if integer else "f32"
    b.emit("vpu", "vec", dst=b.dense(y, "f32", m, n).beginning().ending(),
           a=b.dense(acc, form, m, n).beginning().ending(), f="tanh")  # fmt: skip
    b.emit("st", "copy", dst=b.dense(out, "f32", m, n),
           src=b.dense(y, "f32", m, n).beginning().ending())  # fmt: skip
    program = b.program()
    data = rng.integers(0, 256, 2 * ROOM).astype(np.uint8)
    if not integer:
        data = rng.normal(size=ROOM // 2).astype(np.float32).view(np.uint8)
        if aform == "f16":
            data = rng.normal(size=ROOM).astype(np.float16).view(np.uint8)
    rows = int(rng.integers(0, m + 2))
    results: list[bytes] = []
    for engine, turn in (("reference", "sequential"), *(("fast", o) for o in ORDERS)):
        memories = Memories(MACHINE, [program], np.concatenate(raw), 1 << 20)
        emulator = Emulator(program, MACHINE, memories, engine, turn)
        emulator.write("in", data)
        emulator.run({"rows": rows})
        results.append(canonical(emulator.read("out")[: m * n * 4]))
    assert all(result == results[0] for result in results[1:])
