"""Points are measured once, in any number of processes, and what goes wrong is told."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import read_image
from tilewright.backend.machine import Machine, load_machine
from tilewright.backend.timing.energy import Work, area_of, energy_of
from tilewright.compiler import compile_model
from tilewright.compiler.frontend import load_model
from tilewright.compiler.sweep import (
    Cache,
    Measured,
    Point,
    Sweep,
    SweepError,
    Workload,
    cache,
    measure,
    model_digest,
    points_of,
    read_settings,
    result_key,
    run_points,
)
from tilewright.runtime.timing import time_step

MODEL = Path(__file__).parents[3] / "samples" / "tiny-shakespeare"
SMALL = load_machine("tw-small")
DECODE = Workload(str(MODEL), "decode", (48,), "bf16")
DIGEST = model_digest(load_model(MODEL))


def points(*texts: str) -> tuple[Point, ...]:
    return points_of([SMALL], read_settings(texts))


class Counting:
    """Measures nothing and counts: time is the number of lanes, which 13 stop."""

    def __init__(self) -> None:
        self.machines: list[Machine] = []

    def __call__(self, workload: Workload, machine: Machine) -> Measured:
        self.machines.append(machine)
        if machine.lanes == 13:
            raise TilewrightError("13 lanes\n  are too few")
        if machine.lanes == 14:
            raise ZeroDivisionError("14 lanes")
        if machine.lanes == 15:
            raise KeyboardInterrupt
        work = Work(hbm_bytes=machine.lanes, picoseconds=machine.lanes)
        return Measured(machine.lanes, 1, "hbm", 2, 3, 4, work)


def counted(given: Sequence[Point], store: Cache | None = None) -> tuple[Sweep, int]:
    """A sweep, and how many machines were measured for it."""
    counting = Counting()
    found = run_points(given, DECODE, DIGEST, store, measured_by=counting)
    return found, len(counting.machines)


def test_a_result_is_measured_once(tmp_path: Path) -> None:
    given = points("lanes=16,13,32")
    first, count = counted(given, Cache(tmp_path))
    assert (count, first.computed, first.kept) == (3, 3, 0)
    second, count = counted(given, Cache(tmp_path))
    assert (count, second.computed, second.kept) == (0, 0, 3)
    assert second.results == first.results
    assert [result.refused for result in first.results] == ["", "13 lanes are too few", ""]
    _, count = counted(points("lanes=16,64"), Cache(tmp_path))
    assert count == 1
    assert counted(given)[1] == 3


def test_equal_machines_are_one(tmp_path: Path) -> None:
    twice = points_of([SMALL, SMALL], read_settings(["lanes=16,32"]))
    found, count = counted(twice)
    assert count == 2
    assert found.results[:2] == found.results[2:]


def test_what_broke_is_told_and_not_kept(tmp_path: Path) -> None:
    found, _ = counted(points("lanes=14,16"), Cache(tmp_path))
    assert [result.failed for result in found.results] == ["ZeroDivisionError: 14 lanes", ""]
    assert found.front == (False, True)
    _, count = counted(points("lanes=14,16"), Cache(tmp_path))
    assert count == 1


def test_an_interrupted_sweep_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        counted(points("lanes=16,15,32"), Cache(tmp_path))
    assert [path.suffix for path in tmp_path.iterdir()] == [".json"]
    found, count = counted(points("lanes=16,32"), Cache(tmp_path))
    assert (count, found.kept) == (1, 1)


def test_a_damaged_result_is_measured_again(tmp_path: Path) -> None:
    given = points("lanes=16")
    first, _ = counted(given, Cache(tmp_path))
    (path,) = tmp_path.iterdir()
    whole = path.read_text()
    for text in (
        "",
        whole[:-9],
        "[]",
        "{}",
        '{"measured": {}}',
        '{"measured": {"work": {"a": 1}}}',
    ):
        path.write_text(text)
        again, count = counted(given, Cache(tmp_path))
        assert count == 1, text
        assert again.results == first.results
        assert path.read_text() == whole


def test_a_key_follows_from_model_machine_options_and_sources(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = result_key(DIGEST, DECODE, SMALL)
    assert key == result_key(DIGEST, replace(DECODE, model="elsewhere"), SMALL)
    others = [
        result_key("0", DECODE, SMALL),
        result_key(DIGEST, DECODE, replace(SMALL, energy_hbm_fj=200_000)),
        *(
            result_key(DIGEST, replace(DECODE, **change), SMALL)  # pyright: ignore[reportArgumentType]
            for change in (
                {"contexts": (48, 48)},
                {"contexts": (47,)},
                {"phase": "prefill"},
                {"policy": "exact"},
                {"weights": "i8"},
                {"chunk": 8},
            )
        ),
    ]
    monkeypatch.setattr(cache, "sources_digest", lambda: "0")
    others.append(result_key(DIGEST, DECODE, SMALL))
    assert len({key, *others}) == 1 + len(others)


def test_models_that_compile_alike_have_one_digest(tmp_path: Path) -> None:
    config = json.loads((MODEL / "config.json").read_text())
    alone = tmp_path / "config.json"
    alone.write_text(json.dumps(config))
    first = model_digest(load_model(alone))
    alone.write_text(json.dumps(config | {"pad_token_id": 0}))
    assert model_digest(load_model(alone)) == first
    alone.write_text(json.dumps(config | {"num_hidden_layers": 1}))
    assert model_digest(load_model(alone)) != first


def test_a_folder_that_cannot_be_made_or_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SweepError, match=r"results cannot be kept in .*or give --no-cache"):
        Cache(tmp_path / "file" / "sweep")
    store = Cache(tmp_path / "gone")
    store.folder.rmdir()
    with pytest.raises(SweepError, match=r"results cannot be kept in .*No such file"):
        store.store("key", {})


def test_processes_give_what_this_one_gives(tmp_path: Path) -> None:
    given = points("spm.bytes=1KiB,128KiB,256KiB")
    serial = run_points(given, DECODE, DIGEST)
    store = Cache(tmp_path)
    seen: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        seen.append((done, total))

    parallel = run_points(given, DECODE, DIGEST, store, 2, report)
    assert parallel == serial
    assert seen == [(count, 3) for count in range(4)]
    assert [bool(result.refused) for result in serial.results] == [True, False, False]
    kept, count = counted(given, store)
    assert (kept.results, count) == (serial.results, 0)


def test_a_process_that_breaks_or_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "breaking.py").write_text(
        "import os\n"
        "def breaks(workload, machine):\n"
        "    if machine.lanes == 14: os._exit(9)\n"
        "    raise ZeroDivisionError(machine.lanes)\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    breaks: Any = importlib.import_module("breaking").breaks

    def failures(text: str) -> list[str]:
        found = run_points(points(text), DECODE, DIGEST, jobs=2, measured_by=breaks)
        return [result.failed for result in found.results]

    assert failures("lanes=16,32") == ["ZeroDivisionError: 16", "ZeroDivisionError: 32"]
    ended = "a process ended before its time, for want of memory? use fewer --jobs"
    assert failures("lanes=14,16")[0] == ended


@pytest.mark.parametrize("phase", ["decode", "prefill"])
def test_a_point_is_the_step_of_the_image(tmp_path: Path, phase: str) -> None:
    """The program, time and energy of what `compile` writes."""
    found = measure(Workload(str(MODEL), phase, (64, 40), "bf16", chunk=24), SMALL)
    path = tmp_path / "a.tw"
    compile_model(MODEL, "tw-small", 64, "bf16", batch=2, chunk=24, output=path)
    timed = time_step(read_image(path), SMALL, phase, (64, 40))
    assert found.picoseconds == timed.picoseconds >= found.bound_picoseconds > 0
    assert (found.read_bytes, found.written_bytes) == (timed.read_bytes, timed.written_bytes)
    assert found.instructions == sum(timed.instructions.values())
    assert found.work == timed.work


def test_two_sequences_read_the_weights_once() -> None:
    one = measure(DECODE, SMALL)
    two = measure(replace(DECODE, contexts=(48, 48)), SMALL)
    assert one.read_bytes < two.read_bytes < 1.2 * one.read_bytes


def test_energy_and_area_are_those_of_the_machine() -> None:
    (given,) = points("energy.hbm=200pJ")
    found, _ = counted([given])
    (result,) = found.results
    assert given.machine is not None
    assert result.measured is not None
    assert result.energy == energy_of(given.machine, result.measured.work)
    assert result.energy.hbm == pytest.approx(SMALL.lanes * 200e-12)
    assert result.area == area_of(SMALL)
