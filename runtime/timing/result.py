"""What a timed launch gives: every picosecond of every engine by cause and model op."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

PICOSECONDS = 10**12


@dataclass(frozen=True)
class Charge:
    """A cause (`matmul`, `wait @weights`, ...) and the model op that was charged with it."""

    cause: str
    op: str


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

    @property
    def seconds(self) -> float:
        """The launch's time."""
        return self.picoseconds / PICOSECONDS

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
