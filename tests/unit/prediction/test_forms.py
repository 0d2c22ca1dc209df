"""Closed forms of kernels, by hand and on random machines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest

from tilewright.backend.machine import Machine, load_machine
from tilewright.backend.prediction import (
    AttentionKernel,
    Launch,
    LinearKernel,
    Part,
    Plan,
    RowsKernel,
    Turn,
    predict_launch,
)
from tilewright.backend.prediction.attention import attention_demand
from tilewright.backend.prediction.demand import KV, WEIGHTS, Demand
from tilewright.backend.prediction.linear import linear_demand
from tilewright.backend.prediction.pace import Pace
from tilewright.backend.prediction.pipeline import Pipeline, Trip
from tilewright.backend.prediction.rows import rows_demand
from tilewright.backend.prediction.step import Passage

MACHINE = load_machine("essay-3tbs")
"""One cycle is a nanosecond."""
CYCLE = 1000
LINEAR = LinearKernel(
    op="linear", repeats=1, count="rows", k=4096, n=4096, panel=512, last_columns=0, last_depth=0,
    block=1, block_bytes=1024, phases=1, rows=1, at_once=True, depth=512, source="vector",
    source_bytes=4, gathered=False, spilled_rows=0, norm=True, squared=False, pieces=1,
    through_vector=True, result="vector", result_bytes=4, out_columns=512, panels=1, passes=1,
    residuals=0, turned=(), angle_bytes=0,
)  # fmt: skip
ATTENTION = AttentionKernel(
    op="attention", repeats=1, heads=8, kv_heads=8, head=128, operand_bytes=2, kv_bytes=2,
    result_bytes=2, phases=1, queries=1, whole=False, full=False, rows=1,
    depth=128, block_heads=8, skew=0, query="matrix", own=True, result="matrix",
)  # fmt: skip
ROWS = RowsKernel(
    op="rows", repeats=1, count="rows", rows=128, picked=False,
    parts=(Part(16384, 1, ((1, 4096),), 8192, 1),), result="memory", appended=0,
)  # fmt: skip
DEEP = {"weights": 64, "kv": 64, "sums": 8, "scores": 8, "pv": 8, "out": 2, "rows": 2}


def one_row(cached: int) -> Launch:
    return Launch(1, 1, ((cached, 1),))


def test_a_matmul_of_one_row() -> None:
    found = linear_demand(LINEAR, 1, 1, Pace(MACHINE, DEEP))
    # A tile of 512 x 512: four sub-tiles deep, 8 cycles each for their weights, one scalar.
    assert found.compute == 8 * 8 * (4 * 8 + 1) * CYCLE
    # Sum of squares, rsqrt and product: 32 cycles of start-up and one of work.
    assert found.lead == 3 * 33 * CYCLE
    assert found.tail == (264 + 33) * CYCLE
    assert found.stream == pytest.approx(64 * 512 * 1024 / 3, rel=1e-5)
    assert (found.ring, found.traffic, found.handed) == (WEIGHTS, 0, False)


def test_a_matmul_out_of_main_memory_pays_for_the_way() -> None:
    far = replace(LINEAR, source="memory", result="memory", rows=128, at_once=False)
    pace = Pace(MACHINE, DEEP)
    near, found = linear_demand(LINEAR, 1, 1, pace), linear_demand(far, 1, 1, pace)
    moved = pace.issue + pace.latency
    assert found.lead == near.lead + moved + pace.move(4096 * 4)
    assert found.tail == near.tail + moved + pace.move(512 * 4)
    assert found.traffic == pace.move(2 * 4096 * 4)
    blocks = linear_demand(far, 256, 256, pace)
    assert blocks.stream == pytest.approx(2 * found.stream)
    assert blocks.compute > 2 * linear_demand(far, 128, 128, pace).compute


def test_a_short_ring_is_a_round_trip() -> None:
    found = linear_demand(LINEAR, 1, 1, Pace(MACHINE, {**DEEP, "weights": 2}))
    trip = 50_000 + Pace(MACHINE, {}).move(512 * 1024) + 600_000 + 33 * CYCLE
    assert found.compute == pytest.approx(64 * trip / 2)


def test_one_task_of_attention() -> None:
    pace = Pace(MACHINE, DEEP)
    found = attention_demand(ATTENTION, [(127, 1)], pace)
    # 127 loaded positions and one on chip for each of 8 heads: 8 cycles a product, and scalars that
    # four heads share: 3 for what is loaded, 5 for what is on chip.
    products = 9 + 8 * 8 + 2 * 3 + 8 * 8 + 2 * 5
    softmax = 2 + 3 * 33
    assert found.compute == (30 + 2 * products + 264 + softmax) * CYCLE
    # Keys and values; eight such moves may be in flight, which is a little less than all the time.
    assert found.stream == pytest.approx(2 * pace.arrival(127 * 8 * 128 * 2) / 8)
    assert (found.ring, found.ahead, found.handed) == (KV, True, True)
    assert attention_demand(ATTENTION, [(500, 0)], Pace(MACHINE, DEEP)) == Demand("attention")


def test_keys_of_the_step_out_of_main_memory_do_not_come_ahead() -> None:
    far = replace(ATTENTION, own=False, query="memory", result="memory")
    assert not attention_demand(far, [(127, 1)], Pace(MACHINE, DEEP)).ahead


def trips(trip: Trip, count: int, skew: int, slots: int = 9) -> tuple[int, int]:
    """The end of so many trips, one by one and as they repeat."""
    ends: list[int] = []
    for once in (1, count):
        pipeline = Pipeline(skew, 30, dict.fromkeys(("query", "kv", "scores", "p", "pv"), slots))
        for _ in range(count // once):
            pipeline.repeat(once, partial(pipeline.step, trip))
        pipeline.drain()
        ends.append(pipeline.matrix)
    return ends[0], ends[1]


@pytest.mark.parametrize(
    ("trip", "periods"),
    [
        # Bound by products; without a pipeline PV waits for the softmax.
        (Trip(scores=100, softmax=50, kept=10, mix=100, update=20), (280, 200, 200)),
        # Bound by what waits for itself a trip before, or two.
        (Trip(scores=10, softmax=50, kept=10, mix=10, update=300), (390, 390, 360)),
        # Bound by the vector unit.
        (Trip(scores=10, softmax=500, kept=90, mix=10, update=20), (610, 610, 610)),
    ],
)
def test_a_pipeline_repeats_by_its_period(trip: Trip, periods: tuple[int, int, int]) -> None:
    for skew, period in enumerate(periods):
        by_one, repeated = trips(trip, 1000, skew)
        assert by_one == repeated
        assert repeated - trips(trip, 600, skew)[1] == 400 * period
        assert trips(trip, 1, skew)[1] <= trips(trip, 2, skew)[1] <= repeated


def test_queries_come_by_their_ring() -> None:
    task = Trip(scores=100, softmax=50, kept=10, mix=100, update=20, way=900, last=True)
    ends = [trips(task, count, 2, slots=2)[1] for count in (600, 1000)]
    # A slot is loaded and used in turn, and there are two.
    assert ends[1] - ends[0] == 400 * (900 + 200) // 2


def test_a_short_ring_of_keys_and_values_is_a_round_trip() -> None:
    block = Trip(scores=100, softmax=50, kept=10, mix=100, update=20, load=900)
    for slots, period in ((4, 2 * (900 + 100) // 4), (20, 200)):
        ends = [trips(block, count, 2, slots)[1] for count in (600, 1000)]
        assert ends[1] - ends[0] == pytest.approx(400 * period, rel=0.1)


def test_tasks_of_a_chain_overlap() -> None:
    pace = Pace(MACHINE, DEEP)
    none, cut = (
        attention_demand(replace(ATTENTION, skew=skew), [(500, 1)] * 5, pace).compute
        for skew in (0, 2)
    )
    one = attention_demand(replace(ATTENTION, skew=2), [(500, 1)], pace).compute
    assert cut < 4.5 * one < 4.5 * none / 5
    # Blocks of heads are a chain of each sequence, so that the next sequence begins anew.
    heads = replace(ATTENTION, skew=2, block_heads=2)
    one, two = (attention_demand(heads, [(100, 1)] * n, pace).compute for n in (1, 2))
    assert two > 1.9 * one


def test_heads_are_turned_behind_each_panel() -> None:
    pace = Pace(MACHINE, DEEP)
    plain = replace(LINEAR, result="memory", rows=512, at_once=False)
    turns = (Turn(6, ((4, 64),) * 4, 1024, 1), Turn(2, ((4, 128),), 1024, 4))
    found = linear_demand(replace(plain, turned=turns, angle_bytes=512), 512, 512, pace)
    before = linear_demand(plain, 512, 512, pace)
    passes = pace.vector(512 * 4, 128, 3)
    assert found.tail == pace.fill + pace.vector(512, 512, 3) + passes + pace.arrival(512 * 1024, 4)
    assert (
        found.traffic == pace.move(512 * (512 + 8 * 1024)) < before.traffic + pace.move(512 * 512)
    )
    slow = replace(turns[0], passes=((4, 64),) * 4000)
    busy = linear_demand(replace(plain, turned=(slow, turns[1])), 512, 512, pace)
    assert busy.compute > 6 * 4000 * pace.vector(512 * 4, 64, 3) > found.compute


def test_rows_take_the_busiest_of_their_resources() -> None:
    pace = Pace(MACHINE, DEEP)
    found = rows_demand(ROWS, [256], pace)
    ends = pace.issue + pace.latency
    assert found.lead == 2 * (pace.move(128 * 16384) + pace.move(128 * 8192)) + ends
    one = rows_demand(ROWS, [256], Pace(MACHINE, {**DEEP, "rows": 1}))
    assert one.lead == 2 * (pace.arrival(128 * 16384) + pace.vector(128, 4096, 3)) + ends
    assert found.traffic == pace.move(256 * (16384 + 8192))
    assert rows_demand(ROWS, [0], pace) == Demand("rows")


def passage(*order: Demand, slots: int = 4) -> dict[str, float]:
    return Passage(order, Pace(MACHINE, {"weights": slots, "kv": slots})).times()


def test_weights_come_ahead_as_far_as_their_ring_has_room() -> None:
    long = Demand("a", compute=1e9, ring=WEIGHTS, pieces=[(1, 10.0)], turn=1)
    short = Demand("b", compute=1, ring=WEIGHTS, pieces=[(10, 10.0)], turn=1)
    assert passage(long, short) == {"a": 1e9, "b": 60, "": 0}
    assert passage(long, short, slots=20)["b"] == 1
    # What stands before the first product is time to fill the ring, and no more than that.
    assert passage(long, replace(short, lead=1000))["b"] == 1060


def test_the_other_ring_takes_its_turns() -> None:
    first = Demand("a", compute=1e9, ring=WEIGHTS, pieces=[(1, 10.0)], turn=1)
    keys = Demand("k", compute=1, ring=KV, pieces=[(4, 10.0)], turn=1)
    bound = Demand("b", compute=1, ring=WEIGHTS, pieces=[(10, 10.0)], turn=1)
    found = passage(first, keys, bound, keys)
    # The ring of keys was full at k; behind it both rings are filled, 6 + 4 slots, keys first.
    assert found["k"] == 2
    assert found["b"] == pytest.approx(60 + 40, abs=2)


def test_who_waits_for_a_result() -> None:
    makes = Demand("a", compute=1e9, tail=500, ring=WEIGHTS, pieces=[(1, 1.0)], turn=1)
    reads = Demand("b", lead=100, compute=7, ring=WEIGHTS, pieces=[(1, 1.0)], turn=1)
    between = Demand("r", lead=30, tail=4)
    assert passage(makes, between, reads) == {"a": 1e9, "b": 500 + 34 + 100 + 7, "": 0}
    handed = replace(makes, handed=True)
    assert passage(handed, reads) == {"a": 1e9 + 500, "b": 107, "": 0}
    assert passage(makes, replace(between, handed=True), reads)["r"] == 534


def random_machines(seed: int, count: int) -> Iterator[Machine]:
    pick = random.Random(seed)
    for _ in range(count):
        yield replace(
            MACHINE,
            arrays=pick.choice((1, 2, 4, 8)),
            array_rows=pick.choice((16, 64, 128)),
            array_columns=pick.choice((16, 64, 128)),
            weight_rows=pick.choice((1, 4, 16)),
            lanes=pick.choice((64, 1024, 4096)),
            hbm_bytes_per_second=pick.choice((10**10, 819 * 10**9, 3 * 10**12)),
            hbm_latency_ps=pick.choice((100_000, 600_000, 2_000_000)),
            dma_issue_ps=pick.choice((5_000, 50_000)),
        )


def random_plan(pick: random.Random) -> Plan:
    """A layer of a small model, repeated, and an output matmul."""
    home = pick.choice(("memory", "vector"))
    linear = replace(
        LINEAR,
        k=pick.choice((512, 4096)),
        n=pick.choice((512, 2048, 3000)),
        depth=pick.choice((64, 512)),
        last_columns=448,
        last_depth=64,
        source=home,
        result=home,
        rows=pick.choice((1, 64, 512)),
        at_once=home == "vector",
    )
    layers = pick.randint(1, 5)
    attention = replace(
        ATTENTION,
        skew=pick.randint(0, 2),
        depth=pick.choice((64, 256)),
        block_heads=pick.choice((1, 8)),
        own=home == "vector",
        query="matrix" if home == "vector" else "memory",
    )
    slots = {ring: pick.randint(1, 30) for ring in (*DEEP, "operand", "residual")}
    order = [linear, ROWS, attention, replace(linear, op="down")]
    layer = [replace(kernel, repeats=layers) for kernel in order]
    return Plan((*layer, replace(linear, op="output", count="logit_rows", repeats=1)), slots)


def random_launch(pick: random.Random) -> Launch:
    sequences = tuple((pick.randint(0, 3000), 1) for _ in range(pick.randint(1, 9)))
    return Launch(len(sequences), len(sequences), sequences)


@pytest.mark.parametrize("seed", range(40))
def test_never_less_than_the_bytes_or_the_products(seed: int) -> None:
    pick = random.Random(seed)
    plan, launch = random_plan(pick), random_launch(pick)
    for machine in random_machines(seed, 3):
        found = predict_launch(plan, machine, launch)
        assert all(time >= 0 for time in found.values())
        pace = Pace(machine, plan.slots)
        nbytes = products = 0.0
        for kernel in plan.kernels:
            match kernel:
                case LinearKernel():
                    demand = linear_demand(kernel, launch.counted_by(kernel.count), 1, pace)
                case AttentionKernel():
                    demand = attention_demand(kernel, launch.sequences, pace)
                case RowsKernel():
                    continue
            nbytes += kernel.repeats * (demand.stream + demand.traffic)
            products += kernel.repeats * demand.compute
        # A sum of many floats: a part in a million is rounding.
        assert sum(found.values()) >= max(nbytes, products) * (1 - 1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_never_slower_with_more_bandwidth_and_never_faster_behind_a_longer_context(
    seed: int,
) -> None:
    pick = random.Random(seed)
    plan, launch = random_plan(pick), random_launch(pick)
    longer = replace(launch, sequences=tuple((c + 1000, n) for c, n in launch.sequences))
    for machine in random_machines(seed, 3):
        time = sum(predict_launch(plan, machine, launch).values())
        double = replace(machine, hbm_bytes_per_second=2 * machine.hbm_bytes_per_second)
        assert sum(predict_launch(plan, double, launch).values()) <= time * (1 + 1e-6)
        assert sum(predict_launch(plan, machine, longer).values()) >= time * (1 - 1e-6)


def test_layers_repeat_and_rows_that_are_not_there_take_no_time() -> None:
    one = Plan((replace(LINEAR, repeats=1),), DEEP)
    many = Plan((replace(LINEAR, repeats=9),), DEEP)
    first, nine = (predict_launch(plan, MACHINE, one_row(5))["linear"] for plan in (one, many))
    assert 8.5 * first < nine < 9 * first, "the first latency is paid once"
    assert predict_launch(one, MACHINE, Launch(0, 0, ())) == {"": 0}


def test_without_main_memory_nothing_is_loaded_that_lies_in_place() -> None:
    machine = load_machine("groq-like")
    far = replace(LINEAR, source="memory", result="memory", through_vector=False, norm=False)
    plan = Plan((far, replace(ROWS, op="rows"), replace(far, op="next")), DEEP)
    found = predict_launch(plan, machine, one_row(5))
    pace = Pace(machine, DEEP)
    products = 8 * 8 * pace.product(1, 512, 512, 1, 1)
    assert products <= found["linear"] <= products + pace.issue
    # Behind the rows the vector unit's pass, and the store of what is no box of its global.
    after = pace.fill + pace.vector(1, 512, 3) + pace.vector(1, 4096, 3) + 2 * pace.issue
    assert found["next"] == pytest.approx(products + after, rel=0.05)
    picked = replace(ROWS, picked=True)
    assert sum(predict_launch(Plan((picked,), DEEP), machine, one_row(5)).values()) > pace.issue


def test_panels_that_share_sums_have_one_epilogue() -> None:
    pace = Pace(MACHINE, DEEP)
    wide = replace(LINEAR, panels=8, squared=True)
    apart, found = (linear_demand(kernel, 1, 1, pace) for kernel in (LINEAR, wide))
    assert found.compute == apart.compute == 64 * pace.product(1, 512, 512, 1, 1)
    assert found.tail == pace.fill + pace.vector(1, 4096, 3)
    assert apart.tail == pace.fill + pace.vector(1, 512, 3)
    assert found.lead == apart.lead - pace.vector(1, 4096, 3), "squares are known"
    two = linear_demand(replace(LINEAR, panels=2), 1, 1, Pace(MACHINE, {**DEEP, "sums": 1}))
    one = linear_demand(LINEAR, 1, 1, Pace(MACHINE, {**DEEP, "sums": 1}))
    assert one.compute - two.compute == pytest.approx(4 * (pace.fill + pace.vector(1, 512, 3)))


def test_rows_in_pieces_are_waited_for_less() -> None:
    reads = replace(LINEAR, op="next", norm=False, through_vector=False, source="matrix", pieces=4)
    found = linear_demand(reads, 1, 1, Pace(MACHINE, DEEP))
    assert found.early == found.compute * 3 / 4
    makes = Demand("a", compute=1e9, tail=found.compute, ring=WEIGHTS, pieces=[(1, 1.0)], turn=1)
    times = [passage(makes, replace(found, early=e, pieces=()))["next"] for e in (0, found.early)]
    assert times == [2 * found.compute, 1.25 * found.compute]


def test_all_positions_in_one_block_have_no_running_state() -> None:
    pace = Pace(MACHINE, DEEP)
    whole = attention_demand(replace(ATTENTION, whole=True), [(127, 1)], pace)
    running = attention_demand(ATTENTION, [(127, 1)], pace)
    assert whole.tail == running.tail - 2 * pace.vector(1, 1)
    products = 5 + 8 * 8 + 2 * 3 + 8 * 8 + 2 * 4
    assert whole.compute == (14 + 2 * products + 264 + 2 + 2 * 33) * CYCLE < running.compute
