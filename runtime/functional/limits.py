"""What an instruction must satisfy before it runs: the table's limits that need no registers.

Each check raises Fault of kind `operand`, naming engine, instruction and operand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ...backend.isa import (
    BY_MNEMONIC,
    CHANNEL,
    CONSTANT,
    ELEMENT_BYTES,
    NO_REGISTER,
    PACKED_ROLES,
    REGION,
    SYNC_KINDS,
    Ins,
    Operand,
    Program,
    View,
    engine_kind,
)
from .layout import LINE

Reason = str | None


@dataclass(frozen=True)
class Context:
    """An instruction and the tables that it points into."""

    program: Program
    engine: str
    ins: Ins

    def view(self, name: str) -> View:
        """The view of a channel or region operand."""
        return self.program.views[self.ins.operands[name].view]

    def views(self) -> dict[str, View]:
        """The views of all operands but constants."""
        return {n: self.view(n) for n, o in self.ins.operands.items() if o.kind != CONSTANT}

    def given(self, field: str) -> bool:
        """True where a bound or other optional register field names a register."""
        return self.ins.fields[field] != NO_REGISTER


def find_problem(program: Program, engine: str, ins: Ins) -> Reason:
    """Why this instruction may not stand in this engine's stream; None: it may."""
    context = Context(program, engine, ins)
    row = BY_MNEMONIC[ins.mnemonic]
    if engine_kind(engine) not in row.engines:
        return f"{ins.mnemonic}: runs on {', '.join(row.engines)}, not on {engine}"
    for spec in row.operands:
        operand = ins.operands.get(spec.name)
        if operand is None:
            continue
        reason = _place(context, operand, spec.spaces, spec.access) or _look(
            context, operand, spec.ranks, spec.formats, spec.access
        )
        if reason:
            return f"{ins.mnemonic} {spec.name}: {reason}"
    check = _CHECKS.get(ins.mnemonic)
    reason = check(context) if check else None
    return f"{ins.mnemonic}: {reason}" if reason else None


def channel_problem(program: Program, number: int, engine: str, produce: bool) -> Reason:
    """Why an engine may not produce into, or consume from, a channel."""
    if number >= len(program.channels):
        return f"channel {number}, the table has {len(program.channels)}"
    channel = program.channels[number]
    if produce and channel.producer != engine:
        return f"the producer of channel '{channel.name}' is {channel.producer}, not {engine}"
    if not produce and engine not in channel.consumers:
        consumers = ", ".join(channel.consumers)
        return f"consumers of channel '{channel.name}' are {consumers}, not {engine}"
    return None


def _place(context: Context, operand: Operand, spaces: tuple[str, ...], access: str) -> Reason:
    program = context.program
    if operand.kind == CONSTANT:
        if operand.view >= len(program.constants):
            return f"constant {operand.view}, the table has {len(program.constants)}"
        return None
    if operand.view >= len(program.views):
        return f"view {operand.view}, the table has {len(program.views)}"
    if operand.kind == CHANNEL:
        if operand.id >= len(program.channels):
            return f"channel {operand.id}, the table has {len(program.channels)}"
        channel = program.channels[operand.id]
        produce = channel.producer == context.engine
        if access != "read" and not produce:
            return f"writes a slot of '{channel.name}', whose producer is {channel.producer}"
        reason = channel_problem(program, operand.id, context.engine, produce)
        space = channel.space
    elif operand.kind == REGION:
        if operand.id >= len(program.regions):
            return f"region {operand.id}, the table has {len(program.regions)}"
        region = program.regions[operand.id]
        reason, space = None, region.memory
        if access != "read" and region.role in PACKED_ROLES and not _from_host(context):
            reason = f"writes region '{region.name}', which is read-only ({region.role})"
        elif region.owner not in ("", context.engine):
            reason = f"region '{region.name}' belongs to {region.owner}"
    else:
        return f"operand kind {operand.kind} is unknown"
    if reason is None and space not in spaces:
        return f"lies in {space}, wanted {' or '.join(spaces)}"
    return reason


def _from_host(context: Context) -> bool:
    """Whether the instruction copies what the host hands in, as load entries do."""
    source = context.ins.operands.get("src")
    regions = context.program.regions
    return (
        source is not None
        and source.kind == REGION
        and source.id < len(regions)
        and regions[source.id].memory == "host"
    )


