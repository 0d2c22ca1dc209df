"""The form of attention: a pipeline of trips through KV blocks, which goes on from task to task."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from math import gcd

from ..timing import ceil_div
from .demand import KV, Demand
from .pace import Pace
from .pipeline import EMPTY, Pipeline, Trip
from .plan import AttentionKernel

HEADS_AT_ONCE = 4
"""The most KV heads whose products share scalar instructions."""
SCALARS = 3
"""Scalar instructions of the matrix unit for the products of heads that share them: an offset in
every operand."""
PROMPT_SCALARS, HEADS_SCALARS, SEQUENCES_SCALARS = 3, 5, 9
"""Scalar instructions of the matrix unit for each stage: in prompts, where tasks of a chain are
heads of one sequence, and where they are sequences."""
OWN_SCALARS, WHOLE_OWN_SCALARS = 5, 4
"""Of the matrix unit for each product with the step's own keys and values; in one KV block."""
VECTOR_SCALARS = (2, 2, 6)
"""Of the vector unit for each stage, by the cuts."""
TASK_SCALARS = (30, 95, 98)
"""Of the matrix unit for a task that is a sequence, by the cuts: where its rows and heads are."""
WHOLE_SCALARS = 14
"""Of the matrix unit for a task that is a sequence in one KV block."""
HEAD_SCALARS = 30
"""Of the vector unit for a task, and of the matrix unit for one that is heads of a sequence."""


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
    chains = _chains(kernel, sequences)
    found = [task for chain in chains for task in chain]
    if not found:
        return Demand(kernel.op)
    each = kernel.kv_heads // kernel.block_heads
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
        lead = _way(kernel, found[0], pace)
    if kernel.result == "memory":
        moved += lines * kernel.result_bytes
        tail += pace.arrival(last.queries * rows * kernel.result_bytes)
    compute = _compute(kernel, chains, pace)
    if kernel.query == "memory":
        stream = sum(count * time for count, time in pieces)
        compute = _compute(kernel, chains, pace, min(stream / compute, 1))
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


def _chains(kernel: AttentionKernel, sequences: Sequence[tuple[int, int]]) -> list[list[Task]]:
    """Tasks of one block of KV heads, in chains: the pipeline goes on from one to the next.

    A chain's tasks are the blocks of heads, if there are several; else the sequences where each has
    one query at most, or the blocks of queries of a sequence.
    """
    several = kernel.block_heads < kernel.kv_heads
    chains: list[list[Task]] = []
    for cached, new in sequences:
        tasks: list[Task] = []
        for first in range(0, new, kernel.rows):
            queries = min(kernel.rows, new - first)
            tasks.append(Task(queries, cached + (new if kernel.full else first + queries)))
        chains += [[task] for task in tasks] if several else [tasks]
    if not several and kernel.queries == 1:
        return [[task for tasks in chains for task in tasks]]
    return [tasks for tasks in chains if tasks]


