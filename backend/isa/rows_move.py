"""Rows of the data movement instructions, executed by load and store engines."""

from __future__ import annotations

from .field import FUNCTION_LOW
from .row import Instruction, OperandSpec, bounds

_ANY = ("hbm", "spm", "acc")
_MOVERS = ("ld", "st")
_AXES = bounds(
    FUNCTION_LOW,
    ("axis0", "axis 0"), ("axis1", "axis 1"), ("axis2", "axis 2"), ("axis3", "axis 3"),
    ("axis4", "axis 4"),
)  # fmt: skip
_ROWS = bounds(FUNCTION_LOW, ("rows", "axis 0"))


def _place(name: str, access: str, doc: str, *more: str) -> OperandSpec:
    assert access in ("read", "write")
    return OperandSpec(name, access, doc, ranks=(1, 5), spaces=(*_ANY, *more))


_INDEX = OperandSpec(
    "index", "read", "row numbers", formats=("i32",), ranks=(1, 1), spaces=("hbm", "spm")
)
_DENSE_ALIKE = "Views are dense, of equal rank and equal format."
_ROW_LIMITS = (
    _DENSE_ALIKE,
    "`dst` and `src` have equal extents but for axis 0; `index` has at least n elements.",
)

MOVE_INSTRUCTIONS: tuple[Instruction, ...] = (
    Instruction(
        mnemonic="copy",
        summary="Strided copy of a box between any two memories, or out of the host's window.",
        engines=_MOVERS,
        operands=(_place("dst", "write", "destination"), _place("src", "read", "source", "host")),
        fields=_AXES,
        meaning="""\
The box is the shape of `dst`, clipped per axis by the bounds. For every index i of the box:
`dst[i] = src[i]` where i lies inside the shape of `src` on every axis, and `dst[i] = 0` (all bits
zero) elsewhere. Elements move as bits. Nothing outside the box is read or written. Packed data
moves as u8: one axis counts blocks or rows, the last axis their bytes.""",
        limits=(
            _DENSE_ALIKE,
            "An axis that `dst` does not have has no bound.",
            "`dst` does not broadcast (no stride 0 on an axis longer than 1), and source and "
            "destination bytes do not overlap.",
            "A weight or table is written where `src` lies in `host`, and nowhere else.",
        ),
        duration="`dma_issue_ps`; then main memory serves its bursts, and it is done "
        "`hbm_latency_ps` later. On chip alone: `dma_issue_ps` and `ceil(bytes / "
        "vector_port_bytes)` cycles. Out of `host`: not charged",
    ),
    Instruction(
        mnemonic="fill",
        summary="Write a constant to a box.",
        engines=_MOVERS,
        operands=(
            _place("dst", "write", "destination"),
            OperandSpec("value", "read", "a constant", allows_constant=True, spaces=()),
        ),
        fields=_AXES,
        meaning="""\
Every element of the box (the shape of `dst` clipped by the bounds) becomes the constant, converted
to the format of `dst` as chapter 8 says.""",
        limits=("`value` is a constant.", "An axis that `dst` does not have has no bound."),
        duration="as `copy`",
    ),
    Instruction(
        mnemonic="gather",
        summary="Copy rows by number; a number out of range gives a row of zeros.",
        engines=_MOVERS,
        operands=(
            _place("dst", "write", "row i is written"),
            _place("src", "read", "row index[i] is read"),
            _INDEX,
        ),
        fields=_ROWS,
        meaning="""\
`n` is extent 0 of `dst`, clipped by `rows`. For i in 0 .. n - 1, with `j = index[i]`:
`dst[i, ...] = src[j, ...]` as bits if `0 <= j < ` extent 0 of `src`, else the row becomes
zeros.""",
        limits=_ROW_LIMITS,
        duration="as `copy`, with `dma_issue_ps` for each of max(n, 1) rows; where `index` lies "
        "in main memory, done two latencies after its service",
    ),
    Instruction(
        mnemonic="scatter",
        summary="Copy rows to numbered places; a number out of range drops the row.",
        engines=_MOVERS,
        operands=(
            _place("dst", "write", "row index[i] is written"),
            _place("src", "read", "row i is read"),
            _INDEX,
        ),
        fields=_ROWS,
        meaning="""\
`n` is extent 0 of `src`, clipped by `rows`. For i in 0 .. n - 1 ascending, with `j = index[i]`:
`dst[j, ...] = src[i, ...]` as bits if `0 <= j < ` extent 0 of `dst`, else nothing happens. Where a
number occurs twice the later row stays.""",
        limits=_ROW_LIMITS,
        duration="as `gather`",
    ),
)
