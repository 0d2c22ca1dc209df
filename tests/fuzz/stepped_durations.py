"""Durations and channel steps of instructions for the stepped model, from docs/timing.md alone."""

from __future__ import annotations

from math import ceil, prod
from typing import Protocol

from tilewright.backend.formats import FORMATS
from tilewright.backend.isa.codec import Ins
from tilewright.backend.isa.field import Operand
from tilewright.backend.isa.program import Program
from tilewright.backend.isa.table import BY_MNEMONIC
from tilewright.backend.isa.view import ELEMENT_BYTES, View
from tilewright.backend.machine import Machine

CHANNEL, REGION, CONSTANT = 1, 2, 3
SIGNIFICANDS = {"f32": 24, "f16": 11, "bf16": 8}
MOVES = ("copy", "fill", "gather", "scatter")
SCALARS = {"li": 1, "alu": 1, "ldp": 2, "pop": 2, "loop": 0, "next": 0, "sync": 0, "halt": 0}
Step = tuple[int, bool]
"""Channel number, and whether it is its producer's."""


class Runs(Protocol):
    """What an instruction's duration needs of its engine."""

    @property
    def name(self) -> str: ...
    @property
    def stream(self) -> list[Ins]: ...
    @property
    def pc(self) -> int: ...
    @property
    def registers(self) -> list[int]: ...


