"""The form of work on rows by the vector unit alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .demand import Demand
from .pace import Pace
from .plan import RowsKernel


def rows_demand(kernel: RowsKernel, counts: Sequence[int], pace: Pace) -> Demand:
    """One run over rows; `counts` are those of each sequence, or of all together.

    A block takes the busiest of main memory, vector unit, queues, and rings going round; then what
    does not overlap: the first bytes coming in, and the last going out.
    """
    blocks: Counter[int] = Counter()
    for count in counts:
        blocks[kernel.rows] += count // kernel.rows
        blocks[count % kernel.rows] += 1
    del blocks[0]
    if not +blocks:
        return Demand(kernel.op)
    lead = sum(count * _block(kernel, rows, pace) for rows, count in blocks.items())
    tail = 0
    if any(part.loads for part in kernel.parts):
        lead += pace.issue + pace.latency * (2 if kernel.picked else 1)
    if any(part.stores for part in kernel.parts):
        tail = pace.issue + pace.latency
    moved = kernel.appended + sum(part.loaded + part.stored for part in kernel.parts)
    return Demand(
        kernel.op,
        lead=lead,
        tail=tail,
        handed=kernel.result == "matrix",
        traffic=pace.move(sum(counts) * moved),
    )


def _block(kernel: RowsKernel, rows: int, pace: Pace) -> float:
    moved = vector = loads = stores = come = go = 0.0
    for part in kernel.parts:
        worked = sum(pace.vector(rows * lines, n, 3) for lines, n in part.passes)
        descriptors = part.loads * (rows if kernel.picked else 1)
        into, out = rows * part.loaded, rows * part.stored
        moved += pace.move(into) + pace.move(out)
        vector += worked
        loads += max(descriptors * pace.issue, pace.move(into))
        stores += max(part.stores * pace.issue, pace.move(out))
        if part.loads:
            ring = "picked" if kernel.picked else "rows"
            come += (pace.arrival(into, descriptors) + worked) / pace.slots(ring)
        if part.stores:
            go += (pace.queue(out, part.stores) + worked) / pace.slots("out")
    return max(moved, vector, loads, stores, come, go)
