"""Head-wise kernels whose rows stay on chip: all sequences at once, one new row each at most.

Queries, keys and values go to the matrix unit in slots. Keys and values are stored to the cache
behind the attention that reads them, which so needs nothing of this step from main memory.
"""

from collections.abc import Sequence
from dataclasses import replace

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import SSAValue

from .emitter import Emitter, Index
from .heads import Heads, Part, Rope, turn_rows
from .residency import Rooms
from .sequences import lengths_of

FRESH = "fresh"
"""The ring of the step's own keys and values."""


def joined(parts: Sequence[Part], rooms: Rooms) -> list[list[Part]]:
    """The parts, those together that one pass can turn: side by side, and rotated alike.

    Only where rows are so few that starting a pass is most of what it costs.
    """
    found: list[list[Part]] = []
    for part in parts:
        group = found[-1] if found else []
        columns = sum(one.columns for one in [*group, part])
        if group and _alike(group[-1], part) and rooms.few(columns):
            group.append(part)
        else:
            found.append([part])
    return found


def _alike(one: Part, following: Part) -> bool:
    beside = one.source == following.source and one.column + one.columns == following.column
    same = replace(one, column=0, heads=0, output=None, cache=None, layered=False) == replace(
        following, column=0, heads=0, output=None, cache=None, layered=False
    )
    return beside and same and one.rope is not None and one.norm is None


def emit_heads_on_chip(e: Emitter, kernel: Heads, layer: Sequence[Index], rooms: Rooms) -> None:
    """All rows of the step in one pass of each part, or of parts that are turned alike."""
    count = e.scalar("rows")
    angles = _load_angles(e, kernel.rope, kernel.batch, rooms.rows) if kernel.rope else None
    for parts in joined(kernel.parts, rooms):
        first = parts[0]
        whole = replace(first, heads=sum(part.heads for part in parts))
        heads = (rooms.rows, whole.heads, whole.head)
        slot = _slot(e, parts, rooms)
        x = _seen(e, whole, whole.head, rooms)
        split = whole.rope is not None and rooms.few(whole.columns)
        halves = _seen(e, whole, whole.head // 2, rooms) if split else None
        turn_rows(e, whole, x, e.reshape(slot, heads), angles, count, layer, halves)


def _seen(e: Emitter, part: Part, width: int, rooms: Rooms) -> SSAValue:
    """The rows of a part as [rows, pieces of a width, width]."""
    source = rooms.by_head(e, part.source, width)
    size = (rooms.rows, part.columns // width, width)
    return e.part(source, [0, part.column // width, 0], size)


def _slot(e: Emitter, parts: Sequence[Part], rooms: Rooms) -> SSAValue:
    """A slot for the parts side by side, [rows, columns]; queries alone lie in their own ring."""
    first = parts[0]
    if len(parts) == 1 and first.cache is None:
        assert first.output is not None, "a part without cache has an output"
        return rooms.make(e, first.output)
    columns = sum(part.columns for part in parts)
    slot = e.buffer((rooms.rows, columns), first.element, "fresh", FRESH)
    start = 0
    for part in parts:
        own = e.part(slot, [0, start], [rooms.rows, part.columns])
        if part.cache is None:
            assert part.output is not None, "a part without cache has an output"
            rooms.values[part.output] = own
        else:
            rooms.fresh[part.cache] = own
            heads = e.reshape(slot, (rooms.rows, columns // part.head, part.head))
            size = (rooms.rows, part.heads, part.head)
            rooms.appended[part.cache] = e.part(heads, [0, start // part.head, 0], size)
        start += part.columns
    return slot


def _load_angles(e: Emitter, rope: Rope, batch: int, rows: int) -> tuple[SSAValue, SSAValue]:
    """cos and sin of each row's own position, each [rows, 1, dim / 2]."""
    half = rope.dim // 2
    angles = e.buffer((2, rows, half), Float32Type(), "angles", "angles")
    with e.loop(batch, "b") as b:
        lengths = lengths_of(e, b)
        with e.loop(lengths.queries, "i"):
            for number, table in enumerate((rope.cos, rope.sin)):
                line = e.part(angles, [number, lengths.start, 0], [1, 1, half], drop=2)
                e.load(table, [lengths.cached, 0], [1, half], line)
    found = [
        e.reshape(e.part(angles, [number, 0, 0], [1, rows, half], drop=1), (rows, 1, half))
        for number in range(2)
    ]
    return found[0], found[1]


def emit_appends(e: Emitter, kernel: Heads, layer: Sequence[Index], rooms: Rooms) -> None:
    """Store the step's own keys and values behind what the caches hold, a descriptor a sequence."""
    for part in kernel.parts:
        if part.cache is not None:
            _append(e, kernel.batch, part, part.cache, layer, rooms)


def _append(
    e: Emitter, batch: int, part: Part, cache: str, layer: Sequence[Index], rooms: Rooms
) -> None:
    del rooms.fresh[cache]
    slot = rooms.appended.pop(cache)
    leading = list(layer) if part.layered else []
    with e.loop(batch, "b") as b:
        lengths = lengths_of(e, b)
        with e.loop(lengths.queries, "i"):
            line = e.part(slot, [lengths.start, 0, 0], [1, part.heads, part.head], drop=1)
            box = [*(1 for _ in leading), 1, part.heads, 1, part.head]
            e.store(line, cache, [*leading, b, 0, lengths.cached, 0], box)
