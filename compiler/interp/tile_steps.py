"""A function's blocks read once into steps: what each op does, for which engines, when it may go.

A step without engines (index arithmetic, parts of buffers, parameters) is done by whoever walks
past it. An engine of a program that is not projected skips those whose operands it does not have:
they belong to other engines.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from xdsl.dialects import arith, func, memref, scf
from xdsl.dialects.builtin import DYNAMIC_INDEX, IntegerAttr
from xdsl.ir import Block, Operation, SSAValue

from ...dialects import stream
from ...dialects.shaped import memref_of
from ...dialects.spaces import space_name
from ...dialects.tg import GetOp
from ...dialects.tile import BufferOp, PartOp, ReshapeOp, TileOp, element_of, nbytes, strides_of
from .tile_channels import Ring
from .tile_compute import prepare
from .tile_machine import InterpretError, TileMachine, place_of
from .tile_memory import Lease, Memory, Mistake, Place, empty
from .tile_transfers import dense_part, packed_part
from .tile_values import Values

Action = Callable[[Values], None]
Gate = Callable[[Values], str | None]


@dataclass(slots=True)
class Step:
    """One op.

    Attributes:
        op: the op.
        engines: who executes it; None for whoever walks past.
        run: its effect.
        gate: why it must still wait, or None; absent if it never waits.
        event: whether another engine may go on after it.
    """

    op: Operation
    engines: frozenset[str] | None
    run: Action
    gate: Gate | None = None
    event: bool = True


@dataclass(slots=True)
class Loop:
    """A counted loop.

    Attributes:
        op: the scf.for.
        engines: engines that have a step in its body.
        body: the steps.
    """

    op: scf.ForOp
    engines: frozenset[str]
    body: list["Step | Loop"] = field(default_factory=list["Step | Loop"])


def read_block(block: Block, machine: TileMachine) -> list[Step | Loop]:
    """The steps of a block. Raises InterpretError for an op that has no meaning here."""
    steps: list[Step | Loop] = []
    for op in block.ops:
        if isinstance(op, scf.YieldOp | func.ReturnOp):
            continue
        if isinstance(op, scf.ForOp):
            if op.iter_args:
                raise InterpretError(
                    f"{op.name}: a loop of the tile program carries values; keep them in buffers"
                )
            body = read_block(op.body.block, machine)
            engines = frozenset[str]().union(*(step.engines or () for step in body))
            steps.append(Loop(op, engines, body))
            continue
        steps.append(read_op(op, machine))
    return steps


def read_op(op: Operation, machine: TileMachine) -> Step:
    """The step of one op."""
    if isinstance(op, TileOp):
        action = prepare(op)
        assert action is not None, f"{op.name} has no meaning"
        return Step(op, _one(op.engine and op.engine.data), action)
    if op.name in ARITHMETIC:
        return Step(op, None, _arithmetic(op), event=False)
    match op:
        case arith.ConstantOp():
            return Step(op, None, _constant(op), event=False)
        case GetOp():
            return Step(op, None, _get(op, machine), event=False)
        case BufferOp():
            return Step(op, _one(op.engine and op.engine.data), _buffer(op, machine), event=False)
        case memref.SubviewOp():
            return Step(op, None, _subview(op), event=False)
        case PartOp():
            return Step(op, None, _part(op), event=False)
        case ReshapeOp():
            return Step(op, None, _reshape(op), event=False)
        case stream.AcquireOp() | stream.WaitOp():
            return _begin(op, machine)
        case stream.CommitOp() | stream.ReleaseOp():
            return _end(op, machine)
        case stream.SignalOp() | stream.AwaitOp():
            return _token(op, machine)
        case stream.SendOp():
            return _send(op, machine)
        case stream.RecvOp():
            return _receive(op, machine)
        case _:
            raise InterpretError(f"{op.name}: not an operation of a tile program; lower it first")


def _one(engine: str | None) -> frozenset[str] | None:
    return None if engine is None else frozenset((engine,))


def _unsigned(name: str, a: int, b: int) -> None:
    if a < 0 or b < 0:
        raise Mistake(f"{name} of {a} and {b}: an unsigned operation takes no negative number")


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise Mistake(f"{a} divided by 0")
    return a // b


ARITHMETIC: dict[str, Callable[[int, int], int]] = {
    "arith.addi": lambda a, b: a + b,
    "arith.subi": lambda a, b: a - b,
    "arith.muli": lambda a, b: a * b,
    "arith.minsi": min,
    "arith.maxsi": max,
    "arith.minui": min,
    "arith.maxui": max,
    "arith.divui": _divide,
    "arith.ceildivui": lambda a, b: -_divide(-a, b),
    "arith.remui": lambda a, b: a - b * _divide(a, b),
    "arith.shli": lambda a, b: a << b,
    "arith.shrui": lambda a, b: a >> b,
    "arith.andi": lambda a, b: a & b,
}
"""Index arithmetic; names that end in `ui` refuse negative numbers."""


def _arithmetic(op: Operation) -> Action:
    compute, (left, right), result = ARITHMETIC[op.name], op.operands, op.results[0]
    unsigned = op.name if op.name.endswith("ui") else ""

    def run(values: Values) -> None:
        a, b = values.index(left), values.index(right)
        if unsigned:
            _unsigned(unsigned, a, b)
        values.set(result, compute(a, b))

    return run


def _constant(op: arith.ConstantOp) -> Action:
    attribute, result = op.value, op.result
    if not isinstance(attribute, IntegerAttr):
        raise InterpretError(f"{op.name}: {attribute} is no index; floats stand in tile.vec")
    number = attribute.value.data
    return lambda values: values.set(result, number)


def _get(op: GetOp, machine: TileMachine) -> Action:
    name, index, result = op.parameter_name, op.index, op.result
    if name not in machine.parameters:
        raise InterpretError(f"tg.get @{name}: no such launch parameter")
    words = machine.parameters[name]

    def run(values: Values) -> None:
        at = 0 if index is None else values.index(index)
        if not 0 <= at < len(words):
            raise Mistake(f"word {at} of @{name}, which has {len(words)}")
        values.set(result, words[at])

    return run


def _buffer(op: BufferOp, machine: TileMachine) -> Action:
    type_, result = op.result.type, op.result
    count, engine = nbytes(type_), op.engine.data if op.engine is not None else ""
    name = f"%{result.name_hint or 'buffer'}"
    accumulator = space_name(type_) == "acc"
    at = op.at.data if op.at is not None else None

    def run(values: Values) -> None:
        space = machine.spaces[space_name(type_)]
        start = 0 if at is None else at
        memory = Memory(name, empty(count), written=False) if at is None else space
        (memory.zero if accumulator else memory.poison)(start, start + count)
        values.set(result, place_of(type_, memory, start, Lease(name, engine, writable=True)))

    return run


def _subview(op: memref.SubviewOp) -> Action:
    source, result = op.source, op.result
    offsets = _mixed(op.offsets, op.static_offsets.get_values())
    sizes = tuple(int(n) for n in op.static_sizes.get_values())
    steps = tuple(int(n) for n in op.static_strides.get_values())
    if DYNAMIC_INDEX in (*sizes, *steps):
        raise InterpretError(f"{op.name}: sizes and strides of a part are static")
    kept = _kept_axes(sizes, tuple(result.type.get_shape()))

    def run(values: Values) -> None:
        at = tuple(values.index(v) for v in offsets)
        part = values.place(source).part(at, sizes, steps)
        values.set(result, part.axes(kept))

    return run


def _mixed(dynamic: Sequence[SSAValue], static: Sequence[int]) -> tuple[SSAValue | int, ...]:
    rest = iter(dynamic)
    return tuple(next(rest) if n == DYNAMIC_INDEX else int(n) for n in static)


def _kept_axes(sizes: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes left when unit axes are dropped until `shape` remains."""
    kept: list[int] = []
    surplus = len(sizes) - len(shape)
    for axis, size in enumerate(sizes):
        wanted = shape[len(kept)] if len(kept) < len(shape) else 0
        if surplus and size == 1 and wanted != 1:
            surplus -= 1
        else:
            kept.append(axis)
    kept = kept[: len(shape)]
    if tuple(sizes[axis] for axis in kept) != shape:
        raise InterpretError(f"memref.subview: sizes {list(sizes)} do not give {list(shape)}")
    return tuple(kept)


