"""Where projection breaks in practice: each way is caught by verifier, race check or a run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from tilewright.compiler.interp.races import find_races
from tilewright.compiler.interp.tile import run_tile, start
from tilewright.compiler.interp.tile_machine import InterpretError
from tilewright.passes.verify_streams import StreamError, verify_streams

Arrays = dict[str, NDArray[Any]]
Text = Callable[[str], str]
Parse = Callable[[str], ModuleOp]
Launch = Callable[..., tuple[Arrays, dict[str, int]]]

UNORDERED = [
    "tile.load on ld reads @k_cache unordered after the write of st; "
    "a token from st to ld must lie between them",
    "tile.load on ld reads @v_cache unordered after the write of st; "
    "a token from st to ld must lie between them",
]


def change(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


def without(text: str, word: str) -> str:
    return "\n".join(line for line in text.split("\n") if word not in line)


def chunk() -> Arrays:
    random = np.random.default_rng(3)
    return {
        "x": random.standard_normal((8, 16)).astype(np.float32),
        "cache": random.standard_normal((32, 16)).astype(np.float32),
    }


def test_a_token_sent_before_its_store_is_done(text: Text, parse: Parse, launch: Launch) -> None:
    early = change(
        text("b_streamed"),
        ("      stream.signal @appended on st\n", ""),
        ("      tile.store %kn", "      stream.signal @appended on st\n      tile.store %kn"),
    )
    verify_streams(parse(early))
    assert find_races(parse(early), *launch("b", ctx=9, steps=3)) == UNORDERED


def test_a_release_before_the_last_read(text: Text, parse: Parse, launch: Launch) -> None:
    early = parse(
        change(
            text("a_streamed"),
            ("        stream.release %w\n", ""),
            ("        tile.matmul %xk", "        stream.release %w\n        tile.matmul %xk"),
        )
    )
    with pytest.raises(StreamError, match="slot %w of @w is used after its release"):
        verify_streams(early)
    with pytest.raises(InterpretError, match="reads a slot of @w after its end"):
        run_tile(early, *launch("a", m=2))


def test_an_accumulator_drained_without_credits(text: Text, parse: Parse) -> None:
    private = parse(
        change(
            without(text("a_streamed"), "stream.commit %s0"),
            ("%s0 = stream.acquire @s on mxu", "%s0 = tile.buffer on mxu"),
            ("      %s = stream.wait @s on vpu : memref<4x32xf32, #tw.acc>\n", ""),
            ("memref.subview %s[0, 0]", "memref.subview %s0[0, 0]"),
            ("memref.subview %s[0, 16]", "memref.subview %s0[0, 16]"),
            ("      stream.release %s\n", ""),
        )
    )
    with pytest.raises(StreamError, match="%s0 is a buffer of mxu, used on vpu"):
        verify_streams(private)


def test_an_update_in_place_of_a_slot_with_a_second_consumer(
    text: Text, parse: Parse, launch: Launch
) -> None:
    broken = parse(
        change(
            text("b_streamed"),
            ("tile.vec id(%inq) to %q0", "tile.vec id(%inq) to %inq"),
        )
    )
    with pytest.raises(StreamError, match="slot %in of @in is written by a consumer"):
        verify_streams(broken)
    with pytest.raises(InterpretError, match="writes a slot of @in as a consumer"):
        run_tile(broken, *launch("b", ctx=3, steps=1))


def test_a_wait_peeled_out_of_a_loop_of_0_trips(text: Text, parse: Parse, launch: Launch) -> None:
    wait = "      %old = stream.wait @old on vpu : memref<1x16xf32, #tw.spm>\n"
    use = "      tile.vec id(%sum) add %old to %sum on vpu\n      stream.release %old\n"
    peeled = parse(
        change(
            text("readback"),
            (wait, ""),
            (use, ""),
            ("    %out0 =", wait + "    stream.release %old\n    %out0 ="),
        )
    )
    with pytest.raises(StreamError, match="one trip changes @old: acquires 1, commits 1"):
        verify_streams(peeled)
    with pytest.raises(InterpretError, match=r"wait of @old blocks in the program's own order"):
        run_tile(peeled, chunk(), {"rows": 0, "len": 0})


def test_an_accumulator_carried_by_a_loop_that_gets_two_slots(
    text: Text, parse: Parse, launch: Launch
) -> None:
    """A fresh slot each trip loses the sum. Only values tell, so passes are checked by them."""
    acquire = "      %s0 = stream.acquire @s on mxu : memref<4x32xf32, #tw.acc>\n"
    inner = "        tile.matmul %xk, %w into %s0 rows %m on mxu\n"
    broken = parse(
        change(
            text("a_streamed"),
            (acquire, acquire + "      %t0 = tile.buffer on mxu : memref<4x32xf32, #tw.acc>\n"),
            (inner, inner.replace("%s0", "%t0") + "        %u0 = tile.buffer on mxu : "
             "memref<4x32xf32, #tw.acc>\n" + inner.replace("%s0", "%u0")),
        )
    )  # fmt: skip
    data, parameters = launch("a", m=2)
    want = run_tile(parse(text("a_tiled")), data, parameters)["y"][:2]
    assert not np.array_equal(run_tile(broken, data, parameters)["y"][:2], want)


def test_a_branch_taken_on_one_engine_only(text: Text, parse: Parse, launch: Launch) -> None:
    broken = parse(change(text("d_streamed"), ("[ld, vpu] : scalars", "[vpu] : scalars")))
    with pytest.raises(StreamError, match="ld has operations in the loop but does not receive"):
        verify_streams(broken)
    data, parameters = launch("d", rows=4)
    with pytest.raises(InterpretError, match="engine ld uses %len, which it never received"):
        run_tile(broken, data, parameters, seed=1)


PAGES = """
builtin.module {
  tg.global input @x : memref<4x16xf32, #tw.hbm>
  tg.global state @pages : memref<4xi32, #tw.hbm>
  tg.global input @next : memref<4xi32, #tw.hbm>
  tg.global output @y : memref<4x16xf32, #tw.hbm>
  stream.channel @t from ld1 to [st] : 1 slots of 16 in #tw.spm
  stream.channel @r from ld to [st] : 1 slots of 256 in #tw.spm
  func.func @paged() {
    %t0 = stream.acquire @t on ld1 : memref<4xi32, #tw.spm>
    tile.load @next[0] [4] to %t0 on ld1
    stream.commit %t0
    %t = stream.wait @t on st : memref<4xi32, #tw.spm>
    tile.store %t to @pages[0] [4] on st
    stream.release %t
    %r0 = stream.acquire @r on ld : memref<4x16xf32, #tw.spm>
    tile.gather @x[@pages[0]] [4] to %r0 on ld
    stream.commit %r0
    %r = stream.wait @r on st : memref<4x16xf32, #tw.spm>
    tile.store %r to @y[0, 0] [4, 16] on st
    stream.release %r
    func.return
  }
}
"""


def test_a_page_table_read_while_it_is_updated(parse: Parse) -> None:
    data: Arrays = {
        "x": np.arange(64, dtype=np.float32).reshape(4, 16),
        "pages": np.zeros(4, np.int32),
        "next": np.array([3, 1, 7, 0], np.int32),
    }
    verify_streams(parse(PAGES))
    assert find_races(parse(PAGES), data, {}) == [
        "tile.gather on ld reads @pages unordered after the write of st; "
        "a token from st to ld must lie between them"
    ]
    rows = run_tile(parse(PAGES), data, {})["y"]
    assert np.array_equal(rows, np.array([data["x"][3], data["x"][1], 0 * rows[0], data["x"][0]]))


BURST = """
builtin.module {
  tg.global input @x : memref<2x4xf32, #tw.hbm>
  tg.global output @y : memref<2x4xf32, #tw.hbm>
  stream.channel @a from ld to [st] : 1 slots of 16 in #tw.spm
  stream.channel @b from ld to [st1] : 1 slots of 16 in #tw.spm
  func.func @burst() {
    %a0 = stream.acquire @a on ld : memref<4xf32, #tw.spm>
    tile.load @x[0, 0] [1, 4] to %a0 on ld
    stream.commit %a0
    %b0 = stream.acquire @b on ld : memref<4xf32, #tw.spm>
    tile.load @x[1, 0] [1, 4] to %b0 on ld
    stream.commit %b0
    %a = stream.wait @a on st : memref<4xf32, #tw.spm>
    tile.store %a to @y[0, 0] [1, 4] on st
    stream.release %a
    %b = stream.wait @b on st1 : memref<4xf32, #tw.spm>
    tile.store %b to @y[1, 0] [1, 4] on st1
    stream.release %b
    func.return
  }
}
"""


def test_two_engines_write_parts_of_one_burst(parse: Parse) -> None:
    data: Arrays = {"x": np.ones((2, 4), np.float32)}
    assert find_races(parse(BURST), data, {}) == [
        "tile.store on st1 writes @y unordered after the write of st in its burst; "
        "a token from st to st1 must lie between them"
    ]


def test_a_count_above_its_maximum(text: Text, parse: Parse, launch: Launch) -> None:
    module = parse(text("d_streamed"))
    data, parameters = launch("d", rows=4)
    with pytest.raises(InterpretError, match="parameter rows: found 5, want 0 to 4"):
        run_tile(module, data, parameters | {"rows": 5})
    data["lens"][0, 2] = 7
    with pytest.raises(InterpretError, match=r"%b = 2: sends 7 to @len; want 0 to 6"):
        run_tile(module, data, parameters)


@pytest.mark.parametrize("name", ["b", "c", "s"])
def test_a_missing_token_is_found_though_small_rings_hide_it(
    name: str, text: Text, parse: Parse, launch: Launch
) -> None:
    good = text(f"{name}_streamed")
    data, parameters = launch(name, ctx=9, steps=3)
    assert find_races(parse(good), data, parameters) == []
    assert find_races(parse(without(good, "@appended")), data, parameters) == UNORDERED


def test_a_token_primed_too_often(text: Text, parse: Parse, launch: Launch) -> None:
    late = text("b_streamed").replace("tokens 1 primed 1", "tokens 2 primed 2")
    verify_streams(parse(late))
    assert find_races(parse(late), *launch("b", ctx=9, steps=3)) == UNORDERED


def test_a_ring_grown_after_checking(text: Text, parse: Parse, launch: Launch) -> None:
    grown = change(
        text("c_streamed"),
        ("@w from ld to [mxu] : 8", "@w from ld to [mxu] : 64"),
        ("@in from ld to [vpu] : 1", "@in from ld to [vpu] : 3"),
        ("@old from ld to [mxu] : 4", "@old from ld to [mxu] : 64"),
    )
    data, parameters = launch("c", ctx=5, steps=2)
    want = run_tile(parse(text("c_streamed")), data, parameters)
    assert find_races(parse(grown), data, parameters) == []
    machine = start(parse(grown), data, parameters, seed=2)
    assert machine.rings["w"].high > 8
    got = machine.results()
    assert all(np.array_equal(got[n][:2], want[n][:2]) for n in want)


@pytest.mark.parametrize("blocks", [0, 1, 2, 3, 8])
def test_a_skewed_loop_of_few_trips_at_depth_3(blocks: int, text: Text, parse: Parse) -> None:
    module = parse(text("skewed"))
    assert verify_streams(module) == {"in": 4, "out": 1}
    x = np.random.default_rng(1).standard_normal((8, 16)).astype(np.float32)
    for seed in (None, 1, 2):
        got = run_tile(module, {"x": x}, {"blocks": blocks}, seed=seed)["y"]
        assert np.array_equal(got[:blocks], 2 * x[:blocks])
        assert not got[blocks:].any()


def test_a_skewed_loop_with_a_ring_one_slot_short(text: Text, parse: Parse) -> None:
    short = parse(text("skewed").replace("to [vpu] : 4", "to [vpu] : 3"))
    with pytest.raises(StreamError, match="ring @in has 3 slots, and the program holds 4"):
        verify_streams(short)
    data: Arrays = {"x": np.zeros((8, 16), np.float32)}
    with pytest.raises(InterpretError, match="acquire of @in blocks in the program's own order"):
        run_tile(short, data, {"blocks": 2})


def test_a_chunk_reads_its_own_rows_back_behind_a_token(text: Text, parse: Parse) -> None:
    data = chunk()
    module = parse(text("readback"))
    verify_streams(module)
    for rows, length in ((0, 0), (3, 0), (8, 5), (8, 24)):
        parameters = {"rows": rows, "len": length}
        assert find_races(module, data, parameters) == []
        cache = data["cache"].copy()
        cache[length : length + rows] = 2 * data["x"][:rows]
        want = np.zeros(16, np.float32)
        for row in cache[: length + rows]:
            want += row
        for seed in (None, 0, 1, 2):
            assert np.array_equal(run_tile(module, data, parameters, seed=seed)["y"][0], want)
    bare = parse(without(text("readback"), "@appended"))
    assert find_races(bare, data, {"rows": 3, "len": 4}) == [
        "tile.load on ld1 reads @cache unordered after the write of st; "
        "a token from st to ld1 must lie between them"
    ]


PLACED = {"@in from ld to [vpu] : 1 slots of 64 in #tw.spm": 0,
          "@new from vpu to [st] : 1 slots of 64 in #tw.spm": 64,
          "@old from ld1 to [vpu] : 2 slots of 64 in #tw.spm": 128,
          "@out from vpu to [st] : 1 slots of 64 in #tw.spm": 320}  # fmt: skip


def place(text: str, **addresses: int) -> str:
    for line, at in PLACED.items():
        name = line.split()[0][1:]
        text = change(text, (line, f"{line} at {addresses.get(name, at)}"))
    return change(text, ("tile.buffer on vpu :", "tile.buffer on vpu at 256 :"))


def test_addresses_that_overlap(text: Text, parse: Parse) -> None:
    data, parameters = chunk(), {"rows": 3, "len": 2}
    good = parse(place(text("readback")))
    assert find_races(good, data, parameters) == []
    want = run_tile(parse(text("readback")), data, parameters)
    got = run_tile(good, data, parameters, seed=1)
    assert all(np.array_equal(got[name], want[name]) for name in want)
    over_the_sum = parse(place(text("readback"), old=192))
    with pytest.raises(InterpretError, match="which was never written"):
        run_tile(over_the_sum, data, parameters)


def test_rings_that_share_bytes_though_only_credits_order_them(
    text: Text, parse: Parse, launch: Launch
) -> None:
    def placed(h: int) -> ModuleOp:
        return parse(
            change(
                text("a_streamed"),
                ("1 slots of 1024 in #tw.spm", "1 slots of 1024 in #tw.spm at 0"),
                ("4 slots of 576 in #tw.spm", "2 slots of 576 in #tw.spm at 1024"),
                ("2 slots of 512 in #tw.acc", "2 slots of 512 in #tw.acc at 0"),
                ("2 slots of 256 in #tw.spm", f"2 slots of 256 in #tw.spm at {h}"),
            )
        )

    data, parameters = launch("a", m=3)
    assert find_races(placed(2176), data, parameters) == []
    races = find_races(placed(1024), data, parameters)
    assert races[0] == (
        "tile.load on ld writes spm (@w) unordered after the write of vpu; "
        "give the two disjoint addresses"
    )
