"""What every op of a module writes in one run, in order: the same record for every level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp, NameLoc
from xdsl.ir import Operation

from ...backend.errors import TilewrightError
from ...dialects import tg
from ...dialects.tw import LoopOp, ProgramOp
from ..check import Launch, RandomCheckpoint, level_of, stored
from ..frontend import WeightStore
from ..interp import InterpretError, Place, Ring, TileMachine, run_graph, start

Array = NDArray[Any]


@dataclass(frozen=True)
class Event:
    """One write (or, without `values`, one step on a channel) of one op."""

    op: Operation
    trips: tuple[int, ...]
    """Counters of the loops around it, outermost first."""
    engine: str = ""
    values: Array | None = None
    target: str = ""
    """Whose bytes: a buffer, a region, or the channel and what is done on it."""
    place: Place | None = None
    inputs: tuple[tuple[int, Array], ...] = ()
    """Of tensors: number of the event that made each, -1 for none, and its values."""

    @property
    def location(self) -> str:
        """The model op it came from."""
        return location_of(self.op)

    @property
    def layer(self) -> int | None:
        """The layer, where the location names one: the counter of the outermost loop."""
        return self.trips[0] if self.trips and "{l}" in self.location else None


@dataclass
class Trace:
    """All events of a run, and why it ended early, if it did."""

    events: list[Event] = field(default_factory=list[Event])
    error: TilewrightError | None = None


def location_of(op: Operation) -> str:
    """An op's place in the model; empty if it has none."""
    return op.location.desc.data if isinstance(op.location, NameLoc) else ""


def trace(module: ModuleOp, launch: Launch, checkpoint: RandomCheckpoint, machine: str) -> Trace:
    """Run a module once, on the interpreter of its level, and record it."""
    found = Trace()
    store = WeightStore(checkpoint.read)
    try:
        match level_of(module):
            case "tensor":
                watcher = _Tensors(found.events)
                run_graph(module, store, launch.data, launch.parameters, watcher.watch)
            case "isa":
                _instructions(module, launch, store, machine, found.events)
            case _:
                observer = _Tiles(found.events)
                data = {**stored(module, store), **launch.data}
                try:
                    start(module, data, launch.parameters, observer=observer, before=observer.begin)
                finally:
                    observer.flush()
    except TilewrightError as error:
        found.error = error
    return found


class _Tensors:
    """Values are the same arrays wherever they go, so that an array says which op made it."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.made: dict[int, int] = {}

    def watch(
        self, op: Operation, trips: tuple[int, ...], given: Sequence[Any], made: Sequence[Any]
    ) -> None:
        """One op, when it is done."""
        inputs = tuple((self.made.get(id(one), -1), one) for one in _arrays(given))
        if isinstance(op, tg.OutputOp | tg.KvAppendOp):
            for value in _arrays(given):
                self.events.append(Event(op, trips, "", value.copy(), "stored", None, inputs))
        for result, value in zip(op.results, made, strict=True):
            for array in _arrays([value]):
                if not isinstance(op, tg.FusedOp):
                    self.made[id(array)] = len(self.events)
                name = f"%{result.name_hint or 'value'}"
                self.events.append(Event(op, trips, "", array, name, None, inputs))


def _arrays(values: Sequence[Any]) -> list[Array]:
    """The tensors among values; the others are numbers."""
    return [cast(Array, one) for one in values if isinstance(one, np.ndarray)]


class _Tiles:
    """An access is told before it is done: what it wrote is read when the next thing happens."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.machine: TileMachine | None = None
        self._waiting: list[Event] = []

    def begin(self, machine: TileMachine) -> None:
        """Called with the machine before the first step."""
        self.machine = machine

    def touch(self, op: Operation, engine: str, place: Place, *, write: bool) -> None:
        """An access to come."""
        self.flush(but=op)
        if write and place.size:
            owner = place.lease.owner if place.lease is not None else place.memory.name
            self._waiting.append(Event(op, self._trips(), engine, None, owner, place))

    def channel(self, event: str, engine: str, ring: Ring) -> None:
        """A step on a channel."""
        self.flush()
        running = self.machine.running if self.machine is not None else None
        if running is not None and running.at is not None:
            target = f"{event} @{ring.info.name}"
            self.events.append(Event(running.at, self._trips(), engine, None, target))

    def flush(self, but: Operation | None = None) -> None:
        """Read what was written."""
        if self._waiting and self._waiting[0].op is not but:
            for one in self._waiting:
                assert one.place is not None, "an access has a place"
                values = one.place.raw().copy()
                self.events.append(
                    Event(one.op, one.trips, one.engine, values, one.target, one.place)
                )
            self._waiting = []

    def _trips(self) -> tuple[int, ...]:
        running = self.machine.running if self.machine is not None else None
        return tuple(number for _, number in running.trips) if running is not None else ()


def _instructions(
    module: ModuleOp, launch: Launch, store: WeightStore, machine: str, events: list[Event]
) -> None:
    from ..check import run_isa

    numbers = {engine: _numbers(program) for engine, program in _programs(module).items()}

    def watch(engine: str, pc: int, trips: tuple[int, ...], values: Array) -> None:
        if values.size:
            op = numbers[engine][pc]
            events.append(Event(op, trips, engine, values, str(op).partition(",")[0]))

    run_isa(module, launch, store, machine, watch=watch)


def _programs(module: ModuleOp) -> dict[str, ProgramOp]:
    return {op.sym_name.data: op for op in module.ops if isinstance(op, ProgramOp)}


def _numbers(program: ProgramOp) -> dict[int, Operation]:
    """Instruction -> its op, as `encode` numbers them: a loop is two around its body."""
    found: dict[int, Operation] = {}

    def walk(ops: Sequence[Operation], at: int) -> int:
        for op in ops:
            if op.name == "tw.yield":
                continue
            found[at] = op
            at += 1
            if isinstance(op, LoopOp):
                at = walk(list(op.body.block.ops), at) + 1
        return at

    walk(list(program.body.block.ops), 0)
    return found


def op_of_error(error: TilewrightError) -> Operation | None:
    """Who did what a run ended with."""
    return error.op if isinstance(error, InterpretError) else None
