"""Bytes of slots and regions: written before they are read, and read before they are lost."""

import pytest

from tilewright.backend.asm import assemble
from tilewright.backend.machine import load_machine
from tilewright.runtime.proof import Proof, ProofError, prove

MACHINE = load_machine("tw-small")
TRIPS = 8
SOURCE = f"""region @x : input in hbm at 0 of {256 * TRIPS}
region @m : scratch in hbm at {256 * TRIPS} of {256 * TRIPS + 64}
region @y : output in hbm at {512 * TRIPS + 64} of {256 * TRIPS}
channel @t from ld to [st] : slot 2 of 320 in spm at 0
channel @done from st to [ld] : token 1
engine ld {{
  loop c0, trips={TRIPS} // first
    alu mul, r0, c0, imm=256 // first
    copy @t <64 f32> acquire commit, @x[0 + r0] <64 f32> // first
  next c0 // first
  sync wait, @done // second
  loop c0, trips=1 // second
    loop c1, trips={TRIPS} // second
      alu mul, r0, c1, imm=256 // second
      copy @t <64 f32> acquire commit, @m[0 + r0] <64 f32> // second
    next c1 // second
  next c0 // second
  sync release, @done // second
  halt
}}
engine st {{
  loop c0, trips={TRIPS} // first
    alu mul, r0, c0, imm=256 // first
    copy @m[0 + r0] <64 f32>, @t <64 f32> wait release // first
  next c0 // first
  sync acquire, @done // second
  sync commit, @done // second
  loop c0, trips=1 // second
    loop c1, trips={TRIPS} // second
      alu mul, r0, c1, imm=256 // second
      copy @y[0 + r0] <64 f32>, @t <64 f32> wait release // second
    next c1 // second
  next c0 // second
  halt
}}
"""
"""Rows are stored in one loop and read again in another, which is one deeper."""


def proof(old: str = "", new: str = "", follow: int = 1000) -> Proof:
    """Of the source with one change."""
    assert old in SOURCE
    return prove(assemble(SOURCE.replace(old, new, 1)), MACHINE, follow=follow)


@pytest.mark.parametrize("follow", [1000, 90, 0])
def test_what_is_stored_may_be_read(follow: int) -> None:
    """Also where the loop that stores skips trips and the loop that reads does not."""
    found = proof(follow=follow)
    assert found.notes == ()
    assert bool(found.followed) == bool(follow)


def test_what_nothing_has_stored_is_refused() -> None:
    with pytest.raises(ProofError) as error:
        proof("@m[0 + r0] <64 f32> // second", "@m[4 + r0] <64 f32> // second")
    assert (error.value.rule, error.value.engine) == ("C4", "ld")
    assert error.value.location == "second"
    assert f"reads byte {256 * TRIPS} of region 'm', which nothing has written" in str(error.value)


def test_rows_that_are_stored_on_one_another_are_refused() -> None:
    with pytest.raises(ProofError, match="reads byte 256 of region 'm'"):
        proof("@m[0 + r0] <64 f32>,", "@m <64 f32>,")


def test_what_nothing_has_put_into_a_slot_is_refused() -> None:
    with pytest.raises(ProofError, match="reads byte 256 of a slot of channel 't', which nothing"):
        proof("@t <64 f32> wait", "@t[4] <64 f32> wait")


@pytest.mark.parametrize(
    ("operand", "note"),
    [
        (
            "@t <64 f32> wait",
            "ld instruction 2, first writes bytes 252..256 of a slot of channel 't', which nothing "
            "reads before its release",
        ),
        (
            "@m[0 + r0] <64 f32> // second",
            "st instruction 2, first writes bytes 252..256 of region 'm', which nothing reads "
            "before the launch ends",
        ),
    ],
)
def test_what_nothing_reads_is_noted(operand: str, note: str) -> None:
    """One element less is read."""
    assert note in proof(operand, operand.replace("64", "63")).notes