def _look(
    context: Context,
    operand: Operand,
    ranks: tuple[int, int],
    formats: tuple[str, ...],
    access: str,
) -> Reason:
    if operand.kind == CONSTANT:
        return None
    view = context.program.views[operand.view]
    if not ranks[0] <= view.rank <= ranks[1]:
        return f"its view has rank {view.rank}, wanted {ranks[0]} to {ranks[1]}"
    if view.format not in (formats or tuple(ELEMENT_BYTES)):
        return f"its view has format {view.format}, wanted {', '.join(formats or ELEMENT_BYTES)}"
    if view.order:
        if access != "read":
            return "writes a packed view"
        if view.order == "kn" and view.strides[1] % 16:
            return f"a kn panel of {view.strides[1]} columns, wanted a multiple of 16"
        plain = ELEMENT_BYTES.get(view.format, 0)
        if view.order == "nk" and plain and view.strides[1] != plain:
            return f"an nk row steps by {view.strides[1]} bytes, wanted {plain} for {view.format}"
        return None
    element = ELEMENT_BYTES[view.format]
    if any(number % element for number in (*view.strides, view.offset)):
        return f"strides {view.strides} or offset {view.offset} are no multiples of {element}"
    broadcast = any(s == 0 and n > 1 for n, s in zip(view.shape, view.strides, strict=True))
    if access != "read" and broadcast:
        return "writes a view that broadcasts (stride 0)"
    return None


def _dense_alike(views: list[View]) -> Reason:
    if any(v.order for v in views):
        return "packed data moves as u8 views"
    first = views[0]
    for view in views[1:]:
        if (view.rank, view.format) != (first.rank, first.format):
            return (
                f"views differ: rank {first.rank} {first.format} and rank {view.rank} {view.format}"
            )
    return None


def _axes(context: Context) -> Reason:
    rank = context.view("dst").rank
    for axis in range(rank, 5):
        if context.given(f"axis{axis}"):
            return f"a bound on axis {axis}, the views have rank {rank}"
    return None


def _copy(context: Context) -> Reason:
    return _dense_alike([context.view("dst"), context.view("src")]) or _axes(context)


def _fill(context: Context) -> Reason:
    if context.ins.operands["value"].kind != CONSTANT:
        return "value: wanted a constant"
    return _axes(context)


def _rows(context: Context) -> Reason:
    dst, src = context.view("dst"), context.view("src")
    if dst.shape[1:] != src.shape[1:]:
        return f"rows differ: {dst.shape[1:]} and {src.shape[1:]}"
    return _dense_alike([dst, src])


def _mm(context: Context) -> Reason:
    acc, a, b = (context.view(name) for name in ("acc", "a", "b"))
    if (acc.format == "i32") != (a.format == b.format == "i8"):
        return f"acc is {acc.format} for a of {a.format} and b of {b.format}; i32 takes i8 by i8"
    if b.order == "kn" and context.ins.fields["transposed"]:
        return "transposed, but b has order kn"
    if b.order == "" and b.format not in ELEMENT_BYTES:
        return f"b of {b.format} has no order"
    return None


def _values(context: Context) -> Reason:
    """Checks of vec and vsel: one shape for all, one reduced."""
    views = context.views()
    shaped = {name: view for name, view in views.items() if name != "red"}
    if not shaped:
        return "no operand with a view says what shape the value has"
    name, value = next((n, v) for n, v in shaped.items())
    for other, view in views.items():
        wanted = (*value.shape[:-1], 1) if other == "red" else value.shape
        if view.shape != wanted:
            return f"{other} has shape {view.shape}, wanted {wanted} as of {name}"
        if view.order and view.rank != 2:
            return f"{other} is packed and has rank {view.rank}, wanted 2"
    return _value_bounds(context, value.rank)


def _value_bounds(context: Context, rank: int) -> Reason:
    if rank < 3 and "mid" in context.ins.fields and context.given("mid"):
        return f"a bound on mid, the views have rank {rank}"
    if rank < 2 and context.given("rows"):
        return "a bound on rows, the views have rank 1: its one axis is cols"
    return None


