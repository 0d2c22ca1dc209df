"""Views and their 64-byte entries; channels, regions, parameters and programs."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tilewright.backend.formats import ELEMENTS, FORMATS
from tilewright.backend.isa import (
    ELEMENT_BYTES,
    VIEW_FORMATS,
    Channel,
    Ins,
    Parameter,
    Program,
    ProgramError,
    Region,
    View,
    ViewError,
    dense_view,
    encode_all,
    engine_kind,
    pack_views,
    unpack_views,
)

VIEWS = (
    *(dense_view(name, (3, 4), 128) for name in ELEMENT_BYTES),
    *(View(name, (32, 128), (2304, 128), "kn") for name in VIEW_FORMATS),
    *(View(name, (128, 32), (20, 20), "nk", 7) for name in VIEW_FORMATS),
    View("f32", (1, 2, 3, 4, 5), (-(1 << 39), (1 << 39) - 1, 0, -4, 0), "", -(1 << 39)),
    View("u8", ((1 << 32) - 1,), (1,), "", (1 << 39) - 1),
    View("f32", (0, 8), (32, 4)),
)


def test_views_round_trip_in_64_bytes() -> None:
    table = pack_views(VIEWS)
    assert table.shape == (len(VIEWS), 64)
    assert unpack_views(table) == VIEWS
    assert pack_views(()).shape == (0, 64)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("f64", (1,), (8,)), "view format 'f64': known are f32"),
        (("f32", (1,), (4,), "nm"), "view order 'nm'"),
        (("f32", (), ()), "rank must be 1..5"),
        (("f32", (1,) * 6, (4,) * 6), "rank must be 1..5"),
        (("f32", (2, 3), (4,)), "one stride an axis"),
        (("f32", (1 << 32,), (4,)), r"extents must be below 2\*\*32"),
        (("f32", (2, 2), (1 << 39, 4)), "strides and offset must fit 40 signed bits"),
        (("f32", (2,), (4,), "", 1 << 39), "strides and offset must fit 40 signed bits"),
        (("f32", (2,), (8,)), r"the innermost stride is 8, wanted 4 \(contiguous\) or 0"),
        (("q4_1", (32,), (20,)), "format q4_1 is packed; say its order"),
        (("q4_1", (2, 32, 2), (1, 1, 1), "kn"), "a packed view has rank 2"),
    ],
)
def test_views_that_no_entry_can_say(arguments: tuple[Any, ...], text: str) -> None:
    with pytest.raises(ViewError, match=text):
        View(*arguments)


@pytest.mark.parametrize(("byte", "value"), [(0, 200), (1, 3), (2, 6), (3, 1), (9, 1), (63, 1)])
def test_damaged_view_entries_are_refused(byte: int, value: int) -> None:
    table = pack_views(VIEWS[:1]).copy()
    table[0, byte] = value
    with pytest.raises(ViewError):
        unpack_views(table)


def test_a_view_table_has_64_columns() -> None:
    with pytest.raises(ViewError, match=r"wanted uint8 \[n, 64\], found uint8\(2, 63\)"):
        unpack_views(np.zeros((2, 63), np.uint8))


def test_span_and_contiguity() -> None:
    assert dense_view("f32", (2, 3), 8).span == (8, 32)
    assert View("f32", (2, 3), (-12, 4), "", 20).span == (8, 32)
    assert View("f32", (2, 3), (0, 4)).span == (0, 12)
    assert dense_view("f32", (0, 3)).span == (0, 0)
    assert dense_view("bf16", (2, 3)).is_contiguous
    assert not View("f32", (2, 3), (16, 4)).is_contiguous
    assert not View("q4_1", (32, 16), (320, 16), "kn").is_contiguous


CHANNEL = Channel("w", "ld", ("mxu",), "slot", 4, 576, "spm", 64)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"consumers": ()}, "must be distinct, at least 1"),
        ({"consumers": ("mxu", "mxu")}, "must be distinct"),
        ({"kind": "ring"}, "kind 'ring' in 'spm' is unknown"),
        ({"slots": 0}, "slots must be >= 1"),
        ({"base": -64}, "must be >= 0"),
        ({"space": "none"}, "a token has no bytes"),
        ({"slot_bytes": 0}, "a token has no bytes"),
        ({"kind": "token"}, "a token has no bytes"),
        ({"primed": 1}, "only a token channel may be primed"),
        ({"primed": 5}, r"primed 5 is not in 0\.\.4"),
    ],
)
def test_impossible_channels(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ProgramError, match=text):
        replace(CHANNEL, **change)


def test_impossible_regions_and_parameters() -> None:
    with pytest.raises(ProgramError, match="role 'heap' in 'hbm' is unknown"):
        Region("x", "hbm", 0, 4, "heap")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ProgramError, match="must be >= 0"):
        Region("x", "hbm", -1, 4, "weight")
    with pytest.raises(ProgramError, match="parameter 'p'"):
        Parameter("p", 0, 0, 0, 1)
    with pytest.raises(ProgramError, match="engine 'gpu0' is of no known kind"):
        engine_kind("gpu0")
    assert [engine_kind(e) for e in ("ld", "ld3", "st", "mxu", "vpu")] == "ld ld st mxu vpu".split()


def program() -> Program:
    """A small program with an entry in every table."""
    return Program(
        engines={"ld": encode_all([Ins("halt")]), "mxu": encode_all([Ins("halt")])},
        views=VIEWS[:3],
        constants=np.array([0.5, -0.0], np.float32),
        channels=(CHANNEL, Channel("t", "st", ("ld",), "token", 1, primed=1)),
        regions=(Region("x", "hbm", 0, 64, "input"), Region("m", "spm", 0, 64, "local", "vpu")),
        parameters=(Parameter("rows", 2, 1, 0, 8), Parameter("len", 3, 4, 0, 31)),
        words=np.array([7, -8], np.int64),
        locations={"ld": ["blk.0"]},
        kv_block=16,
        meta={"logits": [8, 64]},
    )


def test_program_tables_round_trip_through_json() -> None:
    p = program()
    tables = json.loads(json.dumps(p.tables()))
    q = Program.from_tables(tables, p.engines, p.views, p.constants)
    assert q.tables() == p.tables()
    assert (q.channels, q.regions, q.parameters) == (p.channels, p.regions, p.parameters)
    assert np.array_equal(q.words, p.words)
    assert p.table_words == 7


def test_lookups_by_name() -> None:
    p = program()
    assert p.channel_number("t") == 1
    assert p.region("m").owner == "vpu"
    assert p.parameter("len").count == 4
    assert p.channels[0].nbytes == 4 * 576
    with pytest.raises(ProgramError, match="no region named 'w'; this program has: x, m"):
        p.region("w")
    with pytest.raises(ProgramError, match="no channel named 'x'; this program has: w, t"):
        p.channel_number("x")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"views": VIEWS[:1] * 1025}, "1025 views: an operand field names at most 1024"),
        ({"regions": (Region("w", "hbm", 0, 1, "input"),)}, "w: channels and regions share one"),
        ({"engines": {"ld": np.zeros((1, 3), np.uint64)}}, r"words are uint64\(1, 3\)"),
        ({"locations": {"ld": []}}, "0 locations for 1 instructions"),
    ],
)
def test_impossible_programs(change: dict[str, Any], text: str) -> None:
    with pytest.raises(ProgramError, match=text):
        replace(program(), **change)


def test_view_formats_and_elements_are_those_of_the_format_table() -> None:
    assert {name: dtype.itemsize for name, dtype in ELEMENTS.items()} == ELEMENT_BYTES
    assert set(FORMATS) | set(ELEMENTS) == set(VIEW_FORMATS)
