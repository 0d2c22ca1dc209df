"""Tensors before and after a pass, matched by value: passes merge and split ops, so that names and
counts change. Where an op's own operands are wrong already, the op that made them is meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from xdsl.ir import Operation

from ...backend.formats import FORMATS
from ...dialects import tg
from ...dialects.lowbit import PackedType
from ..check import differences
from .pairs import Pair, module_of, pair_of
from .trace import Event


def of_tensors(before: Sequence[Event], after: Sequence[Event], tolerance: float) -> Pair | None:
    """The first op that makes a tensor that no op before made, and lost one that was made."""
    known = defaultdict[object, list[Event]](list)
    for one in before:
        known[_shape(one)].append(one)
    made = defaultdict[object, list[Event]](list)
    for one in after:
        made[_shape(one)].append(one)

    def close(event: Event, others: Sequence[Event]) -> bool:
        return any(_same(other, event, tolerance) for other in others)

    codes = _codes(after[0].op) - _codes(before[0].op)
    for one in after:
        if _is_of_codes(one.op, codes) or close(one, known[_shape(one)]):
            continue
        name = tg.MatmulOp.name if _scales(one.op, codes) else one.op.name
        lost = [
            other
            for other in known[_shape(one)]
            if other.op.name == name and not close(other, made[_shape(one)])
        ]
        lost.sort(key=lambda other: other.location != one.location)
        if lost:
            return _climbed(lost[0], one, before, after, tolerance)
    return None


def _codes(op: Operation) -> set[str]:
    """The weights of a module that are integers, whose columns are scaled behind the product."""
    return {
        one.global_name
        for one in module_of(op).walk()
        if isinstance(one, tg.GlobalOp)
        and isinstance(one.type, PackedType)
        and FORMATS[one.type.format.data].channel_scale
    }


def _is_of_codes(op: Operation, codes: set[str]) -> bool:
    """Whether an op is such a weight, or the product with one: no op before has its values."""
    weight = op.w.owner if isinstance(op, tg.MatmulOp) else op
    return isinstance(weight, tg.WeightOp) and weight.global_name in codes


def _scales(op: Operation, codes: set[str]) -> bool:
    """Whether an op scales such a product: it makes what the product made before."""
    makers = [one.owner for one in op.operands]
    return any(isinstance(one, tg.MatmulOp) and _is_of_codes(one, codes) for one in makers)


def _same(want: Event, found: Event, tolerance: float) -> bool:
    """Equal values; the columns of weights and products may stand in another order."""
    if pair_of(want, found, tolerance) is None:
        return True
    free = isinstance(found.op, tg.WeightOp | tg.MatmulOp) and found.op.name == want.op.name
    a, b = want.values, found.values
    if not free or a is None or b is None or a.shape != b.shape:
        return False
    return not differences(np.sort(b, -1), np.sort(a, -1), tolerance).any()


def _shape(event: Event) -> object:
    assert event.values is not None, "tensors have values"
    return (event.layer, event.values.shape)


def _climbed(
    want: Event, found: Event, before: Sequence[Event], after: Sequence[Event], tolerance: float
) -> Pair | None:
    """The op itself, or the one that handed it another tensor of the model than it should."""
    for (was, a), (now, b) in zip(want.inputs, found.inputs, strict=False):
        if was < 0 or now < 0 or a.shape != b.shape or not differences(b, a, tolerance).any():
            continue
        made = after[now]
        if any(_shape(one) == _shape(made) and _same(one, made, tolerance) for one in before):
            return pair_of(before[was], made, tolerance)
    return pair_of(want, found, tolerance)
