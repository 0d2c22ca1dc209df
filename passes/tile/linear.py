"""A matmul kernel -> tile loops: rows stay, weights stream by panels, an epilogue for one panel or
several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import SSAValue

from ...dialects import tile
from .activations import ACTIVATIONS
from .emitter import Emitter, Index
from .heads_in_panels import Turned, emit_turned
from .linear_kernel import Linear, Rows
from .linear_products import product_of
from .norm import emit_norm
from .residency import Home, Rooms
from .tiles import Tile


def emit_linear(
    e: Emitter, kernel: Linear, size: Tile, layer: Sequence[Index], rooms: Rooms
) -> None:
    """A loop over row blocks, and in it one over panels; rows on chip are one block."""
    total = e.scalar(kernel.count)
    if kernel.index is not None and rooms.on_chip(kernel.source):
        _spill(e, kernel, rooms)
    if kernel.on_chip(rooms):
        _panels(e, kernel, Rows(size, layer, 0, total), rooms)
        return
    with e.cuts(total, size.rows) as (first, count):
        _panels(e, kernel, Rows(size, layer, first, count), rooms)


def _spill(e: Emitter, kernel: Linear, rooms: Rooms) -> None:
    """Store rows on chip to their region, so that a gather can pick some of them."""
    source, k = rooms.values[kernel.source], kernel.packing.k
    rows, total = rooms.spilled_rows(k), e.scalar("rows")
    wanted = e.least(e.scalar(kernel.count), 1)
    with e.loop(wanted, "some"), e.cuts(total, rows, rooms.rows) as (first, count):
        out = e.buffer((rows, k), kernel.source_element, "out", "out")
        e.vec("id", e.part(source, [first, 0], [rows, k]), to=out, rows=count)
        e.store(out, kernel.source, [first, 0], [count, k])


def _panels(e: Emitter, kernel: Linear, block: Rows, rooms: Rooms) -> None:
    """Full panels in a loop, some at a time, behind it the narrower last one; or all at once."""
    packing, together = kernel.packing, block.size.panels
    operands = _operands(e, kernel, block, rooms)
    if kernel.turned is not None:
        _turned_panels(e, kernel, kernel.turned, block, operands, rooms)
        return
    if kernel.output in rooms.in_sums:
        rooms.values[kernel.output] = product_of(e, kernel, block, operands, 0, packing.n)
        return
    room = _room(e, kernel, rooms)
    if together >= packing.panels:
        _panel(e, kernel, block, operands, Cut(0, packing.n), room, rooms)
        return
    full = packing.n // packing.panel
    pieces = rooms.pieces.get(kernel.output, 1)
    for piece in range(pieces if full else 0):
        room = room if piece == 0 else _room(e, kernel, rooms)
        begin = piece * full // pieces
        with e.loop(full // together // pieces, "n") as n:
            inside = e.times(n, together)
            cut = Cut(e.plus(begin, inside), together * packing.panel, inside)
            _panel(e, kernel, block, operands, cut, room, rooms)
    if packing.n % packing.panel:
        _panel(e, kernel, block, operands, Cut(full, packing.n % packing.panel), room, rooms)


def _room(e: Emitter, kernel: Linear, rooms: Rooms) -> SSAValue | None:
    """The buffer on chip for the result, or its next piece; None where it goes to main memory."""
    return rooms.make(e, kernel.output) if rooms.on_chip(kernel.output) else None


def _operands(e: Emitter, kernel: Linear, block: Rows, rooms: Rooms) -> Sequence[SSAValue]:
    """The block of rows as the matrix unit reads it, in equal pieces of K."""
    if rooms.pieces.get(kernel.source, 1) > 1:
        return rooms.parts[kernel.source]
    return [_operand(e, kernel, block, rooms)]


def _turned_panels(
    e: Emitter,
    kernel: Linear,
    turned: Turned,
    block: Rows,
    operands: Sequence[SSAValue],
    rooms: Rooms,
) -> None:
    """Panels whose heads are turned and stored one by one."""
    rows = turned.rows(e, block.first, block.count)
    angles = turned.angles(e, rows, block.size.rows)
    for run in turned.runs:
        with e.loop(run.panels, "n") as n:
            panel = e.plus(run.first, n)
            x = product_of(e, kernel, block, operands, panel, run.columns)
            if kernel.steps:
                to = e.buffer((block.size.rows, run.columns), Float32Type(), "v")
                _epilogue(e, kernel, block, x, to, panel, 0, rooms)
                x = to
            emit_turned(e, turned, run, n, x, angles, rows, block.layer)


def _operand(e: Emitter, kernel: Linear, block: Rows, rooms: Rooms) -> SSAValue:
    """The block of rows as the matrix unit reads it, [rows, K padded to whole blocks]."""
    size, first, count = block.size, block.first, block.count
    home = rooms.home(kernel.source)
    k = kernel.packing.k
    padded = kernel.packing.blocks * kernel.packing.spec.block
    direct = not kernel.through_vector(home)
    if kernel.index is None and home is not Home.MEMORY:
        if direct:
            return rooms.values[kernel.source]
        part = e.part(rooms.values[kernel.source], [0, 0], [size.rows, k])
    else:
        columns = padded if direct else k
        element = kernel.operand if direct else kernel.source_element
        rows = e.buffer((size.rows, columns), element, "x", "operand" if direct else "rows")
        part = e.part(rows, [0, 0], [size.rows, k])
        if kernel.index is None:
            e.load(kernel.source, [first, 0], [count, k], part)
        else:
            e.add(tile.GatherOp(kernel.source, kernel.index, first, e.value(count), part))
        if direct:
            return rows
    operand = e.buffer((size.rows, padded), kernel.operand, "a", "normed")
    target = e.part(operand, [0, 0], [size.rows, k])
    if kernel.norm is None:
        e.vec("id", part, to=target, rows=count)
    else:
        known = rooms.squares.get(kernel.source) if kernel.index is None else None
        emit_norm(e, kernel.norm, block.layer, part, target, count, known)
    return operand


@dataclass(frozen=True)
class Cut:
    """Some panels: the first one, columns of the product, and the panel's number in its room."""

    panel: Index
    columns: int
    inside: Index | None = None


