"""Which registers can still reach a bound or a trip count, at each instruction.

All others hold addresses: they change from trip to trip without a meaning for time.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...backend.isa import NO_REGISTER, REGISTERS, Ins
from .decoded import Timed


def _bit(register: int) -> int:
    return 0 if register == NO_REGISTER else 1 << register


def live_registers(stream: Sequence[Timed], pairs: dict[int, int]) -> list[int]:
    """For each instruction a mask of the registers that matter just before it."""
    live = [0] * (len(stream) + 1)
    changed = True
    while changed:
        changed = False
        for pc in range(len(stream) - 1, -1, -1):
            found = _before(stream[pc], _after(stream[pc].ins, pc, pairs, live))
            changed |= found != live[pc]
            live[pc] = found
    return live[:-1]


def _after(ins: Ins, pc: int, pairs: dict[int, int], live: Sequence[int]) -> int:
    """What matters after an instruction, on any way that it may go."""
    if ins.mnemonic == "halt":
        return 0
    jumps = ins.mnemonic in ("loop", "next")
    return live[pc + 1] | (live[pairs[pc] + 1] if jumps else 0)


def _before(timed: Timed, after: int) -> int:
    ins = timed.ins
    fields = ins.fields
    match ins.mnemonic:
        case "li" | "pop":
            return after & ~_bit(fields["rd"])
        case "ldp":
            used = _bit(fields["ra"])
        case "alu":
            used = _bit(fields["ra"]) | _bit(fields["rb"])
        case "loop":
            return after & ~_bit(REGISTERS + fields["counter"]) | _bit(fields["count"])
        case _:
            for _, register in timed.rule.axes:
                after |= _bit(register)
            return after
    rd = _bit(fields["rd"])
    return after & ~rd | used if after & rd else after


def is_dead(timed: Timed, after: int) -> bool:
    """Whether an instruction takes time and does nothing else that matters.

    `after` is the mask of what matters behind it.
    """
    return timed.ins.mnemonic in ("li", "alu", "ldp") and not after & _bit(timed.ins.fields["rd"])
