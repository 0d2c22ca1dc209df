"""Runs the points of a sweep in processes of their own; results come in the order of the points."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ...backend.errors import TilewrightError
from ...backend.machine import Machine
from ...backend.timing import Area, Energy, area_of, energy_of
from .cache import Cache, result_key
from .front import pareto_front
from .measured import Measure, Measured, Workload, measure
from .points import Point

Progress = Callable[[int, int], None]
"""Called with how many points are done, and how many there are."""
Answer = dict[str, Any]
"""A key `measured`, `refused` or `failed`; the first two are kept in the cache."""


@dataclass(frozen=True)
class Result:
    """A point and what came of it."""

    point: Point
    measured: Measured | None
    refused: str = ""
    """Why the machine is inconsistent, or cannot have the model."""
    failed: str = ""
    """What broke where nothing should: a fault of the program, not of the input."""

    @property
    def energy(self) -> Energy:
        """Joules of a measured step."""
        machine, measured = self._both()
        return energy_of(machine, measured.work)

    @property
    def area(self) -> Area:
        """Square millimetres of a measured machine."""
        return area_of(self._both()[0])

    def _both(self) -> tuple[Machine, Measured]:
        assert self.point.machine is not None, "a machine that contradicts itself"
        assert self.measured is not None, "a point that was refused or failed"
        return self.point.machine, self.measured


@dataclass(frozen=True)
class Sweep:
    """All results, in the order of the points."""

    results: tuple[Result, ...]
    computed: int
    """Machines that were compiled for and timed now."""
    kept: int
    """Machines whose results came out of the cache."""

    @property
    def front(self) -> tuple[bool, ...]:
        """Whether each result is on the Pareto front of time, energy and area."""
        measured = [result for result in self.results if result.measured is not None]
        flags = iter(
            pareto_front(
                [
                    (one.measured.picoseconds, one.energy.total, one.area.total)
                    for one in measured
                    if one.measured is not None
                ]
            )
        )
        return tuple(one.measured is not None and next(flags) for one in self.results)


def default_jobs() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_points(
    points: Sequence[Point],
    workload: Workload,
    model: str,
    cache: Cache | None = None,
    jobs: int = 1,
    progress: Progress = lambda done, total: None,
    measured_by: Measure = measure,
) -> Sweep:
    """Measure all points; `model` is the digest of the workload's model.

    Each result is kept in the cache as it comes, so that an interrupted sweep goes on from there.
    `jobs` 1 works in this process. Raises SweepError where the cache cannot be written.
    """
    machines = {
        result_key(model, workload, point.machine): point.machine
        for point in points
        if point.machine is not None
    }
    answers = {key: known for key in machines if cache and (known := _known(cache, key))}
    missing = {key: machine for key, machine in machines.items() if key not in answers}
    kept = len(answers)
    progress(kept, len(machines))
    # Closing the iterator ends the processes, whatever happens here.
    with closing(_computed(missing, workload, jobs, measured_by)) as computed:
        for key, answer in computed:
            answers[key] = answer
            if cache and "failed" not in answer:
                cache.store(key, answer)
            progress(len(answers), len(machines))
    results: list[Result] = []
    for point in points:
        if point.machine is None:
            results.append(Result(point, None, refused=point.refusal))
        else:
            results.append(_result(point, answers[result_key(model, workload, point.machine)]))
    return Sweep(tuple(results), len(missing), kept)


def _known(cache: Cache, key: str) -> Answer | None:
    """A stored answer that can be read; whatever else lies there is computed anew."""
    found = cache.find(key)
    if found is None:
        return None
    try:
        _result(Point("", {}, None), found)
    except (KeyError, TypeError):
        return None
    return found


def _result(point: Point, answer: Answer) -> Result:
    if "measured" in answer:
        return Result(point, Measured.from_dict(answer["measured"]))
    if "failed" in answer:
        return Result(point, None, failed=answer["failed"])
    return Result(point, None, refused=answer["refused"])


def _computed(
    missing: Mapping[str, Machine], workload: Workload, jobs: int, measured_by: Measure
) -> Generator[tuple[str, Answer], None, None]:
    """(key, answer) as they come."""
    jobs = min(jobs, len(missing))
    if jobs <= 1:
        for key, machine in missing.items():
            yield key, answer_of(measured_by, workload, machine)
        return
    # Spawned and not forked: this process has threads, and other systems have no fork.
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("spawn"), signal.signal, (signal.SIGINT, signal.SIG_DFL)
    )
    try:
        waiting = {
            pool.submit(answer_of, measured_by, workload, machine): key
            for key, machine in missing.items()
        }
        for future in as_completed(waiting):
            try:
                yield waiting[future], future.result()
            except BrokenProcessPool:
                reason = "a process ended before its time, for want of memory? use fewer --jobs"
                yield waiting[future], {"failed": reason}
    finally:
        pool.shutdown(cancel_futures=True)


def answer_of(measured_by: Measure, workload: Workload, machine: Machine) -> Answer:
    """What one point comes to. Never raises: an error is an answer, too."""
    try:
        return {"measured": measured_by(workload, machine).to_dict()}
    except TilewrightError as error:
        return {"refused": " ".join(str(error).split())}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())}"}
