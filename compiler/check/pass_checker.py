"""Runs a module before and after every pass, and stops at the first difference."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ...backend.errors import TilewrightError
from ...dialects.lowbit import PackedType
from ...dialects.tg import GlobalOp
from ..frontend import WeightStore
from ..interp import find_races, run_tile
from .checkpoint import RandomCheckpoint, sources_of
from .compare import CheckError, compare, launch_text, tolerance_of
from .launch import Launch, random_launch
from .levels import Results, level_of, run_level, stored

LAUNCHES = 2
"""Launches that a pass is checked on, if the caller does not say."""


def check_pass(
    before: ModuleOp,
    after: ModuleOp,
    name: str,
    *,
    machine: str = "tw-small",
    seed: int = 0,
    launches: int = LAUNCHES,
) -> None:
    """Run two modules, before and after the pass `name`, on random launches.

    Raises:
        CheckError: the results differ: pass, op that writes the first difference, error.
        TilewrightError: one of the two cannot be run.
    """
    checkpoint = RandomCheckpoint(before, seed)
    checkpoint.learn_formats(after)
    for number in range(launches):
        launch = random_launch(before, seed + number)
        want = run_level(before, launch, checkpoint, machine)
        _compare(before, after, name, launch, checkpoint, machine, want, seed + number)


def _compare(
    before: ModuleOp,
    after: ModuleOp,
    name: str,
    launch: Launch,
    checkpoint: RandomCheckpoint,
    machine: str,
    want: Results,
    seed: int,
) -> Results:
    """Run `after` and compare with `want`; gives its results."""
    try:
        got = run_level(after, launch, checkpoint, machine)
        exact = level_of(before) != "tensor"
        compare(after, name, got, want, 0.0 if exact else tolerance_of(after), launch)
        if level_of(after) in ("streamed", "projected"):
            data = {**stored(after, WeightStore(checkpoint.read)), **launch.data}
            mixed = run_tile(after, data, launch.parameters, seed=seed)
            compare(after, f"{name}, engines interleaved", mixed, got, 0.0, launch)
            races = find_races(after, data, launch.parameters) if _in_order(after) else []
            if races:
                raise CheckError(f"after {name}: {races[0]}")
    except CheckError:
        raise
    except TilewrightError as error:
        raise CheckError(f"after {name}, launch {launch_text(launch)}: {error}") from error
    return got


def _in_order(module: ModuleOp) -> bool:
    return level_of(module) == "streamed"


@dataclass
class _Reference:
    """A launch and what the last module gave for it."""

    launch: Launch
    results: Results


def widened(before: ModuleOp, after: ModuleOp) -> ModuleOp:
    """`before` with float32 for every parameter that `after` holds in another format.

    A pass asked to quantise changes weights on purpose; what the quantised rows stand for is then
    what both modules multiply by, and the old format may be too narrow to hold it. A parameter
    that was merged is found by the checkpoint's tensors that it is made of.
    """
    module = before.clone()
    formats: dict[str, str] = {}
    sources: dict[str, str] = {}
    for op in _packed(after):
        formats[op.global_name] = _format(op)
        sources |= dict.fromkeys(sources_of(op), _format(op))
    for op in _packed(module):
        made_of = [sources[name] for name in sources_of(op) if name in sources]
        held = [formats[op.global_name]] if op.global_name in formats else made_of
        if any(one != _format(op) for one in held):
            assert isinstance(op.type, PackedType), "chosen by _packed"
            op.type = PackedType(op.type.get_shape(), "f32", op.type.order.data, op.type.panel.data)
    return module


def _packed(module: ModuleOp) -> list[GlobalOp]:
    return [op for op in module.ops if isinstance(op, GlobalOp) and isinstance(op.type, PackedType)]


def _format(op: GlobalOp) -> str:
    assert isinstance(op.type, PackedType), "chosen by _packed"
    return op.type.format.data


class PassChecker:
    """Checks pass after pass of one pipeline: hand `after_pass` to whoever runs it.

    Args:
        machine: name or path of the machine description, for the isa level.
        seed: of weights and launches.
        launches: how many launches each pass is checked on.
    """

    def __init__(self, machine: str = "tw-small", seed: int = 0, launches: int = LAUNCHES) -> None:
        self.machine = machine
        self.seed = seed
        self.launches = launches
        self.passed: list[str] = []
        self._checkpoint: RandomCheckpoint | None = None
        self._before: ModuleOp | None = None
        self._text = ""
        self._references: list[_Reference] = []

    def after_pass(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Called before the first pass (`previous` None) and after each.

        Raises CheckError at the first pass whose module computes something else.
        """
        if previous is None or self._before is None or self._checkpoint is None:
            self._begin(module)
            return
        text = str(module)
        if text != self._text:
            try:
                self._check(previous.name, module, self._before, self._checkpoint)
            except CheckError as error:
                raise CheckError(f"{error}; `tilewright bisect` names the op in it") from error
            self._before, self._text = module.clone(), text
        self.passed.append(previous.name)

    def _begin(self, module: ModuleOp) -> None:
        """The module that all passes start from: its weights and launches serve them all."""
        self._checkpoint = RandomCheckpoint(module, self.seed)
        self._before, self._text = module.clone(), str(module)
        self.passed = []
        self._references = []
        for number in range(self.launches):
            launch = random_launch(module, self.seed + number)
            results = run_level(module, launch, self._checkpoint, self.machine)
            self._references.append(_Reference(launch, results))

    def _check(
        self, name: str, module: ModuleOp, before: ModuleOp, checkpoint: RandomCheckpoint
    ) -> None:
        redrawn = checkpoint.learn_formats(module)
        if redrawn:
            before = widened(before, module)
        for number, reference in enumerate(self._references):
            if redrawn:
                reference.results = run_level(before, reference.launch, checkpoint, self.machine)
            reference.results = _compare(
                before,
                module,
                name,
                reference.launch,
                checkpoint,
                self.machine,
                reference.results,
                self.seed + number,
            )
