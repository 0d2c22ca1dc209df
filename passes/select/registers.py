"""Code with sums → code with registers: where each sum is computed, and in which register it lives.

Every node is computed as far out as its scope allows, once. Where more values are live than the
engine has registers, some move: into the loops that use them, one loop deeper at a time, and at
last to each single use; computing again is cheaper than memory, which these engines have none of
for scalars.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ...backend.isa import COUNTER_LOW
from ..located import PassError, located
from .code import Code, Instruction, Loop
from .nodes import Node, Nodes
from .scalars import Scalars, Scope, Sum

USE = 1 << 30
"""The depth of a node that is computed before each use; else it is the least number of loops around
the block that computes it, no deeper than the use."""


@dataclass(eq=False)
class Value:
    """One register's content, from the instruction that writes it to the last that reads it."""

    node: int
    depth: int
    """Loops around the block that writes it."""
    register: int = -1
    first: int = 0
    uses: list[tuple[Item, bool]] = field(default_factory=list["tuple[Item, bool]"])
    """Items that read it; True: a loop that reads it somewhere inside."""

    @property
    def last(self) -> int:
        """Position of the last read."""
        ends = (item.last if inside else item.first for item, inside in self.uses)
        return max(ends, default=self.first)


@dataclass(eq=False)
class Item:
    """A scalar instruction, an instruction of the code, or a loop, with values for its sums.

    Attributes:
        node: what a scalar instruction computes, else None.
        source: what an instruction or loop came from.
        reads: values by the name of the field; arguments of a scalar are "0" and "1".
        result: value that is written.
        body: of a loop.
        first, last: positions in the program; equal but for loops.
    """

    node: Node | None = None
    source: Instruction | Loop | None = None
    reads: dict[str, Value] = field(default_factory=dict[str, Value])
    result: Value | None = None
    body: list[Item] = field(default_factory=list["Item"])
    first: int = 0
    last: int = 0


@dataclass
class _Frame:
    """A block while it is written."""

    scope: Scope
    items: list[Item] = field(default_factory=list[Item])
    values: dict[int, Value] = field(default_factory=dict[int, Value])
    open: Item | None = None
    """The loop of this block that is being written."""


def assign_registers(
    code: Code, scalars: Scalars, engine: str, registers: int
) -> tuple[list[Item], list[Node]]:
    """Items with every value in a register below `registers`, or in its loop's counter; the nodes.

    Raises PassError, naming the op, where even computing everything at its use does not fit.
    """
    nodes = Nodes(scalars)
    modes: dict[int, int] = {}
    while True:
        items, values = _Emitter(nodes, modes).run(code)
        moved = _scan(items, values, nodes, modes, registers, engine)
        if not moved:
            return items, nodes.nodes


class _Emitter:
    """Writes scalar instructions between the code's own, each node where its mode says."""

    def __init__(self, nodes: Nodes, modes: dict[int, int]):
        self.nodes = nodes
        self.modes = modes
        self.frames: list[_Frame] = []
        self.values: list[Value] = []

    def run(self, code: Code) -> tuple[list[Item], list[Value]]:
        self._block(code, self.nodes.scalars.root)
        frame = self.frames.pop()
        return frame.items, self.values

    def _block(self, code: Code, scope: Scope) -> None:
        self.frames.append(_Frame(scope))
        for source in code:
            item = Item(source=source)
            if isinstance(source, Loop):
                self._loop(source, item)
                continue
            for name, value in source.wanted().items():
                item.reads[name] = self._use(value, item)
            self.frames[-1].items.append(item)
            if source.result is not None:
                number = self.nodes.of(source.result)
                item.result = self._new(number, len(self.frames) - 1)
                self.frames[-1].values[number] = item.result

    def _loop(self, source: Loop, item: Item) -> None:
        frame = self.frames[-1]
        if not source.count.is_constant:
            item.reads["count"] = self._use(source.count, item)
        frame.open = item
        self._block(source.body, source.scope)
        item.body = self.frames.pop().items
        frame.items.append(item)
        frame.open = None

    def _use(self, value: Sum, item: Item) -> Value:
        """The value of a sum, to be read by `item` of the innermost block."""
        return self._get(self.nodes.of(value), len(self.frames) - 1, item)

    def _get(self, number: int, depth: int, reader: Item) -> Value:
        """The value of a node, for an item of the block at `depth`; written now if it is new."""
        node = self.nodes.nodes[number]
        mode = self.modes.get(number, 0)
        own = min(max(node.home.depth, mode), depth)
        if node.mnemonic in ("counter", "pop"):
            own = node.home.depth
        frame = self.frames[own]
        value = frame.values.get(number) if mode != USE else None
        if value is None:
            value = self._make(number, node, own)
            if mode != USE:
                frame.values[number] = value
        outer = frame.open if own < depth else None
        value.uses.append((reader, False) if outer is None else (outer, True))
        return value

    def _make(self, number: int, node: Node, depth: int) -> Value:
        value = self._new(number, depth)
        if node.mnemonic == "counter":
            value.register = COUNTER_LOW + node.home.depth - 1
            return value
        assert node.mnemonic != "pop", "a popped word is used outside the block of its pop"
        item = Item(node=node, result=value)
        for place, argument in enumerate(node.arguments):
            item.reads[str(place)] = self._get(argument, depth, item)
        self.frames[depth].items.append(item)
        return value

    def _new(self, number: int, depth: int) -> Value:
        value = Value(number, depth)
        self.values.append(value)
        return value


