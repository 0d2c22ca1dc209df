"""The timing emulator on programs small enough to be timed by hand, and on compiled ones."""

from pathlib import Path

import numpy as np
import pytest

from tilewright.backend.image import read_image
from tilewright.backend.isa import View
from tilewright.backend.machine import Machine, load_machine
from tilewright.backend.timing import ARBITRATION_BYTES
from tilewright.compiler import compile_model
from tilewright.runtime.functional import Emulator, Memories
from tilewright.runtime.functional.builder import Builder
from tilewright.runtime.timing import Charge, TimingError, TimingResult, time_program
from tilewright.runtime.timing.decoded import Popped
from tilewright.runtime.timing.launch import ENGINES
from tilewright.runtime.timing.layout import MOST_MOVES

MACHINE = Machine.from_dict(
    load_machine("tw-small").to_dict()
    | {"clock_hz": 10**9, "hbm_bytes_per_second": 64 * 10**9, "hbm_latency_ps": 50_000}
    | {"dma_issue_ps": 10_000, "matrix_fill": 7, "vector_startup": 5, "lanes": 32}
    | {"array_rows": 32, "array_columns": 32, "arrays": 1, "weight_rows": 2}
    | {"vector_port_bytes": 10**6, "hbm_burst": 64}
)
"""1 ns a cycle, 64 bytes a nanosecond, 50 ns of latency, 10 ns to issue."""
NS = 1000
SAMPLE = Path(__file__).parents[3] / "samples" / "tiny-shakespeare"


def timed(b: Builder, popped: Popped | None = None, **parameters: int) -> TimingResult:
    """A launch as both engines time it, with every engine's charges adding up."""
    result = time_program(b.program(), MACHINE, parameters, engine="events", popped=popped)
    assert time_program(b.program(), MACHINE, parameters, popped=popped) == result
    for charges in result.engines.values():
        assert sum(charges.values()) == result.picoseconds
    return result


def test_scalars_take_cycles_and_loops_none() -> None:
    b = Builder()
    b.emit("vpu", "li", rd=1, imm=5)
    b.emit("vpu", "loop", counter=0, trips=3)
    b.emit("vpu", "alu", fn="add", rd=1, ra=1, imm=1)
    b.emit("vpu", "next", counter=0)
    assert timed(b).picoseconds == 4 * NS


def test_a_load_is_issued_served_and_late() -> None:
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    ring = b.channel("ring", "ld", ["mxu"], 1, 4096)
    load = b.dense(ring, "u8", 4096).beginning().ending()
    b.emit("ld", "copy", dst=load, src=b.dense(x, "u8", 4096))
    b.sync("mxu", "wait", ring)
    b.sync("mxu", "release", ring)
    result = timed(b)
    assert result.picoseconds == (10 + 64 + 50) * NS
    assert result.causes("mxu") == {"wait @ring": 124 * NS}
    assert result.causes("ld") == {"done": 114 * NS, "issue": 10 * NS}
    assert (result.read_bytes, result.written_bytes) == (4096, 0)


def test_a_second_load_waits_for_room_and_overlaps_nothing() -> None:
    """One slot: the second load is issued when the consumer has released the first."""
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    ring = b.channel("ring", "ld", ["mxu"], 1, 4096)
    b.emit("ld", "loop", counter=0, trips=2)
    load = b.dense(ring, "u8", 4096).beginning().ending()
    b.emit("ld", "copy", dst=load, src=b.dense(x, "u8", 4096))
    b.emit("ld", "next", counter=0)
    b.emit("mxu", "loop", counter=0, trips=2)
    b.sync("mxu", "wait", ring)
    b.sync("mxu", "release", ring)
    b.emit("mxu", "next", counter=0)
    result = timed(b)
    assert result.picoseconds == 2 * 124 * NS
    assert result.causes("ld")["room @ring"] == 114 * NS


