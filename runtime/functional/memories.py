"""The machine's memories as byte arrays, and which of their bytes have been written.

`hbm` is two arrays: weights and tables, read-only and usually mapped from the image, and one
mutable array from the lowest to the highest other region. A session's entries share one `Memories`,
so state persists from launch to launch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from ...backend.image import Image
from ...backend.isa.program import PACKED_ROLES, Program, Region
from ...backend.machine import Machine
from .faults import Fault
from .layout import LINE

Bytes = npt.NDArray[np.uint8]
LAUNCH_ROLES = ("scratch", "output")
"""Roles whose bytes count as never written when a launch begins."""


def aligned_zeros(nbytes: int) -> Bytes:
    """Zeroed bytes that start at a multiple of LINE; pages cost nothing until they are touched."""
    whole = np.zeros(nbytes + LINE, np.uint8)
    first = -whole.ctypes.data % LINE
    return whole[first : first + nbytes]


class Memory:
    """One writable memory: its bytes, and a bit for each byte that is set once it is written."""

    def __init__(self, name: str, nbytes: int, first: int = 0) -> None:
        self.name = name
        self.first = first
        """Machine address of byte 0."""
        self.data = aligned_zeros(nbytes)
        self.shadow = aligned_zeros(-(-nbytes // LINE) * LINE // 8)
        """Bit i of byte j stands for byte 8 j + i of `data`."""

    def mark(self, start: int, stop: int, written: bool = True) -> None:
        """Declare bytes [start, stop) of `data` written, or never written."""
        if stop <= start:
            return
        head, tail = start // 8, (stop - 1) // 8
        mask = np.full(tail - head + 1, 255, np.uint8)
        mask[0] &= (255 << start % 8) & 255
        mask[-1] &= 255 >> (7 - (stop - 1) % 8)
        part = self.shadow[head : tail + 1]
        np.copyto(part, part | mask if written else part & ~mask)

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
        """`weights` holds the read-only bytes of hbm from machine address `weights_first` on.

        Raises Fault where a region lies outside its memory or off the alignment.
        """
        self.machine = machine
        regions = [region for program in programs for region in program.regions]
        for region in regions:
            self._check(region)
        mutable = [r for r in regions if r.memory == "hbm" and r.role not in PACKED_ROLES]
        first = min((r.base for r in mutable), default=0)
        last = max((r.base + r.nbytes for r in mutable), default=0)
        self.spm = Memory("spm", machine.spm_bytes)
        self.acc = Memory("acc", machine.acc_bytes)
        self.hbm = Memory("hbm", last - first, first)
        self.weights = np.zeros(0, np.uint8) if weights is None else weights
        self.weights_first = weights_first

    @staticmethod
    def from_image(image: Image) -> Memories:
        """Memories shared by all entries of an image; its weights stay where they are mapped."""
        machine = Machine.from_dict(image.machine)
        return Memories(machine, image.entries.values(), image.weights, image.hbm_base)

    def _check(self, region: Region) -> None:
        size = {"hbm": self.machine.hbm_bytes, "spm": self.machine.spm_bytes,
                "acc": self.machine.acc_bytes}[region.memory]  # fmt: skip
        if region.base % LINE or region.base + region.nbytes > size:
            raise Fault(
                "operand",
                f"region '{region.name}' lies at {region.base}..{region.base + region.nbytes} of "
                f"{region.memory}; wanted a multiple of {LINE} and at most {size}",
            )

    def memory(self, region: Region) -> Memory:
        """The writable memory of a region that is not packed."""
        return {"hbm": self.hbm, "spm": self.spm, "acc": self.acc}[region.memory]

    def bytes_of(self, region: Region) -> Bytes:
        """The region's bytes, uint8; read-only for weights and tables.

        Raises Fault for a weight that was not given.
        """
        if region.role in PACKED_ROLES:
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
        if region.role in PACKED_ROLES or not 0 <= offset <= region.nbytes - raw.size:
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
        self.spm.shadow.fill(0)
        self.acc.shadow.fill(0)
        for region in program.regions:
            if region.memory == "hbm" and region.role in LAUNCH_ROLES:
                start = region.base - self.hbm.first
                self.hbm.mark(start, start + region.nbytes, written=False)
