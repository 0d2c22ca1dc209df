"""A debugger for one launch of the emulator: commands in, lines of text out.

    debugger = Debugger(program, machine, memories, words)
    debugger.run("step mxu 3")          # lines; raises Quit, or Restart

Engines go on one instruction at a time, in a named order or as the user says. A fault or a deadlock
stops it and stays to be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from ..backend.asm import disassemble
from ..backend.errors import TilewrightError
from ..backend.formats import ELEMENTS
from ..backend.isa import CHANNEL, COUNTERS, DEFAULT_OPCODES, REGION, REGISTERS, Program, View
from ..backend.machine import Machine
from .functional import ChannelState, Fault, Memories, SteppingEngine, channels_of, find_order, load

HELP = """\
step [ENGINE] [N]    N instructions (1) of an engine, or of those whose turn it is
continue [STOP]      go on to a breakpoint, to STOP, or to the end
break STOP           stop before an instruction; STOP is @CHANNEL, ENGINE:NUMBER, or words of a
                     line of `engines`: blk.2.ffn_down
delete [STOP]        forget a breakpoint, or all
engines              each engine's next instruction, and what it waits for
channels [@NAME]     slots of each channel: committed, held, free
registers ENGINE     registers that are not 0, and loop counters
print NAME [N]       the first N (8) values of a region, or of a channel's oldest slot
order NAME           sequential, loads-earliest, stores-latest or random:SEED
restart              the launch from its beginning
quit                 leave"""
VALUES = 8


class DebuggerError(TilewrightError):
    """A command that cannot be followed: what was found, what is possible."""


class Quit(Exception):
    """The user has seen enough."""


class Restart(Exception):
    """The user wants the launch from its beginning."""


class Debugger:
    """One launch under way. `words` are its launch parameters, `Emulator`'s other arguments its."""

    def __init__(
        self,
        program: Program,
        machine: Machine,
        memories: Memories,
        words: Sequence[int],
        order: str = "sequential",
        opcodes: Mapping[str, int] = DEFAULT_OPCODES,
    ) -> None:
        self.program, self.memories = program, memories
        self.loaded = load(program, machine, opcodes)
        self.engine = SteppingEngine(self.loaded, memories)
        self.engine.start(words, find_order(order))
        self.texts = _texts(program, opcodes)
        self.stops: list[str] = []
        self.ended = ""
        """How the launch ended, a fault's text if with one; empty while it is under way."""
        self.fault: Fault | None = None
        self.commands: dict[str, Callable[[list[str]], Iterator[str]]] = {
            "step": self._step, "continue": self._continue, "break": self._break,
            "delete": self._delete, "engines": self._engines, "channels": self._channels,
            "registers": self._registers, "print": self._print, "order": self._order,
            "restart": self._restart, "quit": self._quit, "help": self._help,
        }  # fmt: skip

    def run(self, line: str) -> list[str]:
        """Follow a command; an unambiguous beginning of its name will do. Raises DebuggerError,
        Quit and Restart."""
        words = line.split("#")[0].split()
        if not words:
            return []
        found = [name for name in self.commands if name.startswith(words[0])]
        if len(found) != 1:
            what = f"is one of {', '.join(found)}" if found else "is no command"
            raise DebuggerError(f"'{words[0]}' {what}; `help` lists them")
        return list(self.commands[found[0]](words[1:]))

    def where(self) -> str:
        """The next instruction, or how the launch ended."""
        if self.ended:
            return self.ended
        index = self.engine.next_engine()
        return self._line(index) if index >= 0 else "no engine can go on: `step` says why"

    def _line(self, index: int) -> str:
        """`mxu 12 [blk.3.ffn_down] mm ...`."""
        engine = self.engine.engines[index]
        if engine.halted:
            return f"{engine.name} halted"
        around = self.loaded.loop_counters(index, engine.pc)
        counters = [engine.registers[REGISTERS + number] for number in around]
        place = self.loaded.place(index, engine.pc, counters)
        trips = f" trip {', '.join(map(str, counters))}" if counters else ""
        text = self.texts[engine.name][engine.pc]
        return f"{engine.name} {engine.pc}{trips} [{place}] {text}"

    def _one(self, index: int | None) -> int:
        """One instruction; the engine that executed it, -1 where the launch has ended."""
        try:
            if index is None:
                index = self.engine.advance()
            else:
                self.engine.step(index)
            if self.engine.finished:
                self.engine.finish()
                self.ended = "the launch has ended"
        except Fault as fault:
            self.fault, self.ended = fault, str(fault)
            return -1
        return index

    def _explained(self) -> Iterator[str]:
        """How the launch ended; each wait that nobody answers."""
        yield self.ended
        if self.fault is None or self.fault.kind != "deadlock":
            return
        for index in range(len(self.engine.engines)):
            waits = self._waits(index)
            if waits:
                yield f"  {self._line(index)}"
                yield f"    {waits}"

    def _waits(self, index: int) -> str:
        """What an engine waits for, and where those stand that could answer."""
        waited = self.engine.waits_for(index)
        if waited is None:
            return ""
        state, step = self.engine.channels[waited[0]], waited[1]
        channel = state.channel
        if step == "acquire":
            slow = [
                c for c in channel.consumers if state.released[c] == min(state.released.values())
            ]
            others, verb = slow, "release"
        else:
            others, verb = [channel.producer], "commit"
        names = list(self.loaded.engines)
        answers = [f"{verb} by {self._line(names.index(other))}" for other in others]
        return f"blocked: {step} of @{channel.name} ({_state(state)}); wanted {'; '.join(answers)}"

    def _step(self, words: list[str]) -> Iterator[str]:
        index = self._index(words.pop(0)) if words and not words[0].isdigit() else None
        for _ in range(_number(words, 1)):
            if self.ended:
                break
            if index is not None and not self.engine.can_step(index):
                yield self._line(index)
                yield self._waits(index) or "halted"
                return
            before = [self._line(i) for i in range(len(self.engine.engines))]
            done = self._one(index)
            if done >= 0:
                yield before[done]
        if self.ended:
            yield from self._explained()

    def _continue(self, words: list[str]) -> Iterator[str]:
        stops = [*self.stops, *([" ".join(words)] if words else [])]
        first = True
        while not self.ended:
            index = self.engine.next_engine()
            if not first and index >= 0:
                met = [stop for stop in stops if self._meets(index, stop)]
                if met:
                    yield f"stop at {met[0]}"
                    yield self._line(index)
                    return
            first = False
            self._one(None if index < 0 or self.engine.order.seed else index)
        yield from self._explained()

    def _meets(self, index: int, stop: str) -> bool:
        engine = self.engine.engines[index]
        if stop.startswith("@"):
            ins = self.loaded.instructions[index][engine.pc]
            return self.program.channel_number(stop[1:]) in channels_of(ins)
        if stop == f"{engine.name}:{engine.pc}":
            return True
        return stop in self._line(index)

    def _break(self, words: list[str]) -> Iterator[str]:
        stop = " ".join(words)
        if not stop:
            yield from self.stops or ["no breakpoints"]
            return
        if stop.startswith("@"):
            self.program.channel_number(stop[1:])
        self.stops.append(stop)

    def _delete(self, words: list[str]) -> Iterator[str]:
        stop = " ".join(words)
        if stop and stop not in self.stops:
            raise DebuggerError(f"no breakpoint '{stop}'; there are {self.stops}")
        self.stops = [one for one in self.stops if stop and one != stop]
        yield from ()

    def _engines(self, words: list[str]) -> Iterator[str]:
        for index in range(len(self.engine.engines)):
            yield self._line(index)
            if waits := self._waits(index):
                yield f"  {waits}"

    def _channels(self, words: list[str]) -> Iterator[str]:
        wanted = {self.program.channel_number(word.lstrip("@")) for word in words}
        for number, state in enumerate(self.engine.channels):
            if not wanted or number in wanted:
                c = state.channel
                yield f"@{c.name} from {c.producer} to {', '.join(c.consumers)}: {_state(state)}"

    def _registers(self, words: list[str]) -> Iterator[str]:
        if not words:
            raise DebuggerError(f"registers of which engine? {', '.join(self.loaded.engines)}")
        engine = self.engine.engines[self._index(words[0])]
        held = [f"r{n} = {v}" for n, v in enumerate(engine.registers[:REGISTERS]) if v]
        loops = [
            f"c{n} = {engine.registers[REGISTERS + n]} of {engine.trips[n]}"
            for n in range(COUNTERS)
            if engine.trips[n]
        ]
        yield ", ".join([*held, *loops]) or "all are 0"

    def _print(self, words: list[str]) -> Iterator[str]:
        if not words:
            raise DebuggerError("print what? a region or a channel")
        name = words[0].lstrip("@")
        count = _number(words[1:], VALUES)
        for number, region in enumerate(self.program.regions):
            if region.name == name:
                view = self._view(REGION, number)
                yield f"{name}: {_values(view, self.memories.bytes_of(region), count)}"
                return
        number = self.program.channel_number(name)
        state = self.engine.channels[number]
        if state.channel.space == "none":
            yield f"@{name}: {_state(state)}"
            return
        memory = self.memories.spm if state.channel.space == "spm" else self.memories.acc
        oldest = min(state.released.values())
        start = state.address(oldest)
        data = memory.data[start : start + state.channel.slot_bytes]
        yield f"@{name} slot {oldest % state.channel.slots}, {_state(state)}"
        yield f"  {_values(self._view(CHANNEL, number), data, count)}"

    def _view(self, kind: int, number: int) -> View | None:
        """How the first instruction that touches a place sees it."""
        for stream in self.loaded.instructions:
            for ins in stream:
                for operand in ins.operands.values():
                    if (operand.kind, operand.id) == (kind, number):
                        return self.program.views[operand.view]
        return None

    def _order(self, words: list[str]) -> Iterator[str]:
        order = find_order(" ".join(words))
        self.engine.order, self.engine.random = order, order.seed
        yield from ()

    def _restart(self, words: list[str]) -> Iterator[str]:
        raise Restart

    def _quit(self, words: list[str]) -> Iterator[str]:
        raise Quit

    def _help(self, words: list[str]) -> Iterator[str]:
        yield HELP

    def _index(self, name: str) -> int:
        if name not in self.loaded.engines:
            raise DebuggerError(f"no engine '{name}'; there are {', '.join(self.loaded.engines)}")
        return self.loaded.engines.index(name)


