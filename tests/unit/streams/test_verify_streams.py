"""Each rule of the streamed level, broken in one place of a good program, is refused by name."""

from collections.abc import Callable

import pytest
from xdsl.dialects.builtin import ModuleOp

from tilewright.dialects import context
from tilewright.passes.verify_streams import StreamError, VerifyStreamsPass, verify_streams

Text = Callable[[str], str]
Parse = Callable[[str], ModuleOp]

MARKS = {
    "a": {"a": 1, "w": 1, "s": 1, "h": 1},
    "b": {"in": 1, "q": 1, "new": 1, "old": 2, "s": 1, "p": 1, "o": 1, "out": 1, "appended": 1},
    "d": {"table": 1, "len": 1, "xs": 1, "ys": 1},
    "s": {"in": 1, "q": 1, "new": 1, "old": 2, "s": 1, "p": 2, "o": 1, "out": 1, "appended": 1},
}


@pytest.mark.parametrize("name", sorted(MARKS))
def test_a_good_program_passes_and_gives_its_marks(name: str, text: Text, parse: Parse) -> None:
    module = parse(text(f"{name}_streamed"))
    assert verify_streams(module) == MARKS[name]
    VerifyStreamsPass().apply(context(), module)


def test_program_c_holds_two_tokens_and_two_activations(text: Text, parse: Parse) -> None:
    marks = verify_streams(parse(text("c_streamed")))
    assert (marks["a"], marks["old"], marks["appended"], marks["w"]) == (2, 2, 2, 1)


