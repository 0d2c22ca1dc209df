"""Writing tile programs: index arithmetic that folds constants, counted loops, buffers."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import (
    Float32Type,
    IndexType,
    IntegerAttr,
    LocationAttr,
    MemRefType,
    UnitAttr,
    i64,
)
from xdsl.ir import Attribute, Block, Operation, Region, SSAValue

from ...dialects import tile
from ...dialects.spaces import ACC, SPM
from ...dialects.tg import GetOp

OpT = TypeVar("OpT", bound=Operation)

Index = SSAValue | int
"""A number known now, or an SSA value of type index."""


class Emitter:
    """Appends operations to a block, each with the location of the kernel being written."""

    def __init__(self, block: Block, location: LocationAttr):
        self.block = block
        self.location = location
        self._entry = block
        self._last_at_top: Operation | None = None
        self._constants: dict[int, SSAValue] = {}
        self._scalars: dict[str, SSAValue] = {}

    @contextmanager
    def at(self, location: LocationAttr) -> Generator[None]:
        """What is written inside is of another kernel."""
        outer, self.location = self.location, location
        yield
        self.location = outer

    def add(self, op: OpT) -> OpT:
        """Append `op`."""
        op.location = self.location
        self.block.add_op(op)
        return op

    def _at_top(self, op: Operation) -> SSAValue:
        """Put an op without operands at the top of the function, behind others of its kind."""
        op.location = self.location
        first = self._entry.first_op
        if self._last_at_top is not None:
            self._entry.insert_op_after(op, self._last_at_top)
        elif first is not None:
            self._entry.insert_op_before(op, first)
        else:
            self._entry.add_op(op)
        self._last_at_top = op
        return op.results[0]

    def value(self, index: Index) -> SSAValue:
        """`index` as an SSA value; a constant stands once, at the top of the function."""
        if isinstance(index, SSAValue):
            return index
        if index not in self._constants:
            op = arith.ConstantOp(IntegerAttr(index, IndexType()))
            op.result.name_hint = f"c{index}"
            self._constants[index] = self._at_top(op)
        return self._constants[index]

    def scalar(self, name: str) -> SSAValue:
        """The launch parameter @name, read once at the top of the function."""
        if name not in self._scalars:
            op = GetOp(name)
            op.results[0].name_hint = name
            self._scalars[name] = self._at_top(op)
        return self._scalars[name]

    def table(self, name: str, index: Index) -> SSAValue:
        """Word `index` of the launch parameters @name."""
        op = self.add(GetOp(name, self.value(index)))
        op.results[0].name_hint = name
        return op.results[0]

    def plus(self, a: Index, b: Index) -> Index:
        """a + b."""
        if isinstance(a, int) and isinstance(b, int):
            return a + b
        if a == 0 or b == 0:
            return b if a == 0 else a
        return self.add(arith.AddiOp(self.value(a), self.value(b))).result

    def minus(self, a: Index, b: Index) -> Index:
        """a - b."""
        if isinstance(a, int) and isinstance(b, int):
            return a - b
        return a if b == 0 else self.add(arith.SubiOp(self.value(a), self.value(b))).result

    def times(self, a: Index, b: Index) -> Index:
        """a * b."""
        if isinstance(a, int) and isinstance(b, int):
            return a * b
        if a == 0 or b == 0:
            return 0
        if a == 1 or b == 1:
            return b if a == 1 else a
        return self.add(arith.MuliOp(self.value(a), self.value(b))).result

    def least(self, a: Index, b: Index) -> Index:
        """The smaller of a and b."""
        if isinstance(a, int) and isinstance(b, int):
            return min(a, b)
        return self.add(arith.MinSIOp(self.value(a), self.value(b))).result

    def blocks(self, count: Index, size: int) -> Index:
        """How many blocks of `size`, a power of two, cover `count` things."""
        assert size & (size - 1) == 0, f"{size} is no power of two"
        if isinstance(count, int):
            return -(-count // size)
        if size == 1:
            return count
        up = self.value(self.plus(count, size - 1))
        return self.add(arith.ShRUIOp(up, self.value(size.bit_length() - 1))).result

    @contextmanager
    def cuts(self, count: Index, size: int, most: int = 0) -> Generator[tuple[Index, Index]]:
        """Blocks of `size` of `count` things: the first of each, and how many.

        Blocks of a power of two are a loop; one that holds the most there are, if that is known,
        needs none.
        """
        if size == most:
            yield 0, count
            return
        with self.loop(self.blocks(count, size), "i") as i:
            first = self.times(i, size)
            yield first, self.least(size, self.minus(count, first))

    @contextmanager
    def loop(
        self, count: Index, name: str, skew: int = 0, overlap: bool = False
    ) -> Generator[Index]:
        """The body runs `count` times; yields the counter. One certain trip needs no loop.

        Hints for the pass of that name: `skew`, cuts that make a pipeline of the loop; `overlap`,
        the pipeline of the loop inside goes on from trip to trip.
        """
        if count == 1:
            yield 0
            return
        body = Block(arg_types=[IndexType()])
        body.args[0].name_hint = name
        outer = self.block
        loop = self.add(
            scf.ForOp(self.value(0), self.value(count), self.value(1), [], Region(body))
        )
        if skew:
            loop.attributes["tile.skew"] = IntegerAttr(skew, i64)
        if overlap:
            loop.attributes["tile.overlap"] = UnitAttr()
        self.block = body
        yield body.args[0]
        self.add(scf.YieldOp())
        self.block = outer

    def buffer(
        self, shape: Sequence[int], element: Attribute, name: str, ring: str | None = None
    ) -> SSAValue:
        """A buffer in the scratchpad: a slot of `ring`, or the vector unit's own."""
        op = self.add(tile.BufferOp(MemRefType(element, shape, memory_space=SPM), ring))
        op.result.name_hint = name
        return op.result

    def sums(self, shape: Sequence[int], name: str, ring: str) -> SSAValue:
        """A float32 accumulator slot of `ring`, zero at birth."""
        op = self.add(tile.BufferOp(MemRefType(Float32Type(), shape, memory_space=ACC), ring))
        op.result.name_hint = name
        return op.result

    def part(
        self, source: SSAValue, offsets: Sequence[Index], sizes: Sequence[int], drop: int = 0
    ) -> SSAValue:
        """The box `sizes` of a buffer at `offsets`, without the first `drop` axes, of size 1."""
        whole = tile.shape_of(source) == tuple(sizes) and all(
            isinstance(o, int) and o == 0 for o in offsets
        )
        if whole and not drop:
            return source
        return self.add(tile.subview(source, offsets, sizes, tuple(range(drop)))).result

    def reshape(self, source: SSAValue, shape: Sequence[int]) -> SSAValue:
        """The same bytes seen with another shape."""
        if tile.shape_of(source) == tuple(shape):
            return source
        return self.add(tile.reshape(source, shape)).result

    def load(
        self, name: str, offsets: Sequence[Index], sizes: Sequence[Index], slot: SSAValue
    ) -> None:
        """slot = a box of the global @name."""
        self.add(tile.LoadOp(name, offsets, sizes, slot))

    def store(
        self, slot: SSAValue, name: str, offsets: Sequence[Index], sizes: Sequence[Index]
    ) -> None:
        """A box of the global @name = slot."""
        self.add(tile.StoreOp(slot, name, offsets, sizes))

    def parameter(
        self, name: str, layer: Sequence[Index], shape: Sequence[int], hint: str, start: Index = 0
    ) -> SSAValue:
        """A slot of the last axis' float32 values of @name, from `start` on; other axes are 1."""
        slot = self.buffer(shape, Float32Type(), hint, "vector")
        self.load(name, [*layer, start], [*(1 for _ in layer), shape[-1]], slot)
        return slot

    def bound(self, index: Index, extent: int) -> SSAValue | None:
        """A bound operand, or None if it is the whole extent."""
        return None if isinstance(index, int) and index == extent else self.value(index)

    def matmul(
        self,
        a: SSAValue,
        w: SSAValue,
        into: SSAValue,
        rows: Index,
        cols: Index | None = None,
        depth: Index | None = None,
        transposed: bool = False,
    ) -> None:
        """into += a @ w within the bounds."""
        m, n = tile.shape_of(into)
        self.add(
            tile.MatmulOp(
                a,
                w,
                into,
                transposed,
                self.bound(rows, m),
                None if cols is None else self.bound(cols, n),
                None if depth is None else self.bound(depth, tile.shape_of(a)[1]),
            )
        )

    def vec(
        self,
        f: str,
        a: SSAValue | float,
        b: SSAValue | float | None = None,
        c: SSAValue | float | None = None,
        op: tuple[str, SSAValue | float] | None = None,
        to: SSAValue | None = None,
        reduce: tuple[str, SSAValue] | None = None,
        rows: Index | None = None,
        cols: Index | None = None,
        band: tile.Band | None = None,
    ) -> None:
        """to = f(a * b + c) op d, with one reduction of the rows; see tile.vec."""
        shapes = [tile.shape_of(v) for v in (a, b, c, to) if isinstance(v, SSAValue)]
        rank = len(shapes[0])
        extent = [max(shape[axis] for shape in shapes) for axis in range(rank)]
        self.add(
            tile.VecOp(
                f,
                a,
                b,
                c,
                op[0] if op else None,
                op[1] if op else None,
                to,
                reduce[0] if reduce else None,
                reduce[1] if reduce else None,
                band,
                None if rows is None else self.bound(rows, extent[0]),
                None,
                None if cols is None else self.bound(cols, extent[-1]),
            )
        )
