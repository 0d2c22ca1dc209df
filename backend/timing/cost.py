"""What one instruction costs on a machine: pure functions of its decoded fields and its extents.

The cost of an instruction depends on the extents that its bound registers leave, and on nothing
else of a launch: addresses, offsets and values play no part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Literal

from ..formats import FORMATS
from ..isa import (
    BY_MNEMONIC,
    CHANNEL,
    CONSTANT,
    ELEMENT_BYTES,
    NO_REGISTER,
    Ins,
    Operand,
    Program,
    View,
)
from ..machine import Machine
from .durations import (
    box_bytes,
    ceil_div,
    cycles_to_ps,
    matmul_cycles,
    phases,
    significand,
    vector_work_cycles,
)
from .energy import mac_class

Kind = Literal["scalar", "issue", "matmul", "vector"]
Extents = tuple[int, ...]
INDEX_BYTES = ELEMENT_BYTES["i32"]
SCALARS = {"li": 1, "alu": 1, "ldp": 2, "pop": 2, "loop": 0, "next": 0, "sync": 0, "halt": 0}
"""Instructions of the scalar unit and how many times `scalar_cycles` they take."""
_VALUE = {"vec": "dst", "vsel": "dst", "vquant": "codes", "vtopk": "a", "vtr": "a"}
"""The operand whose shape is that of the value."""


@dataclass(frozen=True)
class Cost:
    """One execution. Bytes count each time a byte enters or leaves a memory."""

    kind: Kind
    busy_ps: int
    """The engine is kept for so long; `moving_ps` included."""
    late_ps: int = 0
    """Results are there so long after the end."""
    moving_ps: int = 0
    """The part of `busy_ps` in which a queue moves bytes on chip by itself."""
    read_bytes: int = 0
    """Bytes out of main memory."""
    written_bytes: int = 0
    burst_bytes: int = 0
    """Bytes that main memory is busy with: whole bursts."""
    latency_ps: int = 0
    """From the end of main memory's service to the arrival of the last byte."""
    spm_bytes: int = 0
    acc_bytes: int = 0
    macs: int = 0
    """Multiply-adds times phases."""
    mac_class: int = 0
    """4, 8 or 16: what `macs` count, as `energy.mac_class` says; 0 without any."""
    lane_cycles: int = 0
    """Elements that the vector unit works on."""


@dataclass
class CostRule:
    """The cost of one instruction of a program, by the extents of its bounded axes."""

    axes: tuple[tuple[int, int], ...]
    """(extent, bound register) of each axis that a register may clip."""
    rule: Callable[[Extents], Cost]
    box: Callable[[Extents], Extents]
    """All extents (`mm`: m, n, k), the bounded ones clipped."""
    known: dict[Extents, Cost] = field(default_factory=dict[Extents, Cost])

    def extents(self, registers: Sequence[int]) -> Extents:
        """What the registers leave of the bounded axes."""
        return tuple(max(0, min(extent, registers[r])) for extent, r in self.axes)

    def at(self, extents: Extents) -> Cost:
        """The cost where the bounded axes have these extents."""
        if extents not in self.known:
            self.known[extents] = self.rule(extents)
        return self.known[extents]


def cost_rule(program: Program, machine: Machine, ins: Ins) -> CostRule:
    """The rule of an instruction that satisfies the limits of the instruction set."""
    if ins.mnemonic in SCALARS:
        cycles = SCALARS[ins.mnemonic] * machine.scalar_cycles
        cost = Cost("scalar", cycles_to_ps(machine, cycles))
        return CostRule((), lambda _: cost, lambda _: ())
    family = {"mm": _Matmul, "copy": _Copy, "fill": _Copy, "gather": _Rows, "scatter": _Rows}
    made = family.get(ins.mnemonic, _Vector)(program, machine, ins)
    bounded = tuple((made.shape[axis], r) for axis, r in enumerate(made.bounds) if r != NO_REGISTER)

    def box(extents: Extents) -> Extents:
        left = iter(extents)
        return tuple(
            extent if r == NO_REGISTER else next(left)
            for extent, r in zip(made.shape, made.bounds, strict=True)
        )

    return CostRule(bounded, lambda extents: made.cost(box(extents)), box)


class _Family(ABC):
    """An instruction with its operands looked up. `shape` and `bounds` are parallel."""

    shape: Extents
    bounds: list[int]

    def __init__(self, program: Program, machine: Machine, ins: Ins) -> None:
        self.program, self.machine, self.ins = program, machine, ins

    @abstractmethod
    def cost(self, box: Extents) -> Cost:
        """The cost of a clipped box."""

    def view(self, name: str) -> View:
        """The view of an operand."""
        return self.program.views[self.ins.operands[name].view]

    def memory(self, operand: Operand) -> str:
        """Where an operand lies."""
        if operand.kind == CHANNEL:
            return self.program.channels[operand.id].space
        return self.program.regions[operand.id].memory


class _Matmul(_Family):
    def __init__(self, program: Program, machine: Machine, ins: Ins) -> None:
        super().__init__(program, machine, ins)
        self.a, self.b = self.view("a"), self.view("b")
        self.passes = phases(significand(self.a.format), significand(self.b.format))
        self.shape = (*self.view("acc").shape, self.a.shape[1])
        self.bounds = [ins.fields[name] for name in ("m", "n", "k")]

    def cost(self, box: Extents) -> Cost:
        m, n, k = box
        busy = cycles_to_ps(self.machine, matmul_cycles(self.machine, m, n, k, self.passes))
        late = cycles_to_ps(self.machine, self.machine.matrix_fill)
        spec = FORMATS[self.b.format]
        # What leaves the arrays is added to the accumulator, once a sub-tile along K and a phase.
        additions = ceil_div(k, self.machine.array_rows) * self.passes
        return Cost(
            "matmul",
            busy,
            late_ps=late if busy else 0,
            spm_bytes=m * k * ELEMENT_BYTES[self.a.format] + n * spec.row_bytes(k),
            acc_bytes=2 * m * n * additions * ELEMENT_BYTES["f32"],
            macs=m * n * k * self.passes,
            mac_class=mac_class(self.a.format, self.b.format),
        )


