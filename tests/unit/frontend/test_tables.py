"""Rope's tables: computed in float64 by recipe, rounded once."""

import math

import numpy as np
import pytest

from tilewright.compiler.frontend.model_config import Rope
from tilewright.compiler.frontend.tables import (
    TableError,
    is_table,
    table_recipe,
    table_shape,
    table_values,
)


def test_plain_angles() -> None:
    recipe = table_recipe("rope_cos", Rope(10000.0, 8), 50)
    assert recipe == "rope_cos(10000.0, 8, 50)"
    values = table_values(recipe)
    sines = table_values(table_recipe("rope_sin", Rope(10000.0, 8), 50))
    assert values.shape == (50, 4)
    assert values.dtype == np.float32
    for p, j in ((0, 0), (7, 1), (49, 3)):
        angle = p * 10000.0 ** (-2 * j / 8)
        assert values[p, j] == np.float32(math.cos(angle))
        assert sines[p, j] == np.float32(math.sin(angle))


def test_linear_and_factors_divide_frequencies() -> None:
    plain = table_values("rope_sin(10000.0, 4, 64)")
    linear = table_values('rope_sin(10000.0, 4, 64, "linear 4.0")')
    factors = table_values('rope_sin(10000.0, 4, 64, "factors 1.0 4.0")')
    assert np.array_equal(linear[::4][:16], plain[:16])
    assert np.array_equal(factors[:, 0], plain[:, 0])
    assert np.array_equal(factors[:, 1], linear[:, 1])


def test_llama3_keeps_fast_pairs_and_slows_slow_ones() -> None:
    """Frequencies by the published rule, found back from the angle of position 1."""
    theta, dim, factor, low, high, original = 500000.0, 128, 8.0, 1.0, 4.0, 8192
    scaling = f"llama3 {factor} {low} {high} {original}"
    values = table_values(table_recipe("rope_sin", Rope(theta, dim, scaling), 2))[1]
    for j in range(dim // 2):
        frequency = theta ** (-2 * j / dim)
        wavelength = 2 * math.pi / frequency
        if wavelength > original / low:
            wanted = frequency / factor
        elif wavelength < original / high:
            wanted = frequency
        else:
            smooth = (original / wavelength - low) / (high - low)
            wanted = (1 - smooth) * frequency / factor + smooth * frequency
        assert values[j] == pytest.approx(math.sin(wanted), rel=1e-7)


def test_the_shape_is_known_without_the_values() -> None:
    assert table_shape(f"rope_cos(1.0, {1 << 40}, {1 << 50})") == (1 << 50, 1 << 39)


def test_only_tables_are_tables() -> None:
    assert is_table("rope_cos(1.0, 2, 3)")
    assert not is_table("rotary('blk.{l}.attn_q.weight', 9)")
    assert not is_table("'rope_cos'")


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ("rope_cos(", "wanted rope_cos or rope_sin of numbers and maybe a text"),
        ("rope_tan(1.0, 2, 3)", "wanted rope_cos or rope_sin of numbers and maybe a text"),
        ("rope_cos(1.0, 2, print())", "wanted rope_cos or rope_sin of numbers and maybe a text"),
        ("rope_cos(1.0, 2)", "wanted theta, dim, positions and maybe a scaling"),
        ("rope_cos(1.0, 3, 4)", "wanted an even dim, positions from 1, scaling as text"),
        ("rope_cos(1.0, 2, 4, 'yarn 2')", "scaling 'yarn 2' is not one that rope has"),
        ("rope_cos(1.0, 4, 4, 'factors 1.0')", "scaling 'factors 1.0' is not one that rope has"),
        ("rope_cos(1.0, 4, 4, 'linear x')", "scaling 'linear x' is not one that rope has"),
        ("rope_cos(1.0, 4, 4, 'linear 0')", "scaling 'linear 0' is not one that rope has"),
        ("rope_cos(0.0, 4, 4)", "wanted a theta above 0, found 0.0"),
        (
            "rope_cos(1.0, 4, 4, 'llama3 8 4 4 64')",
            "the low factor of llama3 is 4.0, wanted less than the high factor, 4.0",
        ),
        (
            f"rope_cos(1.0, 4, {'-' * 9999}4)",
            "wanted rope_cos or rope_sin of numbers and maybe a text",
        ),
    ],
)
def test_wrong_recipes(recipe: str, reason: str) -> None:
    with pytest.raises(TableError) as error:
        table_values(recipe)
    assert str(error.value) == f"table {recipe!r}: {reason}"
