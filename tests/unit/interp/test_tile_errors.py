"""What the tile interpreter refuses, and what it says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.parser import Parser

from tilewright.compiler.interp.tile import run_tile
from tilewright.compiler.interp.tile_machine import InterpretError
from tilewright.dialects import context

Array = NDArray[Any]
X = np.arange(32, dtype=np.float32).reshape(4, 8)
DECLARED = """
tg.global input @x : memref<4x8xf32, #tw.hbm>
tg.global state @k : memref<4x8xf32, #tw.hbm>
tg.global scratch @t : memref<4x8xf32, #tw.hbm>
tg.global output @y : memref<4x8xf32, #tw.hbm>
tg.scalar @n : 0 to 9
tg.table @len : 2 x 0 to 4
"""
CONSTANTS = "".join(f"%c{n} = arith.constant {n} : index\n" for n in range(6))
BUFFERS = "".join(f"%{n} = tile.buffer : memref<4x8xf32, #tw.spm>\n" for n in "ab")


def run(
    body: str,
    data: dict[str, Array] | None = None,
    *,
    declared: str = DECLARED,
    seed: int | None = None,
    **parameters: int | Sequence[int],
) -> dict[str, Array]:
    start = f"{CONSTANTS}%n = tg.get @n\n{BUFFERS}" if declared == DECLARED else CONSTANTS
    text = f"builtin.module {{{declared}func.func @main() {{\n{start}{body}\nfunc.return\n}}\n}}"
    module = Parser(context(), text).parse_module()
    if declared == DECLARED:
        parameters = {"n": 0, "len": (0, 4)} | parameters
    return run_tile(module, {"x": X} if data is None else data, parameters, seed=seed)


LOAD = "tile.load @x[0, 0] [4, 8] to %a\n"

REFUSED = {
    "a read of bytes that were never written": (
        'tile.load @x[0, 0] [2, 8] to %a\ntile.vec id(%a) to %b loc("blk.{l}.norm")',
        r"tile\.vec at blk\.\{l\}\.norm: reads element \[2, 0\] of a 4x8xf32 view of %a, which "
        "was never written",
    ),
    "a store of bytes that were never written": (
        "tile.store %a to @y[0, 0] [1, 8]", r"tile\.store: reads element \[0, 0\] of a 1x8xf32",
    ),
    "a load of state that was never written": (
        "tile.load @k[1, 0] [1, 8] to %a", r"reads element \[0, 0\] of a 1x8xf32 view of @k",
    ),
    "a load of scratch that was never written": (
        "tile.load @t[0, 0] [4, 8] to %a", "view of @t, which was never written",
    ),
    "a box that leaves its global": (
        "tile.load @x[%c3, 0] [%c2, 8] to %a",
        r"box \[3 : 2 by 1\] leaves axis 0 of 4 elements in @x",
    ),
    "a part that leaves its buffer": (
        LOAD + "%p = memref.subview %a[%c4, 0] [1, 8] [1, 1] : memref<4x8xf32, #tw.spm> to "
        "memref<1x8xf32, strided<[8, 1], offset: ?>, #tw.spm>",
        r"memref\.subview: box \[4 : 1 by 1\] leaves axis 0 of 4",
    ),
    "a negative bound": (
        LOAD + "%m = arith.subi %c0, %c1 : index\ntile.vec id(%a) to %b rows %m",
        "a bound of axis 0 is -1; want at least 0",
    ),
    "an unsigned operation on a negative number": (
        "%m = arith.subi %c0, %c1 : index\n%q = arith.minui %m, %c1 : index",
        r"arith\.minui of -1 and 1: an unsigned operation takes no negative number",
    ),
    "a division by 0": ("%q = arith.divui %c4, %c0 : index", "4 divided by 0"),
    "a word beyond a table": ("%q = tg.get @len[%c2]", "word 2 of @len, which has 2"),
    "a write onto bytes that are read through another view": (
        LOAD + "%p = memref.subview %a[1, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to "
        "memref<2x8xf32, strided<[8, 1], offset: 8>, #tw.spm>\n"
        "%q = memref.subview %a[0, 0] [2, 8] [1, 1] : memref<4x8xf32, #tw.spm> to "
        "memref<2x8xf32, strided<[8, 1]>, #tw.spm>\ntile.vec id(%p) to %q",
        "writes bytes that it also reads through another view",
    ),
    "a global that is not declared": (
        "tile.load @z[0, 0] [4, 8] to %a", "names @z, which is not declared",
    ),
    "an input that is written": (
        LOAD + "tile.store %a to @x[0, 0] [4, 8]", "writes @x, which is read-only",
    ),
    "a loop that carries values": (
        "%r = scf.for %i = %c0 to %c2 step %c1 iter_args(%s = %c0) -> (index) {\n"
        "scf.yield %s : index\n}", "a loop of the tile program carries values",
    ),
    "an op of another level": (
        "%z = arith.constant 1.0 : f32", "is no index; floats stand in tile.vec",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(REFUSED))
def test_a_mistake_is_named_with_its_op(case: str) -> None:
    body, message = REFUSED[case]
    with pytest.raises(InterpretError, match=message):
        run(body)


def test_columns_side_by_side_do_not_overlap() -> None:
    part = "memref<4x4xf32, strided<[8, 1]{}>, #tw.spm>"
    body = (
        f"{LOAD}%p = memref.subview %a[0, 0] [4, 4] [1, 1] : memref<4x8xf32, #tw.spm> to "
        f"{part.format('')}\n%q = memref.subview %a[0, 4] [4, 4] [1, 1] : memref<4x8xf32, "
        f"#tw.spm> to {part.format(', offset: 4')}\ntile.vec id(%p) to %q\n"
        "tile.store %a to @y[0, 0] [4, 8]"
    )
    assert np.array_equal(run(body)["y"], np.tile(X[:, :4], 2))


def test_a_bound_above_the_extent_takes_all() -> None:
    body = f"{LOAD}tile.vec id(%a) to %b rows %n\ntile.store %b to @y[0, 0] [%n, 8]"
    assert np.array_equal(run(body, n=9)["y"], X)


def test_a_mistake_inside_loops_names_their_counters() -> None:
    body = (
        "scf.for %i = %c0 to %c3 step %c1 {\nscf.for %j = %c0 to %c5 step %c1 {\n"
        "%at = arith.addi %i, %j : index\ntile.load @x[%at, 0] [1, 8] to %a\n}\n}"
    )
    with pytest.raises(InterpretError, match=r"^tile\.load, %i = 0, %j = 4: box"):
        run(body)


@pytest.mark.parametrize(
    ("data", "parameters", "message"),
    [
        ({}, {}, "data of @x: missing"),
        ({"x": X[:3]}, {}, r"data of @x: found float32 \[3, 8\], want f32 \[4, 8\]"),
        ({"x": X.astype(np.float64)}, {}, "data of @x: found float64"),
        ({"x": X}, {"n": 10}, "parameter n: found 10, want 0 to 9"),
        ({"x": X}, {"len": (1, 5)}, "parameter len: found 5, want 0 to 4"),
        ({"x": X}, {"len": (1, 2, 3)}, "parameter len: found 3 words, want 2"),
        ({"x": X}, {"m": 1}, "parameter m: not declared; the module has n, len"),
    ],
)
def test_data_and_parameters_must_fit(
    data: dict[str, Array], parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(InterpretError, match=message):
        run("", data, **parameters)


def test_a_parameter_must_be_there() -> None:
    text = f"builtin.module {{{DECLARED}func.func @main() {{\nfunc.return\n}}\n}}"
    with pytest.raises(InterpretError, match="parameter n: missing"):
        run_tile(Parser(context(), text).parse_module(), {"x": X}, {})


PACKED = """
tg.global weight @w : !lowbit.packed<2x64x40, q8_0, kn 32> from "'w'"
"""


@pytest.mark.parametrize(
    ("tile", "at", "message"),
    [
        ("64x32, q8_0, kn", "[2, 0, 0] [2]", "layer 2 to 3 leaves @w, which has 2"),
        ("64x32, q8_0, kn", "[0, 2, 0] [2]", "panel 2 to 3 leaves @w, which has 2"),
        ("64x32, q8_0, kn", "[0, 0, 1] [2]", "K block 1 to 3 leaves @w, which has 2"),
        ("64x32, q8_0, kn", "[0, 1, 0] [2]", "panel 1 of @w is 16 columns wide, the slot 32"),
        ("64x32, q4_0, kn", "[0, 0, 0] [2]", "@w is q8_0 kn, the slot is q4_0 kn"),
    ],
)
def test_a_run_of_a_packed_weight_stays_inside(tile: str, at: str, message: str) -> None:
    data = {"w": np.zeros(2 * 48 * 68, np.uint8)}
    body = f"%w = tile.buffer : memref<!lowbit.tile<{tile}>, #tw.spm>\ntile.load @w{at} to %w"
    with pytest.raises(InterpretError, match=message):
        run(body, data, declared=PACKED)


def test_packed_bytes_must_be_all_there() -> None:
    with pytest.raises(InterpretError, match="data of @w: found 5 of uint8, want 6528 of uint8"):
        run("", {"w": np.zeros(5, np.uint8)}, declared=PACKED)


CHANNELS = """
tg.global input @x : memref<4x8xf32, #tw.hbm>
tg.global output @y : memref<4x8xf32, #tw.hbm>
stream.channel @a from ld to [st] : 1 slots of 128 in #tw.spm
stream.channel @t from st to [ld] : tokens 1
"""
MOVE = """
%a0 = stream.acquire @a on ld : memref<4x8xf32, #tw.spm>
tile.load @x[0, 0] [4, 8] to %a0 on ld
stream.commit %a0
%a = stream.wait @a on st : memref<4x8xf32, #tw.spm>
tile.store %a to @y[0, 0] [4, 8] on st
stream.release %a
"""


def test_a_wait_that_nothing_can_satisfy_is_named_in_both_ways_of_running() -> None:
    body = f"stream.await @t on ld\n{MOVE}stream.signal @t on st"
    with pytest.raises(InterpretError, match="await of @t blocks in the program's own order"):
        run(body, declared=CHANNELS)
    with pytest.raises(
        InterpretError,
        match=r"^deadlock: ld in stream\.await: await of @t; st in stream\.wait: wait of @a$",
    ):
        run(body, declared=CHANNELS, seed=0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("stream.release %a\n", "", "@a ends with slots that st did not release"),
        ("stream.commit %a0\n", "", "wait of @a blocks"),
        ("", "stream.signal @t on st", "@t ends with 1 slots that ld did not take"),
        (
            "%a = stream.wait @a on st : memref<4x8xf32, #tw.spm>",
            "%a = stream.wait @a on st : memref<4x4xf32, #tw.spm>",
            "sees a slot of @a as 64 bytes of f32, which was written as 128 bytes of f32",
        ),
        ("on st\nstream.release", "on st\ntile.load @x[0, 0] [4, 8] to %a on ld\nstream.release",
         "writes a slot of @a as a consumer"),
        ("%a = stream", "tile.load @x[0, 0] [4, 8] to %a0 on ld\n%a = stream",
         "writes a slot of @a after its end"),
    ],
)  # fmt: skip
def test_a_channel_is_used_by_its_rules(old: str, new: str, message: str) -> None:
    body = MOVE.replace(old, new, 1) if old else MOVE + new
    with pytest.raises(InterpretError, match=message):
        run(body, declared=CHANNELS)


def test_results_come_only_from_what_was_stored() -> None:
    got = run(MOVE, declared=CHANNELS)
    assert list(got) == ["y"]
    assert np.array_equal(got["y"], X)
