"""The timing engines agree to the picosecond, with each other and with a model of their page."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st
from long_runs import announce, fuzzed
from machines import write_machine
from stepped import Stepped
from timing_programs import Example, random_machine, random_program

from tilewright.backend.image import Image, read_image
from tilewright.backend.machine import Machine, load_machine
from tilewright.compiler import compile_model
from tilewright.runtime.functional.loader import load
from tilewright.runtime.functional.parameters import launch_words
from tilewright.runtime.timing import Charge, TimingResult, layout
from tilewright.runtime.timing.decoded import Decoded, decoded
from tilewright.runtime.timing.events import run_events
from tilewright.runtime.timing.fast import build_tables, run_tables
from tilewright.runtime.timing.layout import NEVER
from tilewright.runtime.timing.result import result_of
from tilewright.runtime.timing.trace import record_launch
from tilewright.runtime.timing.trace_record import Recorder

SEEDS = st.integers(0, 10**6)
SAMPLE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"
CYCLES_MACHINE = {"hbm_bytes_per_second": 32 * 10**9}
"""tw-small with durations of whole cycles."""
SAMPLE_LAYERS = json.loads((SAMPLE / "config.json").read_text())["num_hidden_layers"]
LONGEST_PS = 30_000_000
"""Launches that the stepped model takes."""


def test_ranges() -> None:
    announce("test_timing", {"programs": "timing_programs.py", "machine": "random_machine"})


def launched(example: Example, machine: Machine) -> Decoded:
    loaded = load(example.program, machine)
    words = launch_words(example.program, dict(example.parameters))
    return decoded(loaded, machine, words.tolist(), example.popped)


def fast(launch: Decoded, worth: int) -> tuple[TimingResult, int]:
    """The compiled engine's result, and how often it skipped."""
    tables = build_tables(launch, worth)
    run_tables(tables)
    return result_of(launch, tables.tally()), int(tables.state[layout.SKIPS])


def recorded(launch: Decoded, picoseconds: int) -> dict[str, dict[Charge, int]]:
    """The charges of all engines as the slices of a trace add up."""
    record = record_launch(Recorder(launch, 0, picoseconds, most=10**7))
    found = {name: Counter[Charge]() for name in launch.engines}
    for piece in record.slices:
        name = launch.engines[piece.engine]
        places = launch.program.locations.get(name) if piece.pc >= 0 else None
        charge = Charge(piece.cause, places[piece.pc] if places else "")
        found[name][charge] += piece.end - piece.begin
    for level in record.levels:
        assert 0 <= level.filled <= level.used <= launch.program.channels[level.channel].slots
    for arrow in record.arrows:
        assert record.slices[arrow.source].end <= record.slices[arrow.target].begin
    return {name: {c: t for c, t in charges.items() if t} for name, charges in found.items()}


def same_everywhere(launch: Decoded) -> TimingResult:
    """The result of all three ways of the emulator, which must be one."""
    wanted = result_of(launch, run_events(launch))
    for charges in wanted.engines.values():
        assert sum(charges.values()) == wanted.picoseconds
    assert recorded(launch, wanted.picoseconds) == wanted.engines
    assert fast(launch, NEVER) == (wanted, 0)
    assert fast(launch, 0)[0] == wanted
    return wanted


def agrees_with_the_page(launch: Decoded, wanted: TimingResult) -> None:
    """Time, causes, instructions and main memory as the cycle-stepped model has them."""
    popped = dict(zip(launch.engines, map(list, launch.popped), strict=True))
    model = Stepped(launch.program, launch.machine, list(launch.words), popped)
    cycles = model.run()
    assert cycles * model.cycle == wanted.picoseconds
    for engine in model.engines:
        causes = {cause: count * model.cycle for cause, count in engine.charges.items() if count}
        assert causes == wanted.causes(engine.name), engine.name
        assert engine.executed == wanted.instructions[engine.name]
    for found, times in ((model.served, wanted.served), (model.held_up, wanted.held_up)):
        assert {name: count * model.cycle for name, count in found.items() if count} == times


@fuzzed(40)
@given(seed=SEEDS)
def test_engines_agree_on_random_programs(seed: int) -> None:
    wanted = same_everywhere(
        launched(random_program(seed), random_machine(random.Random(seed), False))
    )
    for cause in ("memory", "contention", "move"):
        event(f"{cause}: {any(cause in wanted.causes(e) for e in wanted.engines)}")


@fuzzed(25)
@given(seed=SEEDS)
def test_the_page_says_the_same(seed: int) -> None:
    example = random_program(seed, 5)
    launch = launched(example, random_machine(random.Random(seed), True))
    wanted = same_everywhere(launch)
    if wanted.picoseconds < LONGEST_PS:
        agrees_with_the_page(launch, wanted)


Sample = Callable[[int, str], Image]


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """The sample compiled for a machine of whole cycles, by batch and policy."""
    folder = tmp_path_factory.mktemp("images")
    numbers = load_machine("tw-small").to_dict() | CYCLES_MACHINE | {"name": "cycles"}
    machine = write_machine(Machine.from_dict(numbers), folder)

    @cache
    def image(batch: int, policy: str) -> Image:
        path = folder / f"{batch}-{policy}.tw"
        compile_model(SAMPLE, machine=machine, max_context=64, chunk=16, batch=batch,
                      policy=policy, output=path)  # fmt: skip
        return read_image(path)

    return image


@pytest.mark.parametrize("policy", ["exact", "bf16"])
@pytest.mark.parametrize(
    ("entry", "new", "cached"),
    [
        ("decode", [1], [20]),
        ("prefill", [13], [0]),
        ("decode", [1, 0, 1], [5, 0, 40]),
        ("prefill", [7, 3, 0], [0, 11, 2]),
        ("decode", [0], [0]),
    ],
    ids=str,
)
def test_all_agree_on_a_compiled_model(
    policy: str, entry: str, new: list[int], cached: list[int], sample: Sample
) -> None:
    image = sample(len(new), policy)
    program, machine = image.entries[entry], Machine.from_dict(image.machine)
    parameters = {
        "rows": sum(new),
        "logit_rows": int(any(new)),
        "row_start": [sum(new[:b]) for b in range(len(new))],
        "q_len": new,
        "kv_len": cached,
    }
    loaded = load(program, machine, image.opcodes)
    launch = decoded(loaded, machine, launch_words(program, parameters).tolist())
    wanted = same_everywhere(launch)
    assert len(wanted.layer_picoseconds) == SAMPLE_LAYERS
    assert min(wanted.layer_picoseconds) >= 0
    if len(new) == 1:
        agrees_with_the_page(launch, wanted)
