"""The least joules of a step: its least work, each operand moved once, in the time of its bound."""

from __future__ import annotations

from ..machine import Machine
from ..timing.energy import CODE_CLASSES, FLOAT_CLASS, Energy, Work, energy_of
from .bound import Bound
from .ops import FLOAT

ONCE_IN_ONCE_OUT = 2


def least_work(machine: Machine, bound: Bound) -> Work:
    """Least counts: a byte of hbm enters and leaves scratchpad once, so does a sum its accumulator.

    Without main memory the bytes only leave the scratchpad. Sums are those of matmuls; scores and
    their outputs may stay between the units.
    """
    moved = bound.bytes.total
    classes: dict[int, int] = dict.fromkeys((*CODE_CLASSES, FLOAT_CLASS), 0)
    sums = 0
    for op in (one.op for one in bound.ops):
        for product in op.products:
            classes[product.mac_class] += product.phased_macs
            sums += product.m * product.n * product.repeats
        if op.scores:
            classes[FLOAT_CLASS] += op.scores.phased_macs
    return Work(
        hbm_bytes=moved if machine.has_hbm else 0,
        spm_bytes=ONCE_IN_ONCE_OUT * moved if machine.has_hbm else moved,
        acc_bytes=ONCE_IN_ONCE_OUT * FLOAT * sums,
        macs4=classes[4],
        macs8=classes[8],
        macs16=classes[16],
        lane_cycles=bound.lane_work,
        picoseconds=bound.picoseconds,
    )


def least_energy(machine: Machine, bound: Bound) -> Energy:
    """Joules of the least work."""
    return energy_of(machine, least_work(machine, bound))
