"""A compiled program with one commit, release or token less: the channel and model op are named."""

import pytest
from machines import MIB, NO_MAIN_MEMORY, varied, write_machine
from models import Tiny, write_huggingface
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation

from tilewright.backend.errors import TilewrightError
from tilewright.compiler.check import Launch, RandomCheckpoint, random_launch, run_level, stored
from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.compiler.frontend.weights import WeightStore
from tilewright.compiler.interp.races import find_races
from tilewright.compiler.pipeline import passes_for, run_passes
from tilewright.dialects.locations import location_name
from tilewright.dialects.stream import AwaitOp, CommitOp, ReleaseOp, SignalOp
from tilewright.passes.verify_streams import verify_streams

SYNC = (CommitOp, ReleaseOp, SignalOp, AwaitOp)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> ModuleOp:
    """A tiny model's prefill."""
    path = write_huggingface(tmp_path_factory.mktemp("sync") / "m", Tiny(), "F32")
    return load_model(path).build(EntryShape("prefill", 1, 4, 16), "exact")


@pytest.fixture(scope="module")
def checkpoint(graph: ModuleOp) -> RandomCheckpoint:
    """Random weights for it."""
    return RandomCheckpoint(graph)


@pytest.fixture(scope="module", params=["main memory", "no main memory"])
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The teaching machine, and one whose units work on regions of the scratchpad."""
    if request.param == "main memory":
        return "tw-small"
    numbers = NO_MAIN_MEMORY | {"spm_bytes": MIB}
    return write_machine(varied(numbers, "resident"), tmp_path_factory.mktemp("machine"))


@pytest.fixture(scope="module")
def streamed(graph: ModuleOp, machine: str) -> ModuleOp:
    """The same at the streamed level, with its rings sized."""
    module = graph.clone()
    passes = passes_for({"machine": machine, "kv_block": 8, "weights": None})
    names = [one.name for _, one in passes]
    run_passes(module, passes[: names.index("verify-streams")])
    return module


def channel_of(op: Operation) -> str:
    """The channel that a synchronisation is about."""
    if isinstance(op, CommitOp | ReleaseOp):
        return op.begin.channel_name
    assert isinstance(op, SignalOp | AwaitOp)
    return op.channel_name


def complaint(module: ModuleOp) -> str:
    """What the static verifier says; "" if nothing."""
    try:
        verify_streams(module)
    except TilewrightError as error:
        return str(error)
    return ""


def test_every_deleted_synchronisation_is_noticed(streamed: ModuleOp) -> None:
    """One at a time: the verifier names the channel and where the model stands."""
    count = sum(isinstance(op, SYNC) for op in streamed.walk())
    assert complaint(streamed) == ""
    kinds: set[str] = set()
    for number in range(count):
        module = streamed.clone()
        op = [o for o in module.walk() if isinstance(o, SYNC)][number]
        channel, place = channel_of(op), location_name(op)
        kinds.add(op.name)
        op.detach()
        op.erase()
        said = complaint(module)
        assert f"@{channel}" in said, f"{op.name} of @{channel} at {place}: {said!r}"
    assert len(kinds) == len(SYNC)
    print(f"{count} synchronisations deleted one by one, none unnoticed")


def test_a_token_deleted_at_both_ends_is_a_race(
    streamed: ModuleOp, checkpoint: RandomCheckpoint
) -> None:
    """Without its token a channel balances, so only the order of accesses shows. One may be implied
    by a later token of the same two engines: then both are deleted."""
    tokens = {op.channel_name for op in streamed.walk() if isinstance(op, SignalOp)}
    assert tokens
    launch = random_launch(streamed, seed=1)
    alone = 0
    for token in sorted(tokens):
        found = races(without(streamed, {token}), launch, checkpoint)
        alone += bool(found)
        if not found:
            found = races(without(streamed, beside(streamed, token)), launch, checkpoint)
        region = token.removesuffix("_ready")
        assert any(f"@{region}" in race and " at " in race for race in found), (token, found)
    assert alone, "some token stands alone"


def beside(module: ModuleOp, token: str) -> set[str]:
    """The tokens between the same two engines."""
    engines: dict[str, set[str]] = {}
    for op in module.walk():
        if isinstance(op, SignalOp | AwaitOp):
            engines.setdefault(op.channel_name, set()).add(str(op.engine))
    return {name for name, pair in engines.items() if pair == engines[token]}


def without(module: ModuleOp, tokens: set[str]) -> ModuleOp:
    """A copy in which nobody signals or awaits these tokens."""
    module = module.clone()
    for op in list(module.walk()):
        if isinstance(op, SignalOp | AwaitOp) and op.channel_name in tokens:
            op.detach()
            op.erase()
    return module


def races(module: ModuleOp, launch: Launch, checkpoint: RandomCheckpoint) -> list[str]:
    """Unordered accesses of one launch."""
    weights = stored(module, WeightStore(checkpoint.read))
    return find_races(module, {**weights, **launch.data}, launch.parameters)


def test_the_program_itself_has_no_race(
    streamed: ModuleOp, checkpoint: RandomCheckpoint, machine: str
) -> None:
    launch = random_launch(streamed, seed=1)
    assert races(streamed, launch, checkpoint) == []
    assert run_level(streamed, launch, checkpoint, machine)
