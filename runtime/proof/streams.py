"""Each engine by itself: what it does to channels, in loops with symbolic trip counts.

One look at a stream, entering each loop once, proves for every launch that registers are defined
before they are read, that an operand names a slot which its engine holds, that slots are ended only
while held, and that a trip of a loop leaves the engine with the slots that it had (C4, and the part
of C2 that concerns one engine).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ...backend.isa import (
    ALU_FUNCTIONS,
    BY_MNEMONIC,
    CHANNEL,
    COUNTER_LOW,
    NO_REGISTER,
    Ins,
    Program,
    register_name,
)
from ..functional import (
    AGE_FAULT,
    COMMIT_FAULT,
    HELD_FAULT,
    RELEASE_FAULT,
    FaultPoint,
    Loaded,
    channels_of,
)
from ..timing import steps_of
from .errors import ProofError, as_fault, broken
from .symbols import Sum, Symbols

ALL_REGISTERS = 24


@dataclass(frozen=True)
class Step:
    """One acquire or commit (of the producer), wait or release of one slot."""

    pc: int
    channel: int
    producer: bool
    begins: bool

    @property
    def verb(self) -> str:
        """What the step is called."""
        if self.begins:
            return "acquire" if self.producer else "wait"
        return "commit" if self.producer else "release"


@dataclass(frozen=True)
class Loop:
    """A loop with channel steps in it."""

    pc: int
    trips: Sum
    body: tuple[Item, ...]
    channels: frozenset[int]


Item = Step | Loop


def symbols_of(program: Program) -> Symbols:
    """The symbols of a program; its words have the names of launch parameters."""
    names: dict[int, str] = {}
    for one in program.parameters:
        for i in range(one.count):
            names[one.offset + i] = one.name if one.count == 1 else f"{one.name}[{i}]"
    taken = {index: int(word) for index, word in enumerate(program.words) if index not in names}
    return Symbols(names, taken)


def stream_of(loaded: Loaded, engine: int, symbols: Symbols) -> tuple[Item, ...]:
    """What an engine does to channels. Raises ProofError."""
    return _Look(loaded, engine, symbols).run()


@dataclass
class _Look:
    """One look at the stream of one engine."""

    loaded: Loaded
    engine: int
    symbols: Symbols
    registers: list[Sum | None] = field(default_factory=lambda: [None] * ALL_REGISTERS)
    held: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    """Channel -> the instructions that began the slots which are held."""
    pops: dict[str, int] = field(default_factory=dict[str, int])

    def run(self) -> tuple[Item, ...]:
        """The whole stream."""
        stream = self.loaded.instructions[self.engine]
        return tuple(self._items(0, len(stream), 0)) if stream else ()

    def _items(self, start: int, end: int, depth: int) -> Iterator[Item]:
        """Instructions [start, end); `depth` counts the loops with channel steps around."""
        stream = self.loaded.instructions[self.engine]
        pairs = self.loaded.pairs[self.engine]
        pc = start
        while pc < end:
            ins = stream[pc]
            self._check_registers(pc, ins)
            if ins.mnemonic == "loop":
                after = pairs[pc]
                yield from self._loop(pc, after, depth)
                pc = after + 1
                continue
            yield from self._instruction(pc, ins, depth)
            pc += 1

    def _check_registers(self, pc: int, ins: Ins) -> None:
        """Every register that is read has been written."""
        used = [operand.reg for operand in ins.operands.values()]
        used += [
            ins.fields[f.name]
            for f in BY_MNEMONIC[ins.mnemonic].fields
            if f.kind in ("source", "optional")
        ]
        for number in used:
            if number != NO_REGISTER and self.registers[number] is None:
                raise broken(
                    "C4", self.loaded, self.engine, pc,
                    f"{ins.mnemonic} reads {register_name(number)}, which nothing before it writes",
                )  # fmt: skip

    def _loop(self, pc: int, after: int, depth: int) -> Iterator[Item]:
        stream = self.loaded.instructions[self.engine]
        fields = stream[pc].fields
        counter = COUNTER_LOW + fields["counter"]
        count = fields["count"]
        trips = Sum(fields["trips"]) if count == NO_REGISTER else self.registers[count]
        assert trips is not None, "checked to be written"
        body = stream[pc + 1 : after]
        talks = frozenset(c for ins in body for c in channels_of(ins))
        entry = [*self.registers]
        changed = {ins.fields["rd"] for ins in body if "rd" in ins.fields}
        changed |= {COUNTER_LOW + ins.fields["counter"] for ins in body if ins.mnemonic == "loop"}
        for number in changed:
            if self.registers[number] is not None:
                self.registers[number] = self._fresh(pc, number, "in")
        self.registers[counter] = (
            self.symbols.atom("counter", depth) if talks else self._fresh(pc, counter, "in")
        )
        before = {channel: len(slots) for channel, slots in self.held.items()}
        items = tuple(self._items(pc + 1, after, depth + bool(talks)))
        self._check_held(pc, after, before)
        for number in changed:
            # A loop of no trips leaves what was there, perhaps nothing.
            was = entry[number]
            runs = trips.known and trips.constant > 0
            self.registers[number] = (
                self._fresh(pc, number, "behind") if was is not None or runs else None
            )
        self.registers[counter] = self.symbols.apply("max", trips, Sum(0))
        steps = frozenset(_channels(items))
        if steps:
            yield Loop(pc, trips, items, steps)

    def _fresh(self, pc: int, number: int, where: str) -> Sum:
        name = self.loaded.engines[self.engine]
        return self.symbols.atom("register", register_name(number), where, "loop", pc, "of", name)

    def _check_held(self, pc: int, after: int, before: dict[int, int]) -> None:
        """A trip leaves as many slots of each channel held as it found."""
        for channel, slots in self.held.items():
            was = before.get(channel, 0)
            if len(slots) == was:
                continue
            name = self.loaded.program.channels[channel].name
            steps = self._steps_between(pc + 1, after, channel)
            verbs = ", ".join(f"{step.verb} at {step.pc}" for step in steps)
            at = steps[0].pc if steps else pc
            raise broken(
                "C2", self.loaded, self.engine, at,
                f"one trip of the loop at {pc} begins with {was} slots of channel '{name}' held "
                f"and ends with {len(slots)}: {verbs}; each begin needs its end",
            )  # fmt: skip

    def _steps_between(self, start: int, end: int, channel: int) -> list[Step]:
        stream = self.loaded.instructions[self.engine]
        found = [step for pc in range(start, end) for step in self._steps(pc, stream[pc])]
        return [step for step in found if step.channel == channel]

    def _steps(self, pc: int, ins: Ins) -> list[Step]:
        begins, ends = steps_of(self.loaded.program, self.loaded.engines[self.engine], ins)
        return [Step(pc, one.channel, one.producer, True) for one in begins] + [
            Step(pc, one.channel, one.producer, False) for one in ends
        ]

    def _instruction(self, pc: int, ins: Ins, depth: int) -> Iterator[Step]:
        steps = self._steps(pc, ins)
        for step in steps:
            if step.begins:
                self.held.setdefault(step.channel, []).append(pc)
                yield step
        self._check_ages(pc, ins)
        for step in steps:
            if not step.begins:
                slots = self.held.get(step.channel)
                if not slots:
                    kind = COMMIT_FAULT if step.producer else RELEASE_FAULT
                    point = FaultPoint(kind, self.engine, pc, channel=step.channel)
                    raise as_fault("C4", self.loaded, point)
                del slots[0]
                yield step
        self._scalar(pc, ins, depth)

    def _check_ages(self, pc: int, ins: Ins) -> None:
        for index, spec in enumerate(BY_MNEMONIC[ins.mnemonic].operands):
            operand = ins.operands.get(spec.name)
            if operand is None or operand.kind != CHANNEL:
                continue
            held = len(self.held.get(operand.id, ()))
            if operand.age >= held:
                point = FaultPoint(AGE_FAULT, self.engine, pc, index, x=operand.age, y=held)
                raise as_fault("C4", self.loaded, point)

    def _scalar(self, pc: int, ins: Ins, depth: int) -> None:
        fields = ins.fields
        match ins.mnemonic:
            case "li":
                value = Sum(fields["imm"])
            case "alu":
                function = ALU_FUNCTIONS[fields["fn"]]
                second = Sum(fields["imm"])
                if fields["rb"] != NO_REGISTER:
                    second = self._value(fields["rb"])
                value = self.symbols.apply(function, self._value(fields["ra"]), second)
            case "ldp":
                index = Sum(fields["word"])
                if fields["ra"] != NO_REGISTER:
                    index = self.symbols.apply("add", index, self._value(fields["ra"]))
                value = self.symbols.word(index)
            case "pop":
                # Consumers that take their words in the same order have the same name for each.
                name = self.loaded.program.channels[fields["channel"]].name
                number = self.pops.get(name, 0)
                value = self.symbols.atom("popped", name, number, "at depth", depth)
                self.pops[name] = number + 1
            case "halt":
                for channel, slots in self.held.items():
                    if slots:
                        raise self._left_held(pc, channel, slots)
                return
            case _:
                return
        self.registers[fields["rd"]] = value

    def _left_held(self, pc: int, channel: int, slots: list[int]) -> ProofError:
        point = FaultPoint(HELD_FAULT, self.engine, pc, channel=channel, x=len(slots))
        fault = self.loaded.fault(point)
        return broken("C2", self.loaded, self.engine, slots[0], fault.message)

    def _value(self, number: int) -> Sum:
        value = self.registers[number]
        assert value is not None, "checked to be written"
        return value


def _channels(items: tuple[Item, ...]) -> Iterator[int]:
    for item in items:
        if isinstance(item, Loop):
            yield from item.channels
        else:
            yield item.channel
