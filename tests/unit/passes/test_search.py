"""The tiling search on plain numbers: what it returns fits, and more memory is never slower."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tilewright.backend.machine import Machine, load_machine
from tilewright.passes.tile.search import GRAINS, ROOM, DoesNotFitError, Plan, needs, search
from tilewright.passes.tile.shapes import AttentionShape, Kernel, RowsShape
from tilewright.passes.tile.shapes_linear import LinearShape
from tilewright.passes.tile.tiles import Tile

SMALL = load_machine("tw-small")


def linear(rows: int = 32, k: int = 256, n: int = 100, **changes: object) -> LinearShape:
    shape = LinearShape(
        label="linear",
        most_rows=rows,
        k=k,
        n=n,
        panel=32,
        block=32,
        block_bytes=576,
        phases=3,
        operand_bytes=4,
        through_vector=True,
        out_columns=32,
        out_bytes=4,
        residuals=1,
        temporaries=1,
        vector_steps=2,
        repeats=2,
    )
    return replace(shape, **changes)


def attention(rows: int = 16, context: int = 128, kv_block: int | None = None) -> AttentionShape:
    return AttentionShape(
        label="attention",
        most_rows=rows,
        batch=2,
        context=context,
        group=3,
        kv_heads=2,
        head=32,
        operand_bytes=4,
        kv_bytes=4,
        out_bytes=4,
        phases=9,
        repeats=2,
        kv_block=kv_block,
        most_kv_block=256,
    )


def fastest(machine: Machine, shape: AttentionShape, depth: int) -> int:
    """The cuts with the least time of tiles of 16 rows; of equals the fewest."""
    found = [tile for tile in shape.tiles() if (tile.rows, tile.depth) == (16, depth)]
    return min(found, key=lambda tile: shape.picoseconds(machine, tile)).skew


def test_attention_is_cut_where_that_saves_time() -> None:
    """Not for one block of one task; the more the units wait for each other."""
    slow_fill = replace(SMALL, matrix_fill=1000)
    assert fastest(slow_fill, attention(), 32) == 2
    assert fastest(slow_fill, attention(), 128) == 1, "the other head's block runs beside it"
    assert fastest(slow_fill, replace(attention(), kv_heads=1), 128) == 0
    quick = replace(SMALL, matrix_fill=0, lanes=1 << 20, vector_startup=0)
    for machine in (slow_fill, quick):
        times = [attention().picoseconds(machine, Tile(16, 32, 1, cuts)) for cuts in range(3)]
        assert times[2] < times[1] < times[0]


def test_what_crosses_trips_has_two_slots() -> None:
    footprints = [attention().footprint(Tile(16, 32, 1, cuts)) for cuts in range(3)]
    slots = [(footprint.slots["scores"], footprint.slots["pv"]) for footprint in footprints]
    assert slots == [(1, 1), (2, 1), (2, 2)]
    for footprint, (scores, pv) in zip(footprints, slots, strict=True):
        # Each slot is rounded up by itself; two have 12 KiB.
        coarse = replace(SMALL, alignment=16384)
        assert needs(coarse, [footprint])[1] == 16384 * (scores + pv)
    assert footprints[0].local == footprints[1].local < footprints[2].local


def test_longer_buffers_are_held_over_all_kernels() -> None:
    """Beside the largest local part, whichever kernel has it; once for all that lengthen one."""
    wide = replace(heads(), longer={"qkv": 1024})
    tile = Tile(8, 1)
    least = needs(SMALL, [heads().footprint(tile), linear().footprint(Tile(32, 8))])[0]
    both = [wide.footprint(tile), wide.footprint(Tile(4, 1)), linear().footprint(Tile(32, 8))]
    assert needs(SMALL, both)[0] == least + 7 * 1024


def heads(rows: int = 16) -> RowsShape:
    return RowsShape(
        label="heads",
        most_rows=rows,
        batch=2,
        in_bytes={"rows": 384, "angles": 128},
        out_row_bytes=384,
        local_row_bytes=512,
        vector_bytes=128,
        vector_columns=96,
        repeats=2,
    )


def tiles(plan: Plan) -> list[tuple[int, int]]:
    return [(tile.rows, tile.depth) for tile in plan.tiles]


def test_longer_buffers_count_without_main_memory_too() -> None:
    machine = load_machine("groq-like")
    some = replace(heads(), row_choices=(4,))
    wide = replace(some, longer={"qkv": 1024})
    more = search(machine, [wide]).spm_bytes - search(machine, [some]).spm_bytes
    assert more == wide.footprint(Tile(4, 1)).longer["qkv"] > 0


def check(machine: Machine, kernels: list[Kernel], plan: Plan, held: int = 0) -> None:
    """The plan is what it says, and fits."""
    sizes = list(zip(kernels, plan.tiles, strict=True))
    footprints = [kernel.footprint(tile) for kernel, tile in sizes]
    assert (plan.spm_bytes, plan.acc_bytes) == needs(machine, footprints, held)
    assert plan.spm_bytes <= machine.spm_bytes
    assert plan.acc_bytes <= machine.acc_bytes
    times = [kernel.picoseconds(machine, tile) for kernel, tile in sizes]
    assert plan.picoseconds == sum(times)
    least = [min(kernel.picoseconds(machine, t) for t in kernel.tiles()) for kernel in kernels]
    assert 0 <= plan.picoseconds - plan.rank <= sum(max(t // GRAINS, 1) for t in least)


def test_a_tile_of_each_kernel_fits() -> None:
    kernels: list[Kernel] = [linear(), attention(), heads()]
    plan = search(SMALL, kernels)
    check(SMALL, kernels, plan)
    assert tiles(plan) == [(32, 8), (16, 32), (16, 1)]


def test_a_larger_scratchpad_gets_larger_tiles() -> None:
    kernels: list[Kernel] = [linear(k=2048)]
    narrow = search(replace(SMALL, spm_bytes=1 << 17), kernels)
    wide = search(replace(SMALL, spm_bytes=1 << 18), kernels)
    assert tiles(narrow)[0][0] < tiles(wide)[0][0]
    assert wide.picoseconds < narrow.picoseconds


def test_of_kv_blocks_that_are_as_fast_the_one_that_suits_other_entries_is_chosen() -> None:
    """Bytes bind a step of one row, whatever the block; a prompt's short blocks wait for fills."""
    machine = load_machine("tpu-v5e")
    alone = replace(attention(1, 1024), kv_heads=32, head=128, group=1, most_kv_block=1024)
    with_prompt = replace(alone, later_rows=512)
    first, second = (search(machine, [shape]) for shape in (alone, with_prompt))
    assert tiles(first)[0][1] < tiles(second)[0][1]
    assert second.rank == first.rank

    def prompt(plan: Plan) -> int:
        return search(machine, [with_prompt.later(plan.tiles[0].depth)]).picoseconds

    assert prompt(second) < prompt(first)
    cramped = replace(machine, spm_bytes=ROOM * first.spm_bytes)
    assert search(cramped, [with_prompt]).tiles == search(cramped, [alone]).tiles


