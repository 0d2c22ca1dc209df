"""The tile interpreter: runs tiled, streamed, placed and projected modules, equal to the emulator.

Sequentially the program runs in its order and never blocks; a blocked acquire or wait is an error.
By engine it runs as one coroutine an engine, interleaved at random from a seed; a deadlock is an
error that says where every engine stands.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation

from ...dialects.locations import whereabouts
from ...dialects.stream import ChannelOp
from .tile_machine import (
    Data,
    InterpretError,
    Observer,
    Parameters,
    TileMachine,
    functions,
)
from .tile_memory import Array, Mistake
from .tile_steps import Loop, Step, read_block
from .tile_values import Values

BURSTS = (1, 1, 3, 10, 100)
"""Steps an engine does in a row when its turn comes; drawn at random."""
BIASES = (1, 1, 5, 25)
"""Weights by which engines are preferred; drawn once an engine."""


def run_tile(
    module: ModuleOp,
    data: Data,
    parameters: Parameters | None = None,
    *,
    seed: int | None = None,
    observer: Observer | None = None,
) -> dict[str, Array]:
    """Run a module's program and give its state and outputs by name.

    Args:
        module: tiled, streamed, placed (one function) or projected (a function an engine).
        data: arrays by region name, or a function that gives one by name: packed weights as uint8
            of the type's bytes, others as arrays of their shape and type. Weights, tables and
            inputs must be there; state and outputs that are not count as never written.
        parameters: a number for each tg.scalar, a list for each tg.table.
        seed: None runs in program order; a number runs by engine, interleaved at random by it.
        observer: told of accesses and channel events.

    Raises:
        InterpretError: the program reads bytes never written, leaves a buffer, blocks or
            deadlocks, breaks a channel's rules, or `data` does not fit the declarations.
    """
    return start(module, data, parameters, seed=seed, observer=observer).results()


def start(
    module: ModuleOp,
    data: Data,
    parameters: Parameters | None = None,
    *,
    seed: int | None = None,
    observer: Observer | None = None,
    before: Callable[[TileMachine], None] | None = None,
) -> TileMachine:
    """As `run_tile`, but gives the machine as the run left it: rings with their marks, regions.

    `before` is called with the machine before the first step.
    """
    machine = TileMachine(module, data, parameters or {}, observer)
    if before is not None:
        before(machine)
    programs = functions(module)
    if not programs:
        raise InterpretError("the module has no function; there is nothing to run")
    engines = engines_of(module)
    projected = set(programs) <= set(engines)
    if seed is None and not projected:
        if len(programs) != 1:
            raise InterpretError(
                f"the module has {len(programs)} functions ({', '.join(programs)}); want one, or "
                "one an engine"
            )
        _run_sequential(machine, next(iter(programs.values())))
    elif not projected and not engines:
        raise InterpretError("the module names no engines; run it in order (no seed)")
    else:
        bodies = programs if projected else dict.fromkeys(engines, next(iter(programs.values())))
        _run_engines(machine, bodies, random.Random(0 if seed is None else seed))
    for ring in machine.rings.values():
        complaint = ring.complaint()
        if complaint is not None:
            raise InterpretError(f"{complaint}; a program ends with its channels as it began")
    return machine


def engines_of(module: ModuleOp) -> list[str]:
    """Engines that a module's channels and operations name, sorted."""
    found: set[str] = set()
    for op in module.walk():
        if isinstance(op, ChannelOp):
            found |= {op.producer.data, *op.consumer_names}
        engine = getattr(op, "engine", None)
        if engine is not None:
            found.add(engine.data)
    return sorted(found)


def where(op: Operation) -> str:
    """The op's name and its location in the model and in the file it was read from, as known."""
    return whereabouts(op)


@dataclass(slots=True)
class _Turn:
    """Where a coroutine stands: the counters of the loops around, for messages."""

    trips: list[tuple[str, int]]


def _walk(steps: list[Step | Loop], values: Values, turn: _Turn) -> Iterator[str | None]:
    """Run steps; yields None after each event, and the reason while it must wait."""
    engine = values.engine
    values.trips = turn.trips
    for step in steps:
        if engine is not None and step.engines is not None and engine not in step.engines:
            continue
        try:
            if isinstance(step, Loop):
                counters = range(
                    values.index(step.op.lb), values.index(step.op.ub), values.index(step.op.step)
                )
            else:
                counters = range(0)
                if step.engines is None and engine is not None:
                    if not all(values.has(v) for v in step.op.operands):
                        continue
                elif step.gate is not None:
                    while (reason := step.gate(values)) is not None:
                        yield f"{where(step.op)}{_trips(turn)}: {reason}"
                values.at = step.op
                step.run(values)
        except Mistake as mistake:
            on = f" on {engine}" if engine is not None else ""
            text = f"{where(step.op)}{on}{_trips(turn)}: {mistake}"
            raise InterpretError(text, step.op, turn.trips) from mistake
        if isinstance(step, Loop):
            counter = step.op.body.block.args[0]
            for i in counters:
                turn.trips.append((counter.name_hint or "i", i))
                values.set(counter, i)
                yield from _walk(step.body, values, turn)
                turn.trips.pop()
        elif step.event:
            yield None


def _trips(turn: _Turn) -> str:
    return "".join(f", %{name} = {i}" for name, i in turn.trips)


def _run_sequential(machine: TileMachine, program: FuncOp) -> None:
    values = Values(machine, None)
    for reason in _walk(read_block(program.body.block, machine), values, _Turn([])):
        if reason is not None:
            raise InterpretError(
                f"{reason} blocks in the program's own order, so it could never go on; "
                "the ring is too small or the commit comes too late"
            )


def _run_engines(machine: TileMachine, bodies: dict[str, FuncOp], choice: random.Random) -> None:
    """One coroutine an engine, a random one at a time, until all are done."""
    live = {
        engine: _walk(read_block(body.body.block, machine), Values(machine, engine), _Turn([]))
        for engine, body in bodies.items()
    }
    bias = {engine: choice.choice(BIASES) for engine in live}
    waiting: dict[str, str] = {}
    while live:
        names = list(live)
        engine = choice.choices(names, [bias[name] for name in names])[0]
        for _ in range(choice.choice(BURSTS)):
            try:
                reason = next(live[engine])
            except StopIteration:
                del live[engine]
                waiting.clear()
                break
            if reason is None:
                waiting.clear()
                continue
            waiting[engine] = reason
            if len(waiting) == len(live):
                stand = "; ".join(f"{name} in {why}" for name, why in sorted(waiting.items()))
                raise InterpretError(f"deadlock: {stand}")
            break
