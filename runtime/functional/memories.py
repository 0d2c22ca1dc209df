"""The machine's memories as byte arrays, and which of their bytes have been written.

`hbm` is two arrays: weights and tables, read-only and usually mapped from the image, and one
mutable array from the lowest to the highest other region. On a machine without it the mapped bytes
are the window `host`, and regions are bytes of `spm`. A session's entries share one `Memories`, so
state persists from launch to launch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...backend.image import Image
from ...backend.isa import PACKED_ROLES, Program, Region
from ...backend.machine import Machine
from .faults import Fault
from .host_memory import host_zeros
from .layout import LINE

Bytes = npt.NDArray[np.uint8]
LAUNCH_ROLES = ("scratch", "output")
"""Roles whose bytes count as never written when a launch begins."""
KEPT_ROLES = ("weight", "table", "state")
"""Roles whose bytes outlive a launch, at the same addresses in all entries."""


def is_stored(region: Region) -> bool:
    """Whether a region is bytes that the image holds: read-only, and always written."""
    return region.memory == "host" or (region.memory == "hbm" and region.role in PACKED_ROLES)


def aligned_zeros(nbytes: int, what: str) -> Bytes:
    """Zeroed bytes that start at a multiple of LINE. Raises HostMemoryError, which says of what."""
    whole = host_zeros(nbytes + LINE, np.uint8, what)
    first = -whole.ctypes.data % LINE
    return whole[first : first + nbytes]


class Memory:
    """One writable memory: its bytes, and a bit for each byte that is set once it is written."""

    def __init__(self, name: str, nbytes: int, first: int = 0) -> None:
        self.name = name
        self.first = first
        """Machine address of byte 0."""
        self.data = aligned_zeros(nbytes, f"memory {name}")
        self.shadow = aligned_zeros(-(-nbytes // LINE) * LINE // 8, f"memory {name}")
        """Bit i of byte j stands for byte 8 j + i of `data`."""

    def mark(self, start: int, stop: int, written: bool = True) -> None:
        """Declare bytes [start, stop) of `data` written, or never written."""
        if stop <= start:
            return
        head, tail = start // 8, (stop - 1) // 8
        self.shadow[head + 1 : tail] = 255 if written else 0
        first, last = (255 << start % 8) & 255, 255 >> (7 - (stop - 1) % 8)
        edges = {head: first & last} if head == tail else {head: first, tail: last}
        for at, mask in edges.items():
            seen = int(self.shadow[at])
            self.shadow[at] = seen | mask if written else seen & ~mask

    def first_unwritten(self, start: int, stop: int) -> int:
        """The first byte of [start, stop) that nothing has written; -1: all are written."""
        if stop <= start:
            return -1
        head = start // 8
        bits = np.unpackbits(self.shadow[head : (stop - 1) // 8 + 1], bitorder="little")
        missing = np.flatnonzero(bits[start - 8 * head : stop - 8 * head] == 0)
        return start + int(missing[0]) if missing.size else -1


class Memories:
    """spm, acc and hbm of one machine for a set of programs."""

    def __init__(
        self,
        machine: Machine,
        programs: Iterable[Program],
        weights: Bytes | None = None,
        weights_first: int = 0,
    ) -> None:
        """`weights` holds what the image stores, from machine address `weights_first` on.

        Raises Fault where a region lies outside its memory or off the alignment.
        """
        self.machine = machine
        self.weights = np.zeros(0, np.uint8) if weights is None else weights
        self.weights_first = weights_first
        regions = [region for program in programs for region in program.regions]
        for region in regions:
            self._check(region)
        mutable = [r for r in regions if r.memory == "hbm" and not is_stored(r)]
        first = min((r.base for r in mutable), default=0)
        last = max((r.base + r.nbytes for r in mutable), default=0)
        self.spm = Memory("spm", machine.spm_bytes)
        self.acc = Memory("acc", machine.acc_bytes)
        self.hbm = Memory("hbm", last - first, first)
        self._kept = [r for r in regions if r.memory == "spm" and r.role in KEPT_ROLES]

    @staticmethod
    def from_image(image: Image) -> Memories:
        """Memories shared by all entries of an image; its weights stay where they are mapped."""
        machine = Machine.from_dict(image.machine)
        return Memories(machine, image.entries.values(), image.weights, image.stored_first)

    def _check(self, region: Region) -> None:
        size = {"hbm": self.machine.hbm_bytes, "spm": self.machine.spm_bytes,
                "acc": self.machine.acc_bytes,
                "host": self.weights_first + self.weights.size}[region.memory]  # fmt: skip
        if region.base % LINE or region.base + region.nbytes > size:
            raise Fault(
                "operand",
                f"region '{region.name}' lies at {region.base}..{region.base + region.nbytes} of "
                f"{region.memory}; wanted a multiple of {LINE} and at most {size}",
            )

    def memory(self, region: Region) -> Memory:
        """The writable memory of a region that is not stored in the image."""
        return {"hbm": self.hbm, "spm": self.spm, "acc": self.acc}[region.memory]

    def bytes_of(self, region: Region) -> Bytes:
        """The region's bytes, uint8; read-only where they are those of the image.

        Raises Fault for a weight that was not given.
        """
        if is_stored(region):
            start = region.base - self.weights_first
            if start < 0 or start + region.nbytes > self.weights.size:
                raise Fault("operand", f"no bytes for '{region.name}': no weights")
            return self.weights[start : start + region.nbytes]
        memory = self.memory(region)
        start = region.base - memory.first
        return memory.data[start : start + region.nbytes]

    def read(self, region: Region, dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
        """The region's content as a flat view."""
        return self.bytes_of(region).view(dtype)

    def write(self, region: Region, values: npt.NDArray[Any], offset: int = 0) -> None:
        """Put an array's bytes at `offset` bytes into a region, and count them as written.

        Raises Fault when they do not fit or the region is read-only.
        """
        raw = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
        sealed = region.role in PACKED_ROLES or is_stored(region)
        if sealed or not 0 <= offset <= region.nbytes - raw.size:
            raise Fault(
                "operand",
                f"{raw.size} bytes at {offset} cannot be written to {region.role} region "
                f"'{region.name}' of {region.nbytes} bytes",
            )
        self.bytes_of(region)[offset : offset + raw.size] = raw
        memory = self.memory(region)
        start = region.base - memory.first + offset
        memory.mark(start, start + raw.size)

    def begin_launch(self, program: Program) -> None:
        """Nothing is initialised but state, inputs, weights and tables."""
        self._forget(program)
        self.acc.shadow.fill(0)
        for region in program.regions:
            if region.memory == "hbm" and region.role in LAUNCH_ROLES:
                start = region.base - self.hbm.first
                self.hbm.mark(start, start + region.nbytes, written=False)

    def _forget(self, program: Program) -> None:
        """Count the scratchpad as never written, but for what a launch begins with."""
        inputs = [r for r in program.regions if r.memory == "spm" and r.role == "input"]
        at = 0
        for region in sorted((*self._kept, *inputs), key=lambda r: r.base):
            self.spm.mark(at, region.base, written=False)
            at = max(at, region.base + region.nbytes)
        self.spm.mark(at, self.spm.data.size, written=False)
