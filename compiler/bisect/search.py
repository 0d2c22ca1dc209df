"""Which two neighbours of a chain differ: binary search, from the smallest launches on.

Tensor levels and the first tiled module are compared with the first module within the policy's
tolerance, all that follow with the first tiled one by their bits. Streamed modules are searched for
races too, and run by engine. Of a chain that goes wrong, right, and wrong again, some step from
right to wrong is found.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from xdsl.ir import Operation

from ...backend.errors import TilewrightError
from ...dialects.locations import location_name
from ..check import (
    Array,
    Launch,
    RandomCheckpoint,
    Results,
    compare,
    launch_text,
    level_of,
    limit,
    random_launch,
    run_level,
    stored,
    tolerance_of,
    widened,
)
from ..frontend.weights import WeightStore
from ..interp.races import watch_races
from ..interp.tile import run_tile
from .align import Pair, first_difference
from .chain import Chain, Link
from .finding import Finding, diff_at
from .trace import Event, op_of_error, trace

ROWS = (1, 3, 8)
"""Most rows of the launches that are tried, one after another."""


@dataclass(frozen=True)
class Verdict:
    """Why a module is wrong, and who did it if that is known."""

    message: str
    op: Operation | None = None
    results: Results | None = None


@dataclass
class _Search:
    """One chain with one launch."""

    chain: Chain
    launch: Launch
    checkpoint: RandomCheckpoint
    seed: int
    ran: dict[int, Results] = field(default_factory=dict[int, Results])
    judged: dict[int, Verdict | None] = field(default_factory=dict[int, Verdict | None])

    def results(self, number: int) -> Results:
        """State and outputs of a module. Raises TilewrightError where it cannot run."""
        if number not in self.ran:
            module = self.chain.links[number].module
            if level_of(module) == "tensor":
                module = widened(module, self.chain.links[-1].module)
            self.ran[number] = run_level(module, self.launch, self.checkpoint, self.chain.machine)
        return self.ran[number]

    def tiled(self) -> int:
        """The first module that is no more of tensors; the last where all are."""
        links = self.chain.links
        found = (n for n, one in enumerate(links) if level_of(one.module) != "tensor")
        return next(found, len(links) - 1)

    def verdict(self, number: int) -> Verdict | None:
        """What is wrong with a module; None if nothing is."""
        if number not in self.judged:
            self.judged[number] = self._judge(number)
        return self.judged[number]

    def _judge(self, number: int) -> Verdict | None:
        link, tiled = self.chain.links[number], self.tiled()
        exact = number > tiled and level_of(self.chain.links[tiled].module) != "tensor"
        found: Results | None = None
        try:
            found = self.results(number)
            want = self.results(tiled if exact else 0)
            tolerance = 0.0 if exact else tolerance_of(link.module)
            compare(link.module, link.name, found, want, tolerance, self.launch)
            if level_of(link.module) in ("streamed", "projected"):
                return self._judge_engines(link, found)
        except TilewrightError as error:
            return Verdict(str(error), op_of_error(error), found)
        return None

    def _judge_engines(self, link: Link, found: Results) -> Verdict | None:
        data = {**stored(link.module, WeightStore(self.checkpoint.read)), **self.launch.data}
        if level_of(link.module) == "streamed":
            races = watch_races(link.module, data, self.launch.parameters)
            if races.found:
                return Verdict(races.found[0], races.ops[0])
        mixed = run_tile(link.module, data, self.launch.parameters, seed=self.seed + 1)
        name = f"{link.name}, engines interleaved"
        compare(link.module, name, mixed, found, 0.0, self.launch)
        return None

    def first_bad(self) -> int | None:
        """The number of a wrong module behind a right one; None if the chain is right.

        A folder may hold a wrong module whose followers were made before it was edited, so there
        each module is looked at.
        """
        links = self.chain.links
        if links[0].path is not None:
            return next((n for n in range(1, len(links)) if self.verdict(n)), None)
        streamed = [n for n, one in enumerate(links) if level_of(one.module) == "streamed"]
        projected = [n for n, one in enumerate(links) if level_of(one.module) == "projected"]
        ends = sorted({self.tiled(), *streamed[-1:], *projected[-1:], len(links) - 1})
        bad = next((n for n in ends if n and self.verdict(n)), None)
        if bad is None:
            return None
        good = max((n for n in ends if n < bad), default=0)
        while bad - good > 1:
            middle = (good + bad) // 2
            if self.verdict(middle) is None:
                good = middle
            else:
                bad = middle
        return bad


def bisect_chain(chain: Chain, command: str = "", seed: int = 0) -> Finding | None:
    """The first pass and op that make a chain's result wrong; None if all of it agrees.

    `command` reproduces the pass; `{before}` and `{pass}` in it are filled in. Raises
    TilewrightError for a first module that cannot run.
    """
    first = chain.links[0].module
    checkpoint = RandomCheckpoint(first, seed)
    for link in chain.links:
        checkpoint.learn_formats(link.module)
    launches = [random_launch(first, seed + number, rows) for number, rows in enumerate(ROWS)]
    for number, launch in enumerate(launches):
        search = _Search(chain, launch, checkpoint, seed + number)
        search.results(0)
        bad = search.first_bad()
        if bad is not None:
            return _explained(search, bad, command)
    if chain.refused is not None:
        return _refusal(chain, chain.refused, command)
    return None


def _explained(search: _Search, bad: int, command: str) -> Finding:
    chain, verdict = search.chain, search.verdict(bad)
    assert verdict is not None, "a wrong module has a verdict"
    before, after = chain.links[bad - 1], chain.links[bad]
    modules = [widened(one.module, chain.links[-1].module) if level_of(one.module) == "tensor"
               else one.module for one in (before, after)]  # fmt: skip
    runs = [trace(one, search.launch, search.checkpoint, chain.machine) for one in modules]
    tensors = level_of(before.module) == "tensor"
    pair = first_difference(runs[0], runs[1], tolerance_of(after.module) if tensors else 0.0)
    op = verdict.op
    event: Event | None = None
    if pair is not None:
        event = pair.found or pair.want
        op = event.op if event is not None else op
    places = {location_name(op)} if op is not None else set[str]()
    if pair is not None:
        places |= {one.location for one in (pair.want, pair.found) if one is not None}
    wanted, found = _values(pair)
    return Finding(
        entry=chain.entry,
        pass_name=after.name,
        op=op.name if op is not None else "",
        location=location_name(op) if op is not None else "",
        layer=event.layer if event is not None else None,
        place=_place(pair, event),
        wanted=wanted,
        found=found,
        worst=pair.worst if pair is not None and wanted and found else float("nan"),
        allowed=pair.allowed if pair is not None else 0.0,
        message=verdict.message,
        outputs=_errors(search, bad, verdict.results),
        launch=launch_text(search.launch),
        diff=diff_at(before.module, after.module, places),
        command=_filled(command, chain, bad - 1, after.name),
    )


def _values(pair: Pair | None) -> tuple[str, str]:
    if pair is None:
        return "", ""
    if pair.wanted == pair.wanted or pair.got == pair.got:
        return f"{pair.wanted:.9g}", f"{pair.got:.9g}"
    sides = [
        f"{one.op.name} ({_target(one)}) at {one.location}" if one is not None else ""
        for one in (pair.want, pair.found)
    ]
    return sides[0], sides[1]


def _target(event: Event) -> str:
    at = f", byte {event.place.offset}" if event.place is not None else ""
    return f"{event.target}{at}"


def _place(pair: Pair | None, event: Event | None) -> str:
    if pair is None or event is None:
        return ""
    at = f"[{', '.join(map(str, pair.index))}]" if pair.index else ""
    return f"{event.target}{at}"


def _errors(
    search: _Search, bad: int, results: Results | None
) -> tuple[tuple[str, float, float], ...]:
    """The worst error of each output and state, against the module that it is measured by."""
    if results is None:
        return ()
    exact = bad > search.tiled()
    want = search.results(search.tiled() if exact else 0)
    tolerance = 0.0 if exact else tolerance_of(search.chain.links[bad].module)
    rows: list[tuple[str, float, float]] = []
    for name, right in want.items():
        if name in results and results[name].shape == right.shape:
            worst = _worst(results[name], right)
            rows.append((name, worst, limit(tolerance, right) if tolerance else 0.0))
    return tuple(rows)


def _worst(got: Array, want: Array) -> float:
    error = np.abs(got.astype(np.float64) - want.astype(np.float64))
    return float(np.nanmax(error)) if error.size and not np.isnan(error).all() else 0.0


def _filled(command: str, chain: Chain, number: int, name: str) -> str:
    before = chain.links[number]
    path = before.path or f"ir/{chain.entry}/{number:02}-{before.name}.mlir"
    return command.replace("{before}", str(path)).replace("{pass}", name)


def _refusal(chain: Chain, refused: tuple[str, str], command: str) -> Finding:
    """All modules agree, and a pass refuses the last."""
    number = len(chain.links) - 1
    return Finding(
        chain.entry, refused[0], "", "", None, "", "", "", float("nan"), 0.0, refused[1], (), "",
        (), _filled(command, chain, number, refused[0]),
    )  # fmt: skip
