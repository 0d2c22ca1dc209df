"""The law of a launch: kernels one after another, main memory running ahead of them in two rings.

A kernel takes as long as the largest of: what it waits for and computes; its bytes coming in, with
what the other ring takes meanwhile; what its ring cannot hold coming in behind its lead. What main
memory delivers beyond that runs ahead, as far as the rings have room.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..machine import Machine
from .attention import attention_demand
from .demand import RINGS, Demand, first_slots
from .linear import linear_demand
from .pace import Pace
from .plan import AttentionKernel, Kernel, LinearKernel, Plan, RowsKernel
from .rows import rows_demand


@dataclass(frozen=True)
class Launch:
    """The numbers of a launch."""

    rows: int
    logit_rows: int
    sequences: tuple[tuple[int, int], ...]
    """(cached, new) positions of each."""

    def counted_by(self, name: str) -> int:
        """A count of rows by its launch parameter."""
        return self.logit_rows if name == "logit_rows" else self.rows


def predict_launch(plan: Plan, machine: Machine, launch: Launch) -> dict[str, float]:
    """Picoseconds by model op, as the matrix unit passes from op to op: they add up to the launch.

    The machine has main memory: forms are of rows and weights that are moved.

    Of kernels without products, only those that it waits for itself have a share of their own; the
    others' time is that of the next op. What follows the last product has the name "".
    """
    pace = Pace(machine, plan.slots)
    demands = [_demand(kernel, launch, pace) for kernel in plan.kernels]
    order = [demands[number] for number in _order(plan.kernels)]
    return Passage(order, pace).times()


def _order(kernels: Sequence[Kernel]) -> list[int]:
    """Numbers of the kernels as a launch runs them: neighbours repeated alike are a layer."""
    order: list[int] = []
    first = 0
    while first < len(kernels):
        end = first
        while end < len(kernels) and kernels[end].repeats == kernels[first].repeats:
            end += 1
        order += kernels[first].repeats * list(range(first, end))
        first = end
    return order


def _demand(kernel: Kernel, launch: Launch, pace: Pace) -> Demand:
    match kernel:
        case LinearKernel():
            return linear_demand(kernel, launch.counted_by(kernel.count), launch.rows, pace)
        case AttentionKernel():
            return attention_demand(kernel, launch.sequences, pace)
        case RowsKernel(count="q_len"):
            return rows_demand(kernel, [new for _, new in launch.sequences], pace)
        case RowsKernel():
            return rows_demand(kernel, [launch.counted_by(kernel.count)], pace)


class Passage:
    """The matrix unit's way through a launch."""

    def __init__(self, order: Sequence[Demand], pace: Pace):
        self.order = order
        self.pace = pace
        # Nothing is there before the first latency is over.
        nothing = -float(pace.issue + pace.latency)
        self.stock: dict[str, float] = dict.fromkeys(RINGS, nothing)
        """By ring, what has come ahead, as time of its load queue."""
        self.traffic = 0.0
        """Time of main memory for what kernels without products moved."""

    def times(self) -> dict[str, float]:
        """Picoseconds by model op."""
        found: defaultdict[str, float] = defaultdict(float)
        pending = 0.0
        for number, demand in enumerate(self.order):
            pending += demand.lead
            if demand.ring:
                found[demand.op] += self._stream(number, demand, pending)
                pending = 0.0
            else:
                self.traffic += demand.traffic
            pending += demand.tail
            if demand.handed:
                found[demand.op] += pending
                self._run_ahead(number, pending, self.traffic)
                pending = self.traffic = 0.0
        found[""] += pending
        return dict(found)

    def _stream(self, number: int, demand: Demand, lead: float) -> float:
        """Time of a kernel whose first product comes `lead` behind the last one's end."""
        ring = demand.ring
        (other,) = set(RINGS) - {ring}
        stock = self.stock[ring]
        need = max(demand.stream - stock, 0) + demand.traffic + self.traffic
        room = max(self._capacity(number + 1, other) - self.stock[other], 0)
        held = self._capacity(number, ring)
        time = max(
            lead + demand.compute,
            need + min(need * self._turns(number, ring), room),
            lead + max(demand.stream - held, 0),
        )
        self.stock[ring] = max(stock - demand.stream, 0)
        self._run_ahead(number, time, need, ring)
        self.traffic = 0.0
        return time

    def _run_ahead(self, number: int, time: float, used: float, ring: str = RINGS[0]) -> None:
        """Share out what main memory delivers beyond what is used during kernel `number`.

        Queues take turns, so that the other ring gets its share of the time, or what is left over.
        """
        (other,) = set(RINGS) - {ring}
        spare = max(time - used, 0)
        turns = self._turns(number, ring)
        room = {r: max(self._capacity(number + 1, r) - self.stock[r], 0) for r in RINGS}
        taken = min(room[other], max(min(spare, time * turns / (1 + turns)), spare - room[ring]))
        self.stock[other] += taken
        self.stock[ring] += min(room[ring], spare - taken)

    def _turns(self, number: int, ring: str) -> float:
        """How long main memory serves the other ring for each unit of time that it serves this one,
        from kernel `number` on, while it takes turns."""
        own, other = (
            next((d.turn for d in self.order[number:] if (d.ring == ring) == same and d.turn), 1.0)
            for same in (True, False)
        )
        return other / own

    def _capacity(self, number: int, ring: str) -> float:
        """Time of a load queue for what a ring holds of the kernels from `number` on."""
        slots: float = self.pace.slots(ring)
        time = 0.0
        for demand in self.order[number:]:
            if slots <= 0:
                break
            if demand.ring == ring:
                if not demand.ahead:
                    break
                taken, slots = first_slots(demand.pieces, slots)
                time += taken
        return time
