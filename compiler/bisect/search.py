"""Which two neighbours of a chain differ: binary search, from the smallest launches on.

Tensor levels and the first tiled module are compared with the first module within the policy's
tolerance, all that follow with the first tiled one by their bits. Streamed modules are searched for
races too, and run by engine. Of a chain that goes wrong, right, and wrong again, some step from
right to wrong is found.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field

import numpy as np
from xdsl.dialects.builtin import ModuleOp
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
from ..frontend import WeightStore
from ..interp import run_tile, watch_races
from ..origin import INPUT
from .align import first_difference
from .chain import Chain, Link
from .finding import Finding, diff_at
from .pairs import Pair
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
class Search:
    """One chain with one launch; `tolerance` None: the policy's for tensors, equal bits below."""

    chain: Chain
    launch: Launch
    checkpoint: RandomCheckpoint
    seed: int
    tolerance: float | None = None
    ran: dict[int, Results] = field(default_factory=dict[int, Results])
    judged: dict[int, Verdict | None] = field(default_factory=dict[int, Verdict | None])

    def results(self, number: int) -> Results:
        """State and outputs of a module. Raises TilewrightError where it cannot run."""
        if number not in self.ran:
            if number and self.chain.text(number) == self.chain.text(number - 1):
                return self.results(number - 1)
            self.ran[number] = run_level(
                self.module(number), self.launch, self.checkpoint, self.chain.machine
            )
        return self.ran[number]

    def module(self, number: int) -> ModuleOp:
        """A module as it is run: tensors in formats that hold what the last module holds."""
        module = self.chain.links[number].module
        if level_of(module) == "tensor":
            return widened(module, self.chain.links[-1].module)
        return module

    def allowed(self, number: int) -> float:
        """The tolerance of a module; 0: equal bits."""
        if self.tolerance is not None:
            return self.tolerance
        return 0.0 if self.exact(number) else tolerance_of(self.chain.links[number].module)

    def exact(self, number: int) -> bool:
        """Whether a module is measured by the first tiled one, not by the first of all."""
        tiled = self.tiled()
        return number > tiled and level_of(self.chain.links[tiled].module) != "tensor"

    def tiled(self) -> int:
        """The first module that is no more of tensors; the last where all are."""
        links = self.chain.links
        found = (n for n, one in enumerate(links) if level_of(one.module) != "tensor")
        return next(found, len(links) - 1)

    def verdict(self, number: int) -> Verdict | None:
        """What is wrong with a module; None if nothing is."""
        if number not in self.judged:
            same = number > 0 and self.chain.text(number) == self.chain.text(number - 1)
            self.judged[number] = self.verdict(number - 1) if same else self._judge(number)
        return self.judged[number]

    def _judge(self, number: int) -> Verdict | None:
        link = self.chain.links[number]
        found: Results | None = None
        try:
            found = self.results(number)
            want = self.results(self.tiled() if self.exact(number) else 0)
            compare(link.module, link.name, found, want, self.allowed(number), self.launch)
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
        each module is looked at. A file's own module may be wrong before any pass.
        """
        links = self.chain.links
        if self.chain.path is not None and self.verdict(0) is not None:
            return 0
        if self.chain.apart:
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


def bisect_chain(
    chain: Chain, command: str = "", seed: int = 0, tolerance: float | None = None
) -> Finding | None:
    """The first pass and op that make a chain's result wrong; None if all of it agrees.

    `command` reproduces the pass; `{before}`, `{entry}` and `{pass}` in it are filled in.
    `tolerance`, in units of max(1, standard deviation), is what is allowed behind every pass, where
    a pass may add up in another order. Raises TilewrightError for a first module of a model or a
    folder that cannot run.
    """
    first = chain.links[0].module
    checkpoint = RandomCheckpoint(first, seed)
    for link in chain.links:
        checkpoint.learn_formats(link.module)
    for number, launch in enumerate(launches_of(chain, seed)):
        search = Search(chain, launch, checkpoint, seed + number, tolerance)
        if chain.path is None:
            search.results(0)
        bad = search.first_bad()
        if bad is not None:
            return _found(search, bad, command)
    if chain.refused is not None:
        return _refusal(chain, chain.refused, command)
    return None


def launches_of(chain: Chain, seed: int) -> list[Launch]:
    """Launches that fit a chain's first module, small ones first."""
    first = chain.links[0].module
    return [random_launch(first, seed + number, rows) for number, rows in enumerate(ROWS)]