def _vec(context: Context) -> Reason:
    operands, fields = context.ins.operands, context.ins.fields
    if "dst" not in operands and "red" not in operands:
        return "neither dst nor red is given"
    if ("red" in operands) != (fields["rop"] != 0):
        return "rop and red come together"
    if ("d" in operands) != (fields["op"] != 0):
        return "op and d come together"
    if "dst" not in operands and operands["a"].kind == CONSTANT:
        return "without dst, a says the shape and cannot be a constant"
    rank = context.view("dst" if "dst" in operands else "a").rank
    if fields["axis"] and rank != 3:
        return f"the band runs along axis 1, the views have rank {rank}"
    banded = context.given("lo") or context.given("hi")
    if banded and fields["fill"] >= len(context.program.constants):
        return f"fill is constant {fields['fill']}, the table has {len(context.program.constants)}"
    return _values(context)


def _vquant(context: Context) -> Reason:
    codes, scales, a = (context.view(name) for name in ("codes", "scales", "a"))
    if codes.shape != a.shape or codes.shape[:-1] != scales.shape[:-1]:
        return f"shapes {codes.shape}, {scales.shape} and {a.shape} do not agree"
    if not scales.shape[-1] or codes.shape[-1] % scales.shape[-1]:
        return f"{codes.shape[-1]} columns are no multiple of {scales.shape[-1]} scales"
    return _value_bounds(context, a.rank)


def _vtopk(context: Context) -> Reason:
    a = context.view("a")
    for name in ("values", "indices"):
        if context.view(name).shape != (*a.shape[:-1], 1):
            return f"{name} has shape {context.view(name).shape}, wanted {(*a.shape[:-1], 1)}"
    return _value_bounds(context, a.rank)


def _vtr(context: Context) -> Reason:
    dst, a = context.view("dst"), context.view("a")
    if dst.format != a.format:
        return f"formats differ: {dst.format} and {a.format}"
    if dst.shape[0] < a.shape[1] or dst.shape[1] < a.shape[0]:
        return f"dst of {dst.shape} cannot hold the transpose of {a.shape}"
    return None


def _alu(context: Context) -> Reason:
    both = context.given("rb") and context.ins.fields["imm"] != 0
    return "rb and imm are both given" if both else None


def _loop(context: Context) -> Reason:
    both = context.given("count") and context.ins.fields["trips"] != 0
    return "count and trips are both given" if both else None


def _pop(context: Context) -> Reason:
    number, offset = context.ins.fields["channel"], context.ins.fields["offset"]
    reason = channel_problem(context.program, number, context.engine, produce=False)
    if reason:
        return reason
    channel = context.program.channels[number]
    if channel.kind != "scalar":
        return f"channel '{channel.name}' is of kind {channel.kind}, wanted scalar"
    if offset % 4 or offset + 4 > channel.slot_bytes:
        return f"offset {offset} is no word of a slot of {channel.slot_bytes} bytes"
    return None


def _sync(context: Context) -> Reason:
    produce = SYNC_KINDS[context.ins.fields["kind"]] in ("acquire", "commit")
    number = context.ins.fields["channel"]
    return channel_problem(context.program, number, context.engine, produce)


_CHECKS: dict[str, Callable[[Context], Reason]] = {
    "copy": _copy, "fill": _fill, "gather": _rows, "scatter": _rows, "mm": _mm, "vec": _vec,
    "vsel": _values, "vquant": _vquant, "vtopk": _vtopk, "vtr": _vtr, "alu": _alu, "loop": _loop,
    "pop": _pop, "sync": _sync,
}  # fmt: skip


def table_problem(program: Program, sizes: dict[str, int]) -> Reason:
    """Why the channel table cannot be used on a machine with memories of these bytes."""
    for channel in program.channels:
        if channel.kind == "token":
            continue
        if channel.base % LINE or channel.slot_bytes % LINE:
            return (
                f"channel '{channel.name}' has slots of {channel.slot_bytes} bytes at "
                f"{channel.base}; both must be multiples of {LINE}"
            )
        if channel.base + channel.nbytes > sizes[channel.space]:
            return (
                f"channel '{channel.name}' ends at {channel.base + channel.nbytes}, "
                f"{channel.space} has {sizes[channel.space]} bytes"
            )
    return None
