"""Durations on one machine, in picoseconds, by the functions that the emulator charges by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..machine import Machine
from ..timing import (
    ARBITRATION_BYTES,
    bytes_in_flight,
    ceil_div,
    cycles_to_ps,
    matmul_cycles,
    transfer_ps,
    vector_work_cycles,
)

FLOAT = 4
"""Bytes of a float32."""
SCALARS = 3
"""Scalar instructions of the matrix unit for each product, which has an offset in every operand."""


@dataclass(frozen=True)
class Pace:
    """A machine, and the slots of a program's rings."""

    machine: Machine
    rings: Mapping[str, int]

    def slots(self, ring: str) -> int:
        """Slots of a ring; 1 where the program has none of the name."""
        return self.rings.get(ring, 1)

    @property
    def latency(self) -> int:
        """Of main memory."""
        return self.machine.hbm_latency_ps

    @property
    def issue(self) -> int:
        """Of a move's descriptor."""
        return self.machine.dma_issue_ps

    @property
    def fill(self) -> int:
        """From the end of a product to its sums."""
        return cycles_to_ps(self.machine, self.machine.matrix_fill)

    def scalars(self, count: int) -> int:
        """Of some scalar instructions."""
        return cycles_to_ps(self.machine, count * self.machine.scalar_cycles)

    def move(self, nbytes: int) -> int:
        """Of bytes at the full bandwidth of main memory."""
        return transfer_ps(self.machine, nbytes) if nbytes else 0

    def queue(self, nbytes: int, descriptors: int = 1) -> int:
        """From the issue of moves to the end of their service, nothing else being moved."""
        return max(descriptors * self.issue, self.issue + self.move(nbytes))

    def arrival(self, nbytes: int, descriptors: int = 1) -> int:
        """From the issue of moves to their bytes being where they go, nothing else being moved."""
        return self.queue(nbytes, descriptors) + self.latency

    def turn(self, nbytes: int) -> float:
        """Of main memory for one queue, before it turns to the next: a chunk of such a move."""
        chunks = ceil_div(nbytes, ARBITRATION_BYTES)
        return self.move(nbytes) / chunks if chunks else 0

    def product(self, m: int, n: int, k: int, phases: int, scalars: int = SCALARS) -> int:
        """Of one product with its scalar instructions."""
        cycles = matmul_cycles(self.machine, m, n, k, phases)
        return cycles_to_ps(self.machine, cycles) + self.scalars(scalars)

    def vector(self, rows: int, columns: int, operands: int = 2) -> int:
        """Of one pass over rows x columns with so many operands of float32."""
        nbytes = operands * rows * columns * FLOAT
        return cycles_to_ps(self.machine, vector_work_cycles(self.machine, rows, columns, nbytes))

    def streamed(self, nbytes: int) -> float:
        """Of one of many moves of a load queue, as long as its ring has room.

        A move is issued, served and there a latency later; the bytes in flight are bounded, so a
        queue may be slower than its issue and main memory (`queue_ps`).
        """
        if not nbytes:
            return self.issue
        flight = bytes_in_flight(self.machine, nbytes) // nbytes
        return max(self.issue, self.move(nbytes), self.arrival(nbytes) / flight)
