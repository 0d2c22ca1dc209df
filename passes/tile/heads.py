"""Head-wise kernels of the vector unit: norm of heads, rope, and the append to the KV cache."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import Float32Type
from xdsl.ir import Attribute, SSAValue

from ...dialects import tile
from .emitter import Emitter, Index
from .norm import Norm, emit_norm
from .residency import Rooms
from .sequences import lengths_of
from .tiles import Tile


@dataclass(frozen=True)
class Rope:
    """Rotary embedding of the first `dim` columns of each head, half-split, by table rows."""

    cos: str
    sin: str
    dim: int


@dataclass(frozen=True)
class Part:
    """Some columns of a region as heads: normed, rotated, and put into rows or into a cache."""

    source: str
    column: int
    heads: int
    head: int
    norm: Norm | None
    rope: Rope | None
    output: str | None
    """The region of rows it becomes, or None."""
    cache: str | None
    """The cache it is appended to, or None."""
    layered: bool
    """The cache has a leading axis of layers."""
    element: Attribute

    @property
    def columns(self) -> int:
        """All heads side by side."""
        return self.heads * self.head


@dataclass(frozen=True)
class Heads:
    """A head-wise kernel: its parts, in the order of the program."""

    parts: Sequence[Part]
    count: str
    """The launch parameter that counts the rows."""
    batch: int
    queries: int
    """Most new rows of a sequence in a step."""

    @property
    def positioned(self) -> bool:
        """Whether rows go by their positions, so by sequence; else they follow each other."""
        return any(part.rope is not None or part.cache is not None for part in self.parts)

    @property
    def counted(self) -> str:
        """The launch parameter that counts the rows of one round of blocks, in main memory."""
        return "q_len" if self.positioned else self.count

    def on_chip(self, rooms: Rooms) -> bool:
        """Whether all that the kernel makes stays on chip, but for the append to the caches.

        Never where a sequence may have several new rows: on chip, each has a position of its own.
        """
        names = [part.source for part in self.parts]
        names += [part.output for part in self.parts if part.output is not None]
        return self.queries == 1 and all(rooms.on_chip(name) for name in names)

    @property
    def rope(self) -> Rope | None:
        """The one rope of all parts that are rotated."""
        ropes = {part.rope for part in self.parts if part.rope is not None}
        assert len(ropes) <= 1, "one rope for all parts of a kernel"
        return next(iter(ropes), None)


def emit_heads(e: Emitter, kernel: Heads, size: Tile, layer: Sequence[Index], rooms: Rooms) -> None:
    """Loops over sequences and blocks of their rows, a row's position picks its rope angles; or
    over blocks of all rows, where no part asks for positions."""
    if not kernel.positioned:
        with e.cuts(e.scalar(kernel.count), size.rows) as (first, count):
            for part in kernel.parts:
                _emit_part(e, part, size, (first, count), None, layer, rooms)
        return
    with e.loop(kernel.batch, "b") as b:
        lengths = lengths_of(e, b)
        with e.loop(e.blocks(lengths.queries, size.rows), "i") as i:
            rows = lengths.rows(e, i, size.rows)
            position, count = rows.position, rows.count
            angles = (
                load_angles(e, kernel.rope, size.rows, position, count) if kernel.rope else None
            )
            for part in kernel.parts:
                result = _emit_part(e, part, size, (rows.first, count), angles, layer, rooms)
                if part.cache is not None:
                    leading = list(layer) if part.layered else []
                    append_rows(e, part, result, [*leading, b], 0, position, count)


def _emit_part(
    e: Emitter,
    part: Part,
    size: Tile,
    block: tuple[Index, Index],
    angles: tuple[SSAValue, SSAValue] | None,
    layer: Sequence[Index],
    rooms: Rooms,
) -> SSAValue:
    """A part's rows, from `first` on `count`, turned and stored to its output: [rows, heads,
    head]."""
    first, count = block
    lines = (size.rows, part.heads, part.head)
    if rooms.on_chip(part.source):
        by_head = rooms.by_head(e, part.source, part.head)
        value = e.part(by_head, [first, part.column // part.head, 0], lines)
    else:
        x = e.buffer((size.rows, part.columns), Float32Type(), "x", "rows")
        e.load(part.source, [first, part.column], [count, part.columns], x)
        value = e.reshape(x, lines)
    out = e.buffer((size.rows, part.columns), part.element, "out", "out")
    result = e.reshape(out, lines)
    turn_rows(e, part, value, result, angles, count, layer)
    if part.output is not None:
        e.store(out, part.output, [first, 0], [count, part.columns])
    return result


def load_angles(
    e: Emitter, rope: Rope, most: int, position: Index, count: Index
) -> tuple[SSAValue, SSAValue]:
    """cos and sin of `count` rows' positions, at most `most`, each [rows, 1, dim / 2]."""
    half = rope.dim // 2
    angles = e.buffer((2, most, half), Float32Type(), "angles", "angles")
    found: list[SSAValue] = []
    for number, table in enumerate((rope.cos, rope.sin)):
        part = e.part(angles, [number, 0, 0], [1, most, half], drop=1)
        e.load(table, [position, 0], [count, half], part)
        found.append(e.reshape(part, (most, 1, half)))
    return found[0], found[1]


