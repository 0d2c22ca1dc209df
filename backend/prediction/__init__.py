"""The time of a launch in closed forms: no instructions, no events. See docs/tiling.md."""

from .plan import (
    AttentionKernel,
    Kernel,
    LinearKernel,
    Part,
    Plan,
    PlanError,
    RowsKernel,
    Turn,
    kernel_of,
    kernel_values,
)
from .step import Launch, predict_launch

__all__ = [
    "AttentionKernel",
    "Kernel",
    "Launch",
    "LinearKernel",
    "Part",
    "Plan",
    "PlanError",
    "RowsKernel",
    "Turn",
    "kernel_of",
    "kernel_values",
    "predict_launch",
]
