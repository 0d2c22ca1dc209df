"""What a consistent description says that its author may not have meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .description import Machine

CODE_BITS = (16, 8, 4)
"""Bits of a weight as formats store them, without scales."""
PORT_MARGIN = 1.05
"""The weight port must take in so much more than main memory delivers, or bubbles add up."""
BYTES_A_LANE = 12
"""Two float32 in and one out."""


def warnings_of(machine: Machine) -> tuple[str, ...]:
    """Sentences for the user; none where main memory binds decode and nothing starves."""
    found = (_weight_port(machine), _scratchpad(machine), _vector_port(machine))
    return tuple(text for text in found if text)


def _weight_port(machine: Machine) -> str:
    """The weight port against what main memory delivers, for the widest format that it holds up."""
    taken = machine.arrays * machine.weight_rows * machine.array_columns * machine.clock_hz
    for bits in CODE_BITS:
        delivered = machine.hbm_bytes_per_second * 8 // bits
        if taken < PORT_MARGIN * delivered:
            return (
                f"the weight port, not hbm, bounds decode with weights of {bits} bits and less: it "
                f"takes in {taken / 1e9:,.0f} billion a second, and {delivered / 1e9:,.0f} come"
            )
    return ""


def _scratchpad(machine: Machine) -> str:
    """Bytes in flight that keep main memory busy must fit into the scratchpad."""
    needed = machine.hbm_bytes_per_second * machine.hbm_latency_ps // 10**12
    if machine.spm_bytes >= 2 * needed:
        return ""
    return (
        f"the scratchpad of {machine.spm_bytes:,} bytes is less than twice hbm's bandwidth times "
        f"latency, {needed:,} bytes: loads cannot run far enough ahead"
    )


def _vector_port(machine: Machine) -> str:
    wanted = BYTES_A_LANE * machine.lanes
    if machine.vector_port_bytes >= wanted:
        return ""
    return (
        f"the vector port moves {machine.vector_port_bytes:,} bytes a cycle, and {machine.lanes:,} "
        f"lanes ask for up to {wanted:,}: the port, not the lanes, bounds most vector work"
    )
