"""Random programs for the timing engines: deadlock-free by construction, values left out.

A program is drawn as one sequence of channel steps that works from top to bottom, with nested
loops, and projected: each engine gets its part, and the loops around it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tilewright.backend.isa.program import Program
from tilewright.backend.isa.view import View, contiguous_strides
from tilewright.backend.machine import Machine, load_machine
from tilewright.runtime.functional.builder import Builder, Place, Use

SLOT = 4096
WORDS = 50_000
"""Words for every engine to pop: more than any program takes."""
ENGINES = ("ld", "ld1", "st", "mxu", "vpu")
PRODUCES = {
    "ld": ("mxu", "vpu", "st"),
    "ld1": ("mxu", "vpu"),
    "mxu": ("vpu",),
    "vpu": ("mxu", "st"),
}
"""Producer -> engines that may consume its slots."""
BOUND_REGISTERS = (0, 1, 4, 5, 16, 17)
FUNCTIONS = ("add", "sub", "mul", "min", "max")


def random_machine(rng: random.Random, cycles: bool) -> Machine:
    """tw-small with other numbers; `cycles`: all durations are whole nanoseconds."""
    numbers: dict[str, Any] = {
        "name": "varied",
        "spm_bytes": 1 << 22,
        "acc_bytes": 1 << 20,
        "arrays": rng.randint(1, 3),
        "array_rows": rng.choice([8, 16, 32]),
        "array_columns": rng.choice([16, 32]),
        "weight_rows": rng.randint(1, 4),
        "matrix_fill": rng.choice([0, 3, 40]),
        "lanes": rng.choice([3, 16, 32]),
        "vector_startup": rng.choice([0, 5, 16]),
        "vector_port_bytes": rng.choice([16, 100, 400]),
        "scalar_cycles": rng.randint(1, 2),
    }
    if cycles:
        numbers |= {
            "clock_hz": 10**9,
            "hbm_burst": 64,
            "hbm_bytes_per_second": rng.choice([16, 32, 64]) * 10**9,
            "hbm_latency_ps": rng.choice([0, 7, 100]) * 1000,
            "dma_issue_ps": rng.choice([0, 1, 9, 40]) * 1000,
        }
    else:
        numbers |= {
            "clock_hz": rng.choice([10**9, 940 * 10**6, 1830 * 10**6]),
            "hbm_burst": rng.choice([16, 32, 64]),
            "hbm_bytes_per_second": rng.choice([10**9, 25 * 10**9, 819 * 10**9, 3 * 10**12]),
            "hbm_latency_ps": rng.choice([0, 77_777, 600_000]),
            "dma_issue_ps": rng.choice([0, 333, 16_000, 50_000]),
        }
    return Machine.from_dict(load_machine("tw-small").to_dict() | numbers)


@dataclass
class Ring:
    """A channel and, at the place that is drawn, how many slots each consumer may wait for."""

    place: Place
    kind: str
    producer: str
    consumers: tuple[str, ...]
    slots: int
    primed: int
    ready: list[int] = field(default_factory=list[int])


class Drawn:
    """A program in the making."""

    def __init__(self, seed: int, most: int) -> None:
        self.rng, self.most = random.Random(seed), most
        self.b = Builder()
        self.rings: list[Ring] = []
        self.base = 0
        b = self.b
        self.count = b.parameter("count", 2)
        self.far = b.region("far", "hbm", 0, 1 << 20, "scratch")
        self.numbers = b.region("numbers", "hbm", 1 << 20, SLOT, "input")
        self.near = {e: b.region(f"near_{e}", "spm", (1 << 21) + i * SLOT, SLOT, "local", e)
                     for i, e in enumerate(ENGINES)}  # fmt: skip
        self.sums = b.region("sums", "acc", 0, SLOT, "local", "mxu")
        for number in range(self.rng.randint(1, 5)):
            self._ring(number)
        for engine in ENGINES:
            b.emit(engine, "ldp", rd=0, word=self.count)
            b.emit(engine, "li", rd=1, imm=self.rng.randint(0, 12))
        self._body(0)

    def _ring(self, number: int) -> None:
        rng, b = self.rng, self.b
        kind = rng.choice(["slot", "slot", "slot", "token", "scalar"])
        producer = rng.choice(list(PRODUCES) if kind != "token" else list(ENGINES))
        allowed = PRODUCES[producer] if kind == "slot" else [e for e in ENGINES if e != producer]
        consumers = tuple(rng.sample(list(allowed), rng.choice([1, 1, min(2, len(allowed))])))
        slots = rng.randint(1, 4)
        primed = rng.randint(0, slots) if kind == "token" else 0
        name = f"c{number}"
        if kind == "token":
            place = b.token(name, producer, consumers, slots, primed)
        elif kind == "scalar":
            place = b.channel(
                name, producer, consumers, slots, 64, "spm", self.base, 0, "scalar", 9
            )
            self.base += slots * 64
        else:
            space = "acc" if producer == "mxu" else "spm"
            base = SLOT * (1 + 4 * number) if space == "acc" else self.base
            place = b.channel(name, producer, consumers, slots, SLOT, space, base)
            self.base += slots * SLOT
        ring = Ring(place, kind, producer, consumers, slots, primed, [primed] * len(consumers))
        self.rings.append(ring)

    def _body(self, depth: int) -> None:
        rng = self.rng
        before = [list(ring.ready) for ring in self.rings]
        for _ in range(rng.randint(1, self.most if depth == 0 else 4)):
            if depth < 3 and rng.random() < 0.3:
                self._loop(depth)
                continue
            ring = rng.choice(self.rings)
            steps: list[Callable[[], None]] = []
            if max(ring.ready) < ring.slots:
                steps.append(lambda ring=ring: self._produce(ring, depth))
            for j, ready in enumerate(ring.ready):
                if ready:
                    steps.append(lambda ring=ring, j=j: self._consume(ring, j, depth))
            rng.choice(steps)()
            if rng.random() < 0.3:
                engine = rng.choice(ENGINES)
                self._scalar(engine, depth)
                if rng.random() < 0.5:
                    self._instruction(engine, None, False, depth)
        for ring, ready in zip(self.rings, before, strict=True):
            self._restore(ring, ready, depth)

    def _restore(self, ring: Ring, before: list[int], depth: int) -> None:
        """Leave a ring as the body found it."""
        while ring.ready != before:
            more = [j for j, ready in enumerate(ring.ready) if ready > before[j]]
            if more:
                self._consume(ring, self.rng.choice(more), depth, True)
            elif max(ring.ready) < ring.slots:
                self._produce(ring, depth)
            else:
                self._consume(ring, ring.ready.index(max(ring.ready)), depth, True)

    def _loop(self, depth: int) -> None:
        rng = self.rng
        parts: dict[str, int | str] = {"counter": depth}
        kind = rng.random()
        if kind < 0.5:
            parts["trips"] = rng.choice([0, 1, 2, 3, 5, 9]) if depth else rng.choice([2, 7, 30, 60])
        else:
            parts["count"] = 0 if kind < 0.75 else 1
        register = int(parts.get("count", -1))
        if register == 1:  # the same number on every engine
            number = rng.randint(0, 9)
            for engine in ENGINES:
                self.b.emit(engine, "li", rd=1, imm=number)
        for engine in ENGINES:
            self.b.emit(engine, "loop", **parts)
        self._body(depth + 1)
        for engine in ENGINES:
            self.b.emit(engine, "next", counter=depth)

    def _produce(self, ring: Ring, depth: int) -> None:
        for j in range(len(ring.ready)):
            ring.ready[j] += 1
        engine = ring.producer
        if ring.kind == "slot" and self.rng.random() < 0.6:
            self._instruction(engine, ring, True, depth, True, True)
            return
        self.b.sync(engine, "acquire", ring.place)
        for _ in range(self.rng.randint(0, 2)):
            self._instruction(engine, ring if ring.kind == "slot" else None, True, depth)
        self.b.sync(engine, "commit", ring.place)

    def _consume(self, ring: Ring, j: int, depth: int, last: bool = False) -> None:
        ring.ready[j] -= 1
        engine = ring.consumers[j]
        if ring.kind == "slot" and self.rng.random() < 0.6:
            # Now and then the instruction hands over into another ring in the same breath.
            onward = None if last else self._next_ring(engine)
            self._instruction(engine, ring, False, depth, True, True, onward)
            return
        if ring.kind == "scalar":
            self.b.emit(engine, "pop", rd=self.rng.choice([4, 5, 6]), channel=ring.place.id)
            return
        self.b.sync(engine, "wait", ring.place)
        for _ in range(self.rng.randint(0, 2)):
            self._instruction(engine, ring if ring.kind == "slot" else None, False, depth)
        self.b.sync(engine, "release", ring.place)

    def _next_ring(self, engine: str) -> Ring | None:
        found = [r for r in self.rings if r.producer == engine and r.kind == "slot"
                 and max(r.ready) < r.slots]  # fmt: skip
        if not found or engine == "st" or self.rng.random() < 0.5:
            return None
        ring = self.rng.choice(found)
        for j in range(len(ring.ready)):
            ring.ready[j] += 1
        return ring

    def _scalar(self, engine: str, depth: int) -> None:
        """Arithmetic that now and then ends in a bound."""
        rng = self.rng
        rd, ra = rng.choice([4, 5, 6]), rng.choice([0, 1, 4, 5, 6, *range(16, 16 + depth)])
        function = rng.choice(FUNCTIONS)
        if rng.random() < 0.5:
            self.b.emit(engine, "alu", fn=function, rd=rd, ra=ra, imm=rng.randint(-3, 20))
        else:
            self.b.emit(engine, "alu", fn=function, rd=rd, ra=ra, rb=rng.choice([0, 1, 4, 16]))

    def _use(self, place: Place, format: str, *shape: int) -> Use:
        strides = contiguous_strides(format, shape)
        return self.b.at(place, View(format, shape, strides))

    def _bounds(self, *names: str) -> dict[str, int]:
        rng = self.rng
        return {name: rng.choice(BOUND_REGISTERS) for name in names if rng.random() < 0.25}

    def _instruction(
        self, engine: str, ring: Ring | None, writes: bool, depth: int, begins: bool = False,
        ends: bool = False, onward: Ring | None = None,
    ) -> None:  # fmt: skip
        """An instruction that writes or reads a slot of `ring`, or touches none."""
        if self.rng.random() < 0.4:
            self._scalar(engine, depth)

        def marked(use: Use) -> Use:
            use = use.beginning() if begins else use
            return use.ending() if ends else use

        if engine == "mxu":
            self._product(ring, writes, marked, onward)
        elif engine == "vpu":
            self._vector(ring, writes, marked, onward)
        else:
            self._move(engine, ring, writes, marked, onward)

    def _target(self, onward: Ring | None, otherwise: Place) -> tuple[Place, Callable[[Use], Use]]:
        if onward is None:
            return otherwise, lambda use: use
        return onward.place, lambda use: use.beginning().ending()

    def _product(
        self, ring: Ring | None, writes: bool, marked: Callable[[Use], Use], onward: Ring | None
    ) -> None:
        rng = self.rng
        m, n, k = rng.choice([1, 3, 16]), rng.choice([16, 32]), rng.choice([8, 32])
        left = rng.choice(["f32", "bf16"])
        target, mark = self._target(onward, self.sums)
        acc = self._use(ring.place if ring and writes else target, "f32", m, n)
        near = self.near["mxu"]
        a, b = self._use(near, left, m, k), self._use(near, "bf16", k, n)
        if ring and not writes:
            if rng.random() < 0.5:
                a = marked(self._use(ring.place, left, m, k))
            else:
                width = 32
                packed = View("q4_0", (k, n), (18 * width, width), "kn")
                b = marked(self.b.at(ring.place, packed))
        acc = marked(acc) if ring and writes else mark(acc)
        self.b.emit("mxu", "mm", acc=acc, a=a, b=b, **self._bounds("m", "n", "k"))

    def _vector(
        self, ring: Ring | None, writes: bool, marked: Callable[[Use], Use], onward: Ring | None
    ) -> None:
        rng, near = self.rng, self.near["vpu"]
        rows, columns = rng.choice([1, 4, 9]), rng.choice([1, 10, 40])
        target, mark = self._target(onward, near)
        if ring and writes:
            dst, a = marked(self._use(ring.place, "f32", rows, columns)), self.b.constant(1.0)
        else:
            dst = mark(self._use(target, "f32", rows, columns))
            a = self._use(ring.place if ring else near, "f32", rows, columns)
            a = marked(a) if ring else a
        parts: dict[str, Any] = {"dst": dst, "a": a}
        if rng.random() < 0.4:
            parts["b"] = self.b.at(near, View("f32", (rows, columns), (0, 4)))
        if rng.random() < 0.3:
            parts |= {"red": self._use(near, "f32", rows, 1), "rop": "sum"}
        self.b.emit("vpu", "vec", **parts, **self._bounds("rows", "cols"))

    def _move(
        self, engine: str, ring: Ring | None, writes: bool, marked: Callable[[Use], Use],
        onward: Ring | None,
    ) -> None:  # fmt: skip
        rng, b, near = self.rng, self.b, self.near[engine]
        rows, columns = rng.choice([1, 2, 6, 16]), rng.choice([4, 16, 64])
        gap = rng.choice([0, 0, 12, 192])
        strided = View("f32", (rows, columns), (4 * columns + gap, 4))
        far = b.at(self.far, strided)
        if ring is not None:
            slot = marked(self._use(ring.place, "f32", rows, columns))
            target, mark = self._target(onward, near)
            on_chip = onward is not None or rng.random() < 0.2
            inside = mark(self._use(target, "f32", rows, columns))
            dst, src = (slot, far) if writes else (inside if on_chip else far, slot)
            if writes and rng.random() < 0.2:
                src = self._use(near, "f32", rows, columns)
        else:
            dst, src = self._use(near, "f32", rows, columns), far
        kind = rng.random()
        if kind < 0.1 and (ring is None or writes):
            b.emit(engine, "fill", dst=dst, value=b.constant(0.0), **self._bounds("axis0"))
        elif kind < 0.3:
            numbers = rng.choice([self.numbers, near])
            index = self._use(numbers, "i32", rows)
            mnemonic = "gather" if writes or ring is None else "scatter"
            b.emit(engine, mnemonic, dst=dst, src=src, index=index, **self._bounds("rows"))
        else:
            b.emit(engine, "copy", dst=dst, src=src, **self._bounds("axis0", "axis1"))


@dataclass(frozen=True)
class Example:
    """A program, its launch parameters, and the words that its engines pop."""

    program: Program
    parameters: dict[str, list[int]]
    popped: dict[str, list[int]]


def random_program(seed: int, most: int = 12) -> Example:
    """A program with at most `most` statements outside its loops."""
    drawn = Drawn(seed, most)
    rng = drawn.rng
    popped = {engine: [rng.randint(0, 9) for _ in range(WORDS)] for engine in ENGINES}
    counts = [rng.randint(0, 8), rng.randint(0, 3)]
    return Example(drawn.b.program(), {"count": counts}, popped)
