"""`--check-each-pass`: run a module before and after every pass and stop at the first difference.

    checker = PassChecker("tw-small")
    run_passes(module, passes, [checker.after_pass])

Tensors are run by the tensor interpreter, tiles by the tile interpreter, instructions by the
emulator's reference engine. Results of tensor levels agree within a tolerance, those from the tiled
level down to the bit. Streamed programs are also run by engine and searched for races.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from ..backend.errors import TilewrightError
from ..dialects.lowbit import PackedType
from ..dialects.stream import ChannelOp
from ..dialects.tg import GlobalOp, KvAppendOp, OutputOp
from ..dialects.tile import StoreOp, TileOp, globals_written
from ..dialects.tw import InstructionOp, Place, ProgramOp
from .check_inputs import Array, Launch, RandomCheckpoint, random_launch, sources_of
from .frontend.weights import WeightStore
from .interp.races import find_races
from .interp.tensor import run_graph
from .interp.tile import run_tile, where
from .interp.tile_machine import functions
from .weights import weight_pieces

TOLERANCES = {"exact": 1e-4, "bf16": 5e-2}
"""Policy -> largest difference above the tiled level, in units of max(1, standard deviation)."""
LAUNCHES = 2
"""Launches that a pass is checked on, if the caller does not say."""

Results = dict[str, Array]


class CheckError(TilewrightError):
    """A pass that changed what the program computes: pass, op and error."""


def level_of(module: ModuleOp) -> str:
    """`tensor`, `tiled`, `streamed` (placed too), `projected` or `isa`."""
    if any(isinstance(op, ProgramOp) for op in module.ops):
        return "isa"
    if not any(isinstance(op, TileOp) for op in module.walk()):
        return "tensor"
    if not any(isinstance(op, ChannelOp) for op in module.ops):
        return "tiled"
    return "streamed" if len(functions(module)) == 1 else "projected"


def run_level(
    module: ModuleOp, launch: Launch, checkpoint: RandomCheckpoint, machine: str
) -> Results:
    """State and outputs of one launch, by the interpreter of the module's level."""
    store = WeightStore(checkpoint.read)
    level = level_of(module)
    if level == "tensor":
        return run_graph(module, store, launch.data, launch.parameters)
    if level == "isa":
        from .check_isa import run_isa

        return run_isa(module, launch, store, machine)
    return run_tile(module, {**stored(module, store), **launch.data}, launch.parameters)


def stored(module: ModuleOp, store: WeightStore) -> Results:
    """Weights and tables as the tile interpreter takes them: packed bytes, dense arrays."""
    declared = {op.global_name: op for op in module.ops if isinstance(op, GlobalOp)}
    pieces: dict[str, list[Array]] = {}
    for name, piece in weight_pieces(declared.values(), store):
        pieces.setdefault(name, []).append(piece)
    found: Results = {}
    for name, parts in pieces.items():
        raw, shaped = np.concatenate(parts), declared[name]
        found[name] = raw if _is_packed(shaped) else _as_array(raw, shaped)
    return found


def _is_packed(op: GlobalOp) -> bool:
    return not hasattr(op.type, "element_type")


def _as_array(raw: Array, op: GlobalOp) -> Array:
    count = int(np.prod(op.shape))
    return raw.view(f"V{raw.size // count}").reshape(op.shape)


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


def tolerance_of(module: ModuleOp) -> float:
    """The tolerance of a module's policy."""
    policy = module.attributes.get("tw.policy")
    return TOLERANCES[policy.data if isinstance(policy, StringAttr) else "exact"]


def compare(
    module: ModuleOp,
    name: str,
    got: Mapping[str, Array],
    want: Mapping[str, Array],
    tolerance: float,
    launch: Launch,
) -> None:
    """Compare state and outputs; a tolerance of 0 wants equal bits.

    Raises CheckError for the first that differs: `name` is the pass, the op is who writes it.
    """
    for key in want:
        if key not in got:
            raise CheckError(f"after {name}: @{key} is gone; a pass keeps state and outputs")
        if got[key].shape != want[key].shape or got[key].dtype != want[key].dtype:
            raise CheckError(
                f"after {name}: @{key} is {got[key].dtype} {list(got[key].shape)}, was "
                f"{want[key].dtype} {list(want[key].shape)}"
            )
        wrong = differences(got[key], want[key], tolerance)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            index = ", ".join(map(str, at))
            raise CheckError(
                f"after {name}: {writers_of(module, key)} gives @{key}[{index}] = {got[key][at]}, "
                f"was {want[key][at]} ({int(wrong.sum())} of {wrong.size} elements differ"
                f"{_allowed(tolerance, want[key])}); launch {launch_text(launch)}"
            )


def differences(got: Array, want: Array, tolerance: float) -> Array:
    """Where two arrays differ by more than is allowed; NaN equals NaN."""
    if got.dtype.kind in "iu":
        return got != want
    if tolerance == 0.0:
        width = got.dtype.itemsize
        return got.view(f"u{width}") != want.view(f"u{width}")
    left, right = got.astype(np.float64), want.astype(np.float64)
    return ~np.isclose(left, right, rtol=0.0, atol=limit(tolerance, right), equal_nan=True)


def limit(tolerance: float, want: Array) -> float:
    """The allowed difference: relative to the spread where that is above 1."""
    finite = want[np.isfinite(want)].astype(np.float64)
    return tolerance * max(1.0, float(finite.std()) if finite.size else 1.0)


def _allowed(tolerance: float, want: Array) -> str:
    return f" by more than {limit(tolerance, want):.3g}" if tolerance else ""


def writers_of(module: ModuleOp, name: str) -> str:
    """The last op that writes a global, with its location."""
    writers = [op for op in module.walk() if _writes(op, name)]
    return where(writers[-1]) if writers else "the program"


def _writes(op: Operation, name: str) -> bool:
    """Whether an op of any level writes a global."""
    match op:
        case StoreOp() | OutputOp():
            return op.global_name == name
        case KvAppendOp():
            return name in (op.k_cache_name, op.v_cache_name)
        case TileOp():
            return name in globals_written(op)
        case InstructionOp():
            read = {spec.name for spec in op.row().operands if spec.access == "read"}
            return any(
                isinstance(place, Place) and place.symbol == name
                for operand, place in op.get_places().items()
                if operand not in read
            )
        case _:
            return False


def launch_text(launch: Launch) -> str:
    """Launch parameters for people."""
    return ", ".join(f"{name} = {value}" for name, value in launch.parameters.items()) or "()"


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
