"""Weight tiles, cut so that they fill the slots that they lie in."""

from collections.abc import Sequence
from dataclasses import replace

from ...backend.machine import Machine
from ...backend.timing import transfer_bytes
from .search import LEAST_SLOTS, Plan, aligned
from .shapes import Kernel
from .shapes_linear import LinearShape
from .tiles import Tile

LEAST_FILLED = 2
"""A tile shorter than a slot by this factor does not lie in it, if there is another ring."""

STARVED_PERCENT = 100
"""A deeper tile of rows in main memory may take one part of so many longer by itself, if a
shallower would starve."""


def fill_slots(machine: Machine, shapes: Sequence[Kernel], plan: Plan) -> list[Tile]:
    """The tiles of a plan, deeper where the ring's slots, as long as its longest tile, have room.

    What a ring holds is what its loads run ahead. Rows on chip take the deepest tile; others do so
    where their own, in the fewest slots of a ring, would not cover the latency of main memory.
    Tiles of narrow last panels have a ring of their own where they would leave most of a slot
    empty, if it fits.
    """
    slots = [
        shape.footprint(tile).spm.get("weights", 0)
        for shape, tile in zip(shapes, plan.tiles, strict=True)
    ]
    slot = max(slots, default=0)
    if not slot:
        return list(plan.tiles)
    filled = [
        _deepest(machine, shape, tile, slot) if isinstance(shape, LinearShape) else tile
        for shape, tile in zip(shapes, plan.tiles, strict=True)
    ]
    narrow = [
        shape.narrow_bytes(tile) if isinstance(shape, LinearShape) and shape.at_once else 0
        for shape, tile in zip(shapes, filled, strict=True)
    ]
    apart = [0 < nbytes * LEAST_FILLED <= slot for nbytes in narrow]
    largest = max((n for n, alone in zip(narrow, apart, strict=True) if alone), default=0)
    if plan.spm_bytes + LEAST_SLOTS["weights"] * aligned(machine, largest) > machine.spm_bytes:
        return filled
    return [replace(tile, apart=alone) for tile, alone in zip(filled, apart, strict=True)]


def _deepest(machine: Machine, shape: LinearShape, tile: Tile, slot: int) -> Tile:
    deeper = (replace(tile, depth=depth) for depth in shape.depths() if depth > tile.depth)
    fitting = [one for one in deeper if shape.footprint(one).spm["weights"] <= slot]
    if not shape.at_once:
        ahead = shape.footprint(tile).spm["weights"] * LEAST_SLOTS["weights"]
        if ahead >= transfer_bytes(machine, machine.hbm_latency_ps):
            return tile
        most = shape.picoseconds(machine, tile) * (STARVED_PERCENT + 1)
        fitting = [t for t in fitting if shape.picoseconds(machine, t) * STARVED_PERCENT <= most]
    return max([tile, *fitting], key=lambda one: one.depth)
