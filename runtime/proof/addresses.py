"""Where rings and regions lie: inside their memory, aligned, and apart.

Two buffers of role `local` may share bytes where one engine owns both; `walk` then follows whose
the bytes are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ...backend.isa import Program
from ...backend.machine import Machine
from ..functional import KEPT_ROLES, LINE
from .errors import ProofError


@dataclass(frozen=True)
class _Range:
    """Bytes that a ring or a region occupies."""

    first: int
    end: int
    name: str
    owner: str = ""


def check_addresses(program: Program, machine: Machine) -> None:
    """Raises ProofError for bytes outside a memory, off the alignment, or of two owners."""
    sizes = {"hbm": machine.hbm_bytes, "spm": machine.spm_bytes, "acc": machine.acc_bytes}
    for memory, size in sizes.items():
        reaching: list[_Range] = []
        for this in sorted(_ranges(program, memory), key=lambda r: (r.first, r.end)):
            if this.first % LINE or this.end > size:
                raise ProofError(
                    "addresses",
                    f"{this.name} lies at {this.first}..{this.end} of {memory}; wanted a multiple "
                    f"of {LINE} and at most {size}",
                )
            reaching = [other for other in reaching if other.end > this.first]
            for other in reaching:
                if not this.owner or this.owner != other.owner:
                    raise ProofError(
                        "addresses",
                        f"{this.name} at {this.first}..{this.end} shares bytes of {memory} with "
                        f"{other.name} at {other.first}..{other.end}",
                    )
            reaching.append(this)


def _ranges(program: Program, memory: str) -> list[_Range]:
    found = [
        _Range(one.base, one.base + one.nbytes, f"channel '{one.name}'")
        for one in program.channels
        if one.space == memory and one.nbytes
    ]
    found += [
        _Range(one.base, one.base + one.nbytes, f"region '{one.name}'", one.owner)
        for one in program.regions
        if one.memory == memory and one.nbytes
    ]
    return found


def check_shared(entries: Mapping[str, Program]) -> None:
    """Entries have what outlives a launch at one address. Raises ProofError."""
    seen: dict[str, tuple[str, object]] = {}
    for entry, program in entries.items():
        for region in program.regions:
            if region.role not in KEPT_ROLES or region.memory == "host":
                continue
            other, place = seen.setdefault(
                region.name, (entry, (region.memory, region.base, region.nbytes))
            )
            mine = (region.memory, region.base, region.nbytes)
            if place != mine:
                raise ProofError(
                    "addresses",
                    f"region '{region.name}' is (memory, base, bytes) {mine} in entry {entry} and "
                    f"{place} in entry {other}; entries share it",
                )
