"""Traces of timed steps, as Perfetto's trace processor reads them."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Generator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tilewright.backend.image import Image, read_image
from tilewright.backend.machine import Machine, load_machine
from tilewright.compiler import compile_model
from tilewright.compiler.cli import main
from tilewright.runtime.functional.builder import Builder
from tilewright.runtime.functional.loader import load
from tilewright.runtime.timing import TimingError, time_program
from tilewright.runtime.timing.decoded import Decoded, decoded
from tilewright.runtime.timing.events import run_events
from tilewright.runtime.timing.steps import TimedStep, time_step
from tilewright.runtime.timing.trace import StepTrace, record_launch, trace_step
from tilewright.runtime.timing.trace_file import write_trace
from tilewright.runtime.timing.trace_record import Recorder, Slice

from .processor import Processor, opened

SAMPLE = Path(__file__).parents[3] / "samples" / "tiny-shakespeare"
MOST = 10**6
NS = 1000
TRACKS = "slice s join track t on t.id = s.track_id"
STEPS = ("decode", "prefill")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "m.tw"
    compile_model(SAMPLE, machine="tw-small", max_context=64, chunk=16, output=path)
    return path


def stepped(image: Path, phase: str) -> tuple[Image, Machine, TimedStep]:
    """A decode, or a prompt of two launches."""
    found = read_image(image)
    machine = Machine.from_dict(found.machine)
    return found, machine, time_step(found, machine, phase, [24])


@pytest.fixture(scope="module", params=STEPS)
def trace(image: Path, request: pytest.FixtureRequest) -> StepTrace:
    found, machine, step = stepped(image, request.param)
    return trace_step(found, machine, step, None, MOST)


@pytest.fixture(scope="module")
def processor(trace: StepTrace, tmp_path_factory: pytest.TempPathFactory) -> Generator[Processor]:
    path = tmp_path_factory.mktemp("trace") / "step.pftrace"
    with path.open("wb") as file:
        write_trace(trace, file)
    with opened(path) as found:
        yield found


def test_the_trace_is_read_without_complaint(processor: Processor) -> None:
    assert processor.query("select name from stats where severity != 'info' and value > 0") == []


def test_slices_add_up_to_what_engines_are_charged_with(
    trace: StepTrace, processor: Processor
) -> None:
    wanted: Counter[tuple[str, str, str]] = Counter()
    for launch in trace.step.launches:
        for engine, charges in launch.engines.items():
            for charge, time in charges.items():
                wanted[engine, charge.cause, charge.op] += time
    rows = processor.query(
        "select t.name as engine, extract_arg(s.arg_set_id, 'debug.cause') as cause, extract_arg("
        f"s.arg_set_id, 'debug.op') as op, sum(s.dur) as time from {TRACKS} group by 1, 2, 3 "
        "having cause is not null and time > 0"
    )
    assert {(row["engine"], row["cause"], row["op"] or ""): row["time"] for row in rows} == wanted


def test_slices_of_an_engine_follow_each_other_without_a_gap(
    trace: StepTrace, processor: Processor
) -> None:
    for engine in trace.step.launches[0].engines:
        rows = processor.query(
            f"select ts, ts + dur as end, depth from {TRACKS} where t.name = '{engine}' and "
            "dur > 0 order by ts"
        )
        assert {row["depth"] for row in rows} == {0}
        assert rows[0]["ts"] == 0
        assert all(before["end"] == after["ts"] for before, after in pairwise(rows)), engine
        assert rows[-1]["end"] == trace.step.picoseconds


def test_names_are_those_of_the_model(trace: StepTrace, processor: Processor) -> None:
    rows = processor.query(
        f"select distinct s.name from {TRACKS} where t.name = 'mxu' and category = 'mm'"
    )
    ops = ("attn_qkv", "attention", "attn_output", "ffn_gate_up", "ffn_down")
    wanted = {f"blk.{layer}.{op}" for layer in range(4) for op in ops} | {"output"}
    assert {row["name"] for row in rows} == wanted
    product = processor.query(
        "select extract_arg(arg_set_id, 'debug.extents') as extents, extract_arg(arg_set_id, "
        "'debug.layer') as layer from slice where name = 'blk.3.ffn_down' and category = 'mm'"
    )[0]
    rows_of_it, columns, depth = map(int, product["extents"].split(" x "))
    assert rows_of_it <= trace.step.tokens
    assert columns <= 192
    assert depth <= 384
    assert product["layer"] == 3


def test_layers_lie_in_launches(trace: StepTrace, processor: Processor) -> None:
    rows = processor.query(
        "select s.name, s.ts, s.dur, p.name as parent from slice s join slice p on p.id = "
        "s.parent_id where s.name like 'layer %' order by s.ts"
    )
    starts = [0]
    for launch in trace.step.launches:
        starts.append(starts[-1] + launch.picoseconds)
    wanted = [
        {"name": f"layer {layer}", "ts": start + begin, "dur": end - begin, "parent": f"launch {n}"}
        for n, (start, launch) in enumerate(zip(starts, trace.step.launches, strict=False))
        for layer, (begin, end) in enumerate(pairwise(launch.layers))
    ]
    assert rows == wanted
    assert len(wanted) == 4 * len(trace.step.launches)


def test_no_ring_holds_more_than_its_slots(trace: StepTrace, processor: Processor) -> None:
    rows = processor.query(
        "select t.name, min(value) as least, max(value) as most, count() as n from counter c join "
        "track t on t.id = c.track_id where t.name like '@%' group by 1"
    )
    found = {row["name"]: (row["least"], row["most"]) for row in rows}
    channels = trace.launches[0].launch.program.channels
    assert len(found) == 2 * len(channels)
    for channel in channels:
        least, most = found[f"@{channel.name} in use, of {channel.slots}"]
        filled = found[f"@{channel.name} filled, of {channel.slots}"]
        assert 0 <= least <= most <= channel.slots
        assert 0 <= filled[0] <= filled[1] <= most
    for level in (level for launch in trace.launches for level in launch.record.levels):
        assert 0 <= level.filled <= level.used


def test_arrows_lead_from_what_fills_a_slot_to_what_takes_it(
    trace: StepTrace, processor: Processor
) -> None:
    rows = processor.query(
        "select s.ts + s.dur as filled, s.name as source, s.category as kind, st.name as sender, "
        "d.ts as taken, d.name as target, dt.name as receiver from flow f join slice s on s.id = "
        "f.slice_out join track st on st.id = s.track_id join slice d on d.id = f.slice_in join "
        "track dt on dt.id = d.track_id"
    )
    assert rows
    assert all(row["filled"] <= row["taken"] for row in rows)
    wanted: Counter[tuple[str, str]] = Counter()
    for launch in trace.launches:
        program = launch.launch.program
        for found in launch.record.slices:
            if found.extents is not None and found.cause != "move":
                timed = launch.launch.streams[found.engine][found.pc]
                for step in timed.begins:
                    channel = program.channels[step.channel]
                    if not step.producer:
                        wanted[channel.producer, launch.launch.engines[found.engine]] += 1
    assert Counter((row["sender"], row["receiver"]) for row in rows) == wanted
    weights = [row for row in rows if row["sender"] == "ld" and row["receiver"] == "mxu"]
    assert weights
    assert {row["kind"] for row in weights} == {"copy"}
    assert all(row["source"] == row["target"] for row in weights), "the same op of the same layer"


def test_main_memory_serves_every_byte(trace: StepTrace, processor: Processor) -> None:
    row = processor.query(
        "select sum(s.dur) as time, sum(extract_arg(s.arg_set_id, 'debug.bytes')) as bytes from "
        f"{TRACKS} where t.name = 'main memory'"
    )[0]
    launches = trace.step.launches
    assert row["time"] == sum(launch.memory_picoseconds for launch in launches)
    assert row["bytes"] == sum(launch.burst_bytes for launch in launches)
    values = processor.query(
        "select ts, value from counter c join track t on t.id = c.track_id where t.name = "
        "'main memory bandwidth' order by ts, c.id"
    )
    peak = trace.machine.hbm_bytes_per_second / 10**9
    assert max(value["value"] for value in values) <= peak * (1 + 1e-9)
    assert values[-1]["value"] == 0
    busy = sum(v["value"] / peak * (after["ts"] - v["ts"]) for v, after in pairwise(values))
    assert busy == pytest.approx(row["time"], rel=1e-9)


def test_recording_changes_nothing_and_is_the_same_each_time(trace: StepTrace) -> None:
    for launch, result in zip(trace.launches, trace.step.launches, strict=True):
        recorder = Recorder(launch.launch, 0, result.picoseconds, MOST)
        assert run_events(launch.launch, recorder) == run_events(launch.launch)
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        write_trace(trace, file)
    assert files[0].getvalue() == files[1].getvalue()


@pytest.mark.parametrize("phase", STEPS)
@pytest.mark.parametrize("layers", [(0, 1), (1, 3), (3, 4), (0, 4)])
def test_some_layers_are_a_part_of_the_whole(
    image: Path, phase: str, layers: tuple[int, int]
) -> None:
    found, machine, step = stepped(image, phase)
    whole = trace_step(found, machine, step, None, MOST)
    part = trace_step(found, machine, step, layers, MOST)
    for one, other, result in zip(whole.launches, part.launches, step.launches, strict=True):
        begin, end = other.record.begin, other.record.end
        assert begin == (result.layers[layers[0]] if layers[0] else 0)
        assert end == (result.layers[layers[1]] if layers[1] < 4 else result.picoseconds)
        assert tiles(other.record) == clipped(tiles(one.record), begin, end)
        assert spans(other.record) == clipped(spans(one.record), begin, end)
        assert at(other.record, begin) == at(one.record, begin)
        inside = [level for level in one.record.levels if begin < level.time <= end]
        assert other.record.levels[len(one.launch.program.channels) :] == inside
    assert (part.events < whole.events) == (layers != (0, 4))


def tiles(record: Recorder) -> list[Any]:
    return [s for s in record.slices if s.begin < s.end]


def spans(record: Recorder) -> list[Any]:
    """Services without their bytes, which count whole chunks."""
    return [s._replace(nbytes=0) for s in record.services]


def clipped(found: list[Any], begin: int, end: int) -> list[Any]:
    parts = [s._replace(begin=max(s.begin, begin), end=min(s.end, end)) for s in found]
    return [s for s in parts if s.begin < s.end]


def at(record: Recorder, time: int) -> dict[int, tuple[int, int]]:
    """The levels of all channels at a time."""
    levels = [level for level in record.levels if level.time <= time]
    return {level.channel: (level.used, level.filled) for level in levels}


def hand_made() -> tuple[Decoded, int]:
    """A queue with a ring of one slot that loads twice: 10 ns to issue, 64 to serve, 50 late."""
    machine = Machine.from_dict(
        load_machine("tw-small").to_dict()
        | {"clock_hz": 10**9, "hbm_bytes_per_second": 64 * 10**9, "hbm_latency_ps": 50 * NS}
        | {"dma_issue_ps": 10 * NS, "hbm_burst": 64}
    )
    b = Builder()
    x = b.region("x", "hbm", 0, 4096, "input")
    ring = b.channel("ring", "ld", ["mxu"], 1, 4096)
    for _ in range(2):
        load_it = b.dense(ring, "u8", 4096).beginning().ending()
        b.emit("ld", "copy", dst=load_it, src=b.dense(x, "u8", 4096))
        b.sync("mxu", "wait", ring)
        b.sync("mxu", "release", ring)
    result = time_program(b.program(), machine, {}, engine="events")
    return decoded(load(b.program(), machine), machine, ()), result.picoseconds


def test_a_launch_as_timed_by_hand() -> None:
    launch, end = hand_made()
    record = record_launch(Recorder(launch, 0, end, MOST))
    ld, mxu = launch.engines.index("ld"), launch.engines.index("mxu")
    by_engine: dict[int, list[Slice]] = defaultdict(list)
    for found in record.slices:
        by_engine[found.engine].append(found)
    times = [(s.begin // NS, s.end // NS, s.cause) for s in by_engine[ld]]
    assert times == [
        (0, 10, "issue"),
        (10, 124, "room @ring"),
        (124, 134, "issue"),
        (134, 248, "done"),
    ]
    times = [(s.begin // NS, s.end // NS, s.cause) for s in by_engine[mxu] if s.begin < s.end]
    assert times == [(0, 124, "wait @ring"), (124, 248, "wait @ring")]
    assert [(s.begin // NS, s.end // NS, s.nbytes) for s in record.services] == [
        (10, 74, 4096),
        (134, 198, 4096),
    ]
    assert [(level.time // NS, level.used, level.filled) for level in record.levels] == [
        (0, 1, 0),
        (124, 1, 0),
        (248, 0, 0),
    ]
    ends = [(record.slices[a.source], record.slices[a.target]) for a in record.arrows]
    assert [(a.begin // NS, b.begin // NS) for a, b in ends] == [(0, 124), (124, 248)]


def test_a_trace_that_grows_too_large_is_refused(image: Path) -> None:
    found, machine, step = stepped(image, "decode")
    whole = trace_step(found, machine, step, None, MOST)
    count = whole.events - len(whole.launches[0].launch.program.channels)
    wanted = r"more than 500 events, which reach \d+\.\d% of the launch's time; record some layers"
    with pytest.raises(TimingError, match=wanted):
        trace_step(found, machine, step, None, 500)
    assert trace_step(found, machine, step, None, count).events == whole.events


@pytest.mark.parametrize("layers", [(2, 2), (0, 5), (4, 5)])
def test_layers_that_do_not_exist_are_refused(image: Path, layers: tuple[int, int]) -> None:
    found, machine, step = stepped(image, "decode")
    with pytest.raises(TimingError, match="cannot be recorded: the program has layers 0:4"):
        trace_step(found, machine, step, layers, MOST)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    return int(stop.value.code or 0)


def test_the_command(image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "part.pftrace"
    arguments = ("trace", str(image), "-o", str(output), "--context", "8", "--layers", "1:2")
    assert run(*arguments) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{output}: ")
    assert "https://ui.perfetto.dev" in second
    with opened(output) as processor:
        names = processor.query("select name from slice where name like 'layer %'")
        assert names == [{"name": "layer 1"}]
        title = "decode of 1 behind 7 on tw-small (1 ns here is 1 ps)"
        assert (
            processor.query(f"select count() as n from track where name = '{title}'")[0]["n"] == 1
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--layers", "two"), "--layers 'two' is no range; write FIRST:END, for instance 0:2"),
        (("--phase", "train"), "--phase 'train' is unknown; choose: decode or prefill"),
        (("--layers", "3:9"), "layers 3:9 cannot be recorded: the program has layers 0:4"),
        (("--most-events", "9"), "the trace has more than 9 events"),
    ],
)
def test_the_command_says_what_is_wrong(
    image: Path, arguments: tuple[str, ...], message: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    output = tmp_path / "none.pftrace"
    assert run("trace", str(image), "-o", str(output), *arguments) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()