def _part(op: PartOp) -> Action:
    """A box of a region, in place; what of it may be touched the ops that use it know."""
    name, offsets, result, type_ = op.global_name, op.offsets, op.result, memref_of(op.result)
    strides = strides_of(type_)

    def run(values: Values) -> None:
        at = [values.index(v) for v in offsets]
        region = values.region(name)
        if region.packed is not None:
            values.set(result, packed_part(region, at, type_))
        else:
            values.set(result, dense_part(region, at, tuple(type_.get_shape()), strides))

    return run


def _reshape(op: ReshapeOp) -> Action:
    source, result, type_ = op.source, op.result, memref_of(op.result)
    shape, strides = tuple(type_.get_shape()), strides_of(type_)

    def run(values: Values) -> None:
        place = values.place(source)
        width = place.dtype.itemsize
        seen = replace(place, shape=shape, strides=tuple(stride * width for stride in strides))
        values.set(result, seen)

    return run


def _ring(machine: TileMachine, op: Operation, name: str) -> Ring:
    if name not in machine.rings:
        raise InterpretError(f"{op.name} @{name}: no such channel")
    return machine.rings[name]


def _begin(op: stream.AcquireOp | stream.WaitOp, machine: TileMachine) -> Step:
    ring, engine, type_ = _ring(machine, op, op.channel_name), op.engine.data, op.slot.type
    result, writes = op.slot, isinstance(op, stream.AcquireOp)
    seen_as = (str(element_of(result)), nbytes(type_))
    event = "acquire" if writes else "wait"
    memory = ring.memory
    if memory is None or seen_as[1] > ring.info.slot_bytes:
        raise InterpretError(
            f"{op.name} @{op.channel_name}: {seen_as[1]} bytes do not fit a slot of "
            f"{ring.info.slot_bytes}"
        )
    if engine not in ((ring.info.producer,) if writes else ring.info.consumers):
        raise InterpretError(f"{op.name} @{op.channel_name} on {engine}: not its part")

    def run(values: Values) -> None:
        at, lease = ring.acquire(seen_as) if writes else ring.wait(engine, seen_as)
        values.set(result, place_of(type_, memory, at, lease))
        values.note(event, engine, ring)

    def gate(values: Values) -> str | None:
        free = ring.has_room() if writes else ring.is_ready(engine)
        return None if free else f"{event} of @{ring.info.name}"

    return Step(op, frozenset((engine,)), run, gate)


