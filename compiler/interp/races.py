"""Happens-before over one sequential run: accesses of two engines to the same bytes, unordered.

Order comes from each engine's own program and from commit to wait, of slots, words and tokens.
Credits (release to acquire) do not count: they order only while rings are small, and growing a ring
must never break a program. The exception is a ring's own slots, which credits exist to protect.

Every engine has a vector clock that ticks at its commits. For each element of a mutable region, and
each byte of scratchpad and accumulators once they have addresses, every engine's last read and last
write are kept with the engine's clock at that time; an access is ordered after another engine's if
the own clock has seen that time.
"""

from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from .tile import start, where
from .tile_channels import Ring
from .tile_machine import WRITABLE_ROLES, Data, Parameters, TileMachine
from .tile_memory import Array, Memory, Place

BURST = 64
"""Bytes that the hbm interface writes at once; two engines never write parts of one."""


@dataclass
class _History:
    """When each engine last read and wrote each unit of one memory.

    Attributes:
        name: what messages call the memory.
        unit: bytes of a unit: an element in a region, one byte on chip.
        units: how many.
        on_chip: whether slots and buffers share it.
        times: int64[units] of clock values for ("read" or "write", engine).
        owners: int32[units], who used the unit then, on chip only.
    """

    name: str
    unit: int
    units: int
    on_chip: bool
    times: dict[tuple[str, str], Array] = field(default_factory=dict[tuple[str, str], Array])
    owners: dict[tuple[str, str], Array] = field(default_factory=dict[tuple[str, str], Array])

    def array(self, table: dict[tuple[str, str], Array], key: tuple[str, str]) -> Array:
        """The array of a key, zeros at first."""
        if key not in table:
            table[key] = np.zeros(self.units, np.int64)
        return table[key]


class RaceObserver:
    """Vector clocks of one sequential run over the memories that `watch` names."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.ops: list[Operation] = []
        """Who did each access that was found."""
        self._clocks: dict[str, dict[str, int]] = {}
        self._commits: dict[str, list[dict[str, int]]] = {}
        self._histories: dict[int, _History] = {}
        self._owners: dict[str, int] = {}

    def watch(self, memory: Memory, unit: int, *, on_chip: bool) -> None:
        """Watch a memory, in units of that many bytes."""
        units = memory.data.size // unit
        self._histories[id(memory)] = _History(memory.name, unit, units, on_chip)

    def channel(self, event: str, engine: str, ring: Ring) -> None:
        """A commit publishes the producer's clock; the wait that takes it joins it."""
        clock = self._clock(engine)
        if event == "commit":
            self._commits.setdefault(ring.info.name, []).append(dict(clock))
            clock[engine] += 1
        elif event == "wait":
            number = ring.waited[engine] - 1 - ring.info.primed
            if number >= 0:
                for other, time in self._commits[ring.info.name][number].items():
                    clock[other] = max(clock.get(other, 0), time)

    def touch(self, op: Operation, engine: str, place: Place, *, write: bool) -> None:
        """Compare an access with every other engine's last ones, then note it."""
        history = self._histories.get(id(place.memory))
        if history is None or not place.size:
            return
        clock = self._clock(engine)
        owner = self._owner(place, history)
        for (kind, other), times in list(history.times.items()):
            if other == engine or (kind == "read" and not write):
                continue
            late = _units(times, history, place) > clock.get(other, 0)
            if history.on_chip:
                late &= _units(history.owners[kind, other], history, place) != owner
            if late.any():
                self._report(op, engine, place, history, write, f"{kind} of {other}")
        if write and not history.on_chip:
            self._check_bursts(op, engine, place, history)
        key = ("write" if write else "read", engine)
        _units(history.array(history.times, key), history, place)[...] = clock[engine]
        if history.on_chip:
            _units(history.array(history.owners, key), history, place)[...] = owner

    def _check_bursts(self, op: Operation, engine: str, place: Place, history: _History) -> None:
        """Another engine's unordered write into the same burst."""
        low, high = place.span()
        first = low // BURST * BURST // history.unit
        last = -(-high // BURST) * BURST // history.unit
        clock = self._clock(engine)
        for (kind, other), times in history.times.items():
            if kind == "read" or other == engine:
                continue
            if (times[first:last] > clock.get(other, 0)).any():
                self._report(op, engine, place, history, True, f"write of {other} in its burst")

    def _clock(self, engine: str) -> dict[str, int]:
        return self._clocks.setdefault(engine, {engine: 1})

    def _owner(self, place: Place, history: _History) -> int:
        if not history.on_chip or place.lease is None:
            return 0
        return self._owners.setdefault(place.lease.owner, len(self._owners) + 1)

    def _report(
        self, op: Operation, engine: str, place: Place, history: _History, write: bool, other: str
    ) -> None:
        verb = "writes" if write else "reads"
        whose = f" ({place.lease.owner})" if history.on_chip and place.lease is not None else ""
        remedy = (
            "give the two disjoint addresses"
            if history.on_chip
            else f"a token from {other.split()[2]} to {engine} must lie between them"
        )
        text = (
            f"{where(op)} on {engine} {verb} {history.name}{whose} unordered after the {other}; "
            f"{remedy}"
        )
        if text not in self.found:
            self.found.append(text)
            self.ops.append(op)


def _units(values: Array, history: _History, place: Place) -> Array:
    """The view of a per-unit array that a place covers; on chip, all units of its span."""
    if history.on_chip:
        low, high = place.span()
        return values[low:high]
    unit, width = history.unit, values.itemsize
    shape, strides = place.shape, place.strides
    if place.dtype.itemsize < unit:  # Rows of bytes of a region with wider elements.
        shape, strides = (*shape[:-1], shape[-1] // unit), (*strides[:-1], unit)
    strides = tuple(stride // unit * width for stride in strides)
    return np.ndarray(shape, values.dtype, cast(Any, values), place.offset // unit * width, strides)


def find_races(module: ModuleOp, data: Data, parameters: Parameters) -> list[str]:
    """Unordered accesses of one sequential run, in the order found; [] if there are none."""
    return watch_races(module, data, parameters).found


def watch_races(module: ModuleOp, data: Data, parameters: Parameters) -> RaceObserver:
    """The observer of one sequential run: what it found, and the ops.

    Args:
        module: streamed or placed, one function. At the placed level scratchpad and accumulators
            are watched too.
        data: as for `run_tile`.
        parameters: the launch; run it for a choice of trip counts.

    Raises:
        InterpretError: the run itself fails.
    """
    observer = RaceObserver()

    def watch(machine: TileMachine) -> None:
        for region in machine.regions.values():
            if region.role in WRITABLE_ROLES and region.place is not None:
                unit = region.place.dtype.itemsize
                observer.watch(region.memory, unit, on_chip=False)
        for memory in machine.spaces.values():
            observer.watch(memory, 1, on_chip=True)

    start(module, data, parameters, observer=observer, before=watch)
    return observer
