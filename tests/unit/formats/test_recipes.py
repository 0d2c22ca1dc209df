"""Recipes: text to rows of checkpoint tensors."""

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.backend.formats import (
    Blocks,
    FormatError,
    dequantise,
    parse_recipe,
    quantise,
)

Array = npt.NDArray[Any]
HEIGHTS = {"a": 12, "b": 12, "c": 5, "v3": 4}


def values(name: str, k: int = 32) -> Array:
    """Rows that tell tensor, row and column: exact in every format used here."""
    rows = np.arange(HEIGHTS[name])[:, None] * 8 + sorted(HEIGHTS).index(name)
    return (rows + np.zeros(k)).astype(np.float32)


def run(text: str, layer: int = 3) -> Array:
    recipe = parse_recipe(text)
    blocks = recipe.blocks(layer, lambda name: quantise("f32", values(name)))
    names, where = recipe.row_map(layer, HEIGHTS.__getitem__)
    pairs: list[tuple[int, int]] = where.tolist()
    mapped = [values(names[s])[r] if s >= 0 else np.zeros(32) for s, r in pairs]
    assert np.array_equal(dequantise(blocks), np.array(mapped).reshape(-1, 32))
    return dequantise(blocks)


def test_a_name_is_all_its_rows() -> None:
    assert np.array_equal(run('"a"'), values("a"))


def test_the_layer_is_put_into_names() -> None:
    assert parse_recipe('concat("v{l}", "a", "v{l}")').sources(3) == ["v3", "a"]
    assert np.array_equal(run('"v{l}"'), values("v3"))


def test_rows_are_cut() -> None:
    assert np.array_equal(run('rows("a", 2, 5)'), values("a")[2:5])
    assert run('rows("a", 5, 5)').shape == (0, 32)


def test_rotary_undoes_interleaved_pairs() -> None:
    wanted = values("a").reshape(2, 3, 2, 32).swapaxes(1, 2).reshape(12, 32)
    assert np.array_equal(run('rotary("a", 2)'), wanted)


def test_rotary_is_exact_and_not_idempotent() -> None:
    assert not np.array_equal(run('rotary(rotary("a", 2), 2)'), run('rotary("a", 2)'))


def test_concat_joins_in_order() -> None:
    wanted = np.concatenate([values("c"), values("a"), values("c")])
    assert np.array_equal(run('concat("c", "a", "c")'), wanted)


def test_interleave_alternates_groups_and_remainders() -> None:
    a, b = values("a"), values("b")
    wanted = np.concatenate([a[:5], b[:5], a[5:10], b[5:10], a[10:], b[10:]])
    assert np.array_equal(run('interleave("a", "b", 5)'), wanted)


def test_pad_adds_rows_of_zeros() -> None:
    wanted = np.concatenate([values("c"), np.zeros((3, 32), np.float32)])
    assert np.array_equal(run('pad("c", 8)'), wanted)
    assert np.array_equal(run('concat(pad("c", 8), "a")')[8:], values("a"))


def test_quantised_rows_move_with_their_scales() -> None:
    random = np.random.default_rng(5)
    sources = {name: quantise("q4_1", random.standard_normal((12, 64))) for name in ("a", "b")}
    recipe = parse_recipe('concat(rotary("a", 3), interleave("a", "b", 4), pad("b", 16))')
    where = recipe.row_map(0, lambda name: sources[name].n)[1]
    plain = np.concatenate([dequantise(sources["a"]), dequantise(sources["b"]), np.zeros((1, 64))])
    index = np.where(where[:, 0] < 0, 24, where[:, 0] * 12 + where[:, 1])
    assert np.array_equal(dequantise(recipe.blocks(0, sources.__getitem__)), plain[index])


def test_a_vector_is_rows_of_one_value() -> None:
    vector = np.arange(12, dtype=np.float32)[:, None]
    blocks = parse_recipe('rotary("g", 1)').blocks(0, lambda _: quantise("f32", vector))
    assert dequantise(blocks)[:, 0].tolist() == [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]


def test_each_source_is_read_once_and_a_plain_name_is_not_copied() -> None:
    read: list[str] = []
    blocks = quantise("f32", values("a"))

    def reader(name: str) -> Blocks:
        read.append(name)
        return blocks

    assert parse_recipe('"a"').blocks(0, reader) is blocks
    parse_recipe('concat("a", rows("a", 0, 1))').blocks(0, reader)
    assert read == ["a", "a"]


trees = st.recursive(
    st.sampled_from(["'a'", repr("x '{l}\\"), repr("x '{l}\"\n")]),
    lambda inner: st.one_of(
        st.builds("rows({}, {}, {})".format, inner, st.integers(0, 9), st.integers(0, 9)),
        st.builds("rotary({}, {})".format, inner, st.integers(0, 9)),
        st.builds("concat({}, {})".format, inner, inner),
        st.builds("interleave({}, {}, {})".format, inner, inner, st.integers(1, 9)),
        st.builds("pad({}, {})".format, inner, st.integers(0, 99)),
    ),
    max_leaves=6,
)


@given(trees)
def test_text_round_trips(text: str) -> None:
    recipe = parse_recipe(text)
    assert str(recipe) == text
    assert parse_recipe(str(recipe)) == recipe


def test_names_stand_in_the_quotes_that_the_ir_need_not_escape() -> None:
    recipe = parse_recipe('interleave("blk.{l}.a", "blk.{l}.b", 16)')
    assert str(recipe) == "interleave('blk.{l}.a', 'blk.{l}.b', 16)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"a', """recipe '"a', column 1: not an expression"""),
        ("7", "column 1: found 7, wanted a tensor's name in quotes or a function of rows"),
        ('cut("a")', "column 1: found cut, wanted one of rows, rotary, concat, interleave, pad"),
        ('pad("a", "b")', 'column 10: found "b", wanted a non-negative integer'),
        ('pad("a", True)', "column 10: found True, wanted a non-negative integer"),
        ('pad("a", -1)', "column 10: found -1, wanted a non-negative integer"),
        ('pad("a", n=1)', "column 12: found 1, wanted no named argument"),
        ('rows("a", 1)', 'column 1: found rows("a", 1), wanted 1 rows and 2 integers in rows'),
        ("concat()", "column 1: found concat(), wanted one or more rows and 0 integers in conc"),
        ('concat("a", x.y("b"))', "column 13: found x.y, wanted one of rows, rotary"),
    ],
)
def test_bad_text_is_refused_with_its_column(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        parse_recipe(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('rows("a", 3, 13)', "rows(..., 3, 13) of 12 rows: wanted 0 <= start <= stop <= 12"),
        ('rotary("c", 1)', "rotary(..., 1) of 5 rows: wanted whole heads of an even number"),
        ('rotary("a", 0)', "rotary(..., 0) of 12 rows: wanted whole heads"),
        ('interleave("a", "c", 2)', "interleave(..., 2) of 12 rows: wanted as many rows in both"),
        ('pad("a", 11)', "pad(..., 11) of 12 rows: wanted at least 12"),
    ],
)
def test_rows_that_do_not_fit_are_refused(text: str, message: str) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        parse_recipe(text).row_map(0, HEIGHTS.__getitem__)


def test_mixed_formats_are_refused_by_name() -> None:
    sources = {"a": quantise("q8_0", values("a")), "b": quantise("q4_0", values("b"))}
    wanted = """recipe concat('a', 'b'): found b of 32 x q4_0 beside a of 32 x q8_0; wanted one"""
    with pytest.raises(FormatError, match=re.escape(wanted)):
        parse_recipe('concat("a", "b")').blocks(0, sources.__getitem__)