def change(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


BROKEN: dict[str, tuple[str, list[tuple[str, str]], str]] = {
    "an op without an engine": (
        "a", [("to %h0 rows %m on vpu", "to %h0 rows %m")],
        "has no engine; assign-engines gives it one of kind vpu",
    ),
    "a buffer of no engine": (
        "b", [("%sum = tile.buffer on vpu", "%sum = tile.buffer")],
        "a buffer of no engine",
    ),
    "a second producer": (
        "b", [("stream.acquire @p on vpu", "stream.acquire @p on mxu")],
        "@p is filled by vpu, not by mxu",
    ),
    "a wait of no consumer": (
        "b", [("@q from vpu to [mxu]", "@q from vpu to [st]")],
        "mxu is no consumer of @q, which goes to st",
    ),
    "a slot used after its release": (
        "b",
        [("        stream.release %s\n", ""),
         ("        %p0 = stream", "        stream.release %s\n        %p0 = stream")],
        "slot %s of @s is used after its release",
    ),
    "a slot used after its commit": (
        "b",
        [("      stream.commit %q0\n", ""),
         ("      tile.vec id(%inq)", "      stream.commit %q0\n      tile.vec id(%inq)")],
        "slot %q0 of @q is used after its commit",
    ),
    "a slot used by an engine that does not hold it": (
        "a", [("%s = stream.wait @s on vpu", "%sx = stream.wait @s on vpu"),
              ("subview %s[0, 0]", "subview %s0[0, 0]"),
              ("subview %s[0, 16]", "subview %s0[0, 16]"),
              ("stream.release %s\n", "stream.release %sx\n")],
        "slot %s0 of @s is held by mxu, used on vpu; vpu must wait for it itself",
    ),
    "a slot written by a consumer": (
        "b", [("tile.vec id(%inq) to %q0", "tile.vec id(%inq) to %in_part"),
              ("      %q0 = stream", "      %in_part = memref.subview %in[0, 0] [4, 32] [1, 1] : "
               "memref<8x32xf32, #tw.spm> to memref<4x32xf32, strided<[32, 1]>, #tw.spm>\n"
               "      %q0 = stream")],
        "slot %in of @in is written by a consumer",
    ),
    "slots ended out of order": (
        "b",
        [("        stream.release %k\n", ""),
         ("        stream.release %v\n", "        stream.release %v\n        stream.release %k\n")],
        "@old is first in, first out: mxu must release an older slot before this one",
    ),
    "a slot too small": (
        "a", [("2 slots of 256", "2 slots of 128")], "256 bytes do not fit a slot of @h of 128",
    ),
    "a slot in another memory": (
        "a", [("%h = stream.wait @h on st : memref<4x16xf32, #tw.spm>",
               "%h = stream.wait @h on st : memref<4x16xf32, #tw.acc>")],
        "sees #tw.acc, but @h lies in #tw.spm",
    ),
    "a slot seen as another type": (
        "b", [("%v = stream.wait @old on mxu : memref<2x8x32xf32, #tw.spm>",
               "%v = stream.wait @old on mxu : memref<2x4x32xf32, #tw.spm>"),
              ("memref.subview %v[%h, 0, 0] [1, 8, 32] [1, 1, 1] : memref<2x8x32xf32, #tw.spm>",
               "memref.subview %v[%h, 0, 0] [1, 4, 32] [1, 1, 1] : memref<2x4x32xf32, #tw.spm>")],
        "sees 1024 bytes of f32 in a slot of @old that was written as 2048 bytes of f32",
    ),
    "a buffer of another engine": (
        "b", [("tile.buffer on vpu : memref<4x32xf32", "tile.buffer on mxu : memref<4x32xf32")],
        "%out is a buffer of mxu, used on vpu",
    ),
    "a loop that does not start at 0": (
        "d", [("scf.for %t = %c0 to %len", "scf.for %t = %c1 to %len")],
        "a loop of this level runs from 0 by 1",
    ),
    "a release forgotten in a loop": (
        "b", [("        stream.release %v\n", "")],
        "one trip changes @old: acquires 2, commits 2, mxu waits 2, mxu releases 1",
    ),
    "a wait before the commit": (
        "b", [("      stream.commit %in0\n", ""),
              ("      %inq =", "      stream.commit %in0\n      %inq =")],
        "nothing is committed to @in before this wait of vpu",
    ),
    "a ring too small": (
        "b", [("@old from ld to [mxu] : 4", "@old from ld to [mxu] : 1")],
        "ring @old has 1 slots, and the program holds 2 at once: ld would wait for ever",
    ),
    "a count that an engine does not receive": (
        "d", [("[ld, vpu] : scalars", "[vpu] : scalars")],
        "ld has operations in the loop but does not receive its count",
    ),
    "an address that an engine does not receive": (
        "d", [("scf.for %t = %c0 to %len", "scf.for %t = %c0 to %c1"),
              ("[ld, vpu] : scalars", "[vpu] : scalars"),
              ("tile.load @x[%b, %t, 0]", "tile.load @x[%b, %len, 0]")],
        "%len comes from a channel that ld does not receive",
    ),
    "a token that is not given back": (
        "b", [("      stream.signal @appended on st\n", "")],
        "one trip changes @appended: acquires 0, commits 0, ld waits 1, ld releases 1",
    ),
    "a program that ends with a slot left": (
        "a", [("    stream.release %x\n", "")], "@a ends with slots that mxu never released",
    ),
    "a weight that is written": (
        "b", [("tg.global state @k_cache", "tg.global input @k_cache")],
        "writes @k_cache of role input",
    ),
    "a channel that is not declared": (
        "d", [("  stream.channel @ys from vpu to [st] : 1 slots of 32 in #tw.spm\n", "")],
        "names @ys, which is not declared",
    ),
    "a token awaited as if it were a slot's": (
        "b", [("stream.await @appended on ld", "stream.await @old on ld")],
        "@old is a channel of kind slot; want token",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", list(BROKEN))
def test_a_broken_rule_is_named(case: str, text: Text, parse: Parse) -> None:
    name, pairs, message = BROKEN[case]
    module = parse(change(text(f"{name}_streamed"), *pairs))
    with pytest.raises(StreamError) as error:
        verify_streams(module)
    assert message in str(error.value)


def test_room_is_not_asked_before_rings_are_sized(text: Text, parse: Parse) -> None:
    module = parse(
        text("b_streamed").replace("@old from ld to [mxu] : 4", "@old from ld to [mxu] : 1")
    )
    assert verify_streams(module, check_room=False)["old"] == 2


def test_a_message_names_operation_location_and_engine(text: Text, parse: Parse) -> None:
    broken = change(
        text("a_streamed"),
        ("tile.vec sigmoid(%g) to %h0 rows %m on vpu",
         "stream.release %s\n      tile.vec sigmoid(%g) to %h0 rows %m on vpu loc(\"ffn\")"),
        ("      stream.release %s\n      stream.commit", "      stream.commit"),
    )  # fmt: skip
    with pytest.raises(StreamError, match=r"^tile\.vec at ffn on vpu: slot %s of @s is used"):
        verify_streams(parse(broken))


def test_a_value_is_not_used_outside_its_loop(text: Text, parse: Parse) -> None:
    module = parse(text("a_streamed"))
    function = next(op for op in module.walk() if op.name == "func.func")
    get = next(op for op in module.walk() if op.name == "tg.get")
    block = function.regions[0].block
    get.detach()
    last = block.last_op
    assert last is not None
    block.insert_op_before(get, last)
    with pytest.raises(StreamError, match="uses %m before it is defined"):
        verify_streams(module)


def test_elements_smaller_than_a_byte_are_not_written(text: Text, parse: Parse) -> None:
    broken = text("b_streamed").replace(
        "  tg.scalar @ctx", "  tg.global state @kv : memref<40x64xi4, #tw.hbm>\n  tg.scalar @ctx"
    )
    with pytest.raises(StreamError, match="two elements would share a byte"):
        verify_streams(parse(broken))


def test_a_projected_module_is_refused(text: Text, parse: Parse) -> None:
    module = parse(text("a_streamed"))
    function = next(op for op in module.ops if op.name == "func.func")
    module.body.block.add_op(function.clone())
    with pytest.raises(StreamError, match="the module has 2 functions"):
        verify_streams(module)
