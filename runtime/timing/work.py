"""Instructions as the timing emulator sees them: channel steps, and durations by registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

from ...backend.isa.codec import Ins
from ...backend.isa.field import CHANNEL, CONSTANT, NO_REGISTER, REGION, Operand
from ...backend.isa.program import Program, engine_kind
from ...backend.isa.rows_scalar import SYNC_KINDS
from ...backend.isa.table import BY_MNEMONIC
from ...backend.isa.view import ELEMENT_BYTES, View
from ...backend.machine import Machine
from ...backend.timing import (
    burst_bytes,
    cycles_to_ps,
    matmul_cycles,
    phases,
    significand,
    vector_work_cycles,
)

Registers = Sequence[int]
Step = tuple[int, bool]
"""Channel number, and whether it is the producer's (acquire, commit)."""

MOVES = ("copy", "fill", "gather", "scatter")


@dataclass(frozen=True)
class Transfer:
    """What one move asks of main memory, all 0 where it moves nothing."""

    nbytes: int
    """Bytes moved."""
    burst_bytes: int
    """Bytes that main memory is busy with: whole bursts."""
    descriptors: int


@dataclass(frozen=True)
class Work:
    """One instruction: what happens before and after it, and how long it takes."""

    ins: Ins
    kind: str
    """`issue`, `matmul`, `vector` or `scalar`."""
    begins: tuple[Step, ...]
    ends: tuple[Step, ...]
    picoseconds: Callable[[Registers], int] | None = None
    """Duration of work on chip, by the registers."""
    transfer: Callable[[Registers], Transfer] | None = None
    """What a move asks of main memory."""


def work_of(program: Program, machine: Machine, engine: str, ins: Ins) -> Work:
    """The instruction with its channel steps and duration bound to a machine."""
    begins, ends = _steps(program, engine, ins)
    if ins.mnemonic in MOVES:
        return Work(ins, "issue", begins, ends, transfer=_transfer(program, machine, ins))
    if ins.mnemonic == "mm":
        return Work(ins, "matmul", begins, ends, _matmul(program, machine, ins))
    if engine_kind(engine) == "vpu" and BY_MNEMONIC[ins.mnemonic].operands:
        return Work(ins, "vector", begins, ends, _vector(program, machine, ins))
    return Work(ins, "scalar", begins, ends)


def _steps(program: Program, engine: str, ins: Ins) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    if ins.mnemonic == "sync":
        kind, number = SYNC_KINDS[ins.fields["kind"]], ins.fields["channel"]
        step = ((number, kind in ("acquire", "commit")),) * ins.fields["n"]
        return (step, ()) if kind in ("acquire", "wait") else ((), step)
    if ins.mnemonic == "pop":
        step = ((ins.fields["channel"], False),)
        return step, step
    begins: list[Step] = []
    ends: list[Step] = []
    for spec in BY_MNEMONIC[ins.mnemonic].operands:
        operand = ins.operands.get(spec.name)
        if operand is None or operand.kind != CHANNEL:
            continue
        step = (operand.id, program.channels[operand.id].producer == engine)
        if operand.begin:
            begins.append(step)
        if operand.end:
            ends.append(step)
    return tuple(begins), tuple(ends)


def _clipped(extent: int, register: int, registers: Registers) -> int:
    return extent if register == NO_REGISTER else max(0, min(extent, registers[register]))


def _view(program: Program, operand: Operand) -> View:
    return program.views[operand.view]


def _matmul(program: Program, machine: Machine, ins: Ins) -> Callable[[Registers], int]:
    acc, a, b = (_view(program, ins.operands[name]) for name in ("acc", "a", "b"))
    passes = phases(significand(a.format), significand(b.format))
    m, n, k = (ins.fields[name] for name in ("m", "n", "k"))

    def picoseconds(registers: Registers) -> int:
        box = (
            _clipped(acc.shape[0], m, registers),
            _clipped(acc.shape[1], n, registers),
            _clipped(a.shape[1], k, registers),
        )
        return cycles_to_ps(machine, matmul_cycles(machine, *box, passes))

    return picoseconds


def _vector(program: Program, machine: Machine, ins: Ins) -> Callable[[Registers], int]:
    row = BY_MNEMONIC[ins.mnemonic]
    views = [
        _view(program, operand)
        for spec in row.operands
        if (operand := ins.operands.get(spec.name)) is not None and operand.kind != CONSTANT
    ]
    shape = max((view.shape for view in views), key=prod)
    names = {1: ("cols",), 2: ("rows", "cols"), 3: ("rows", "mid", "cols")}[len(shape)]
    bounds = [ins.fields.get(name, NO_REGISTER) for name in names]

    def picoseconds(registers: Registers) -> int:
        box = [_clipped(e, r, registers) for e, r in zip(shape, bounds, strict=True)]
        nbytes = sum(_touched(view, box) for view in views)
        work = vector_work_cycles(machine, prod(box[:-1]), box[-1], nbytes)
        return cycles_to_ps(machine, work)

    return picoseconds


def _touched(view: View, box: Sequence[int]) -> int:
    """Bytes of an operand inside a box: a broadcast axis counts once, packed rows in full."""
    if view.order:
        return min(view.shape[0], box[0]) * view.strides[0]
    count = 1
    for extent, stride, size in zip(view.shape, view.strides, box, strict=False):
        count *= min(extent, size) if stride else 1
    return count * ELEMENT_BYTES[view.format]


def _transfer(program: Program, machine: Machine, ins: Ins) -> Callable[[Registers], Transfer]:
    dst = _view(program, ins.operands["dst"])
    far = _far(program, ins)
    item = ELEMENT_BYTES[far.format]
    if ins.mnemonic in ("gather", "scatter"):
        return _rows(machine, ins, far, item)
    bounds = [ins.fields[f"axis{axis}"] for axis in range(dst.rank)]

    def transfer(registers: Registers) -> Transfer:
        box = [_clipped(e, r, registers) for e, r in zip(dst.shape, bounds, strict=True)]
        nbytes = prod(box) * item
        if not nbytes:
            return Transfer(0, 0, 1)
        run = box[-1] * item
        axis = len(box) - 2
        while axis >= 0 and (box[axis] == 1 or far.strides[axis] == run):
            run *= box[axis]
            axis -= 1
        return Transfer(nbytes, burst_bytes(machine, nbytes // run, run), 1)

    return transfer


def _rows(machine: Machine, ins: Ins, far: View, item: int) -> Callable[[Registers], Transfer]:
    listed = prod(far.shape[1:]) * item

    def transfer(registers: Registers) -> Transfer:
        rows = _clipped(far.shape[0], ins.fields["rows"], registers)
        return Transfer(rows * listed, burst_bytes(machine, rows, listed), max(rows, 1))

    return transfer


def _far(program: Program, ins: Ins) -> View:
    """The view of the side that lies in main memory; of dst where none does."""
    for name in ("src", "dst"):
        operand = ins.operands.get(name)
        if operand is not None and operand.kind == REGION:
            if program.regions[operand.id].memory == "hbm":
                return _view(program, operand)
    return _view(program, ins.operands["dst"])
