"""The placement of buffers, judged by definition; the independent checker, by broken programs."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.parser import Parser

from tilewright.backend.machine import load_machine
from tilewright.dialects import context
from tilewright.passes.allocate import AllocatePass
from tilewright.passes.check_allocation import check_allocation
from tilewright.passes.located import PassError
from tilewright.passes.placement import Life, conflict_set, peak, place

ALIGNMENT = 64


@st.composite
def lives(draw: st.DrawFn) -> list[Life]:
    """Up to 12 buffers of two engines, and rings."""
    out: list[Life] = []
    for number in range(draw(st.integers(1, 12))):
        first = draw(st.integers(0, 20))
        last = first + draw(st.integers(0, 10))
        engine = draw(st.sampled_from(("vpu", "vpu", "mxu", "")))
        out.append(Life(f"%{number}", draw(st.integers(1, 500)), first, last, engine))
    return out


def share_time(a: Life, b: Life) -> bool:
    """Whether two buffers must be apart, position by position."""
    if a.engine != b.engine or not a.engine:
        return True
    return any(b.first <= at <= b.last for at in range(a.first, a.last + 1))


@given(lives())
def test_no_two_lives_share_bytes(found: list[Life]) -> None:
    offsets, used = place(found, ALIGNMENT)
    for (a, at), (b, bt) in combinations(zip(found, offsets, strict=True), 2):
        assert not share_time(a, b) or at + a.nbytes <= bt or bt + b.nbytes <= at
    for life, offset in zip(found, offsets, strict=True):
        assert offset % ALIGNMENT == 0
        assert offset + life.nbytes <= used
    assert used >= peak(found, ALIGNMENT)


def test_conflict_set_is_the_fewest_that_do_not_fit() -> None:
    found = [
        Life("%big", 1000, 0, 9, "vpu"),
        Life("%small", 64, 0, 9, "vpu"),
        Life("%late", 2000, 10, 12, "vpu"),
        Life("@ring", 512, 0, 12, ""),
    ]
    assert [life.name for life in conflict_set(found, ALIGNMENT, 2000)] == ["%late"]
    assert [life.name for life in conflict_set(found, ALIGNMENT, 2100)] == ["%late", "@ring"]


PLACED = """
builtin.module {{
  tg.global scratch @x : memref<4x32xf32, #tw.hbm> at {x}
  tg.global output @y : memref<4x32xf32, #tw.hbm> at 512
  stream.channel @r from ld to [vpu] : 2 slots of 512 in #tw.spm at {ring}
  func.func @entry() {{
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %a = tile.buffer on vpu at {a} : memref<4x32xf32, #tw.spm>
    tile.vec id(1.0) to %a on vpu
    scf.for %i = %c0 to %c2 step %c1 {{
      tile.vec exp(%a) to %a on vpu
      %b = tile.buffer on vpu at {b} : memref<4x32xf32, #tw.spm>
      tile.vec id(2.0) to %b on vpu loc("last")
    }}
    %c = tile.buffer on vpu at {c} : memref<4x32xf32, #tw.spm>
    tile.vec id(3.0) to %c on vpu
    func.return
  }}
}}
"""
GOOD = {"x": 0, "ring": 0, "a": 1024, "b": 1536, "c": 1024}


def check(**changes: int) -> None:
    module = Parser(context(), PLACED.format(**(GOOD | changes))).parse_module()
    check_allocation(module, load_machine("tw-small"))


def test_checker_accepts_buffers_that_share_when_done() -> None:
    check()
    check(c=1536)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # %b is written at the end of a trip, %a is read at the beginning of the next.
        ({"b": 1024}, r"%a at 1024\.\.1536 is still in use, but its bytes were given to %b"),
        ({"a": 512}, r"%a at 512\.\.1024 shares bytes of spm with @r at 0\.\.1024"),
        ({"a": 1030}, r"%a at 1030\.\.1542 is not aligned to 64"),
        ({"a": 262144}, r"%a at 262144\.\.262656 .* not inside the 262144 bytes of spm"),
        ({"x": 64}, r"@y at 512\.\.1024 shares bytes of main memory with @x at 64\.\.576"),
    ],
)
def test_checker_refuses(changes: dict[str, int], message: str) -> None:
    with pytest.raises(PassError, match=message):
        check(**changes)


def test_too_small_a_scratchpad_names_buffers_ops_and_bytes() -> None:
    text = """
    builtin.module {
      tg.global input @x : memref<1024x64xf32, #tw.hbm>
      stream.channel @in from ld1 to [vpu] : 1 slots of 262144 in #tw.spm
      func.func @entry() {
        %t = tile.buffer on vpu : memref<64x64xf32, #tw.spm> loc("blk.{l}.norm")
        tile.vec id(1.0) to %t on vpu
        func.return
      }
    }"""
    module = Parser(context(), text).parse_module()
    wanted = (
        r"spm: 278528 bytes are needed at once, 262144 are available on tw-small: @in \(262144 "
        r"bytes, stream.channel\), %t \(16384 bytes, tile.buffer at blk.{l}.norm\); use smaller"
    )
    with pytest.raises(PassError, match=wanted):
        AllocatePass("tw-small").apply(context(), module)


def test_too_small_a_main_memory_names_the_largest_globals() -> None:
    text = """
    builtin.module {
      tg.global state @cache : memref<1048576x1048576xf32, #tw.hbm>
      func.func @entry() {
        func.return
      }
    }"""
    module = Parser(context(), text).parse_module()
    with pytest.raises(PassError, match=r"main memory: 4398046511104 bytes .* @cache"):
        AllocatePass("tw-small").apply(context(), module)
