"""No program beats its bounds: random models, machines and ragged steps, timed."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import event, given
from hypothesis import strategies as st
from long_runs import announce, fuzzed, refusal
from machines import random_machines, varied, write_machine
from models import Tiny
from random_models import FORMATS, models

from tilewright.backend.bounds import Bound, Ragged, Step, least_energy, least_work
from tilewright.backend.errors import TilewrightError
from tilewright.backend.machine import Machine
from tilewright.backend.timing.energy import energy_of
from tilewright.compiler.bound import bound_model
from tilewright.compiler.driver import compile_entry
from tilewright.compiler.frontend import EntryShape, Model, load_model
from tilewright.runtime.timing import TimingResult, time_program

CONTEXT = 24
Sequences = list[tuple[int, int]]
"""(cached, new) of each sequence."""


def test_ranges() -> None:
    announce(
        "test_bounds",
        {"machine, beside tw-small": str(random_machines()), "batch": "1 to 3", "new": "0 to 5"},
    )


@st.composite
def sequences(draw: st.DrawFn) -> Sequences:
    drawn = st.tuples(st.integers(0, CONTEXT - 5), st.integers(0, 5))
    return draw(st.lists(drawn, min_size=1, max_size=3))


@fuzzed(25)
@given(
    tiny=models(),
    numbers=random_machines(),
    rows=sequences(),
    weights=st.sampled_from(FORMATS),
    policy=st.sampled_from(("exact", "bf16")),
    wanted=st.floats(0, 1),
)
def test_no_program_is_faster_than_its_bound(
    tiny: Tiny, numbers: dict[str, int], rows: Sequences, weights: str | None, policy: str,
    wanted: float,
) -> None:  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "config.json"
        config = {**tiny.config(), "max_position_embeddings": 4 * CONTEXT}
        path.write_text(json.dumps(config))
        model, machine = load_model(path), varied(numbers)
        step = Step(tuple(Ragged(*row) for row in rows), int(wanted * sum(n for _, n in rows)))
        found = timed(model, machine, step, policy, weights, folder)
    if found is not None:
        bound = bound_model(model, step, machine, policy, weights).bound
        check(found, bound, machine)
        check_energy(found, bound, machine)


def timed(
    model: Model, machine: Machine, step: Step, policy: str, weights: str | None, folder: Path
) -> TimingResult | None:
    """The launch that the compiler makes of a step; None where the machine is too small."""
    shape = EntryShape("prefill", len(step.sequences), 5, CONTEXT)
    try:
        program = compile_entry(
            model.build(shape, policy), write_machine(machine, folder), weights=weights
        ).program
    except TilewrightError as error:
        said = str(error)
        assert ("too small" if machine.has_hbm else "do not fit") in said
        refusal("too small a machine")
        return None
    starts = [sum(s.new for s in step.sequences[:b]) for b in range(len(step.sequences))]
    parameters = {
        "rows": step.rows,
        "logit_rows": step.logit_rows,
        "row_start": starts,
        "q_len": [s.new for s in step.sequences],
        "kv_len": [s.cached for s in step.sequences],
    }
    return time_program(program, machine, parameters)


def check(found: TimingResult, bound: Bound, machine: Machine) -> None:
    """The whole, and each part against the resource that it speaks of."""
    event(f"binds: {bound.binds}")
    assert found.picoseconds >= bound.picoseconds
    assert found.memory_picoseconds >= bound.hbm_ps
    if machine.has_hbm:
        assert found.read_bytes >= bound.bytes.total - bound.bytes.written
        assert found.written_bytes >= bound.bytes.written
    else:
        assert found.read_bytes == found.written_bytes == 0
    assert found.causes("mxu").get("matmul", 0) >= bound.matrix_ps >= bound.peak_ps
    assert found.causes("vpu").get("vector", 0) >= bound.vector_ps


def check_energy(found: TimingResult, bound: Bound, machine: Machine) -> None:
    """The whole, what takes it one by one, and each count behind them."""
    taken, least = energy_of(machine, found.work), least_energy(machine, bound)
    assert taken.total >= least.total
    for part, joules in vars(least).items():
        assert getattr(taken, part) >= joules, part
    for count, number in vars(least_work(machine, bound)).items():
        assert getattr(found.work, count) >= number, count