def test_two_queues_share_main_memory_in_turn() -> None:
    """Chunks alternate, so both are done within one chunk of each other."""
    b = Builder()
    nbytes = 4 * ARBITRATION_BYTES
    x = b.region("x", "hbm", 0, nbytes, "input")
    for number, engine in enumerate(("ld", "ld1")):
        ring = b.channel(engine, engine, ["mxu"], 1, nbytes, base=number * nbytes)
        load = b.dense(ring, "u8", nbytes).beginning().ending()
        b.emit(engine, "copy", dst=load, src=b.dense(x, "u8", nbytes))
        b.sync("mxu", "wait", ring)
        b.sync("mxu", "release", ring)
    result = timed(b)
    assert result.picoseconds == 10 * NS + 2 * nbytes // 64 * NS + 50 * NS
    assert result.causes("mxu") == {
        "wait @ld": (60 + 7 * ARBITRATION_BYTES // 64) * NS,
        "wait @ld1": ARBITRATION_BYTES // 64 * NS,
    }


def test_products_follow_without_a_gap_and_results_are_late() -> None:
    b = Builder()
    left = b.region("a", "spm", 0, 4096, "local", owner="mxu")
    right = b.region("w", "spm", 4096, 4096, "local", owner="mxu")
    acc = b.channel("acc", "mxu", ["vpu"], 2, 4096, space="acc")
    for _ in range(2):
        b.emit("mxu", "mm", acc=b.dense(acc, "f32", 32, 32).beginning().ending(),
               a=b.dense(left, "bf16", 32, 32), b=b.dense(right, "bf16", 32, 32))  # fmt: skip
        b.sync("vpu", "wait", acc)
        b.sync("vpu", "release", acc)
    result = timed(b)
    assert result.engines["mxu"][Charge("matmul", "")] == 64 * NS
    assert result.picoseconds == (32 + 32 + 7) * NS


def test_sums_enter_the_accumulators_once_a_sub_tile_and_a_phase() -> None:
    """float32 by codes takes 3 phases, 80 rows of K on arrays of 32 take 3 sub-tiles."""
    b = Builder()
    left = b.region("a", "spm", 0, 16384, "local", owner="mxu")
    right = b.region("w", "spm", 16384, 4096, "local", owner="mxu")
    acc = b.channel("acc", "mxu", ["vpu"], 1, 4096, space="acc")
    b.emit("mxu", "mm", acc=b.dense(acc, "f32", 8, 16).beginning().ending(),
           a=b.dense(left, "f32", 8, 80), b=b.dense(right, "i8", 80, 16))  # fmt: skip
    b.sync("vpu", "wait", acc)
    b.sync("vpu", "release", acc)
    work = timed(b).work
    assert work.acc_bytes == 2 * 4 * 8 * 16 * 3 * 3
    assert work.spm_bytes == 4 * 8 * 80 + 80 * 16
    assert (work.macs4, work.macs8, work.macs16) == (0, 3 * 8 * 80 * 16, 0)


def test_bytes_in_flight_are_bounded() -> None:
    """Latency x bandwidth is 3,200 bytes: with two descriptors of 4,096 more, the third waits."""
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    ring = b.channel("ring", "ld", ["mxu"], 8, 4096)
    b.emit("ld", "loop", counter=0, trips=8)
    load = b.dense(ring, "u8", 4096).beginning().ending()
    b.emit("ld", "copy", dst=load, src=b.dense(x, "u8", 4096))
    b.emit("ld", "next", counter=0)
    b.emit("mxu", "loop", counter=0, trips=8)
    b.sync("mxu", "wait", ring)
    b.sync("mxu", "release", ring)
    b.emit("mxu", "next", counter=0)
    result = timed(b)
    assert result.causes("ld")["memory"] > 0
    assert result.picoseconds == (10 + 8 * 64 + 50) * NS


def test_short_runs_cost_whole_bursts() -> None:
    b = Builder()
    x = b.region("x", "hbm", 0, 64 * 256, "input")
    ring = b.channel("ring", "ld", ["mxu"], 1, 4096)
    column = b.at(x, View("f32", (64, 1), (256, 4)))
    b.emit("ld", "copy", dst=b.dense(ring, "f32", 64, 1).beginning().ending(), src=column)
    b.sync("mxu", "wait", ring)
    b.sync("mxu", "release", ring)
    result = timed(b)
    assert (result.read_bytes, result.burst_bytes) == (256, 64 * 64)


def test_a_token_is_signalled_when_the_store_is_done() -> None:
    b = Builder()
    y = b.region("y", "hbm", 0, 64, "state")
    ring = b.channel("ring", "vpu", ["st"], 1, 64)
    token = b.token("stored", "st", ["ld"], 1)
    b.sync("vpu", "acquire", ring)
    b.sync("vpu", "commit", ring)
    stored = b.dense(ring, "u8", 64).beginning().ending()
    b.emit("st", "copy", dst=b.dense(y, "u8", 64), src=stored)
    b.sync("st", "acquire", token)
    b.sync("st", "commit", token)
    b.sync("ld", "wait", token)
    b.sync("ld", "release", token)
    assert timed(b).causes("ld") == {"wait @stored": (10 + 1 + 50) * NS}


def test_a_small_move_is_held_up_by_a_large_one() -> None:
    """A move of ld1 stands during each of ld's four chunks, and passes between two of them."""
    b = Builder()
    nbytes = 4 * ARBITRATION_BYTES
    x = b.region("x", "hbm", 0, nbytes, "input")
    large = b.region("large", "spm", 0, nbytes, "local", "ld")
    small = b.region("small", "spm", nbytes, 4096, "local", "ld1")
    b.emit("ld", "copy", dst=b.dense(large, "u8", nbytes), src=b.dense(x, "u8", nbytes))
    for _ in range(60):
        b.emit("ld1", "copy", dst=b.dense(small, "u8", 64), src=b.dense(x, "u8", 64))
    result = timed(b)
    chunk = ARBITRATION_BYTES // 64 * NS
    assert result.held_up == {"ld": 3 * NS, "ld1": 4 * chunk}
    assert result.served == {"ld": 4 * chunk, "ld1": 60 * NS}


def test_a_move_on_chip_keeps_its_queue_and_leaves_main_memory_alone() -> None:
    machine = Machine.from_dict(MACHINE.to_dict() | {"vector_port_bytes": 64})
    b = Builder()
    near = b.region("near", "spm", 0, 8192, "local", "ld")
    b.emit("ld", "copy", dst=b.dense(near, "u8", 640), src=b.dense(near, "u8", 640, offset=4096))
    b.emit("ld", "fill", dst=b.dense(near, "u8", 640), value=b.constant(0.0))
    result = time_program(b.program(), machine, {}, engine="events")
    assert result == time_program(b.program(), machine, {})
    assert result.causes("ld") == {"move": (20 + 10) * NS, "issue": 20 * NS}
    assert (result.read_bytes, result.burst_bytes, result.work.spm_bytes) == (0, 0, 3 * 640)


def test_a_gather_reads_its_numbers_first() -> None:
    """Three rows of 64 bytes and a burst of numbers; a descriptor a row; two latencies."""
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    numbers = b.region("numbers", "hbm", 4096, 64, "input")
    near = b.region("near", "spm", 0, 4096, "local", "ld")
    b.emit("ld", "gather", dst=b.dense(near, "f32", 3, 16), src=b.dense(x, "f32", 64, 16),
           index=b.dense(numbers, "i32", 3))  # fmt: skip
    result = timed(b)
    assert (result.read_bytes, result.burst_bytes) == (3 * 64 + 12, 4 * 64)
    assert result.picoseconds == (3 * 10 + 4 + 2 * 50) * NS


def test_neighbouring_runs_share_bursts() -> None:
    """Every second number of 32: 16 bursts one by one, but the whole span has 2."""
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    near = b.region("near", "spm", 0, 4096, "local", "ld")
    b.emit("ld", "copy", dst=b.dense(near, "f32", 16, 1), src=b.at(x, View("f32", (16, 1), (8, 4))))
    assert timed(b).burst_bytes == 128


def test_popped_words_are_given_by_engine() -> None:
    b = Builder()
    ring = b.channel("count", "ld", ["mxu"], 1, 64, kind="scalar", largest=4)
    b.sync("ld", "acquire", ring)
    b.sync("ld", "commit", ring)
    b.emit("mxu", "pop", rd=0, channel=ring.id, offset=0)
    b.emit("mxu", "loop", counter=0, count=0)
    b.emit("mxu", "alu", fn="add", rd=1, ra=1, imm=1)
    b.emit("mxu", "next", counter=0)
    assert timed(b, {"mxu": [3]}).picoseconds == (2 + 3) * NS


def test_trips_that_repeat_are_added_up() -> None:
    """A million loads take no longer to time than a few, and each takes its time."""
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    ring = b.channel("ring", "ld", ["mxu"], 4, 4096)
    for engine in ("ld", "mxu"):
        b.emit(engine, "loop", counter=0, trips=10**6)
    load = b.dense(ring, "u8", 4096).beginning().ending()
    b.emit("ld", "copy", dst=load, src=b.dense(x, "u8", 4096))
    b.sync("mxu", "wait", ring)
    b.sync("mxu", "release", ring)
    for engine in ("ld", "mxu"):
        b.emit(engine, "next", counter=0)
    result = time_program(b.program(), MACHINE, {})
    assert result.picoseconds == (10 + 10**6 * 64 + 50) * NS
    assert result.read_bytes == 10**6 * 4096
    assert sum(result.causes("mxu").values()) == result.picoseconds


@pytest.mark.parametrize("engine", ENGINES)
def test_a_program_that_blocks_is_refused(engine: str) -> None:
    b = Builder()
    ring = b.channel("ring", "ld", ["mxu"], 1, 64)
    b.sync("mxu", "wait", ring)
    b.sync("mxu", "release", ring)
    wanted = r"mxu at instruction 0 \(sync\) is at wait of 'ring'"
    with pytest.raises(TimingError, match=wanted):
        time_program(b.program(), MACHINE, {}, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_popped_word_is_refused_by_name(engine: str) -> None:
    b = Builder()
    ring = b.channel("count", "ld", ["mxu"], 1, 64, kind="scalar", largest=4)
    b.sync("ld", "acquire", ring)
    b.sync("ld", "commit", ring)
    b.emit("mxu", "pop", rd=0, channel=ring.id, offset=0)
    with pytest.raises(TimingError, match="mxu at instruction 0: pops a word of @count that is"):
        time_program(b.program(), MACHINE, {}, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_read_beyond_the_launch_parameters_is_refused(engine: str) -> None:
    b = Builder()
    b.emit("vpu", "ldp", rd=0, word=7)
    b.emit("vpu", "loop", counter=0, count=0)
    b.emit("vpu", "next", counter=0)
    with pytest.raises(TimingError, match="vpu at instruction 0: reads word 7 of the launch"):
        time_program(b.program(), MACHINE, {}, engine=engine)


def test_an_absurd_latency_is_refused_by_the_fast_engine() -> None:
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    near = b.region("near", "spm", 0, 4096, "local", "ld")
    b.emit("ld", "loop", counter=0, trips=MOST_MOVES + 1)
    b.emit("ld", "copy", dst=b.dense(near, "u8", 64), src=b.dense(x, "u8", 64))
    b.emit("ld", "next", counter=0)
    machine = Machine.from_dict(MACHINE.to_dict() | {"hbm_latency_ps": 10**12})
    with pytest.raises(TimingError, match="more than 1048576 moves of a queue in flight at"):
        time_program(b.program(), machine, {})


def test_what_is_unknown_is_refused_by_name() -> None:
    b = Builder()
    b.region("x", "hbm", 0, 4096, "input")
    b.emit("vpu", "li", rd=0, imm=1)
    program = b.program()
    with pytest.raises(TimingError, match="engine 'slow' is unknown; use fast or events"):
        time_program(program, MACHINE, {}, engine="slow")
    with pytest.raises(TimingError, match="popped words of ld: the program has vpu"):
        time_program(program, MACHINE, {}, popped={"ld": [1]})
    with pytest.raises(TimingError, match="groq-like has no main memory, where the program has @x"):
        time_program(program, load_machine("groq-like"), {})


@pytest.mark.parametrize("machine", ["tw-small", "tw-1"])
@pytest.mark.parametrize(("entry", "tokens"), [("decode", 1), ("prefill", 13)])
def test_a_timed_launch_is_the_launch_that_runs(
    machine: str, entry: str, tokens: int, tmp_path: Path
) -> None:
    """The same instructions are executed, and no byte moves faster than main memory allows."""
    path = tmp_path / "m.tw"
    compile_model(SAMPLE, machine=machine, max_context=64, chunk=16, output=path)
    image = read_image(path)
    program, described = image.entries[entry], Machine.from_dict(image.machine)
    parameters = {
        "rows": tokens,
        "logit_rows": 1,
        "row_start": [0],
        "q_len": [tokens],
        "kv_len": [0],
    }
    result = time_program(program, described, parameters, image.opcodes)
    for charges in result.engines.values():
        assert sum(charges.values()) == result.picoseconds
    assert result.memory_picoseconds <= result.picoseconds
    assert "blk.{l}.ffn_down" in result.ops("mxu")
    emulator = Emulator(program, described, Memories.from_image(image), opcodes=image.opcodes)
    emulator.write("tokens", np.arange(tokens, dtype=np.int32))
    emulator.write("logit_index", np.zeros(1, np.int32))
    assert emulator.run(parameters) == result.instructions
    again = time_program(program, described, parameters, image.opcodes)
    assert again == result
