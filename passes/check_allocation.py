"""Checks a placed program by following who owns each byte; shares no code with the placement.

A private buffer is born where it stands and claims its bytes at its first touch; any later touch
must find all of them still its own. Loop bodies are followed twice, so that a claim at the end of
one trip is seen by the touches at the beginning of the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from xdsl.dialects import func, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from ..backend.machine import Machine
from ..dialects.shaped import nbytes
from ..dialects.stream import ChannelOp
from ..dialects.tg import GlobalOp
from ..dialects.tile import BufferOp, TileOp, root
from .located import PassError, located
from .memory import SCALAR_BYTES

TRIPS = 2
_NAMES = {"hbm": "main memory"}


@dataclass(frozen=True)
class _Range:
    """Bytes of one memory that something occupies."""

    op: Operation
    name: str
    first: int
    end: int
    engine: str = ""


@dataclass
class _Memory:
    """Owner of every byte that was claimed, as disjoint ranges."""

    claims: dict[tuple[int, int], Operation] = field(
        default_factory=dict[tuple[int, int], Operation]
    )

    def claim(self, first: int, end: int, owner: Operation) -> None:
        """The bytes belong to `owner` from now on."""
        kept: dict[tuple[int, int], Operation] = {(first, end): owner}
        for (a, b), other in self.claims.items():
            for low, high in ((a, min(b, first)), (max(a, end), b)):
                if low < high:
                    kept[low, high] = other
        self.claims = kept

    def owners(self, first: int, end: int) -> set[Operation]:
        """Who owns any of the bytes."""
        return {owner for (a, b), owner in self.claims.items() if a < end and first < b}


def check_allocation(module: ModuleOp, machine: Machine) -> None:
    """Refuse a placed module in which two lives share bytes. Raises PassError."""
    ranges: dict[str, list[_Range]] = {"hbm": [], "spm": [], "acc": []}
    ranges[machine.region_memory] += _globals(module)
    for space, found in _rings(module):
        ranges[space].append(found)
    private: dict[Operation, _Range] = {}
    for op in module.walk():
        if isinstance(op, BufferOp):
            space, found = _private(op)
            ranges[space].append(found)
            private[op] = found
    capacities = {"hbm": machine.hbm_bytes, "spm": machine.spm_bytes, "acc": machine.acc_bytes}
    for space, found in ranges.items():
        _check_apart(found, _NAMES.get(space, space), capacities[space], machine.alignment)
    for function in module.ops:
        if isinstance(function, func.FuncOp):
            _Follower(private).block(function.body.block)


def _check_apart(ranges: Iterable[_Range], memory: str, capacity: int, alignment: int) -> None:
    """Inside the memory, aligned, and apart, but for buffers of one engine."""
    reaching: list[_Range] = []
    for this in sorted(ranges, key=lambda r: (r.first, r.end)):
        if this.first % alignment or this.end > capacity:
            raise PassError(
                f"{located(this.op)}: {this.name} at {this.first}..{this.end} is not aligned to "
                f"{alignment} or not inside the {capacity} bytes of {memory}",
                this.op,
            )
        reaching = [other for other in reaching if other.end > this.first]
        for other in reaching:
            if not this.engine or this.engine != other.engine:
                raise PassError(
                    f"{located(this.op)}: {this.name} at {this.first}..{this.end} shares bytes of "
                    f"{memory} with {other.name} at {other.first}..{other.end}",
                    this.op,
                )
        reaching.append(this)


def _globals(module: ModuleOp) -> list[_Range]:
    found: list[_Range] = []
    for op in module.ops:
        if isinstance(op, GlobalOp):
            if op.at is None:
                raise PassError(f"@{op.global_name} has no address", op)
            found.append(_Range(op, f"@{op.global_name}", op.at.data, op.at.data + op.nbytes))
    return found


def _rings(module: ModuleOp) -> list[tuple[str, _Range]]:
    found: list[tuple[str, _Range]] = []
    for op in module.ops:
        if isinstance(op, ChannelOp) and op.kind.data != "token":
            if op.at is None:
                raise PassError(f"@{op.channel_name} has no address", op)
            slot = op.slot_bytes.data if op.slot_bytes is not None else SCALAR_BYTES
            end = op.at.data + op.slots.data * slot
            space = "acc" if op.space is not None and op.space.name == "tw.acc" else "spm"
            found.append((space, _Range(op, f"@{op.channel_name}", op.at.data, end)))
    return found


def _private(op: BufferOp) -> tuple[str, _Range]:
    if op.at is None or op.engine is None:
        raise PassError(f"{located(op)}: this buffer has no address or no engine", op)
    type_ = op.result.type
    space = "acc" if type_.memory_space.name == "tw.acc" else "spm"
    end = op.at.data + nbytes(type_)
    name = f"%{op.result.name_hint or 'buffer'}"
    return space, _Range(op, name, op.at.data, end, op.engine.data)


class _Follower:
    """Runs through a function and keeps the owner of every byte."""

    def __init__(self, private: dict[Operation, _Range]):
        self.private = private
        self.alive: set[Operation] = set()
        self.memories: dict[tuple[str, str], _Memory] = {}

    def block(self, block: Block) -> None:
        for op in block.ops:
            if isinstance(op, scf.ForOp):
                for _ in range(TRIPS):
                    self.block(op.body.block)
            elif isinstance(op, BufferOp):
                self.alive.discard(op)
            elif isinstance(op, TileOp):
                for value in (*op.reads(), *op.writes()):
                    self.touch(op, value)

    def touch(self, op: TileOp, value: SSAValue) -> None:
        buffer = root(value).owner
        if not isinstance(buffer, BufferOp):
            return
        place = self.private[buffer]
        memory = self.memories.setdefault(
            (place.engine, buffer.result.type.memory_space.name), _Memory()
        )
        if buffer not in self.alive:
            self.alive.add(buffer)
            memory.claim(place.first, place.end, buffer)
        elif (others := memory.owners(place.first, place.end)) != {buffer}:
            names = ", ".join(sorted(self.private[o].name for o in others if o is not buffer))
            raise PassError(
                f"{located(op)}: {place.name} at {place.first}..{place.end} is still in use, but "
                f"its bytes were given to {names}",
                op,
            )
