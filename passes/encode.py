"""isa → words and tables: `tw.mm acc=@s[0]<..> ..` → four u64 and entries of the view table.

Not a pass: it makes a `backend.isa.Program`, not IR.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from xdsl.dialects.builtin import IntAttr, IntegerAttr, ModuleOp
from xdsl.ir import Block, Operation, SSAValue

from ..backend.isa import (
    ALU_FUNCTIONS,
    BY_MNEMONIC,
    CHANNEL,
    COUNTER_LOW,
    NO_REGISTER,
    REGION,
    SYNC_KINDS,
    TABLE_LIMITS,
    Channel,
    Ins,
    Operand,
    Parameter,
    Program,
    Region,
    View,
    Words,
    encode_all,
)
from ..backend.isa import constant as constant_operand
from ..backend.machine import Machine
from ..dialects.locations import location_name, sources_of
from ..dialects.spaces import SPM
from ..dialects.stream import ChannelOp
from ..dialects.tg import GlobalOp, ScalarOp, TableOp
from ..dialects.tw import (
    AluOp,
    InstructionOp,
    LdpOp,
    LiOp,
    LoopOp,
    Place,
    PopOp,
    ProgramOp,
    RegionOp,
    SyncOp,
    register_type,
)
from .allocate import global_bytes
from .located import PassError, located
from .memory import SCALAR_BYTES, ring_space
from .select import parameter_offsets

Entry = TypeVar("Entry", bound=Hashable)


@dataclass
class _Table(Generic[Entry]):
    """Entries of a table, each once, in order of first use."""

    name: str
    numbers: dict[Entry, int] = field(default_factory=lambda: {})

    def number(self, entry: Entry, op: Operation) -> int:
        """The entry's index. Raises PassError when the table is full."""
        number = self.numbers.setdefault(entry, len(self.numbers))
        if number >= TABLE_LIMITS[self.name]:
            raise PassError(
                f"{located(op)}: the program needs more than {TABLE_LIMITS[self.name]} different "
                f"{self.name}, which is all that an operand can tell apart; use fewer tile shapes",
                op,
            )
        return number


def float_bits(value: float) -> int:
    """The bits of a float32, so that -0.0 is not 0.0 and one NaN is itself."""
    return struct.unpack("<I", struct.pack("<f", value))[0]


class _Encoder:
    """Makes the instructions of every engine of one module."""

    def __init__(self, channels: dict[str, int], regions: dict[str, int]):
        self.channels = channels
        self.regions = regions
        self.views = _Table[View]("views")
        self.constants = _Table[int]("constants")
        self.out: list[Ins] = []
        self.locations: list[str] = []

    def program(self, op: ProgramOp) -> tuple[list[Ins], list[str]]:
        """The instructions of one engine, halt at the end, and the location of each."""
        self.out, self.locations = [], []
        self._block(op.body.block)
        self._add(Ins("halt"), op)
        return self.out, self.locations

    def _add(self, ins: Ins, op: Operation) -> None:
        self.out.append(ins)
        self.locations.append(location_name(op))

    def _block(self, block: Block) -> None:
        for op in block.ops:
            match op:
                case InstructionOp():
                    self._add(self._instruction(op), op)
                case LoopOp():
                    self._loop(op)
                case _:
                    self._add(self._scalar(op), op)

    def _loop(self, op: LoopOp) -> None:
        counter = register(op.counter) - COUNTER_LOW
        count = (
            {"count": register(op.count)} if op.count is not None else {"trips": number(op.trips)}
        )
        self._add(Ins("loop", fields={"counter": counter, **count}), op)
        self._block(op.body.block)
        self._add(Ins("next", fields={"counter": counter}), op)

    def _scalar(self, op: Operation) -> Ins:
        match op:
            case LiOp():
                return Ins("li", fields={"rd": register(op.result), "imm": op.imm.data})
            case AluOp():
                second = {"rb": register(op.b)} if op.b is not None else {"imm": number(op.imm)}
                fn = ALU_FUNCTIONS.index(op.fn.data)
                fields = {"fn": fn, "rd": register(op.result), "ra": register(op.a)}
                return Ins("alu", fields=fields | second)
            case LdpOp():
                index = {"ra": register(op.index)} if op.index is not None else {}
                fields = {"rd": register(op.result), "word": op.word.data}
                return Ins("ldp", fields=fields | index)
            case PopOp():
                fields = {
                    "rd": register(op.result),
                    "channel": self._channel(op, op.channel_name),
                    "offset": op.offset.data,
                }
                return Ins("pop", fields=fields)
            case SyncOp():
                fields = {
                    "kind": SYNC_KINDS.index(op.kind.data),
                    "channel": self._channel(op, op.channel_name),
                    "n": op.steps,
                }
                return Ins("sync", fields=fields)
            case _:
                raise PassError(f"{located(op)}: this is no instruction", op)

    def _channel(self, op: Operation, name: str) -> int:
        if name not in self.channels:
            raise PassError(f"{located(op)}: no channel is named @{name}", op)
        return self.channels[name]

    def _instruction(self, op: InstructionOp) -> Ins:
        row = BY_MNEMONIC[op.mnemonic()]
        operands = {name: self._operand(op, place) for name, place in op.get_places().items()}
        fields = {name: register(value) for name, value in op.get_registers().items()}
        for name, value in op.get_settings().items():
            if isinstance(value, str):
                fields[name] = row.field(name).values.index(value)
            elif isinstance(value, float):
                fields[name] = self.constants.number(float_bits(value), op)
            else:
                fields[name] = value
        return Ins(row.mnemonic, operands, fields)

    def _operand(self, op: Operation, place: Place | float) -> Operand:
        if not isinstance(place, Place):
            return constant_operand(self.constants.number(float_bits(place), op))
        view = self.views.number(place.view, op)
        reg = NO_REGISTER if place.register is None else register(place.register)
        if place.symbol in self.channels:
            number = self.channels[place.symbol]
            return Operand(CHANNEL, number, view, place.age, reg, place.begin, place.end)
        if place.symbol not in self.regions:
            raise PassError(f"{located(op)}: no channel or region is named @{place.symbol}", op)
        return Operand(REGION, self.regions[place.symbol], view, 0, reg)


