"""What a timed launch gives: every picosecond of every engine by cause and model op."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

from ...backend.timing import Extents, Work
from .decoded import Decoded, Step

PICOSECONDS = 10**12
Place = tuple[int, int]
"""Engine number and instruction."""


@dataclass
class Tally:
    """What an engine of simulation counts; all else of a result follows from it."""

    executed: Counter[tuple[int, int, Extents]]
    """Executions by engine, instruction and clipped extents of its bounded axes."""
    served: list[int]
    """Time that main memory served each engine."""
    held_up: list[int]
    """Time that the first move of each engine stood while others were served."""
    waited: Counter[tuple[int, int, int]] = field(
        default_factory=lambda: Counter[tuple[int, int, int]]()
    )
    """Time blocked at a begin, by engine, instruction and number of the begin."""
    memory: Counter[Place] = field(default_factory=lambda: Counter[Place]())
    """Time at the bound of a queue, contention apart."""
    contention: Counter[Place] = field(default_factory=lambda: Counter[Place]())
    halted: list[int] = field(default_factory=list[int])
    """When each engine halted."""
    picoseconds: int = 0
    layers: list[int] = field(default_factory=list[int])
    """When the matrix unit began each trip of its loop over layers, and when it left the loop."""

    @staticmethod
    def empty(engines: int) -> Tally:
        """Nothing counted yet."""
        return Tally(Counter[tuple[int, int, Extents]](), [0] * engines, [0] * engines)


@dataclass(frozen=True)
class Charge:
    """A cause (`matmul`, `wait @weights`, ...) and the model op that was charged with it."""

    cause: str
    op: str


def is_idle(cause: str) -> bool:
    """Whether an engine that is charged with it waits for another one, or has nothing left."""
    return cause == "done" or cause.startswith(("wait ", "room "))


@dataclass(frozen=True)
class TimingResult:
    """One launch. Times in picoseconds."""

    picoseconds: int
    engines: dict[str, dict[Charge, int]]
    """Engine -> time by charge; each adds up to `picoseconds`."""
    instructions: dict[str, int]
    """Instructions executed, by engine."""
    read_bytes: int
    """Bytes moved out of main memory."""
    written_bytes: int
    burst_bytes: int
    """Bytes that main memory was busy with: whole bursts."""
    memory_picoseconds: int
    """Time that main memory was busy."""
    served: dict[str, int]
    """Of it, by queue."""
    held_up: dict[str, int]
    """Time that the first move of each queue stood while other queues were served."""
    layers: tuple[int, ...]
    """When the matrix unit began each trip of its loop over layers, and when it left the loop."""
    work: Work
    """What the launch costs in energy."""

    @property
    def seconds(self) -> float:
        """The launch's time."""
        return self.picoseconds / PICOSECONDS

    @property
    def layer_picoseconds(self) -> tuple[int, ...]:
        """Time of each layer as the matrix unit passes through; empty without layers."""
        return tuple(end - begin for begin, end in pairwise(self.layers))

    def causes(self, engine: str) -> dict[str, int]:
        """Time of one engine by cause, largest first."""
        total: Counter[str] = Counter()
        for charge, time in self.engines[engine].items():
            total[charge.cause] += time
        return dict(total.most_common())

    def ops(self, engine: str) -> dict[str, int]:
        """Time of one engine by model op, in the order of the program."""
        total: Counter[str] = Counter()
        for charge, time in self.engines[engine].items():
            total[charge.op] += time
        return dict(total)

    def op_causes(self, engine: str) -> dict[str, dict[str, int]]:
        """Model op -> time of one engine by cause, largest first."""
        found: dict[str, Counter[str]] = {}
        for charge, time in self.engines[engine].items():
            found.setdefault(charge.op, Counter())[charge.cause] += time
        return {op: dict(total.most_common()) for op, total in found.items()}


def result_of(launch: Decoded, tally: Tally) -> TimingResult:
    """The result that a tally stands for."""
    charges = [Counter[Charge]() for _ in launch.engines]
    instructions = [0] * len(launch.engines)
    read = written = bursts = spm = acc = lanes = 0
    macs: Counter[int] = Counter()
    for (engine, pc, extents), count in sorted(tally.executed.items()):
        cost = launch.streams[engine][pc].rule.at(extents)
        instructions[engine] += count
        read += count * cost.read_bytes
        written += count * cost.written_bytes
        bursts += count * cost.burst_bytes
        spm += count * cost.spm_bytes
        acc += count * cost.acc_bytes
        lanes += count * cost.lane_cycles
        macs[cost.mac_class] += count * cost.macs
        op = _op(launch, engine, pc)
        charges[engine][Charge(cost.kind, op)] += count * (cost.busy_ps - cost.moving_ps)
        charges[engine][Charge("move", op)] += count * cost.moving_ps
    for (engine, pc, place), time in sorted(tally.waited.items()):
        cause = blocked_cause(launch, launch.streams[engine][pc].begins[place])
        charges[engine][Charge(cause, _op(launch, engine, pc))] += time
    for cause, times in (("memory", tally.memory), ("contention", tally.contention)):
        for (engine, pc), time in sorted(times.items()):
            charges[engine][Charge(cause, _op(launch, engine, pc))] += time
    for engine, time in enumerate(tally.halted):
        charges[engine][Charge("done", "")] += tally.picoseconds - time
    work = Work(
        hbm_bytes=bursts,
        spm_bytes=spm,
        acc_bytes=acc,
        macs4=macs[4],
        macs8=macs[8],
        macs16=macs[16],
        lane_cycles=lanes,
        picoseconds=tally.picoseconds,
    )
    names = launch.engines
    streams = launch.program.engines
    return TimingResult(
        picoseconds=tally.picoseconds,
        engines={n: {c: t for c, t in charges[i].items() if t} for i, n in enumerate(names)},
        instructions={n: instructions[i] for i, n in enumerate(names) if n in streams},
        read_bytes=read,
        written_bytes=written,
        burst_bytes=bursts,
        memory_picoseconds=sum(tally.served),
        served={n: tally.served[i] for i, n in enumerate(names) if tally.served[i]},
        held_up={n: tally.held_up[i] for i, n in enumerate(names) if tally.held_up[i]},
        layers=tuple(tally.layers),
        work=work,
    )


def blocked_cause(launch: Decoded, step: Step) -> str:
    """The cause that time blocked at a begin is charged to."""
    return f"{'room' if step.producer else 'wait'} @{launch.program.channels[step.channel].name}"


def _op(launch: Decoded, engine: int, pc: int) -> str:
    places = launch.program.locations.get(launch.engines[engine])
    return places[pc] if places else ""
