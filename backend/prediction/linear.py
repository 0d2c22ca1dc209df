"""The form of a matmul: rows stay, weights stream by panels, an epilogue a panel."""

from __future__ import annotations

from collections.abc import Iterator

from ..timing import ceil_div
from .demand import WEIGHTS, Demand
from .pace import FLOAT, Pace
from .plan import LinearKernel, Turn


def linear_demand(kernel: LinearKernel, rows: int, all_rows: int, pace: Pace) -> Demand:
    """One run over so many rows, of all rows of a launch."""
    if not rows:
        return Demand(kernel.op)
    size = rows if kernel.at_once else min(kernel.rows, rows)
    whole, last = divmod(rows, size)
    blocks = [(whole, size), (1, last)] if last else [(whole, size)]
    compute = sum(count * _block(kernel, m, pace) for count, m in blocks)
    compute += sum(count * _between(kernel, m, pace) for count, m in blocks)
    compute -= _between(kernel, size, pace)
    pieces = [
        (panels * tiles, pace.streamed(nbytes)) for panels, tiles, _, _, nbytes in cuts(kernel)
    ]
    columns = kernel.n * kernel.out_columns // kernel.panel
    moved = kernel.residuals * columns * FLOAT
    if kernel.source == "memory":
        moved += kernel.k * kernel.source_bytes
    if kernel.turned:
        moved += kernel.angle_bytes + sum(turn.panels * turn.stored for turn in kernel.turned)
    elif kernel.result == "memory":
        moved += columns * kernel.result_bytes
    return Demand(
        kernel.op,
        lead=_spilled(kernel, all_rows, pace) + _rows_ready(kernel, size, pace),
        compute=compute,
        tail=_result_ready(kernel, last or size, pace),
        handed=kernel.result == "matrix",
        ring=WEIGHTS,
        pieces=pieces * (whole + (last > 0)),
        turn=pace.turn(cuts(kernel)[0][-1]),
        traffic=pace.move(rows * moved),
    )


def cuts(kernel: LinearKernel) -> list[tuple[int, int, int, int, int]]:
    """Panels, weight tiles of each, columns, blocks of K and bytes of a tile; a narrower last panel
    apart."""
    blocks = ceil_div(kernel.k, kernel.block)
    whole, last = divmod(kernel.n, kernel.panel)
    found = [(whole, kernel.panel, kernel.depth)] if whole else []
    if last:
        found.append((1, kernel.last_columns, kernel.last_depth))
    each = kernel.block_bytes
    return [
        (panels, ceil_div(blocks, depth), columns, depth, depth * columns * each // kernel.panel)
        for panels, columns, depth in found
    ]


def _runs(kernel: LinearKernel) -> Iterator[tuple[tuple[int, int, int, int, int], Turn | None]]:
    """`cuts`, those whose heads are turned apart from each other."""
    found = cuts(kernel)
    if not kernel.turned:
        yield from ((cut, None) for cut in found)
    first = 0
    for turn in kernel.turned:
        _, tiles, columns, depth, nbytes = found[0 if first < kernel.n // kernel.panel else -1]
        yield (turn.panels, tiles, columns, depth, nbytes), turn
        first += turn.panels


def _turned(turn: Turn, m: int, pace: Pace) -> int:
    """The vector unit's work on the heads of a panel."""
    return sum(pace.vector(m * lines, columns, 3) for lines, columns in turn.passes)


def _block(kernel: LinearKernel, m: int, pace: Pace) -> float:
    """All panels of a block of rows, the weights at hand as far as their ring goes round.

    A panel takes the busiest of the matrix unit, the vector unit, and rings going round; what is
    stored or read meanwhile holds up the ring of weights.
    """
    total = 0.0
    for (panels, tiles, columns, depth, nbytes), turn in _runs(kernel):
        kept = m * columns * kernel.out_columns // kernel.panel
        stored, stores = kept * kernel.result_bytes if kernel.result == "memory" else 0, 1
        read = kept * FLOAT if kernel.residuals else 0
        product = pace.product(m, columns, depth * kernel.block, kernel.phases)
        epilogue = kernel.passes * pace.vector(m, kept // m, 3)
        if turn is not None:
            stored, stores = m * turn.stored, turn.stores
            epilogue += _turned(turn, m, pace)
        weights = (pace.arrival(nbytes) + product) / pace.slots(WEIGHTS)
        held_up = pace.move(stored + kernel.residuals * read)
        panel = max(tiles * product, tiles * weights + held_up)
        longest = max(panel, epilogue, (panel + pace.fill + epilogue) / pace.slots("sums"))
        if stored:
            longest = max(longest, (epilogue + pace.queue(stored, stores)) / pace.slots("out"))
        if read:
            whole = kernel.residuals * (pace.arrival(read) + epilogue)
            longest = max(longest, whole / pace.slots("residual"))
        total += panels * longest
    return total


def _between(kernel: LinearKernel, m: int, pace: Pace) -> float:
    """From the last product of a block of rows to the first of the next, of m rows.

    The vector unit turns to the next rows behind the last epilogue; rows that it has no part in
    come in time where there are two slots for them.
    """
    if kernel.through_vector:
        return pace.fill + _epilogue(kernel, m, pace) + _prologue(kernel, m, pace)
    if kernel.source == "memory" and pace.slots("operand") == 1:
        return pace.arrival(m * kernel.k * kernel.source_bytes)
    return 0


def _rows_ready(kernel: LinearKernel, m: int, pace: Pace) -> float:
    """From the rows in their home to the first product."""
    ready = _prologue(kernel, m, pace)
    if kernel.source == "memory":
        ready += pace.arrival(m * kernel.k * kernel.source_bytes, m if kernel.gathered else 1)
    if kernel.gathered:
        ready += pace.latency
    return ready


def _spilled(kernel: LinearKernel, rows: int, pace: Pace) -> int:
    """From the rows on chip to all of them in main memory, stored a few at once."""
    if not kernel.spilled_rows:
        return 0
    blocks = ceil_div(rows, kernel.spilled_rows)
    one = pace.vector(kernel.spilled_rows, kernel.k)
    stored = pace.queue(rows * kernel.k * FLOAT, blocks)
    return max(blocks * one, stored) + one + pace.latency


def _prologue(kernel: LinearKernel, m: int, pace: Pace) -> float:
    wide = pace.vector(m, kernel.k, 3)
    if kernel.norm:
        return 2 * wide + pace.vector(m, 1)
    return wide if kernel.through_vector else 0


def _epilogue(kernel: LinearKernel, m: int, pace: Pace) -> float:
    """Of the last panel."""
    epilogue = kernel.passes * pace.vector(m, kernel.out_columns, 3)
    return epilogue + (_turned(kernel.turned[-1], m, pace) if kernel.turned else 0)


def _result_ready(kernel: LinearKernel, m: int, pace: Pace) -> float:
    """From the last product to the result in its home."""
    ready = pace.fill + _epilogue(kernel, m, pace)
    if kernel.turned:
        last = kernel.turned[-1]
        ready += pace.arrival(m * last.stored, last.stores)
    elif kernel.result == "memory":
        ready += pace.arrival(m * kernel.out_columns * kernel.result_bytes)
    return ready
