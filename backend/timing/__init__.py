"""Durations of instructions as pure functions, shared by the tiling search and the emulator."""

from .durations import (
    ceil_div,
    copy_ps,
    cycles_to_ps,
    matmul_cycles,
    phases,
    transfer_ps,
    vector_cycles,
)

__all__ = [
    "ceil_div",
    "copy_ps",
    "cycles_to_ps",
    "matmul_cycles",
    "phases",
    "transfer_ps",
    "vector_cycles",
]