class _Vector(_Family):
    def __init__(self, program: Program, machine: Machine, ins: Ins) -> None:
        super().__init__(program, machine, ins)
        value = _VALUE[ins.mnemonic]
        self.shape = self.view(value if value in ins.operands else "a").shape
        names = {1: ("cols",), 2: ("rows", "cols"), 3: ("rows", "mid", "cols")}[len(self.shape)]
        self.bounds = [ins.fields.get(name, NO_REGISTER) for name in names]
        self.operands = [
            operand
            for spec in BY_MNEMONIC[ins.mnemonic].operands
            if (operand := ins.operands.get(spec.name)) is not None and operand.kind != CONSTANT
        ]

    def cost(self, box: Extents) -> Cost:
        rows, columns = prod(box[:-1]), box[-1]
        moved = {"spm": 0, "acc": 0}
        for operand in self.operands:
            moved[self.memory(operand)] += self._touched(operand, box)
        cycles = vector_work_cycles(self.machine, rows, columns, sum(moved.values()))
        return Cost(
            "vector",
            cycles_to_ps(self.machine, cycles),
            spm_bytes=moved["spm"],
            acc_bytes=moved["acc"],
            lane_cycles=rows * columns,
        )

    def _touched(self, operand: Operand, box: Extents) -> int:
        """Bytes of an operand that belong to a box: a broadcast axis counts once."""
        view = self.program.views[operand.view]
        if 0 in box:
            return 0
        if self.ins.mnemonic == "vtr":
            return prod(box) * ELEMENT_BYTES[view.format]
        # A last axis that is shorter than the value's has one element for a run of columns.
        shape = [ceil_div(e * b, s) for e, b, s in zip(view.shape, box, self.shape, strict=True)]
        if view.order:
            spec = FORMATS[view.format]
            k, n = shape if view.order == "kn" else reversed(shape)
            return n * spec.row_bytes(k)
        return distinct(view, shape) * ELEMENT_BYTES[view.format]


def distinct(view: View, box: Sequence[int]) -> int:
    """Elements of a dense view inside a box that are not the same by broadcasting."""
    if 0 in box:
        return 0
    return prod(extent for extent, stride in zip(box, view.strides, strict=True) if stride)


class _Move(_Family):
    """What copies, fills, gathers and scatters share."""

    def moved(self, parts: Sequence[tuple[str, Sequence[int], int]], descriptors: int) -> Cost:
        """The cost of `parts`: operand, box, and how often that box is moved by itself."""
        machine = self.machine
        far = {"src": 0, "index": 0, "dst": 0}
        near = {"spm": 0, "acc": 0}
        bursts = 0
        for name, box, times in parts:
            operand, view = self.ins.operands[name], self.view(name)
            item = ELEMENT_BYTES[view.format]
            nbytes = times * distinct(view, box) * item
            memory = self.memory(operand)
            if memory == "hbm":
                far[name] += nbytes
                bursts += times * box_bytes(machine, box, view.strides[-len(box) :], item)
            else:
                near[memory] += nbytes
        read, written = far["src"] + far["index"], far["dst"]
        moving = 0
        if not bursts:
            port = ceil_div(sum(near.values()), machine.vector_port_bytes)
            moving = cycles_to_ps(machine, port)
        latency = machine.hbm_latency_ps if bursts else 0
        return Cost(
            "issue",
            machine.dma_issue_ps * descriptors + moving,
            moving_ps=moving,
            read_bytes=read,
            written_bytes=written,
            burst_bytes=bursts,
            latency_ps=2 * latency if far["index"] else latency,
            spm_bytes=near["spm"],
            acc_bytes=near["acc"],
        )


class _Copy(_Move):
    """copy and fill."""

    def __init__(self, program: Program, machine: Machine, ins: Ins) -> None:
        super().__init__(program, machine, ins)
        self.shape = self.view("dst").shape
        self.bounds = [ins.fields[f"axis{axis}"] for axis in range(len(self.shape))]

    def cost(self, box: Extents) -> Cost:
        parts: list[tuple[str, Sequence[int], int]] = [("dst", box, 1)]
        if self.ins.mnemonic == "copy":
            inside = [min(b, s) for b, s in zip(box, self.view("src").shape, strict=True)]
            parts.append(("src", inside, 1))
        return self.moved(parts, 1)


class _Rows(_Move):
    """gather and scatter: the listed rows one by one, the others as a box."""

    def __init__(self, program: Program, machine: Machine, ins: Ins) -> None:
        super().__init__(program, machine, ins)
        self.listed, self.boxed = ("src", "dst") if ins.mnemonic == "gather" else ("dst", "src")
        self.shape = self.view(self.boxed).shape
        self.bounds = [ins.fields["rows"], *[NO_REGISTER] * (len(self.shape) - 1)]

    def cost(self, box: Extents) -> Cost:
        rows = box[0]
        parts = [(self.boxed, box, 1), (self.listed, (1, *box[1:]), rows), ("index", (rows,), 1)]
        return self.moved(parts, max(rows, 1))
