"""The least joules of a step: its least work, each operand moved once, in the time of its bound."""

from __future__ import annotations

from ..machine import Machine
from ..timing import CODE_CLASSES, FLOAT_CLASS, Energy, Work, ceil_div, energy_of
from .bound import Bound
from .ops import FLOAT

ONCE_IN_ONCE_OUT = 2


def least_work(machine: Machine, bound: Bound) -> Work:
    """Least counts: what comes from hbm enters and leaves the scratchpad once.

    Not so tokens and indices, which name rows of main memory, and what goes to hbm, which may
    come out of accumulators. Without main memory each byte enters or leaves the scratchpad once.
    Sums are those of matmuls: read and written for each sub-tile along K and each phase, and read
    once more. Scores and their outputs may stay between the units.
    """
    moved = bound.bytes.total
    inward = moved - bound.bytes.written - sum(one.op.index_bytes for one in bound.ops)
    classes: dict[int, int] = dict.fromkeys((*CODE_CLASSES, FLOAT_CLASS), 0)
    touched = 0
    for op in (one.op for one in bound.ops):
        for product in op.products:
            classes[product.mac_class] += product.phased_macs
            additions = ceil_div(product.k, machine.array_rows) * product.phases
            sums = product.m * product.n * product.repeats
            touched += sums * (ONCE_IN_ONCE_OUT * additions + 1)
        if op.scores:
            classes[FLOAT_CLASS] += op.scores.phased_macs
    return Work(
        hbm_bytes=moved if machine.has_hbm else 0,
        spm_bytes=ONCE_IN_ONCE_OUT * inward if machine.has_hbm else moved,
        acc_bytes=FLOAT * touched,
        macs4=classes[4],
        macs8=classes[8],
        macs16=classes[16],
        lane_cycles=bound.lane_work,
        picoseconds=bound.picoseconds,
    )


def least_energy(machine: Machine, bound: Bound) -> Energy:
    """Joules of the least work."""
    return energy_of(machine, least_work(machine, bound))
