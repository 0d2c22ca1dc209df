"""Tables that are computed, not read: rope's cosines and sines, in float64 and rounded once.

The recipe of a table is text: `rope_cos(theta, dim, positions)` or `rope_sin(...)`, with the
scaling of `Rope.scaling` as a fourth argument where there is one.
"""

from __future__ import annotations

import ast
import math
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ...backend.errors import TilewrightError
from .model_config import Rope

FUNCTIONS = {"rope_cos": np.cos, "rope_sin": np.sin}


class TableError(TilewrightError):
    """A table's recipe that cannot be evaluated: the message quotes it."""


def table_recipe(function: str, rope: Rope, positions: int) -> str:
    """The recipe text of one of FUNCTIONS for positions 0 .. positions - 1."""
    scaling = f', "{rope.scaling}"' if rope.scaling else ""
    return f"{function}({rope.theta!r}, {rope.dim}, {positions}{scaling})"


def is_table(recipe: str) -> bool:
    """Whether a recipe computes a table; others read checkpoint rows."""
    return recipe.partition("(")[0].strip() in FUNCTIONS


def table_shape(recipe: str) -> tuple[int, int]:
    """(positions, dim / 2) of a table, without its values. Raises TableError."""
    _, _, dim, positions, _ = _checked(recipe)
    return positions, dim // 2


def table_values(recipe: str) -> NDArray[np.float32]:
    """float32 [positions, dim / 2]. Raises TableError."""
    function, theta, dim, positions, scaling = _checked(recipe)
    frequencies = _scaled(theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim), scaling)
    angles = np.arange(positions)[:, None] * frequencies[None, :]
    return FUNCTIONS[function](angles).astype(np.float32)


_Scaling = tuple[str, tuple[float, ...]]
"""Empty, `linear`, `factors` or `llama3`, and its numbers."""


def _checked(recipe: str) -> tuple[str, float, int, int, _Scaling]:
    """Function, theta, dim, positions and scaling."""
    function, arguments = _parsed(recipe)
    match arguments:
        case (float(theta), int(dim), int(positions), *rest):
            scaling = rest[0] if rest else ""
        case _:
            raise TableError(f"table {recipe!r}: wanted theta, dim, positions and maybe a scaling")
    if not isinstance(scaling, str) or len(rest) > 1 or dim < 2 or dim % 2 or positions < 1:
        raise TableError(f"table {recipe!r}: wanted an even dim, positions from 1, scaling as text")
    if not 0 < theta < math.inf:
        raise TableError(f"table {recipe!r}: wanted a theta above 0, found {theta}")
    return function, theta, dim, positions, _scaling(recipe, scaling, dim)


def _parsed(recipe: str) -> tuple[str, tuple[object, ...]]:
    try:
        tree = ast.parse(recipe.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        tree = None
    if (
        not isinstance(tree, ast.Call)
        or not isinstance(tree.func, ast.Name)
        or tree.func.id not in FUNCTIONS
        or tree.keywords
        or not all(isinstance(argument, ast.Constant) for argument in tree.args)
    ):
        raise TableError(
            f"table {recipe!r}: wanted {' or '.join(FUNCTIONS)} of numbers and maybe a text"
        )
    constants = cast(list[ast.Constant], tree.args)
    return tree.func.id, tuple(constant.value for constant in constants)


def _scaling(recipe: str, text: str, dim: int) -> _Scaling:
    """The scaling that a recipe's text names; every number divides or is divided by."""
    kind, *words = text.split() or [""]
    try:
        numbers = tuple(float(word) for word in words)
    except ValueError:
        numbers = ()
    wanted = {"": 0, "linear": 1, "factors": dim // 2, "llama3": 4}
    if len(numbers) != wanted.get(kind, -1) or not all(0 < n < math.inf for n in numbers):
        raise TableError(f"table {recipe!r}: scaling {text!r} is not one that rope has")
    match kind, numbers:
        case "llama3", (_, low, high, _) if low >= high:
            raise TableError(
                f"table {recipe!r}: the low factor of llama3 is {low}, wanted less than the high "
                f"factor, {high}"
            )
        case _:
            pass
    return kind, numbers


def _scaled(base: NDArray[Any], scaling: _Scaling) -> NDArray[Any]:
    """Radians a position for each of dim / 2 pairs, float64."""
    match scaling:
        case ("linear", (factor,)):
            return base / factor
        case ("factors", numbers):
            return base / np.array(numbers)
        case ("llama3", (factor, low, high, original)):
            return _llama3(base, factor, low, high, original)
        case _:
            return base


def _llama3(
    base: NDArray[Any], factor: float, low: float, high: float, original: float
) -> NDArray[Any]:
    """Slow pairs are slowed by `factor`, fast ones kept, those between blended (Llama 3.1)."""
    wavelength = 2 * math.pi / base
    smooth = (original / wavelength - low) / (high - low)
    blended = (1 - smooth) * base / factor + smooth * base
    scaled = np.where(wavelength > original / low, base / factor, base)
    between = (wavelength <= original / low) & (wavelength >= original / high)
    return np.where(between, blended, scaled)
