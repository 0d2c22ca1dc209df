"""The form of attention: a chain of one KV block, and a period for each block more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ..timing import ceil_div
from .demand import KV, Demand
from .pace import SCALARS, Pace
from .plan import AttentionKernel

STAGE_SCALARS = 6
"""Scalar instructions of a unit for each stage: bounds of the block, and the guard."""
TASK_SCALARS = 30
"""Of a task: where the sequence, its block of queries and its heads are."""


@dataclass(frozen=True)
class Stages:
    """Times of one KV block."""

    scores: int
    softmax: int
    """Up to what PV needs."""
    kept: int
    """The rest, which keeps maximum and sum and runs beside PV."""
    mix: int
    """PV."""
    update: int
    fill: int
    """From the end of a product to its sums."""

    @property
    def chain(self) -> int:
        """From the first product of a block by itself to the end of its second."""
        return self.scores + self.fill + self.softmax + self.mix

    def period(self, skew: int) -> float:
        """From a block to the next, by the number of cuts that make a pipeline of the loop.

        At least the work of each unit, and as long as what waits for itself some trips before:
        S(t), softmax(t), PV(t), S(t + 2); and PV(t), update(t), softmax(t + d), PV(t + d), d being
        1 where the update stands before the next softmax, 2 where it stands behind.
        """
        around = max(self.kept, self.mix + self.fill) + self.update + self.softmax
        match skew:
            case 0:
                behind = max(self.scores, self.update)
                return max(self.kept, self.mix + self.fill + behind) + self.softmax
            case 1:
                return max(self.scores + self.mix, around, self.chain / 2)
            case _:
                vector = self.softmax + self.kept + self.update
                return max(self.scores + self.mix, vector, self.chain / 2, around / 2)


@dataclass(frozen=True)
class Task:
    """A block of queries of one sequence, and one block of KV heads."""

    queries: int
    extent: int
    """Positions that it sees, the step's own included."""


def attention_demand(
    kernel: AttentionKernel, sequences: Sequence[tuple[int, int]], pace: Pace
) -> Demand:
    """One run over the (cached, new) positions of each sequence."""
    found = list(_tasks(kernel, sequences))
    if not found:
        return Demand(kernel.op)
    each = kernel.kv_heads // kernel.block_heads
    compute = sum(
        count * each * (_products(kernel, task, pace) + _drain(kernel, task, pace))
        for task, count in Counter(found).items()
    )
    slot = kernel.block_heads * kernel.head * kernel.kv_bytes
    pieces: list[tuple[int, float]] = []
    for task in found:
        whole, rest = divmod(task.extent - kernel.own, kernel.depth)
        if whole:
            pieces.append((2 * each * whole, pace.streamed(slot * kernel.depth)))
        if rest:
            pieces.append((2 * each, pace.streamed(slot * rest)))
    lines = sum(task.queries for task in found) * kernel.heads * kernel.head
    moved = 0
    lead, last = 0, found[-1]
    rows = kernel.heads // each * kernel.head
    tail = pace.fill + _update(kernel, last, pace) + _finish(kernel, last, pace)
    if kernel.query == "memory":
        moved += lines * kernel.operand_bytes
        lead = pace.arrival(found[0].queries * rows * kernel.operand_bytes)
    if kernel.result == "memory":
        moved += lines * kernel.result_bytes
        tail += pace.arrival(last.queries * rows * kernel.result_bytes)
    return Demand(
        kernel.op,
        lead=lead,
        compute=compute,
        tail=tail,
        handed=kernel.result == "matrix",
        ring=KV,
        pieces=pieces,
        ahead=kernel.own,
        turn=pace.turn(slot * kernel.depth),
        traffic=pace.move(moved),
    )


def _tasks(kernel: AttentionKernel, sequences: Sequence[tuple[int, int]]) -> Iterator[Task]:
    """Those of one block of KV heads, in order."""
    for cached, new in sequences:
        for first in range(0, new, kernel.rows):
            queries = min(kernel.rows, new - first)
            yield Task(queries, cached + (new if kernel.full else first + queries))