class Durations:
    """The durations of a program's instructions, in cycles."""

    def __init__(self, program: Program, machine: Machine) -> None:
        self.program, self.machine = program, machine
        self.cycle = 10**12 // machine.clock_hz
        assert 10**12 % machine.clock_hz == 0

    def whole(self, picoseconds: float) -> int:
        """Cycles of a duration that the machine promises to be whole."""
        assert picoseconds % self.cycle == 0, "this model needs whole cycles"
        return int(picoseconds) // self.cycle

    def produces(self, engine: Runs, number: int) -> bool:
        return self.program.channels[number].producer == engine.name

    def begins(self, engine: Runs) -> list[Step]:
        return self.steps(engine, "begin", ("acquire", "wait"))

    def ends(self, engine: Runs) -> list[Step]:
        return self.steps(engine, "end", ("commit", "release"))

    def steps(self, engine: Runs, mark: str, kinds: tuple[str, str]) -> list[Step]:
        ins = engine.stream[engine.pc]
        if ins.mnemonic == "pop":
            return [(ins.fields["channel"], False)]
        if ins.mnemonic == "sync":
            kind = ("acquire", "wait", "commit", "release")[ins.fields["kind"]]
            step = (ins.fields["channel"], kind in ("acquire", "commit"))
            return [step] * ins.fields["n"] if kind in kinds else []
        return [(o.id, self.produces(engine, o.id)) for o in self.operands(ins).values()
                if o.kind == CHANNEL and getattr(o, mark)]  # fmt: skip

    def operands(self, ins: Ins) -> dict[str, Operand]:
        names = [spec.name for spec in BY_MNEMONIC[ins.mnemonic].operands]
        return {name: ins.operands[name] for name in names if name in ins.operands}

    def view(self, ins: Ins, name: str) -> View:
        return self.program.views[ins.operands[name].view]

    def clip(self, engine: Runs, ins: Ins, extent: int, name: str) -> int:
        register = ins.fields.get(name, 31)
        return extent if register == 31 else max(0, min(extent, engine.registers[register]))

    def matmul(self, engine: Runs, ins: Ins) -> int:
        x, a, b = self.machine, self.view(ins, "a"), self.view(ins, "b")
        m = self.clip(engine, ins, self.view(ins, "acc").shape[0], "m")
        n = self.clip(engine, ins, self.view(ins, "acc").shape[1], "n")
        k = self.clip(engine, ins, a.shape[1], "k")
        if not m * n * k:
            return 0
        sig = [ceil(SIGNIFICANDS.get(v.format, 8) / 8) for v in (a, b)]
        ways: list[int] = []
        for groups in range(1, x.arrays + 1):
            if x.arrays % groups == 0:
                rows = ceil(m / (x.arrays // groups)) * prod(sig)
                sub_tile = max(rows, ceil(x.array_rows / x.weight_rows))
                ways.append(ceil(ceil(n / x.array_columns) / groups) * sub_tile)
        return ceil(k / x.array_rows) * min(ways)

    def vector(self, engine: Runs, ins: Ins) -> int:
        shaped = {"vec": "dst", "vsel": "dst", "vquant": "codes"}.get(ins.mnemonic, "a")
        value = self.view(ins, shaped if shaped in ins.operands else "a").shape
        names = {1: ["cols"], 2: ["rows", "cols"], 3: ["rows", "mid", "cols"]}[len(value)]
        box = [self.clip(engine, ins, e, name) for e, name in zip(value, names, strict=True)]
        if 0 in box:
            return 0
        nbytes = 0
        for operand in ins.operands.values():
            if operand.kind == CONSTANT:
                continue
            view = self.program.views[operand.view]
            part = [ceil(s * c / v) for s, c, v in zip(view.shape, box, value, strict=True)]
            if ins.mnemonic == "vtr":
                part = box
            if view.order:
                spec = FORMATS[view.format]
                k, n = part if view.order == "kn" else part[::-1]
                nbytes += ceil(k / spec.block) * spec.block_bytes * n
            else:
                nbytes += self.distinct(view, part)
        x = self.machine
        width = 1
        while width < box[-1]:
            width *= 2
        rows = prod(box[:-1])
        lanes = ceil(rows / (x.lanes // width)) if width <= x.lanes else (
            rows * ceil(box[-1] / x.lanes))  # fmt: skip
        return x.vector_startup + max(lanes, ceil(nbytes / x.vector_port_bytes))

    def distinct(self, view: View, box: list[int]) -> int:
        return (
            prod(e for e, s in zip(box, view.strides, strict=True) if s or not e)
            * (ELEMENT_BYTES[view.format])
        )

    def bursts(self, view: View, box: list[int]) -> int:
        burst = self.machine.hbm_burst
        span = ELEMENT_BYTES[view.format]
        cost = ceil(span / burst) * burst
        for e, s in zip(box[::-1], view.strides[::-1], strict=True):
            span += (e - 1) * abs(s)
            cost = min(e * cost, ceil(span / burst) * burst)
        return 0 if 0 in box else cost

    def moved(self, engine: Runs, ins: Ins) -> tuple[int, int, int, int]:
        """Cycles of issue and of moving on chip, bytes of bursts, latency in cycles."""
        dst = list(self.view(ins, "dst").shape)
        descriptors = 1
        parts: list[tuple[str, list[int], int]]
        if ins.mnemonic in ("copy", "fill"):
            box = [self.clip(engine, ins, e, f"axis{i}") for i, e in enumerate(dst)]
            parts = [("dst", box, 1)]
            if ins.mnemonic == "copy":
                src = self.view(ins, "src").shape
                parts.append(("src", [min(b, s) for b, s in zip(box, src, strict=True)], 1))
        else:
            boxed, listed = ("dst", "src") if ins.mnemonic == "gather" else ("src", "dst")
            box = list(self.view(ins, boxed).shape)
            box[0] = n = self.clip(engine, ins, box[0], "rows")
            descriptors = max(n, 1)
            parts = [(boxed, box, 1), (listed, [1, *box[1:]], n), ("index", [n], 1)]
        bursts = near = 0
        latencies = 0
        for name, box, times in parts:
            operand, view = ins.operands[name], self.view(ins, name)
            if operand.kind == REGION and self.program.regions[operand.id].memory == "hbm":
                bursts += times * self.bursts(view, box)
                latencies = max(latencies, 2 if name == "index" and box[0] else 1)
            else:
                near += times * self.distinct(view, box)
        moving = 0 if bursts else ceil(near / self.machine.vector_port_bytes)
        issue = self.whole(self.machine.dma_issue_ps) * descriptors
        return issue, moving, bursts, latencies * self.whole(self.machine.hbm_latency_ps)