def _found(search: Search, bad: int, command: str) -> Finding:
    verdict = search.verdict(bad)
    assert verdict is not None, "a wrong module has a verdict"
    want: Results = {}
    if verdict.results is not None:
        want = search.results(search.tiled() if search.exact(bad) else 0)
    before = (search, bad - 1) if bad else None
    return explained(search, bad, before, verdict, want, search.allowed(bad), command)


def explained(
    search: Search,
    bad: int,
    base: tuple[Search, int] | None,
    verdict: Verdict,
    want: Results,
    tolerance: float,
    command: str,
    sides: tuple[str, str] = ("before", "after"),
) -> Finding:
    """The op of a wrong module that is the first to write other values than its counterpart in
    `base`; its outputs' errors are measured by `want`. `sides` name the two in the diff.
    """
    chain, after = search.chain, search.chain.links[bad]
    name = after.name if bad else INPUT
    pair, diff = None, ()
    op = verdict.op
    before = base[0].chain.links[base[1]] if base is not None else None
    if base is not None:
        other, number = base
        runs = [
            trace(other.module(number), search.launch, search.checkpoint, other.chain.machine),
            trace(search.module(bad), search.launch, search.checkpoint, chain.machine),
        ]
        tensors = level_of(other.chain.links[number].module) == "tensor"
        least = tolerance_of(after.module) if tensors else 0.0
        pair = first_difference(runs[0], runs[1], tolerance or least)
    event: Event | None = None
    if pair is not None:
        event = pair.found or pair.want
        op = event.op if event is not None else op
    places = {location_name(op)} if op is not None else set[str]()
    if pair is not None:
        places |= {one.location for one in (pair.want, pair.found) if one is not None}
    if before is not None:
        diff = diff_at(before.module, after.module, places, sides)
    wanted, found = _values(pair)
    return Finding(
        entry=chain.entry,
        pass_name=name,
        op=op.name if op is not None else "",
        location=location_name(op) if op is not None else "",
        layer=event.layer if event is not None else None,
        place=_place(pair, event),
        wanted=wanted,
        found=found,
        worst=pair.worst if pair is not None and wanted and found else float("nan"),
        allowed=pair.allowed if pair is not None else 0.0,
        message=verdict.message,
        outputs=_errors(want, verdict.results or {}, tolerance),
        launch=launch_text(search.launch),
        diff=diff,
        command=_filled(command, chain, max(bad - 1, 0), name),
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
    want: Results, results: Results, tolerance: float
) -> tuple[tuple[str, float, float], ...]:
    """The worst error of each output and state, and what is allowed."""
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
    if name in (INPUT, "encode"):
        return ""
    before = chain.links[number]
    path = before.path or f"ir/{chain.entry}/{number:02}-{before.name}.mlir"
    filled = command.replace("{before}", shlex.quote(str(path))).replace("{entry}", chain.entry)
    return filled.replace("{pass}", name)


def _refusal(chain: Chain, refused: tuple[str, str], command: str) -> Finding:
    """All modules agree, and a pass refuses the last."""
    number = len(chain.links) - 1
    return Finding(
        chain.entry, refused[0], "", "", None, "", "", "", float("nan"), 0.0, refused[1], (), "",
        (), _filled(command, chain, number, refused[0]),
    )  # fmt: skip
