"""Results of two modules, compared: what differs, by how much, and which op wrote it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation

from ...backend.errors import TilewrightError
from ...dialects.tg import KvAppendOp, OutputOp
from ...dialects.tile import StoreOp, TileOp, globals_written
from ...dialects.tw import InstructionOp, Place
from ..interp import where
from .launch import Array, Launch

TOLERANCES = {"exact": 1e-4, "bf16": 5e-2}
"""Policy -> largest difference above the tiled level, in units of max(1, standard deviation)."""


class CheckError(TilewrightError):
    """A pass that changed what the program computes: pass, op and error."""


def tolerance_of(module: ModuleOp) -> float:
    """The tolerance of a module's policy."""
    policy = module.attributes.get("tw.policy")
    return TOLERANCES[policy.data if isinstance(policy, StringAttr) else "exact"]


def compare(
    module: ModuleOp,
    name: str,
    got: Mapping[str, Array],
    want: Mapping[str, Array],
    tolerance: float,
    launch: Launch,
) -> None:
    """Compare state and outputs; a tolerance of 0 wants equal bits.

    Raises CheckError for the first that differs: `name` is the pass, the op is who writes it.
    """
    for key in want:
        if key not in got:
            raise CheckError(f"after {name}: @{key} is gone; a pass keeps state and outputs")
        if got[key].shape != want[key].shape or got[key].dtype != want[key].dtype:
            raise CheckError(
                f"after {name}: @{key} is {got[key].dtype} {list(got[key].shape)}, was "
                f"{want[key].dtype} {list(want[key].shape)}"
            )
        wrong = differences(got[key], want[key], tolerance)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            index = ", ".join(map(str, at))
            raise CheckError(
                f"after {name}: {writers_of(module, key)} gives @{key}[{index}] = {got[key][at]}, "
                f"was {want[key][at]} ({int(wrong.sum())} of {wrong.size} elements differ"
                f"{_allowed(tolerance, want[key])}); launch {launch_text(launch)}"
            )


def differences(got: Array, want: Array, tolerance: float) -> Array:
    """Where two arrays differ by more than is allowed; NaN equals NaN."""
    if got.dtype.kind in "iu":
        return got != want
    if tolerance == 0.0:
        width = got.dtype.itemsize
        return got.view(f"u{width}") != want.view(f"u{width}")
    left, right = got.astype(np.float64), want.astype(np.float64)
    return ~np.isclose(left, right, rtol=0.0, atol=limit(tolerance, right), equal_nan=True)


def limit(tolerance: float, want: Array) -> float:
    """The allowed difference: relative to the spread where that is above 1."""
    finite = want[np.isfinite(want)].astype(np.float64)
    return tolerance * max(1.0, float(finite.std()) if finite.size else 1.0)


def _allowed(tolerance: float, want: Array) -> str:
    return f" by more than {limit(tolerance, want):.3g}" if tolerance else ""


def writers_of(module: ModuleOp, name: str) -> str:
    """The last op that writes a global, with its location."""
    writers = [op for op in module.walk() if _writes(op, name)]
    return where(writers[-1]) if writers else "the program"


def _writes(op: Operation, name: str) -> bool:
    """Whether an op of any level writes a global."""
    match op:
        case StoreOp() | OutputOp():
            return op.global_name == name
        case KvAppendOp():
            return name in (op.k_cache_name, op.v_cache_name)
        case TileOp():
            return name in globals_written(op)
        case InstructionOp():
            read = {spec.name for spec in op.row().operands if spec.access == "read"}
            return any(
                isinstance(place, Place) and place.symbol == name
                for operand, place in op.get_places().items()
                if operand not in read
            )
        case _:
            return False


def launch_text(launch: Launch) -> str:
    """Launch parameters for people."""
    return ", ".join(f"{name} = {value}" for name, value in launch.parameters.items()) or "()"
