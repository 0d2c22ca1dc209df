"""Code with registers → ops of the `tw` dialect, one an instruction, locations kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xdsl.ir import Block, Operation, Region, SSAValue

from ...backend.isa import COUNTER_LOW, SYNC_KINDS, View
from ...dialects.tw import (
    INSTRUCTION_OPS,
    AluOp,
    LdpOp,
    LiOp,
    LoopOp,
    Place,
    PopOp,
    ProgramOp,
    RegType,
    SyncOp,
)
from .code import Instruction, Loop, offset_name
from .nodes import Node
from .registers import Item, Value


class Builder:
    """Writes the program of one engine."""

    def __init__(self, nodes: Sequence[Node]):
        self.nodes = nodes
        self.registers: dict[Value, SSAValue] = {}
        self.counters: list[SSAValue] = []
        self.scalars: list[Operation] = []
        self.written: dict[Operation, int] = {}
        """Instructions by when they were written: a loop behind its body."""

    def program(self, engine: str, items: Sequence[Item]) -> ProgramOp:
        """The program; the caller gives it a location."""
        block = Block()
        self._block(items, block)
        for scalar in reversed(self.scalars):
            # It belongs to what it is computed for: the first instruction that reads it.
            users = [use.operation for use in scalar.results[0].uses]
            scalar.location = min(users, key=self.written.__getitem__).location
        return ProgramOp(engine, Region(block))

    def _block(self, items: Sequence[Item], block: Block) -> None:
        for item in items:
            op = self._item(item)
            block.add_op(op)

    def _item(self, item: Item) -> Operation:
        source = item.source
        if source is not None:
            is_loop = isinstance(source, Loop)
            op = self._loop(item, source) if is_loop else self._instruction(item, source)
            op.location = source.source.location
        else:
            assert item.node is not None
            assert item.result is not None
            op = self._scalar(item, item.node, RegType(item.result.register))
            self.registers[item.result] = op.results[0]
            self.scalars.append(op)
        self.written[op] = len(self.written)
        return op

    def _read(self, value: Value) -> SSAValue:
        if value.register >= COUNTER_LOW:
            return self.counters[value.register - COUNTER_LOW]
        return self.registers[value]

    def _scalar(self, item: Item, node: Node, register: RegType) -> Operation:
        reads = [self._read(item.reads[str(n)]) for n in range(len(node.arguments))]
        match node.mnemonic:
            case "li":
                return LiOp(node.immediate, register)
            case "ldp":
                return LdpOp(node.immediate, register, reads[0] if reads else None)
            case _:
                second = reads[1] if len(reads) > 1 else node.immediate
                return AluOp(node.function, reads[0], second, register)

    def _loop(self, item: Item, source: Loop) -> Operation:
        count = item.reads.get("count")
        counter = RegType(COUNTER_LOW + source.scope.depth - 1)
        trips = source.count.constant if count is None else self._read(count)
        op = LoopOp(trips, counter)
        self.counters.append(op.counter)
        self._block(item.body, op.body.block)
        self.counters.pop()
        return op

    def _instruction(self, item: Item, source: Instruction) -> Operation:
        match source.mnemonic:
            case "sync":
                kind = SYNC_KINDS[source.fields["kind"]]
                return SyncOp(kind, source.channel, source.fields["n"])
            case "pop":
                assert item.result is not None
                op = PopOp(source.channel, RegType(item.result.register), source.fields["offset"])
                self.registers[item.result] = op.result
                return op
            case _:
                return self._table_instruction(item, source)

    def _table_instruction(self, item: Item, source: Instruction) -> Operation:
        places: dict[str, Place | float] = {}
        for name, place in source.operands.items():
            if place.kind == "constant":
                places[name] = place.value
                continue
            assert isinstance(place.view, View)
            offset = item.reads.get(offset_name(name))
            register = None if offset is None else self._read(offset)
            places[name] = Place(
                place.name, place.view, place.age, register, place.begin, place.end
            )
        registers = {name: self._read(item.reads[name]) for name in source.values}
        op = INSTRUCTION_OPS[source.mnemonic]
        return op(places, self._settings(source), registers)

    def _settings(self, source: Instruction) -> Mapping[str, str | int | float]:
        """Fields that differ from what the table takes for an absent one."""
        return {name: value for name, value in source.fields.items() if value} | source.constants