def test_what_suits_other_entries_counts_only_where_it_leaves_room() -> None:
    """Blocks of a prompt that fill the accumulators leave the choice to this entry alone."""
    machine = replace(SMALL, acc_bytes=1 << 14)
    alone = attention(1, 1024)
    assert search(machine, [replace(alone, later_rows=64)]).tiles == search(machine, [alone]).tiles


def test_the_asked_kv_block_is_kept() -> None:
    assert tiles(search(SMALL, [attention(kv_block=8)]))[0][1] == 8


def test_what_does_not_fit_is_named_with_the_size_that_would_do() -> None:
    kernels: list[Kernel] = [heads(), linear(label="blk.{l}.ffn_down", k=8192)]
    with pytest.raises(DoesNotFitError) as caught:
        search(replace(SMALL, spm_bytes=1 << 15), kernels)
    found = re.fullmatch(
        r"scratchpad of machine tw-small too small: 32768 bytes, and the smallest tiles of this "
        r"program need (\d+); `blk\.\{l\}\.ffn_down` needs most \(\d+ bytes for a tile of 1 row\)\."
        r" Use a machine with at least (\d+) bytes",
        str(caught.value),
    )
    assert found is not None, str(caught.value)
    assert found[1] == found[2]
    enough = int(found[1])
    check(SMALL, kernels, search(replace(SMALL, spm_bytes=enough), kernels))
    with pytest.raises(DoesNotFitError):
        search(replace(SMALL, spm_bytes=enough - 1), kernels)


def test_accumulators_too_small_are_named() -> None:
    kernels: list[Kernel] = [linear(), attention(kv_block=64)]
    with pytest.raises(DoesNotFitError, match="accumulators of machine tw-small") as caught:
        search(replace(SMALL, acc_bytes=1024), kernels)
    assert "`attention` needs most" in str(caught.value)
    enough = int(str(caught.value).split()[-2])
    search(replace(SMALL, acc_bytes=enough), kernels)


sizes = st.integers(1, 12).map(lambda exponent: 1 << exponent)
kernel_lists = st.lists(
    st.one_of(
        st.builds(linear, st.integers(1, 200), sizes, st.integers(1, 500)),
        st.builds(attention, st.integers(1, 64), sizes),
        st.builds(heads, st.integers(1, 64)),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=60)
@given(kernel_lists, st.integers(6, 20), st.integers(10, 20), st.integers(1, 1 << 18))
def test_random_machines(kernels: list[Kernel], spm: int, acc: int, more: int) -> None:
    """A plan never needs more than the machine has; more scratchpad never predicts more time."""
    machine = replace(SMALL, spm_bytes=1 << spm, acc_bytes=1 << acc)
    try:
        plan = search(machine, kernels)
    except DoesNotFitError:
        return
    check(machine, kernels, plan)
    larger = search(replace(machine, spm_bytes=machine.spm_bytes + more), kernels)
    assert larger.picoseconds <= plan.picoseconds
    deeper = search(replace(machine, acc_bytes=machine.acc_bytes + more), kernels)
    assert deeper.picoseconds <= plan.picoseconds
