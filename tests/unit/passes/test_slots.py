"""Weight tiles that fill the slots they lie in."""

from dataclasses import replace

from tilewright.backend.machine import load_machine
from tilewright.passes.tile.search import Plan
from tilewright.passes.tile.shapes_linear import LinearShape
from tilewright.passes.tile.slots import fill_slots
from tilewright.passes.tile.tiles import Tile

SMALL = load_machine("tw-small")
SHAPE = LinearShape(
    label="linear",
    most_rows=1,
    k=256,
    n=96,
    panel=32,
    block=32,
    block_bytes=1024,
    phases=1,
    operand_bytes=4,
    through_vector=False,
    out_columns=32,
    out_bytes=4,
    residuals=0,
    temporaries=0,
    vector_steps=1,
    repeats=1,
    at_once=True,
    loaded=False,
    stored=False,
)
"""Eight blocks of K, three whole panels."""


def plan(*tiles: Tile, spm: int = 1 << 14) -> Plan:
    return Plan(list(tiles), spm, 0, 0, 0, 0)


def test_tiles_are_as_deep_as_the_longest_lets_them() -> None:
    """Half as many blocks of panels that are twice as wide; never shorter than they were."""
    wide = replace(SHAPE, panel=64, block_bytes=2048)
    found = fill_slots(SMALL, [SHAPE, wide], plan(Tile(1, 1), Tile(1, 2)))
    assert [tile.depth for tile in found] == [4, 2]


def test_rows_that_come_from_memory_keep_their_tiles() -> None:
    some = replace(SHAPE, at_once=False)
    found = fill_slots(SMALL, [SHAPE, some], plan(Tile(1, 4), Tile(1, 1)))
    assert [tile.depth for tile in found] == [4, 1]


def test_tiles_that_leave_a_slot_empty_have_their_own_ring() -> None:
    """A last panel of 8 columns has all of K in a quarter of two deep tiles of a full one."""
    narrow = replace(SHAPE, n=72, last_columns=8)
    tile = Tile(1, 8)
    assert fill_slots(SMALL, [narrow], plan(tile)) == [replace(tile, apart=True)]
    assert fill_slots(SMALL, [SHAPE], plan(tile)) == [tile]
    # One of 16 columns, with all of K, fills half of a slot, and a slot of half the depth.
    half = replace(SHAPE, n=80, last_columns=16)
    assert fill_slots(SMALL, [half], plan(tile)) == [replace(tile, apart=True)]
    assert fill_slots(SMALL, [half], plan(Tile(1, 4))) == [Tile(1, 4)]
    full = plan(tile, spm=SMALL.spm_bytes)
    assert fill_slots(SMALL, [narrow], full) == [tile]


def test_rows_from_memory_whose_tiles_would_starve_take_deeper_ones() -> None:
    """While four tiles are fewer bytes than main memory delivers in a latency."""
    some = replace(SHAPE, at_once=False, most_rows=64)
    slow = replace(SMALL, hbm_latency_ps=100 * SMALL.hbm_latency_ps)
    tiles = plan(Tile(1, 4), Tile(64, 2))
    assert [tile.depth for tile in fill_slots(slow, [SHAPE, some], tiles)] == [4, 4]
    near = replace(SMALL, hbm_latency_ps=1)
    assert [tile.depth for tile in fill_slots(near, [SHAPE, some], tiles)] == [4, 2]
