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


def table_values(recipe: str) -> NDArray[np.float32]:
    """float32 [positions, dim / 2]. Raises TableError."""
    function, arguments = _parsed(recipe)
    match arguments:
        case (float(theta), int(dim), int(positions), *rest):
            scaling = rest[0] if rest else ""
        case _:
            raise TableError(f"table {recipe!r}: wanted theta, dim, positions and maybe a scaling")
    if not isinstance(scaling, str) or len(rest) > 1 or dim < 2 or dim % 2 or positions < 1:
        raise TableError(f"table {recipe!r}: wanted an even dim, positions from 1, scaling as text")
    angles = np.arange(positions)[:, None] * _frequencies(recipe, theta, dim, scaling)[None, :]
    return FUNCTIONS[function](angles).astype(np.float32)


def _parsed(recipe: str) -> tuple[str, tuple[object, ...]]:
    try:
        tree = ast.parse(recipe.strip(), mode="eval").body
    except (SyntaxError, ValueError):
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


def _frequencies(recipe: str, theta: float, dim: int, scaling: str) -> NDArray[Any]:
    """Radians a position for each of dim / 2 pairs, float64."""
    base = theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)
    words = scaling.split()
    try:
        numbers = [float(word) for word in words[1:]]
    except ValueError:
        numbers = []
    match words[:1], numbers:
        case [], []:
            return base
        case ["linear"], [factor]:
            return base / factor
        case ["factors"], _ if len(numbers) == dim // 2:
            return base / np.array(numbers)
        case ["llama3"], [factor, low, high, original]:
            return _llama3(base, factor, low, high, original)
        case _:
            raise TableError(f"table {recipe!r}: scaling {scaling!r} is not one that rope has")


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
