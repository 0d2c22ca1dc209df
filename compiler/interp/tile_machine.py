"""The state of a tile program that runs: regions, scratchpad, accumulators, rings, parameters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from xdsl.dialects.builtin import MemRefType, ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute, Operation

from ...backend.errors import TilewrightError
from ...backend.formats import ELEMENTS
from ...dialects.lowbit import PackedType, TileType
from ...dialects.shaped import is_memref, memref_of
from ...dialects.spaces import space_name
from ...dialects.stream import ChannelOp
from ...dialects.tg import GlobalOp, ScalarOp, TableOp
from ...dialects.tile import BufferOp, nbytes
from .tile_channels import ChannelInfo, Ring, make_ring
from .tile_math import packed_place
from .tile_memory import STORED, Array, Lease, Memory, Packed, Place, contiguous
from .tile_transfers import Region

Data = Mapping[str, Array] | Callable[[str], Array]
Parameters = Mapping[str, int | Sequence[int]]

WRITABLE_ROLES = ("state", "scratch", "output")
CHANGED_ROLES = ("state", "output")
READ_ONLY_ROLES = ("weight", "table", "input")


class InterpretError(TilewrightError):
    """A tile program did something undefined, or was given data that does not fit it.

    `op` is who did it, where one op did, and `trips` the counters of the loops around it.
    """

    def __init__(
        self, message: str, op: Operation | None = None, trips: Sequence[tuple[str, int]] = ()
    ) -> None:
        super().__init__(message)
        self.op = op
        self.trips = tuple(trips)


class Running(Protocol):
    """Whose step an observer is told of."""

    trips: list[tuple[str, int]]
    at: Operation | None


class Observer(Protocol):
    """Told of every access and channel event, in the order they happen."""

    def touch(self, op: Operation, engine: str, place: Place, *, write: bool) -> None:
        """`engine` reads or writes a place."""
        ...

    def channel(self, event: str, engine: str, ring: Ring) -> None:
        """`engine` did an `acquire`, `commit`, `wait` or `release` on a channel just now."""
        ...


def element_name(type_: Attribute) -> str:
    """`f32`, `bf16`, ... of an element type of the IR."""
    name = str(type_).removeprefix("ui") if str(type_).startswith("ui") else str(type_)
    name = {"8": "u8"}.get(name, name)
    if name not in STORED:
        raise InterpretError(f"element type {type_}: no buffer holds it; want {', '.join(STORED)}")
    return name


def place_of(type_: MemRefType[Attribute], memory: Memory, at: int, lease: Lease) -> Place:
    """A buffer or slot of that type at byte `at`."""
    element = type_.element_type
    if isinstance(element, TileType):
        first, second = element.get_shape()
        packed = Packed(element.format.data, element.order.data, first, second)
        return packed_place(packed, Place(memory, at, (), (), "u8", None, lease))
    name = element_name(element)
    shape = tuple(type_.get_shape())
    return Place(memory, at, shape, contiguous(shape, STORED[name].itemsize), name, None, lease)


def channel_info(op: ChannelOp) -> ChannelInfo:
    """A channel's declaration as plain numbers."""
    return ChannelInfo(
        name=op.channel_name,
        kind=op.kind.data,
        producer=op.producer.data,
        consumers=op.consumer_names,
        slots=op.slots.data,
        slot_bytes=op.slot_bytes.data if op.slot_bytes is not None else 0,
        space=op.space.name.removeprefix("tw.") if op.space is not None else "",
        base=op.at.data if op.at is not None else None,
        primed=op.primed.data if op.primed is not None else 0,
        maximum=op.maximum.data if op.maximum is not None else 0,
    )


def functions(module: ModuleOp) -> dict[str, FuncOp]:
    """The functions of a module by name."""
    return {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}