def _compute(
    kernel: AttentionKernel, chains: Sequence[Sequence[Task]], pace: Pace, beside: float = 0
) -> int:
    """From the first product to the end of the last.

    `beside` is the part of the time in which keys and values take turns with queries.
    """
    each = kernel.kv_heads // kernel.block_heads
    # What crosses from trip to trip has two slots in every program.
    least = {"scores": 1 + min(kernel.skew, 1), "pv": 1 + kernel.skew // 2}
    rings = ("query", "kv", "scores", "p", "pv")
    slots = {ring: max(pace.slots(ring), least.get(ring, 1)) for ring in rings}
    pipeline = Pipeline(0 if kernel.whole else kernel.skew, pace.fill, slots)
    # The first queries, keys and values come in before the first product.
    pipeline.free["query"] = deque([-_way(kernel, chains[0][0], pace, beside)] * slots["query"])
    pipeline.free["kv"] = deque([-_load(kernel, kernel.depth, pace)] * slots["kv"])
    several = [(chain, len(list(same))) for chain, same in groupby(chains)]

    def run(chain: Sequence[Task]) -> None:
        for task, same in groupby(chain):
            trips = _trips(kernel, task, pace, beside)
            pipeline.repeat(each * len(list(same)), partial(_run_task, pipeline, trips))
        pipeline.drain()

    for chain, count in several:
        pipeline.repeat(count, partial(run, chain))
    return pipeline.matrix


def _way(kernel: AttentionKernel, task: Task, pace: Pace, beside: float = 0) -> int:
    """From the issue of a task's queries to them, where they are in main memory."""
    if kernel.query != "memory":
        return 0
    columns = kernel.heads // (kernel.kv_heads // kernel.block_heads) * kernel.head
    nbytes = task.queries * columns * kernel.operand_bytes
    return pace.arrival(nbytes) + round(beside * pace.move(nbytes))


def _load(kernel: AttentionKernel, positions: int, pace: Pace) -> int:
    """From the issue of the move of so many keys or values to them."""
    if not positions or not pace.machine.has_hbm:
        return 0
    return pace.arrival(kernel.block_heads * positions * kernel.head * kernel.kv_bytes)


def _run_task(pipeline: Pipeline, trips: Sequence[tuple[Trip, int]]) -> None:
    for trip, count in trips:
        pipeline.repeat(count, partial(pipeline.step, trip))


def _trips(
    kernel: AttentionKernel, task: Task, pace: Pace, beside: float
) -> list[tuple[Trip, int]]:
    """The KV blocks of a task, how many of each; as many as there are cuts, or more."""
    if kernel.whole:
        return [(_only_trip(kernel, task, pace, beside), 1)]
    blocks = ceil_div(task.extent, kernel.depth)
    rest = task.extent - (blocks - 1) * kernel.depth
    full = _trip(kernel, task.queries, kernel.depth, 0, pace)
    last = replace(
        _trip(kernel, task.queries, rest, int(kernel.own), pace),
        behind=_finish(kernel, task, pace),
        last=kernel.query == "memory",
        late=kernel.skew > 0,
    )
    of_sequences = kernel.queries == 1 and kernel.block_heads == kernel.kv_heads
    scalars = TASK_SCALARS[kernel.skew] if of_sequences else HEAD_SCALARS
    if kernel.queries > 1:
        scalars = 0
    first = last if blocks == 1 else full
    first = replace(
        first,
        scores=first.scores + pace.scalars(scalars),
        before=_start(kernel, task, pace) + pace.scalars(HEAD_SCALARS),
        way=_way(kernel, task, pace, beside),
        late=kernel.skew > 1 or first.late,
    )
    trips = [(first, 1)]
    if blocks > 1:
        trips += [(full, blocks - 2), (last, 1)]
    return [*trips, (EMPTY, max(kernel.skew - blocks, 0))]


def _only_trip(kernel: AttentionKernel, task: Task, pace: Pace, beside: float) -> Trip:
    """All positions, without a running state: the reciprocal of the sum runs beside PV."""
    trip = _trip(kernel, task.queries, task.extent, int(kernel.own), pace)
    narrow = pace.vector(_lines(kernel, task), 1)
    return replace(
        trip,
        scores=trip.scores + pace.scalars(WHOLE_SCALARS if kernel.queries == 1 else 0),
        softmax=trip.softmax - narrow,
        kept=narrow,
        update=0,
        behind=_finish(kernel, task, pace),
        way=_way(kernel, task, pace, beside),
        last=kernel.query == "memory",
    )


def _trip(kernel: AttentionKernel, queries: int, positions: int, own: int, pace: Pace) -> Trip:
    """Of a block of so many positions; `own` of them on chip, with products of their own."""
    group = kernel.heads // kernel.kv_heads
    flat = queries * group
    lines = flat * kernel.block_heads
    shared = kernel.block_heads // gcd(kernel.block_heads, HEADS_AT_ONCE)
    if kernel.queries > 1:
        scalars = PROMPT_SCALARS
    else:
        several = kernel.block_heads < kernel.kv_heads
        scalars = HEADS_SCALARS if several or kernel.whole else SEQUENCES_SCALARS
    of_own = WHOLE_OWN_SCALARS if kernel.whole else OWN_SCALARS
    beside = pace.scalars(VECTOR_SCALARS[kernel.skew])

    def products(n: int, k: int, each: int) -> int:
        one = pace.product(flat, n, k, kernel.phases, 0)
        return kernel.block_heads * one + pace.scalars(each * shared)

    loaded = positions - own
    scores = mix = pace.scalars(scalars)
    each = SCALARS if kernel.queries == 1 else 0
    if loaded:
        scores += products(loaded, kernel.head, each)
        mix += products(kernel.head, loaded, each)
    if own:
        scores += products(own, kernel.head, of_own)
        mix += products(kernel.head, own, of_own)
    wide, narrow = pace.vector(lines, positions, 1), pace.vector(lines, 1)
    return Trip(
        scores=scores,
        softmax=beside + 2 * wide + narrow,
        kept=3 * narrow,
        mix=mix,
        load=_load(kernel, loaded, pace),
        update=beside + pace.vector(lines, kernel.head, 3),
    )


def _lines(kernel: AttentionKernel, task: Task) -> int:
    return task.queries * (kernel.heads // kernel.kv_heads) * kernel.block_heads


def _start(kernel: AttentionKernel, task: Task, pace: Pace) -> int:
    lines = _lines(kernel, task)
    return 2 * pace.vector(lines, 1, 1) + pace.vector(lines, kernel.head, 1)


def _update(kernel: AttentionKernel, task: Task, pace: Pace) -> int:
    return 0 if kernel.whole else pace.vector(_lines(kernel, task), kernel.head, 3)


def _finish(kernel: AttentionKernel, task: Task, pace: Pace) -> int:
    lines = _lines(kernel, task)
    division = pace.vector(lines, kernel.head)
    return division if kernel.whole else pace.vector(lines, 1) + division