def _stages(kernel: AttentionKernel, queries: int, positions: int, own: int, pace: Pace) -> Stages:
    """Of a block of so many positions; `own` of them on chip, with products of their own."""
    group = kernel.heads // kernel.kv_heads
    flat = queries * group
    lines = flat * kernel.block_heads
    stage = pace.scalars(STAGE_SCALARS)

    def products(n: int, k: int, scalars: int) -> int:
        return kernel.block_heads * pace.product(flat, n, k, kernel.phases, scalars)

    loaded = positions - own
    scores, mix = stage, stage
    if loaded:
        scores += products(loaded, kernel.head, SCALARS)
        mix += products(kernel.head, loaded, SCALARS)
    if own:
        scores += products(own, kernel.head, SCALARS + 1)
        mix += products(kernel.head, own, SCALARS + 1)
    wide, narrow = pace.vector(lines, positions, 1), pace.vector(lines, 1)
    return Stages(
        scores,
        stage + 2 * wide + narrow,
        3 * narrow,
        mix,
        stage + pace.vector(lines, kernel.head, 3),
        pace.fill,
    )


def _products(kernel: AttentionKernel, task: Task, pace: Pace) -> float:
    """From the first product of a task to the end of its last."""
    blocks = ceil_div(task.extent, kernel.depth)
    rest = task.extent - (blocks - 1) * kernel.depth
    start = pace.scalars(TASK_SCALARS)
    last = _stages(kernel, task.queries, rest, int(kernel.own), pace)
    if blocks == 1:
        return start + last.chain
    full = _stages(kernel, task.queries, kernel.depth, 0, pace)
    if not kernel.skew:
        return start + full.chain + (blocks - 2) * full.period(0) + last.period(0)
    # Scores of the second block stand before PV of the first, and so on; PV of the last alone.
    second = last if blocks == 2 else full
    time = start + full.scores + max(full.fill + full.softmax, second.scores) + full.mix
    if blocks > 2:
        time += (blocks - 3) * full.period(kernel.skew)
        time += replace(full, scores=last.scores).period(kernel.skew)
    if kernel.skew == 1:
        return time + full.fill + full.update + last.softmax + last.mix
    return time + max(0, last.fill + last.softmax - full.mix) + last.mix


def _drain(kernel: AttentionKernel, task: Task, pace: Pace) -> float:
    """What stands between the last product of a task and the first of the next, once a task.

    The next task's scores are made while the vector unit brings this one to its end. As a pipeline
    with two slots of scores they are not: a slot is left over behind the loop, which the vector
    unit gives back behind its last update.
    """
    update = _update(kernel, task, pace)
    if kernel.skew and pace.slots("scores") == 2:
        return pace.fill + update
    blocks = ceil_div(task.extent, kernel.depth)
    positions = min(task.extent, kernel.depth)
    own = int(kernel.own and blocks == 1)
    scores = _stages(kernel, task.queries, positions, own, pace).scores
    return max(0, update + _finish(kernel, task, pace) + _start(kernel, task, pace) - scores)


def _lines(kernel: AttentionKernel, task: Task) -> int:
    return task.queries * (kernel.heads // kernel.kv_heads) * kernel.block_heads


def _start(kernel: AttentionKernel, task: Task, pace: Pace) -> int:
    lines = _lines(kernel, task)
    return 2 * pace.vector(lines, 1, 1) + pace.vector(lines, kernel.head, 1)


def _update(kernel: AttentionKernel, task: Task, pace: Pace) -> int:
    return pace.vector(_lines(kernel, task), kernel.head, 3)


def _finish(kernel: AttentionKernel, task: Task, pace: Pace) -> int:
    lines = _lines(kernel, task)
    return pace.vector(lines, 1) + pace.vector(lines, kernel.head)