def register(value: SSAValue) -> int:
    """The number of a register in a word."""
    return register_type(value).number


def number(attribute: IntAttr | None) -> int:
    """An integer that is there."""
    assert attribute is not None
    return attribute.data


def _channel(op: ChannelOp) -> Channel:
    """The table entry of a channel. Raises PassError for one without an address."""
    kind = op.kind.data
    if kind != "token" and op.at is None:
        raise PassError(f"@{op.channel_name} has no address: allocate comes before encode", op)
    slot_bytes = SCALAR_BYTES if kind == "scalar" else 0
    if op.slot_bytes is not None:
        slot_bytes = op.slot_bytes.data
    return Channel(
        op.channel_name,
        op.producer.data,
        op.consumer_names,
        kind,  # pyright: ignore[reportArgumentType]  # the op's verifier knows the same kinds
        op.slots.data,
        slot_bytes,
        ring_space(op) or "none",  # pyright: ignore[reportArgumentType]  # spm, acc or none
        number(op.at) if op.at is not None else 0,
        number(op.primed) if op.primed is not None else 0,
        number(op.maximum) if op.maximum is not None else 0,
    )


def _regions(module: ModuleOp) -> list[Region]:
    """Globals, then private buffers. Raises PassError for one without an address."""
    out: list[Region] = []
    for op in module.ops:
        if isinstance(op, GlobalOp):
            if op.at is None:
                raise PassError(
                    f"@{op.global_name} has no address: allocate comes before encode", op
                )
            role = op.role.data
            out.append(
                Region(
                    op.global_name,
                    op.memory,
                    op.at.data,
                    global_bytes(op),
                    role,  # pyright: ignore[reportArgumentType]  # the op's verifier knows the same
                )
            )
    for op in module.ops:
        if isinstance(op, RegionOp):
            memory = "spm" if op.space == SPM else "acc"
            out.append(
                Region(op.region_name, memory, op.at.data, op.nbytes.data, "local", op.engine.data)
            )
    return out


def _parameters(module: ModuleOp) -> list[Parameter]:
    """Scalars and tables in order of declaration."""
    offsets = parameter_offsets(module)
    out: list[Parameter] = []
    for op in module.ops:
        if isinstance(op, ScalarOp):
            name = op.scalar_name
            out.append(Parameter(name, offsets[name], 1, op.lo.data, op.hi.data))
        elif isinstance(op, TableOp):
            name = op.table_name
            out.append(Parameter(name, offsets[name], op.count.data, op.lo.data, op.hi.data))
    return out


def encode_module(module: ModuleOp, machine: Machine) -> Program:
    """The program of an isa-level module: words and tables, in the order of the module.

    Every engine of the machine has a stream; one without work only halts. Raises PassError.
    """
    channels = [_channel(op) for op in module.ops if isinstance(op, ChannelOp)]
    regions = _regions(module)
    encoder = _Encoder(
        {channel.name: number for number, channel in enumerate(channels)},
        {region.name: number for number, region in enumerate(regions)},
    )
    programs = {op.engine.data: op for op in module.ops if isinstance(op, ProgramOp)}
    unknown = sorted(set(programs) - set(machine.engines()))
    if unknown or not programs:
        raise PassError(
            f"wanted programs of the engines {', '.join(machine.engines())} of {machine.name}, "
            f"found {', '.join(unknown) or 'none'}: project and select come before encode",
            module,
        )
    words: dict[str, Words] = {}
    locations: dict[str, list[str]] = {}
    for engine in machine.engines():
        program = programs.get(engine)
        if program is None:
            program = ProgramOp(engine)
            program.location = module.location
        instructions, locations[engine] = encoder.program(program)
        words[engine] = encode_all(instructions)
    kv_block = module.attributes.get("tw.kv_block")
    return Program(
        engines=words,
        views=tuple(encoder.views.numbers),
        constants=np.array(list(encoder.constants.numbers), dtype=np.uint32).view(np.float32),
        channels=tuple(channels),
        regions=tuple(regions),
        parameters=tuple(_parameters(module)),
        locations=locations,
        kv_block=kv_block.value.data if isinstance(kv_block, IntegerAttr) else 0,
        meta={"sources": sources_of(module)},
    )
