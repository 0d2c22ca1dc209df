"""The launches on which addresses and orders of access are proven: the corners of what is allowed.

Channels are proven for every launch (`weave`); bytes are followed by running a launch without
values (`walk`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...backend.isa import Program
from ..launch import Launch, StepShape

RAGGED_STEP = ("rows", "logit_rows", "row_start", "q_len", "kv_len")
Values = dict[str, int | Sequence[int]]


@dataclass(frozen=True)
class Corner:
    """A launch and what it stands for."""

    name: str
    parameters: Values


def corners(program: Program) -> list[Corner]:
    """Launches at the corners of a program's parameters; one where it has none."""
    names = {one.name for one in program.parameters}
    if names == set(RAGGED_STEP) and any(r.name == "logits" for r in program.regions):
        return _steps(program)
    if not names:
        return [Corner("no parameters", {})]
    found: list[Corner] = []
    for name in ("least", "most"):
        values: Values = {
            one.name: [one.lo if name == "least" else one.hi] * one.count
            for one in program.parameters
        }
        found.append(Corner(f"{name} of every parameter", values))
    return found


def _steps(program: Program) -> list[Corner]:
    """Ragged steps: full, ragged with caches around block borders, and the smallest."""
    shape = StepShape.of(program)
    block = program.kv_block or 1
    full = _spread(shape, [shape.chunk] * shape.sequences)
    lengths = [(shape.chunk, 0, 1, shape.chunk - 1)[i % 4] for i in range(shape.sequences)]
    ragged = _spread(shape, lengths)
    cached = [(block - 1, 0, block, 2 * block + 1)[i % 4] for i in range(shape.sequences)]
    return [
        _corner("every sequence full", program, full, [shape.context] * shape.sequences),
        _corner("ragged, caches at block borders", program, ragged, cached),
        _corner("one new token, empty cache", program, _spread(shape, [1]), [0]),
    ]


def _spread(shape: StepShape, lengths: Sequence[int]) -> list[int]:
    """As many new tokens a sequence as the rows of a launch hold."""
    left, out = shape.rows, [0] * shape.sequences
    for i, length in enumerate(lengths):
        out[i] = max(0, min(length, left, shape.context))
        left -= out[i]
    return out


def _corner(name: str, program: Program, new: Sequence[int], cached: Sequence[int]) -> Corner:
    """A launch whose caches hold what is wanted, as far as the context has room."""
    shape = StepShape.of(program)
    before = [
        min(old, shape.context - count, program.parameter("kv_len").hi)
        for count, old in zip(new, [*cached, *[0] * len(new)], strict=False)
    ]
    wanted = min(sum(new), program.parameter("logit_rows").hi)
    launch = Launch(tuple((0,) * count for count in new), tuple(before), tuple(range(wanted)))
    inside = f"new {_few(new)}, cached {_few(before)}"
    return Corner(f"{name}: {inside}", launch.parameters())


def _few(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers[:4])) + (",..." if len(numbers) > 4 else "")