def _number(words: Sequence[str], default: int) -> int:
    if not words:
        return default
    if not words[0].isdigit():
        raise DebuggerError(f"found '{words[0]}', wanted a number")
    return int(words[0])


def _state(state: ChannelState) -> str:
    """Slots of a channel: what is committed, who holds how many, how many are free."""
    channel = state.channel
    free = channel.slots - (state.acquired - min(state.released.values()))
    held = [f"{e} holds {state.held(e)}" for e in (channel.producer, *channel.consumers)]
    waiting = [f"{state.committed - n} committed for {e}" for e, n in state.waited.items()]
    primed = [f"primed {channel.primed}"] if channel.primed else []
    return ", ".join([f"{free} of {channel.slots} free", *held, *waiting, *primed])


def _values(view: View | None, data: np.ndarray, count: int) -> str:
    """The first values of some bytes as a view shows them; bytes where they are packed codes."""
    plain = view is not None and view.format in ELEMENTS and not view.order
    kind = ELEMENTS[view.format] if view is not None and plain else np.dtype(np.uint8)
    whole = data[: data.size // kind.itemsize * kind.itemsize].view(kind)[:count]
    shape = "x".join(map(str, view.shape)) if view is not None else f"{data.size}"
    label = view.format if view is not None else "bytes"
    text = " ".join(f"{float(v):.6g}" for v in whole)
    return f"{shape}x{label}{'' if plain else ', its bytes'}: {text}"


def _texts(program: Program, opcodes: Mapping[str, int]) -> dict[str, list[str]]:
    """The instructions of each engine as assembly, without locations."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in disassemble(program, opcodes).splitlines():
        if line.startswith("engine "):
            lines = found.setdefault(line.split()[1], [])
        elif line.startswith("  "):
            lines.append(line.partition("  // ")[0].strip())
    return found
