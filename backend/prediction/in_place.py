"""Kernels where there is no main memory: units work on what lies in the scratchpad, in place.

What is still moved is what is no box of its global: rows that are picked, angles, a prompt's
queries, and keys and values on their way to the caches.
"""

from __future__ import annotations

from dataclasses import replace

from .demand import Demand
from .plan import Kernel, LinearKernel, Part, RowsKernel


def in_place(kernel: Kernel) -> Kernel:
    """A kernel without the moves that are not made there."""
    match kernel:
        case LinearKernel():
            source = kernel.source if kernel.gathered else "vector"
            return replace(kernel, source=source, result="vector", residuals=0)
        case RowsKernel(picked=False):
            return replace(kernel, parts=tuple(_part(part) for part in kernel.parts))
        case _:
            return kernel


def _part(part: Part) -> Part:
    """Without the load of the rows that the vector unit works on; angles have no work."""
    return replace(part, loaded=0, loads=0) if part.passes else part


def without_streams(demand: Demand) -> Demand:
    """A demand whose weights, keys and values are at hand."""
    return replace(demand, pieces=(), turn=0)