class TileMachine:
    """Everything that a program's steps act on.

    Args:
        module: tiled, streamed, placed or projected.
        data: arrays of the regions; see `run_tile`.
        parameters: launch parameters, a number or a list of numbers by name.
        observer: told of accesses and channel events, if given.

    Raises:
        InterpretError: data or parameters are missing, or do not fit their declarations.
    """

    def __init__(
        self,
        module: ModuleOp,
        data: Data,
        parameters: Parameters,
        observer: Observer | None = None,
    ) -> None:
        self.module = module
        self.observer = observer
        self.running: Running | None = None
        self.regions: dict[str, Region] = {}
        self.rings: dict[str, Ring] = {}
        self.parameters: dict[str, tuple[int, ...]] = {}
        self.spaces = _spaces(module)
        for op in module.ops:
            if isinstance(op, GlobalOp):
                self.regions[op.global_name] = _region(op, data)
            elif isinstance(op, ScalarOp | TableOp):
                name, words = _parameter(op, parameters)
                self.parameters[name] = words
            elif isinstance(op, ChannelOp):
                self.rings[op.channel_name] = make_ring(channel_info(op), self.spaces)
        unknown = [name for name in parameters if name not in self.parameters]
        if unknown:
            raise InterpretError(
                f"parameter {unknown[0]}: not declared; the module has "
                f"{', '.join(self.parameters) or 'none'}"
            )

    def results(self) -> dict[str, Array]:
        """State and outputs after the run, by name; float16 and bfloat16 as such, not as bits."""
        out: dict[str, Array] = {}
        for name, region in self.regions.items():
            if region.role in CHANGED_ROLES and region.place is not None:
                out[name] = region.place.raw().copy().view(ELEMENTS[region.place.element])
        return out

    def written(self, name: str) -> Array:
        """Which elements of a region hold written bytes: bool of its shape."""
        region = self.regions[name]
        whole = region.dense()
        shadow = region.memory.shadow
        if shadow is None:
            return np.ones(whole.shape, np.bool_)
        flags: Array = shadow.reshape(*whole.shape, whole.dtype.itemsize)
        return flags.min(axis=-1).astype(np.bool_)


def _region(op: GlobalOp, data: Data) -> Region:
    name, role, type_ = op.global_name, op.role.data, op.type
    given = _given(name, data, needed=role in READ_ONLY_ROLES)
    if isinstance(type_, PackedType):
        assert given is not None, "a packed region is read-only"
        count = type_.nbytes
        if given.size != count or given.dtype != np.uint8:
            raise InterpretError(
                f"data of @{name}: found {given.size} of {given.dtype}, want {count} of uint8 "
                f"for {type_}"
            )
        memory = Memory(f"@{name}", np.ascontiguousarray(given).reshape(-1), written=True,
                        read_only=True)  # fmt: skip
        return Region(name, role, memory, None, type_)
    if not is_memref(type_):
        raise InterpretError(
            f"@{name} : {type_} is a tensor; the tile interpreter runs modules from tiled down"
        )
    memref = memref_of(type_)
    element = element_name(memref.element_type)
    shape, dtype = tuple(memref.get_shape()), STORED[element]
    if given is None:
        values = np.zeros(shape, dtype)
    else:
        if given.shape != shape or given.dtype.itemsize != dtype.itemsize:
            raise InterpretError(
                f"data of @{name}: found {given.dtype} {list(given.shape)}, want {element} "
                f"{list(shape)}"
            )
        read_only = role in READ_ONLY_ROLES
        values = np.ascontiguousarray(given) if read_only else np.array(given, order="C")
        values = values.view(dtype)
    memory = Memory(
        f"@{name}",
        values.reshape(-1).view(np.uint8),
        written=given is not None,
        read_only=role in READ_ONLY_ROLES,
    )
    lease = Lease(f"@{name}", "", writable=role in WRITABLE_ROLES)
    place = Place(memory, 0, shape, contiguous(shape, dtype.itemsize), element, None, lease)
    return Region(name, role, memory, place, None)


def _given(name: str, data: Data, *, needed: bool) -> Array | None:
    if not callable(data):
        found = data.get(name)
    else:
        try:
            found = data(name)
        except KeyError:
            found = None
    if found is None and needed:
        raise InterpretError(f"data of @{name}: missing; weights, tables and inputs are needed")
    return found


def _parameter(op: ScalarOp | TableOp, parameters: Parameters) -> tuple[str, tuple[int, ...]]:
    name = op.sym_name.data
    if name not in parameters:
        raise InterpretError(f"parameter {name}: missing; the module declares it")
    value = parameters[name]
    words = (value,) if isinstance(value, int | np.integer) else tuple(value)
    count = op.count.data if isinstance(op, TableOp) else 1
    if len(words) != count:
        raise InterpretError(f"parameter {name}: found {len(words)} words, want {count}")
    for word in words:
        if not op.lo.data <= word <= op.hi.data:
            raise InterpretError(
                f"parameter {name}: found {word}, want {op.lo.data} to {op.hi.data}"
            )
    return name, tuple(int(word) for word in words)


def _spaces(module: ModuleOp) -> dict[str, Memory]:
    """spm and acc as far as the program's addresses reach."""
    ends = {"spm": 0, "acc": 0}
    for op in module.walk():
        if isinstance(op, ChannelOp) and op.at is not None and op.slot_bytes is not None:
            space = channel_info(op).space
            ends[space] = max(ends[space], op.at.data + op.slots.data * op.slot_bytes.data)
        elif isinstance(op, BufferOp) and op.at is not None:
            space = space_name(op.result.type)
            ends[space] = max(ends[space], op.at.data + nbytes(op.result.type))
    return {
        space: Memory(space, np.zeros(end, np.uint8), written=False) for space, end in ends.items()
    }
