"""Durations of instructions as pure functions, shared by the tiling search and the emulator."""

from .cost import Cost, CostRule, Extents, cost_rule
from .durations import (
    ARBITRATION_BYTES,
    box_bytes,
    bytes_in_flight,
    ceil_div,
    copy_ps,
    cycles_to_ps,
    matmul_cycles,
    matmul_floor_cycles,
    phases,
    queue_ps,
    significand,
    transfer_bytes,
    transfer_ps,
    vector_cycles,
    vector_work_cycles,
)

__all__ = [
    "ARBITRATION_BYTES",
    "Cost",
    "CostRule",
    "Extents",
    "box_bytes",
    "bytes_in_flight",
    "ceil_div",
    "copy_ps",
    "cost_rule",
    "cycles_to_ps",
    "matmul_cycles",
    "matmul_floor_cycles",
    "phases",
    "queue_ps",
    "significand",
    "transfer_bytes",
    "transfer_ps",
    "vector_cycles",
    "vector_work_cycles",
]