def _panel(
    e: Emitter,
    kernel: Linear,
    block: Rows,
    operands: Sequence[SSAValue],
    cut: Cut,
    room: SSAValue | None,
    rooms: Rooms,
) -> None:
    """Some panels of the result and their epilogue."""
    packing, size, count = kernel.packing, block.size, block.count
    panel, columns = cut.panel, cut.columns
    inside = panel if cut.inside is None else cut.inside
    sums = product_of(e, kernel, block, operands, panel, columns)
    kept = columns // 2 if kernel.halved else columns
    step = packing.panel // 2 if kernel.halved else packing.panel
    where = e.times(panel, step)
    together = columns // packing.panel
    if room is None:
        out = e.buffer((size.rows, kept), kernel.result, "out", "out")
        to = e.reshape(out, (size.rows, together, step)) if kernel.halved and together > 1 else out
        _epilogue(e, kernel, block, sums, to, panel, where, rooms)
        e.store(out, kernel.output, [block.first, where], [count, kept])
    elif kernel.halved and together > 1:
        rows, wide = tile.shape_of(room)
        room = e.reshape(room, (rows, wide // step, step))
        to = e.part(room, [0, inside, 0], [size.rows, together, step])
        _epilogue(e, kernel, block, sums, to, panel, where, rooms)
    else:
        to = e.part(room, [0, e.times(inside, step)], [size.rows, kept])
        _epilogue(e, kernel, block, sums, to, panel, where, rooms)


def _epilogue(
    e: Emitter,
    kernel: Linear,
    block: Rows,
    sums: SSAValue,
    out: SSAValue,
    panel: Index,
    where: Index,
    rooms: Rooms,
) -> None:
    """The steps in order; the last writes the output slot, the others buffers of the unit's own.

    Halves of several panels are [rows, panels, columns of a half], so that a pass takes all. The
    last step leaves the squares' sum too, where a norm of the result takes it.
    """
    size, count = block.size, block.count
    width = kernel.packing.panel
    squares = rooms.squares.get(kernel.output)
    reduce = None if squares is None else ("sumsq", squares)
    if kernel.halved and tile.shape_of(sums)[1] > width:
        sums = e.reshape(sums, (size.rows, tile.shape_of(sums)[1] // width, width))
    values = [sums]
    if not kernel.steps:
        e.vec("id", sums, to=out, reduce=reduce, rows=count)
    for number, step in enumerate(kernel.steps):
        x = values[step.value]
        *lines, columns = tile.shape_of(x)
        if step.kind == "half":
            half = columns // 2
            start = [*(0 for _ in lines), step.other * half]
            values.append(e.part(x, start, [*lines, half]))
            continue
        last = number == len(kernel.steps) - 1
        to = out if last else e.buffer((*lines, columns), Float32Type(), "v")
        if step.kind == "unary":
            ACTIVATIONS[step.fn][0](e, x, to, count)
        else:
            other = values[step.other]
            if step.kind == "vector":
                start = e.times(panel, width)
                layer = block.layer if step.layered else ()
                other = e.parameter(step.name, layer, (1, columns), step.name, start)
            elif step.kind == "tensor" and rooms.on_chip(step.name):
                other = e.part(rooms.values[step.name], [0, where], [size.rows, columns])
            elif step.kind == "tensor":
                other = e.buffer((size.rows, columns), Float32Type(), "r", "residual")
                e.load(step.name, [block.first, where], [count, columns], other)
            e.vec("id", x, op=(step.fn, other), to=to, reduce=reduce if last else None, rows=count)
        values.append(to)