def _end(op: stream.CommitOp | stream.ReleaseOp, machine: TileMachine) -> Step:
    begin = op.begin
    ring, engine, slot = _ring(machine, op, begin.channel_name), begin.engine.data, op.slot
    commits = isinstance(op, stream.CommitOp)

    def run(values: Values) -> None:
        lease = values.place(slot).lease
        assert lease is not None, "a slot has a lease"
        ring.commit(lease) if commits else ring.release(engine, lease)
        values.note("commit" if commits else "release", engine, ring)

    return Step(op, frozenset((engine,)), run)


def _token(op: stream.SignalOp | stream.AwaitOp, machine: TileMachine) -> Step:
    ring, engine = _ring(machine, op, op.channel_name), op.engine.data
    signals = isinstance(op, stream.SignalOp)

    def run(values: Values) -> None:
        if signals:
            ring.signal()
            values.note("acquire", engine, ring)
            values.note("commit", engine, ring)
        else:
            ring.take(engine)
            values.note("wait", engine, ring)
            values.note("release", engine, ring)

    def gate(values: Values) -> str | None:
        free = ring.has_room() if signals else ring.is_ready(engine)
        return None if free else f"{'signal' if signals else 'await'} of @{ring.info.name}"

    return Step(op, frozenset((engine,)), run, gate)


def _send(op: stream.SendOp, machine: TileMachine) -> Step:
    ring, engine = _ring(machine, op, op.channel_name), op.engine.data
    source, offsets = op.source, op.offsets

    def run(values: Values) -> None:
        whole = values.place(source)
        at = tuple(values.index(v) for v in offsets)
        word: Place = whole.part(at, (1,) * len(at))
        values.reads(op, word)
        ring.signal(int(word.read().reshape(-1)[0]))
        values.note("acquire", engine, ring)
        values.note("commit", engine, ring)

    def gate(values: Values) -> str | None:
        return None if ring.has_room() else f"send to @{ring.info.name}"

    return Step(op, frozenset((engine,)), run, gate)


def _receive(op: stream.RecvOp, machine: TileMachine) -> Step:
    ring, result = _ring(machine, op, op.channel_name), op.result
    consumers = ring.info.consumers

    def takers(values: Values) -> tuple[str, ...]:
        return consumers if values.engine is None else (values.engine,)

    def run(values: Values) -> None:
        for engine in takers(values):
            values.set(result, ring.take(engine))
            values.note("wait", engine, ring)
            values.note("release", engine, ring)

    def gate(values: Values) -> str | None:
        ready = all(ring.is_ready(engine) for engine in takers(values))
        return None if ready else f"recv of @{ring.info.name}"

    return Step(op, frozenset(consumers), run, gate)
