"""Head-wise kernels whose rows stay on chip: all sequences at once, one new row each at most.

Queries, keys and values go to the matrix unit in slots. Keys and values are stored to the cache
behind the attention that reads them, which so needs nothing of this step from main memory.
"""

from collections.abc import Sequence

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import SSAValue

from .emitter import Emitter, Index
from .heads import Heads, Part, Rope, turn_rows
from .residency import Rooms
from .sequences import lengths_of

FRESH = "fresh"
"""The ring of the step's own keys and values."""


def emit_heads_on_chip(e: Emitter, kernel: Heads, layer: Sequence[Index], rooms: Rooms) -> None:
    """All rows of the step in one pass of each part."""
    count = e.scalar("rows")
    angles = _load_angles(e, kernel.rope, kernel.batch, rooms.rows) if kernel.rope else None
    for part in kernel.parts:
        heads = (rooms.rows, part.heads, part.head)
        source = rooms.by_head(e, part.source, part.head)
        x = e.part(source, [0, part.column // part.head, 0], heads)
        if part.cache is None:
            assert part.output is not None, "a part without cache has an output"
            slot = rooms.make(e, part.output)
        else:
            slot = e.buffer((rooms.rows, part.columns), part.element, "fresh", FRESH)
            rooms.fresh[part.cache] = slot
        turn_rows(e, part, x, e.reshape(slot, heads), angles, count, layer)


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
    slot = e.reshape(rooms.fresh.pop(cache), (rooms.rows, part.heads, part.head))
    leading = list(layer) if part.layered else []
    with e.loop(batch, "b") as b:
        lengths = lengths_of(e, b)
        with e.loop(lengths.queries, "i"):
            line = e.part(slot, [lengths.start, 0, 0], [1, part.heads, part.head], drop=1)
            box = [*(1 for _ in leading), 1, part.heads, 1, part.head]
            e.store(line, cache, [*leading, b, 0, lengths.cached, 0], box)
