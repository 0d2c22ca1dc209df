"""A loaded program as flat int64 tables with absolute addresses, for the compiled engine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ...backend.isa import (
    BY_MNEMONIC,
    CHANNEL,
    CONSTANT,
    INSTRUCTIONS,
    NO_REGISTER,
    ORDERS,
    VIEW_FORMATS,
    Ins,
    Operand,
    View,
)
from . import layout as at
from .aliases import aliased_channels
from .loader import Loaded
from .memories import Memories, is_stored

Table = npt.NDArray[np.int64]

_NUMBERS = {row.mnemonic: number for number, row in enumerate(INSTRUCTIONS)}
_MOVES = ("copy", "fill", "gather", "scatter")
_ACCESS = {"read": at.READ, "write": at.WRITE, "update": at.UPDATE}
_SPACES = {"none": at.SPACE_NONE, "spm": at.SPACE_SPM, "acc": at.SPACE_ACC}
_KINDS = {"slot": at.SLOT, "token": at.TOKEN, "scalar": at.SCALAR}
_SCALAR_FIELDS = {
    "rd": at.RD, "ra": at.RA, "rb": at.RB, "imm": at.IMMEDIATE, "word": at.IMMEDIATE,
    "offset": at.IMMEDIATE, "trips": at.IMMEDIATE, "channel": at.CHANNEL_NUMBER, "n": at.COUNT,
    "count": at.RB, "counter": at.COUNTER, "fn": at.FUNCTION, "kind": at.FUNCTION, "f": at.F,
    "op": at.OPERATION, "rop": at.REDUCTION, "step": at.STEP, "axis": at.AXIS, "lo": at.LO,
    "hi": at.HI, "transposed": at.TRANSPOSED,
}  # fmt: skip
"""Columns of fields; bounds and fill have their own rules."""
_REGISTER_FIELDS = ("ra", "rb", "count", "lo", "hi")


@dataclass(frozen=True)
class Tables:
    """Everything the compiled engine reads."""

    rows: Table
    """[instructions of all engines, ROW_WIDTH]."""
    starts: Table
    """[engines + 1] first row of each engine."""
    channels: Table
    """[channels, CHANNEL_WIDTH]."""
    consumers: Table
    """[channels, engines]: 1 where the engine consumes."""
    regions: Table
    """[regions, REGION_WIDTH]."""
    aliases: Table
    """A word for each slot of the channels that `aliased_channels` names."""
    product: int
    """Largest rows * depth of an `a` of a product, in elements."""


def build_tables(loaded: Loaded, memories: Memories) -> Tables:
    """The tables of a program over these memories, which must outlive them."""
    program = loaded.program
    parts = [np.zeros((0, at.ROW_WIDTH), np.int64)]
    for number, stream in enumerate(loaded.instructions):
        rows = np.zeros((len(stream), at.ROW_WIDTH), np.int64)
        for pc, ins in enumerate(stream):
            _fill_row(rows[pc], loaded, number, pc, ins)
        parts.append(rows)
    consumers = [[int(e in c.consumers) for e in loaded.engines] for c in program.channels]
    depth = max(
        (int(np.prod(program.views[ins.operands["a"].view].shape))
         for stream in loaded.instructions for ins in stream if ins.mnemonic == "mm"),
        default=0,
    )  # fmt: skip
    channels = _channels(loaded, memories)
    aliases = _add_aliases(channels, loaded)
    starts = np.cumsum([0] + [len(part) for part in parts[1:]])
    return Tables(
        np.concatenate(parts),
        starts.astype(np.int64),
        channels,
        np.array(consumers, np.int64).reshape(-1, len(loaded.engines)),
        _regions(loaded, memories),
        aliases,
        depth,
    )


def _channels(loaded: Loaded, memories: Memories) -> Table:
    table = np.zeros((len(loaded.program.channels), at.CHANNEL_WIDTH), np.int64)
    for row, channel in zip(table, loaded.program.channels, strict=True):
        row[at.C_SLOTS], row[at.C_BYTES] = channel.slots, channel.slot_bytes
        row[at.C_SPACE], row[at.C_KIND] = _SPACES[channel.space], _KINDS[channel.kind]
        known = channel.producer in loaded.engines
        row[at.C_PRODUCER] = loaded.engines.index(channel.producer) if known else -1
        row[at.C_MAX], row[at.C_PRIMED] = channel.max, channel.primed
        if channel.space != "none":
            memory = memories.spm if channel.space == "spm" else memories.acc
            row[at.C_ADDRESS] = memory.data.ctypes.data + channel.base
            row[at.C_SHADOW] = memory.shadow.ctypes.data + channel.base // 8
    return table


def _add_aliases(channels: Table, loaded: Loaded) -> Table:
    chosen = sorted(aliased_channels(loaded))
    words = np.zeros(int(channels[chosen, at.C_SLOTS].sum()), np.int64)
    first = 0
    for number in chosen:
        channels[number, at.C_ALIAS] = words.ctypes.data + 8 * first
        first += int(channels[number, at.C_SLOTS])
    return words


def _regions(loaded: Loaded, memories: Memories) -> Table:
    table = np.zeros((len(loaded.program.regions), at.REGION_WIDTH), np.int64)
    for row, region in zip(table, loaded.program.regions, strict=True):
        row[at.R_BYTES] = region.nbytes
        row[at.R_ADDRESS] = memories.bytes_of(region).ctypes.data
        if not is_stored(region):
            memory = memories.memory(region)
            start = region.base - memory.first
            row[at.R_SHADOW] = memory.shadow.ctypes.data + start // 8
    return table


def _fill_row(row: Table, loaded: Loaded, engine: int, pc: int, ins: Ins) -> None:
    row[at.OP] = _NUMBERS[ins.mnemonic]
    row[at.BOUNDS : at.BOUNDS + 5] = -1
    for name, value in ins.fields.items():
        column = _SCALAR_FIELDS.get(name)
        if column is not None:
            absent = name in _REGISTER_FIELDS and value == NO_REGISTER
            row[column] = -1 if absent else value
    row[at.PAIR] = loaded.pairs[engine].get(pc, 0)
    _fill_bounds(row, loaded, ins)
    if ins.fields.get("fill", 0) < len(loaded.program.constants) and "fill" in ins.fields:
        row[at.FILL_BITS] = _bits(loaded, ins.fields["fill"])
    for index, spec in enumerate(BY_MNEMONIC[ins.mnemonic].operands):
        operand = ins.operands.get(spec.name)
        if operand is not None:
            low = at.OPERANDS + index * at.OPERAND_WIDTH
            block = row[low : low + at.OPERAND_WIDTH]
            _fill_operand(block, loaded, engine, operand, ins.mnemonic)
            block[at.ACCESS] = _ACCESS[spec.access]


def _fill_bounds(row: Table, loaded: Loaded, ins: Ins) -> None:
    """Bound registers by axis of the padded shape that `_axes` gives."""
    f = ins.fields
    bounds: dict[int, int] = {}
    if ins.mnemonic in ("copy", "fill"):
        rank = loaded.program.views[ins.operands["dst"].view].rank
        bounds = {5 - rank + axis: f[f"axis{axis}"] for axis in range(rank)}
    elif ins.mnemonic in ("gather", "scatter"):
        view = ins.operands["dst" if ins.mnemonic == "gather" else "src"].view
        bounds = {5 - loaded.program.views[view].rank: f["rows"]}
    elif ins.mnemonic == "mm":
        bounds = {0: f["m"], 1: f["n"], 2: f["k"]}
    elif ins.mnemonic == "vtr":
        bounds = {0: f["rows"], 2: f["cols"]}
    elif "cols" in f:
        bounds = {0: f["rows"], 1: f["mid"], 2: f["cols"]}
    for axis, register in bounds.items():
        row[at.BOUNDS + axis] = -1 if register == NO_REGISTER else register


def _bits(loaded: Loaded, number: int) -> int:
    return int(loaded.program.constants[number : number + 1].astype(np.float32).view(np.int32)[0])


def _fill_operand(
    block: Table, loaded: Loaded, engine: int, operand: Operand, mnemonic: str
) -> None:
    block[at.KIND] = operand.kind
    if operand.kind == CONSTANT:
        block[at.CONSTANT_BITS] = _bits(loaded, operand.view)
        return
    block[at.ID], block[at.AGE] = operand.id, operand.age
    block[at.REG] = -1 if operand.reg == NO_REGISTER else operand.reg
    block[at.BEGIN], block[at.END] = int(operand.begin), int(operand.end)
    if operand.kind == CHANNEL:
        producer = loaded.program.channels[operand.id].producer
        block[at.PRODUCER] = int(producer == loaded.engines[engine])
    view = loaded.program.views[operand.view]
    block[at.FORMAT] = VIEW_FORMATS.index(view.format)
    block[at.ORDER] = ORDERS.index(view.order)
    block[at.RANK], block[at.OFFSET] = view.rank, view.offset
    for number, (extent, stride) in enumerate(_axes(view, mnemonic)):
        block[at.SHAPE + number] = extent
        block[at.STRIDE + number] = stride


def _axes(view: View, mnemonic: str) -> list[tuple[int, int]]:
    """(extent, stride) padded: moves to five axes, others to (rows, mid, columns)."""
    axes = list(zip(view.shape, view.strides, strict=True))
    if mnemonic in _MOVES:
        return [(1, 0)] * (5 - view.rank) + axes
    if view.rank == 2:
        return [axes[0], (1, 0), axes[1]]
    return [(1, 0)] * (3 - view.rank) + axes
