"""The IR after each pass as text, with the op of the model that each line belongs to."""

from __future__ import annotations

import io
from dataclasses import dataclass

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.printer import Printer

from ...dialects import tg
from ...dialects.checks import verify_module
from ...dialects.locations import location_name
from ..origin import INPUT

DECLARING = (
    tg.GetOp, tg.GlobalOp, tg.InputOp, tg.OutputOp, tg.ScalarOp, tg.TableOp, tg.WeightOp, tg.YieldOp
)  # fmt: skip
"""What names parameters, inputs and outputs, and computes nothing."""
Line = tuple[str, str]
"""A line of text, and its op of the model; '' for what belongs to none."""


@dataclass(frozen=True)
class Dump:
    """The IR behind a pass."""

    after: str
    """The pass, or `input`."""
    lines: tuple[Line, ...]
    ops: frozenset[str] = frozenset()
    """Names of what computes in the graph; a loop or a declaration has a name too, but is no op."""


class Recorder:
    """Keeps the IR of one entry: its `after_pass` is called between passes, and verifies."""

    def __init__(self) -> None:
        self.dumps: list[Dump] = []

    def after_pass(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Called before the first pass (`previous` None), which begins anew, and after each."""
        if previous is None:
            self.dumps.clear()
        verify_module(module)
        name = INPUT if previous is None else previous.name
        self.dumps.append(Dump(name, located_lines(module), tensor_ops(module)))


def tensor_ops(module: ModuleOp) -> frozenset[str]:
    """Names of the ops of the model that a module computes on whole tensors."""
    return frozenset(
        location_name(op)
        for op in module.walk()
        if op.dialect_name() == tg.Tg.name and not isinstance(op, DECLARING)
    )


def located_lines(module: ModuleOp) -> tuple[Line, ...]:
    """The lines of a module's text, without locations, each with the op it belongs to.

    A line belongs to the innermost operation that is printed on it: the head and the closing brace
    of a loop to the loop, what stands between them to the loop's body.
    """
    out = _Counted()
    printer = _Located(out)
    printer.print_op(module)
    lines = out.getvalue().split("\n")
    names = [""] * len(lines)
    for first, last, name in reversed(printer.spans):  # what contains others was printed later
        names[first : last + 1] = [name] * (last + 1 - first)
    return tuple(zip(lines, names, strict=True))


class _Counted(io.StringIO):
    """Text that knows which line is being written."""

    line = 0

    def write(self, text: str) -> int:
        self.line += text.count("\n")
        return super().write(text)


class _Located(Printer):
    """Prints operations, and notes the lines of each: first, last, op of the model."""

    def __init__(self, out: _Counted) -> None:
        super().__init__(stream=out)
        self.out = out
        self.spans: list[tuple[int, int, str]] = []

    def print_op(self, op: Operation) -> None:
        first = self.out.line
        super().print_op(op)
        self.spans.append((first, self.out.line, location_name(op)))
