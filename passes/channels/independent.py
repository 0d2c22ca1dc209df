"""Whether the trips of a loop touch different parts of a global. An analysis, used by `tokens`."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects import scf
from xdsl.dialects.builtin import DYNAMIC_INDEX
from xdsl.ir import Block, SSAValue

from ...dialects.lowbit import TileType
from ...dialects.stream import RecvOp
from ...dialects.tg import GetOp
from ...dialects.tile import BoxOp, PartOp, TileOp, align_box, box_shape, boxes_of, element_of
from ..select import IndexValues, Scalars, Scope, Sum

TABLE_STRIDE = 1 << 20
"""Distance of two launch parameters here, where only their being different matters."""


class Iterations:
    """Index values of a function as sums, so that boxes of different trips can be compared."""

    def __init__(self, function: Block):
        names = {op.parameter_name for op in function.walk() if isinstance(op, GetOp)}
        offsets = {name: TABLE_STRIDE * number for number, name in enumerate(sorted(names))}
        self.scalars = Scalars()
        self.values = IndexValues(self.scalars, offsets)
        self.scopes: dict[Block, Scope] = {}
        self._enter(function, self.scalars.root)

    def _enter(self, block: Block, scope: Scope) -> None:
        self.scopes[block] = scope
        for serial, op in enumerate(block.ops):
            if isinstance(op, RecvOp):
                self.values.define(op.result, self.scalars.pop(op.channel_name, serial, scope))
            if isinstance(op, scf.ForOp):
                inner = Scope(scope.depth + 1)
                self.values.counter(op.body.block, inner)
                self._enter(op.body.block, inner)

    def are_independent(self, loop: scf.ForOp, accesses: Sequence[TileOp], name: str) -> bool:
        """Whether no trip of the loop touches bytes of the global that another one does.

        `accesses` are all reads and writes of global `name` inside the loop. It is enough that on
        one axis all boxes start at the counter times a step, plus the same for all, and are no
        longer than that step. False where that cannot be seen.
        """
        found = [boxes_of(op, name) for op in accesses]
        boxes = [box for of_op in found for box in of_op]
        if not boxes or not all(found) or any(_is_packed(box) for box in boxes):
            return False
        return any(
            self._apart(loop, [(box.offsets[axis], extent(box, axis)) for box in boxes])
            for axis in range(len(boxes[0].offsets))
        )

    def _apart(self, loop: scf.ForOp, boxes: Sequence[tuple[SSAValue | int, int]]) -> bool:
        scope = self.scopes[loop.body.block]
        ((counter, _),) = self.scalars.counter(scope).terms
        starts = set[Sum]()
        for offset, size in boxes:
            start = self.values.of(offset)
            step = dict(start.terms).get(counter, 0)
            rest = self.scalars.subtract(start, Sum(0, ((counter, step),)) if step else Sum())
            if size > step or self.scalars.home(rest).depth >= scope.depth:
                return False
            starts.add(start)
        return len(starts) == 1


def _is_packed(box: BoxOp | PartOp) -> bool:
    value = box.result if isinstance(box, PartOp) else box.slot
    return isinstance(element_of(value), TileType)


def extent(box: BoxOp | PartOp, axis: int) -> int:
    """Elements that a box covers at most along an axis of its global."""
    sizes = [size if isinstance(size, int) else DYNAMIC_INDEX for size in box.sizes]
    if sizes[axis] != DYNAMIC_INDEX:
        return sizes[axis]
    slot = box_shape(box)
    matched = align_box(sizes, slot)
    assert matched is not None, "the op's verifier fits box to slot"
    at = matched[axis]
    return 1 if at is None else slot[at]
