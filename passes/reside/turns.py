"""Whether reads of a global and writes that come later take turns by themselves. An analysis.

Used by `reside`. What reads comes from a token (`tokens`); that a write waits for the reads before
it follows from what the vector unit does: it makes all that is written, and it has seen what a read
led to once it reads the bytes themselves, or the product that the matrix unit made of them. A read
lasts from its load until the vector unit has seen it, a write from the vector unit's first touch of
the bytes to their store. Where a write's span and a read's meet, the write might not wait.
"""

from __future__ import annotations

from xdsl.ir import Block, Operation

from ...dialects.tile import BufferOp, GatherOp, LoadOp, MatmulOp, StoreOp, TileOp, root

Span = tuple[int, int]
NEVER = 1 << 60
"""Behind the end of every program."""


class Turns:
    """The loads and stores of a tiled program, by their positions in its text."""

    def __init__(self, function: Block):
        self.positions: dict[Operation, int] = {}
        self.readers: dict[Operation, list[TileOp]] = {}
        self.writers: dict[Operation, list[TileOp]] = {}
        self.loads: dict[str, list[LoadOp | GatherOp]] = {}
        self.stores: dict[str, list[StoreOp]] = {}
        for number, op in enumerate(function.walk()):
            self.positions[op] = number
            if not isinstance(op, TileOp):
                continue
            for table, values in ((self.readers, op.reads()), (self.writers, op.writes())):
                for value in values:
                    buffer = root(value).owner
                    if isinstance(buffer, BufferOp):
                        table.setdefault(buffer, []).append(op)
            if isinstance(op, LoadOp | GatherOp):
                for name in op.global_reads():
                    self.loads.setdefault(name, []).append(op)
            elif isinstance(op, StoreOp):
                self.stores.setdefault(op.global_name, []).append(op)

    def hold(self, name: str) -> bool:
        """Whether no write of a global meets a read of it, but in one op of the vector unit."""
        reads = [self._read(op) for op in self.loads.get(name, [])]
        return not any(
            start <= stored and first < seen
            for first, stored in map(self._write, self.stores.get(name, []))
            for start, seen in reads
        )

    def _read(self, load: LoadOp | GatherOp) -> Span:
        start, seen = self.positions[load], self.positions[load]
        for op in self.readers.get(_buffer_of(load), []):
            if isinstance(op, MatmulOp):
                product = _product_of(op)
                start = min(start, self.positions[product])
                uses = [self.positions[o] for o in self.readers.get(product, []) if o.KIND == "vpu"]
                seen = max(seen, min(uses, default=NEVER))
            else:
                seen = max(seen, self.positions[op] if op.KIND == "vpu" else NEVER)
        return start, seen

    def _write(self, store: StoreOp) -> Span:
        stored = self.positions[store]
        made = [self.positions[op] for op in self.writers.get(_source_of(store), [])]
        return min(made, default=stored), stored


def _owner(op: Operation | Block) -> Operation:
    assert isinstance(op, BufferOp), "a tiled program works on buffers"
    return op


def _buffer_of(load: LoadOp | GatherOp) -> Operation:
    return _owner(root(load.slot).owner)


def _source_of(store: StoreOp) -> Operation:
    return _owner(root(store.slot).owner)


def _product_of(op: MatmulOp) -> Operation:
    return _owner(root(op.acc).owner)
