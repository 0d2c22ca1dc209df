"""A loaded program as the timing engines see it: channel steps and cost rules by instruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...backend.errors import TilewrightError
from ...backend.isa import BY_MNEMONIC, CHANNEL, SYNC_KINDS, Ins, Program
from ...backend.machine import Machine
from ...backend.timing import CostRule, cost_rule
from ..functional import Blocked, Loaded, deadlock_note

MOVES = ("copy", "fill", "gather", "scatter")
Popped = Mapping[str, Sequence[int]]
"""Engine -> the words that its pops take, in order."""


class TimingError(TilewrightError):
    """A launch that cannot be timed: it blocks for ever, or its control needs values."""


@dataclass(frozen=True)
class Step:
    """An acquire or commit (of the producer), or a wait or release."""

    channel: int
    producer: bool


@dataclass(frozen=True)
class Timed:
    """One instruction."""

    ins: Ins
    begins: tuple[Step, ...]
    """In order; each may block."""
    ends: tuple[Step, ...]
    rule: CostRule

    @property
    def moves(self) -> bool:
        """Whether it is a copy, fill, gather or scatter."""
        return self.ins.mnemonic in MOVES


@dataclass(frozen=True)
class Decoded:
    """A launch to be timed; lists are parallel to `loaded.engines`."""

    loaded: Loaded
    machine: Machine
    streams: tuple[tuple[Timed, ...], ...]
    words: tuple[int, ...]
    """The launch-parameter table."""
    popped: tuple[tuple[int, ...], ...]
    """Words that each engine pops."""
    layers: int
    """Instruction of the matrix unit's loop over layers; -1 without one."""

    @property
    def engines(self) -> tuple[str, ...]:
        """Names, in the machine's order."""
        return self.loaded.engines

    @property
    def program(self) -> Program:
        """The program."""
        return self.loaded.program

    def word(self, engine: int, pc: int, index: int) -> int:
        """A word of the launch-parameter table. Raises TimingError beyond its end."""
        if not 0 <= index < len(self.words):
            raise TimingError(
                f"{self.engines[engine]} at instruction {pc}: reads word {index} of the launch "
                f"parameters, wanted 0 to {len(self.words) - 1}"
            )
        return self.words[index]

    def blocks_for_ever(self, stuck: Sequence[tuple[int, int, int]]) -> TimingError:
        """The refusal of a launch with engines that cannot go on: (engine, pc, begun) of each."""
        blocked = [Blocked(e, pc, self._operands_begun(e, pc, n)) for e, pc, n in stuck]
        return TimingError(f"the program blocks for ever: {deadlock_note(self.loaded, blocked)}")

    def _operands_begun(self, engine: int, pc: int, begun: int) -> int:
        """Bits of the operands whose begins have happened."""
        ins = self.streams[engine][pc].ins
        names = [spec.name for spec in BY_MNEMONIC[ins.mnemonic].operands]
        begin = [i for i, n in enumerate(names) if n in ins.operands and ins.operands[n].begin]
        return sum(1 << i for i in begin[:begun])

    def no_word(self, engine: int, pc: int) -> TimingError:
        """The refusal of a pop whose word is not known."""
        number = self.streams[engine][pc].ins.fields["channel"]
        return TimingError(
            f"{self.engines[engine]} at instruction {pc}: pops a word of "
            f"@{self.program.channels[number].name} that is not known: give `popped`, the words "
            "of every engine in order, from a run with values"
        )


def decoded(
    loaded: Loaded, machine: Machine, words: Sequence[int], popped: Popped | None = None
) -> Decoded:
    """A launch with these words. Raises TimingError for words of an unknown engine."""
    popped = popped or {}
    unknown = sorted(set(popped) - set(loaded.engines))
    if unknown:
        raise TimingError(
            f"popped words of {', '.join(unknown)}: the program has {', '.join(loaded.engines)}"
        )
    if any(region.memory == "host" for region in loaded.program.regions):
        raise TimingError(
            "the program copies out of the host's window, whose bandwidth no machine description "
            "has: an entry that loads is not timed; time prefill or decode"
        )
    far = [region.name for region in loaded.program.regions if region.memory == "hbm"]
    if far and not machine.hbm_bytes_per_second:
        raise TimingError(
            f"machine {machine.name} has no main memory, where the program has @{far[0]}"
        )
    rules: dict[str, CostRule] = {}
    streams = tuple(
        tuple(_timed(loaded.program, machine, engine, ins, rules) for ins in stream)
        for engine, stream in zip(loaded.engines, loaded.instructions, strict=True)
    )
    words_of = tuple(tuple(int(w) for w in popped.get(e, ())) for e in loaded.engines)
    return Decoded(loaded, machine, streams, tuple(map(int, words)), words_of, _layers(loaded))


def _timed(
    program: Program, machine: Machine, engine: str, ins: Ins, rules: dict[str, CostRule]
) -> Timed:
    begins, ends = steps_of(program, engine, ins)
    if ins.operands:
        return Timed(ins, begins, ends, cost_rule(program, machine, ins))
    if ins.mnemonic not in rules:
        rules[ins.mnemonic] = cost_rule(program, machine, ins)
    return Timed(ins, begins, ends, rules[ins.mnemonic])


def steps_of(program: Program, engine: str, ins: Ins) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """Begins and ends of an instruction, in order."""
    if ins.mnemonic == "sync":
        kind, number = SYNC_KINDS[ins.fields["kind"]], ins.fields["channel"]
        steps = (Step(number, kind in ("acquire", "commit")),) * ins.fields["n"]
        return (steps, ()) if kind in ("acquire", "wait") else ((), steps)
    if ins.mnemonic == "pop":
        step = (Step(ins.fields["channel"], False),)
        return step, step
    begins: list[Step] = []
    ends: list[Step] = []
    for spec in BY_MNEMONIC[ins.mnemonic].operands:
        operand = ins.operands.get(spec.name)
        if operand is None or operand.kind != CHANNEL:
            continue
        step = Step(operand.id, program.channels[operand.id].producer == engine)
        if operand.begin:
            begins.append(step)
        if operand.end:
            ends.append(step)
    return tuple(begins), tuple(ends)


def _layers(loaded: Loaded) -> int:
    """The first outermost loop of the matrix unit around an op that every layer has."""
    if "mxu" not in loaded.engines:
        return -1
    places = loaded.program.locations.get("mxu", [])
    outer = -1
    for start, end in sorted(loaded.pairs[loaded.engines.index("mxu")].items()):
        if outer < start < end:
            if any("{l}" in place for place in places[start:end]):
                return start
            outer = end
    return -1