def _number(items: list[Item], at: int = 0) -> int:
    """Give every item its positions; returns the next free one."""
    for item in items:
        item.first = item.last = at
        if item.result is not None:
            item.result.first = at
        at += 1
        if isinstance(item.source, Loop):
            at = _number(item.body, at)
            item.last = at
            at += 1
    return at


def _scan(
    items: list[Item],
    values: list[Value],
    nodes: Nodes,
    modes: dict[int, int],
    registers: int,
    engine: str,
) -> bool:
    """Linear scan. True when nodes had to move, so that the code must be written again."""
    _number(items)
    free = list(range(registers))
    active: list[tuple[int, Value]] = []
    moved = False
    own = [value for value in values if nodes.nodes[value.node].mnemonic != "counter"]
    for value in sorted(own, key=lambda value: value.first):
        for last, old in active:
            if last <= value.first and old.register >= 0:
                free.append(old.register)
        active = [(last, old) for last, old in active if last > value.first]
        free.sort()
        if free:
            value.register = free.pop(0)
            active.append((value.last, value))
            continue
        active.append((value.last, value))
        victim = _victim(active, value, nodes, modes)
        if victim is None:
            _refuse(items, value.first, engine, registers)
            raise AssertionError("an overflow has a position in the program")
        moved = True
        active = [(last, old) for last, old in active if old is not victim]
        if victim is not value:
            value.register = victim.register
        uses_elsewhere = any(inside for _, inside in victim.uses)
        modes[victim.node] = victim.depth + 1 if uses_elsewhere else USE
    return moved


def _victim(
    active: list[tuple[int, Value]], at: Value, nodes: Nodes, modes: dict[int, int]
) -> Value | None:
    """The value to compute elsewhere: cheap to compute, then longest to live."""

    def cost(entry: tuple[int, Value]) -> tuple[int, int]:
        node = nodes.nodes[entry[1].node]
        needs = [a for a in node.arguments if nodes.nodes[a].mnemonic != "counter"]
        return len(needs), -entry[0]

    movable = [
        (last, value)
        for last, value in active
        if nodes.nodes[value.node].mnemonic != "pop"
        and modes.get(value.node, 0) != USE
        and last > at.first + 1
    ]
    return min(movable, key=cost)[1] if movable else None


def _refuse(items: list[Item], position: int, engine: str, registers: int) -> None:
    """Raise the error for the instruction at or after a position."""
    found: list[Instruction | Loop] = []

    def visit(block: list[Item], stop: Callable[[Item], bool]) -> None:
        for item in block:
            if item.source is not None and stop(item):
                found.append(item.source)
            visit(item.body, stop)

    visit(items, lambda item: item.first >= position)
    source = found[0].source if found else None
    raise PassError(
        f"{located(source)}: {engine} needs more than its {registers} registers here even with "
        "every address computed at its use; give the op fewer bounds or offsets known at run "
        "time only",
        source,
    )
