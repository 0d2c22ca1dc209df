"""Names of a module: one name space of globals, launch parameters and channels, and their uses."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ModuleOp,
    TensorType,
    i32,
)
from xdsl.ir import Attribute, Operation
from xdsl.utils.exceptions import VerifyException

from .declared import Symbols
from .faults import OpError
from .lowbit import PackedType, TileType
from .shaped import FLOATS, is_memref, memref_of, tensor_of
from .stream import AcquireOp, AwaitOp, ChannelOp, RecvOp, SendOp, SignalOp, SlotOp, TokenOp
from .text import static_values
from .tg import (
    STORED_ROLES,
    AttentionOp,
    EmbedOp,
    GetOp,
    InputOp,
    KvAppendOp,
    MixOp,
    OutputOp,
    RopeOp,
    ScalarOp,
    ScoresOp,
    SizesAttr,
    TableOp,
    TakeOp,
    WeightOp,
)
from .tile import (
    BoxOp,
    GatherOp,
    PartOp,
    StoreOp,
    align_box,
    element_of,
    nbytes,
    shape_of,
    strides_of,
)
from .tw import InstructionOp, PopOp, SyncOp, check_instruction, check_pop, check_sync


def verify_symbols(module: ModuleOp) -> None:
    """Each use of a name agrees with its declaration. Raises VerifyException naming the op."""
    symbols = Symbols(module)
    for op in module.walk():
        try:
            _check_sizes(op, symbols)
            for kind, check in CHECKS:
                if isinstance(op, kind):
                    check(op, symbols)
        except VerifyException as error:
            raise OpError(op, error) from None


def _check_sizes(op: Operation, symbols: Symbols) -> None:
    """`#tg.sizes` names scalars."""
    for result in op.results:
        type_ = result.type
        if isinstance(type_, TensorType) and isinstance(type_.encoding, SizesAttr):
            for name in type_.encoding.names:
                if not isinstance(symbols.by_name.get(name.data), ScalarOp):
                    raise VerifyException(f"no launch scalar is named @{name.data}")


def _check_get(op: GetOp, symbols: Symbols) -> None:
    parameter = symbols.parameter(op.parameter_name)
    if isinstance(parameter, TableOp) != (op.index is not None):
        raise VerifyException(f"@{op.parameter_name} is a {parameter.name}: tables take an index")


def _check_weight(op: WeightOp, symbols: Symbols) -> None:
    weight = symbols.global_(op.global_name)
    if weight.role.data not in STORED_ROLES:
        raise VerifyException(f"@{op.global_name} is no weight but {weight.role.data}")
    shape = weight.shape if op.layer is None else weight.shape[1:]
    if tuple(tensor_of(op.result).get_shape()) != shape:
        raise VerifyException(f"@{op.global_name} gives {list(shape)}, not {op.result.type}")


def _check_index(name: str, symbols: Symbols) -> None:
    index = symbols.global_(name)
    if len(index.shape) != 1 or index.element != i32:
        raise VerifyException(f"@{name} is no list of row numbers in i32: {index.type}")


def _check_embed(op: EmbedOp, symbols: Symbols) -> None:
    _check_index(op.index_name, symbols)
    table = symbols.global_(op.global_name)
    if len(table.shape) != 2:
        raise VerifyException(f"@{op.global_name} has {len(table.shape)} axes, wanted 2: its rows")
    width = table.shape[-1 if is_memref(table.type) else -2]
    if isinstance(table.type, PackedType) and table.type.order.data != "nk":
        raise VerifyException(f"rows are taken from nk packings, not from {table.type}")
    if tensor_of(op.result).get_shape()[1] != width:
        raise VerifyException(f"rows of @{op.global_name} have {width} columns")


def _check_take(op: TakeOp, symbols: Symbols) -> None:
    _check_index(op.index_name, symbols)


def _check_input(op: InputOp, symbols: Symbols) -> None:
    source = symbols.global_(op.global_name)
    if source.role.data != "input":
        raise VerifyException(f"@{op.global_name} is no input but {source.role.data}")
    if not isinstance(source.element, FLOATS) or not _fits(tensor_of(op.result), source.shape):
        raise VerifyException(f"{op.result.type} is not read from @{op.global_name}: {source.type}")


def _fits(rows: TensorType[Attribute], shape: tuple[int, ...]) -> bool:
    """Whether a global of this shape has these rows; a `?` is any number of them."""
    sizes = rows.get_shape()
    return len(sizes) == len(shape) and all(
        n in (DYNAMIC_INDEX, m) for n, m in zip(sizes, shape, strict=True)
    )


def _check_output(op: OutputOp, symbols: Symbols) -> None:
    output = symbols.global_(op.global_name)
    if output.role.data != "output":
        raise VerifyException(f"@{op.global_name} is no output but {output.role.data}")
    if not _fits(tensor_of(op.x), output.shape):
        raise VerifyException(f"{op.x.type} does not fit @{op.global_name}: {output.type}")


def _check_rope(op: RopeOp, symbols: Symbols) -> None:
    for name in (op.cos.string_value(), op.sin.string_value()):
        shape = symbols.global_(name).shape
        if len(shape) != 2 or shape[1] != op.rotated // 2:
            raise VerifyException(f"@{name} has rows of {op.rotated // 2}, not {list(shape)}")


def _check_cache(op: AttentionOp | KvAppendOp, symbols: Symbols) -> None:
    columns = tensor_of(op.q if isinstance(op, AttentionOp) else op.k).get_shape()[1]
    for name in (op.k_cache_name, op.v_cache_name):
        cache = symbols.global_(name)
        if cache.role.data != "state":
            raise VerifyException(f"@{name} is no state but {cache.role.data}")
        shape = cache.shape if op.layer is None else cache.shape[1:]
        if len(shape) != 4:
            raise VerifyException(
                f"@{name} is [layers x] sequences x KV heads x positions x head, not {cache.type}"
            )
        _, groups, _, head = shape
        if isinstance(op, AttentionOp):
            if (groups, head) != (op.kv_heads.data, columns // op.heads.data):
                raise VerifyException(f"@{name} has {groups} KV heads of {head} values")
        elif groups * head != columns:
            raise VerifyException(f"@{name} takes {groups} x {head} columns, not {columns}")


def _check_one_cache(op: ScoresOp | MixOp, symbols: Symbols) -> None:
    x = op.q if isinstance(op, ScoresOp) else op.p
    cache = symbols.global_(op.cache_name)
    if cache.role.data != "state":
        raise VerifyException(f"@{op.cache_name} is no state but {cache.role.data}")
    shape = cache.shape if op.layer is None else cache.shape[1:]
    sizes = [tensor_of(v).get_shape()[1] // op.heads.data for v in (x, op.result)]
    head, positions = sizes if isinstance(op, ScoresOp) else reversed(sizes)
    if len(shape) != 4 or shape[1:] != (op.kv_heads.data, positions, head):
        raise VerifyException(
            f"@{op.cache_name} is no cache of {op.kv_heads.data} KV heads x {positions} positions "
            f"x {head} values: {cache.type}"
        )


def _check_box(op: BoxOp | PartOp, symbols: Symbols) -> None:
    target = symbols.global_(op.global_name)
    if isinstance(op, StoreOp) and target.role.data in (*STORED_ROLES, "input"):
        raise VerifyException(f"@{op.global_name} is not written: its role is {target.role.data}")
    element = element_of(op.result if isinstance(op, PartOp) else op.slot)
    if isinstance(target.type, PackedType):
        _check_run(op, target.type, element)
        return
    if not is_memref(target.type):
        raise VerifyException(f"@{op.global_name} has no bytes yet: {target.type}")
    if target.element != element:
        raise VerifyException(f"@{op.global_name} holds {target.element}, not {element}")
    offsets, sizes = static_values(op.static_offsets), static_values(op.static_sizes)
    if len(offsets) != len(target.shape):
        raise VerifyException(f"@{op.global_name} has {len(target.shape)} axes, not {len(offsets)}")
    for axis, (start, size, extent) in enumerate(zip(offsets, sizes, target.shape, strict=True)):
        first = 0 if start == DYNAMIC_INDEX else start
        if (size != DYNAMIC_INDEX and first + size > extent) or first > extent:
            raise VerifyException(
                f"axis {axis}: {size} from {first} on is not inside the {extent} of @"
                f"{op.global_name}"
            )


def _check_part(op: PartOp, symbols: Symbols) -> None:
    """A part is a box of a global in the scratchpad, and steps through it as the global does."""
    target = symbols.global_(op.global_name)
    if target.memory != "spm":
        raise VerifyException(f"@{op.global_name} lies in main memory, where no unit works")
    _check_box(op, symbols)
    if isinstance(target.type, PackedType):
        return
    shape, strides = shape_of(op.result), strides_of(memref_of(op.result))
    axes = align_box(static_values(op.static_sizes), shape)
    assert axes is not None, "the op's verifier fits box to type"
    for axis, wanted in zip(axes, strides_of(memref_of(target.type)), strict=True):
        if axis is not None and shape[axis] != 1 and strides[axis] != wanted:
            raise VerifyException(
                f"axis {axis} steps by {strides[axis]}, @{op.global_name} by {wanted} there"
            )


def _check_run(op: BoxOp | PartOp, packed: PackedType, element: Attribute) -> None:
    """A run of a packed global: indices, format, extents."""
    offsets, sizes = static_values(op.static_offsets), static_values(op.static_sizes)
    if not isinstance(element, TileType) or not _same_format(element, packed):
        raise VerifyException(f"@{op.global_name} holds {packed}, not {element}")
    if len(offsets) != packed.index_rank:
        raise VerifyException(f"{packed} takes {packed.index_rank} indices, not {len(offsets)}")
    if packed.order.data == "nk":
        limits, last = [packed.n], packed.n
        if element.k != packed.k:
            raise VerifyException(f"rows of {packed.k} do not fit rows of {element.k}")
    else:
        packing = packed.packing
        limits, last = [packing.panels, packing.blocks], packing.blocks
        if element.n > packed.panel.data:
            raise VerifyException(f"a panel of {packed.panel.data} is not {element.n} wide")
    limits = [packed.layers, *limits] if len(packed.shape) == 3 else limits
    for start, limit in zip(offsets, limits, strict=True):
        if start != DYNAMIC_INDEX and start >= limit:
            raise VerifyException(f"index {start} is not below {limit}")
    if sizes[0] != DYNAMIC_INDEX and max(offsets[-1], 0) + sizes[0] > last:
        raise VerifyException(f"a run of {sizes[0]} is not inside the {last} of @{op.global_name}")


def _same_format(tile: TileType, packed: PackedType) -> bool:
    return (tile.format, tile.order) == (packed.format, packed.order)


def _check_gather(op: GatherOp, symbols: Symbols) -> None:
    _check_index(op.index_name, symbols)
    source, element = symbols.global_(op.global_name), element_of(op.slot)
    width = shape_of(op.slot)[1]
    if isinstance(source.type, PackedType):
        if not isinstance(element, TileType) or not _same_format(element, source.type):
            raise VerifyException(f"@{op.global_name} holds {source.type}, not {element}")
        columns = source.type.k
    else:
        if not is_memref(source.type) or source.element != element:
            raise VerifyException(f"@{op.global_name} holds {source.type}, not {element}")
        columns = source.shape[-1]
    if len(source.shape) != 2:
        raise VerifyException(f"@{op.global_name} has {len(source.shape)} axes, wanted 2: its rows")
    if columns != width:
        raise VerifyException(f"@{op.global_name} has rows of {columns}, the slot of {width}")


def _check_slot(op: SlotOp, symbols: Symbols) -> None:
    channel = symbols.channel(op.channel_name)
    _check_engine(op, channel, op.engine.data, isinstance(op, AcquireOp))
    if channel.kind.data != "slot" or channel.slot_bytes is None:
        raise VerifyException(f"@{op.channel_name} has no slots but is a {channel.kind.data}")
    type_ = memref_of(op.slot)
    if type_.memory_space != channel.space:
        raise VerifyException(f"@{op.channel_name} lies in {channel.space}, not {type_}")
    if nbytes(type_) > channel.slot_bytes.data:
        raise VerifyException(
            f"{nbytes(type_)} bytes do not fit a slot of {channel.slot_bytes.data} of "
            f"@{op.channel_name}"
        )


def _check_engine(op: Operation, channel: ChannelOp, engine: str, produces: bool) -> None:
    """The producer acquires, commits, signals and sends; consumers wait, release and await."""
    name = channel.channel_name
    if produces and engine != channel.producer.data:
        raise VerifyException(f"@{name} is filled by {channel.producer.data}, not by {engine}")
    if not produces and engine not in channel.consumer_names:
        raise VerifyException(f"{engine} is no consumer of @{name}")


def _check_token(op: TokenOp, symbols: Symbols) -> None:
    channel = symbols.channel(op.channel_name)
    if channel.kind.data != "token":
        raise VerifyException(f"@{op.channel_name} has no tokens but is a {channel.kind.data}")
    assert isinstance(op, SignalOp | AwaitOp)
    _check_engine(op, channel, op.engine.data, isinstance(op, SignalOp))


def _check_scalar(op: SendOp | RecvOp, symbols: Symbols) -> None:
    channel = symbols.channel(op.channel_name)
    if channel.kind.data != "scalar":
        raise VerifyException(f"@{op.channel_name} has no scalars but is a {channel.kind.data}")
    if isinstance(op, SendOp):
        _check_engine(op, channel, op.engine.data, True)


CHECKS: tuple[tuple[type | tuple[type, ...], Callable[..., None]], ...] = (
    (GetOp, _check_get),
    (WeightOp, _check_weight),
    (EmbedOp, _check_embed),
    (TakeOp, _check_take),
    (InputOp, _check_input),
    (OutputOp, _check_output),
    (RopeOp, _check_rope),
    ((AttentionOp, KvAppendOp), _check_cache),
    ((ScoresOp, MixOp), _check_one_cache),
    (BoxOp, _check_box),
    (PartOp, _check_part),
    (GatherOp, _check_gather),
    (SlotOp, _check_slot),
    (TokenOp, _check_token),
    ((SendOp, RecvOp), _check_scalar),
    (InstructionOp, check_instruction),
    (SyncOp, check_sync),
    (PopOp, check_pop),
)
"""The check of each kind of op that names something."""
