"""Floors of a step's time from model sizes, step and machine alone: no compiler, no program."""

from .bound import Bound, OpBound, bound_of
from .chain import Chain
from .least_energy import least_energy, least_work
from .ops import Bytes, Formats, Op, uniform_formats
from .record import ModelRecord, Sizes
from .step import (
    POLICIES,
    BoundError,
    ModelSizes,
    PolicySizes,
    Ragged,
    Step,
    decode_step,
    find_policy,
    prefill_step,
    step_of,
)

__all__ = [
    "POLICIES",
    "Bound",
    "BoundError",
    "Bytes",
    "Chain",
    "Formats",
    "ModelRecord",
    "ModelSizes",
    "Op",
    "OpBound",
    "PolicySizes",
    "Ragged",
    "Sizes",
    "Step",
    "bound_of",
    "decode_step",
    "find_policy",
    "least_energy",
    "least_work",
    "prefill_step",
    "step_of",
    "uniform_formats",
]