def turn_rows(
    e: Emitter,
    part: Part,
    x: SSAValue,
    to: SSAValue,
    angles: tuple[SSAValue, SSAValue] | None,
    rows: Index,
    layer: Sequence[Index],
    halves: SSAValue | None = None,
) -> None:
    """to = x normed and rotated as the part says, all [rows, heads, head].

    `halves` is x as [rows, 2 heads, half a head], where it can be seen so.
    """
    if part.norm is not None:
        m, heads, head = tile.shape_of(x)
        normed = e.buffer((m, heads, head), Float32Type(), "normed")
        emit_norm(e, part.norm, layer, x, normed, rows)
        x = normed
        halves = e.reshape(normed, (m, 2 * heads, head // 2)) if halves is not None else None
    if part.rope is not None:
        assert angles is not None, "a rotated part has angles"
        if halves is not None and part.rope.dim == part.head:
            _rotate_whole(e, x, halves, to, angles, rows)
        else:
            _rotate(e, part.rope, x, to, angles, rows)
    else:
        e.vec("id", x, to=to, rows=rows)


def _rotate(
    e: Emitter,
    rope: Rope,
    x: SSAValue,
    to: SSAValue,
    angles: tuple[SSAValue, SSAValue],
    rows: Index,
) -> None:
    """Four half passes: low = a cos - b sin, high = b cos + a sin."""
    m, heads, head = tile.shape_of(x)
    half = rope.dim // 2
    cos, sin = angles
    a, low = (e.part(v, [0, 0, 0], [m, heads, half]) for v in (x, to))
    b, high = (e.part(v, [0, 0, half], [m, heads, half]) for v in (x, to))
    turned = e.buffer((m, heads, half), Float32Type(), "turned")
    e.vec("neg", b, sin, to=turned, rows=rows)
    e.vec("id", a, cos, turned, to=low, rows=rows)
    e.vec("id", a, sin, to=turned, rows=rows)
    e.vec("id", b, cos, turned, to=high, rows=rows)
    if rope.dim < head:
        rest = [e.part(v, [0, 0, rope.dim], [m, heads, head - rope.dim]) for v in (x, to)]
        e.vec("id", rest[0], to=rest[1], rows=rows)


def _rotate_whole(
    e: Emitter,
    x: SSAValue,
    halves: SSAValue,
    to: SSAValue,
    angles: tuple[SSAValue, SSAValue],
    rows: Index,
) -> None:
    """One whole pass and two half ones, for rows so few that starting one is what it costs."""
    m, heads, head = tile.shape_of(x)
    half = head // 2
    cos, sin = angles
    a, low = (e.part(v, [0, 0, 0], [m, heads, half]) for v in (x, to))
    b, high = (e.part(v, [0, 0, half], [m, heads, half]) for v in (x, to))
    turned = e.buffer((m, 2 * heads, half), Float32Type(), "turned")
    e.vec("id", halves, sin, to=turned, rows=rows)
    each = e.reshape(turned, (m, heads, head))
    a_sin, b_sin = (e.part(each, [0, 0, start], [m, heads, half]) for start in (0, half))
    e.vec("id", a, cos, op=("sub", b_sin), to=low, rows=rows)
    e.vec("id", b, cos, a_sin, to=high, rows=rows)


def append_rows(
    e: Emitter,
    part: Part,
    rows: SSAValue,
    sequence: Sequence[Index],
    first: Index,
    position: Index,
    count: Index,
) -> None:
    """Store rows of some heads, [rows, heads, head], from head `first` on, behind what their cache
    holds."""
    assert part.cache is not None
    m, heads, _ = tile.shape_of(rows)
    with e.loop(heads, "g") as g:
        head = e.part(rows, [0, g, 0], [m, 1, part.head])
        box = [*(1 for _ in sequence), 1, count, part.head]
        e.store(head, part.cache, [*sequence, e.plus(first, g), position, 0], box)
