"""Layers are a loop at every level: more of them make no program longer."""

import pytest
from xdsl.dialects import arith
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from tilewright.compiler.driver import compile_entry
from tilewright.compiler.frontend.builder import EntryShape

from .models import DECODE, PREFILL, model_module


@pytest.mark.parametrize("entry", [PREFILL, DECODE])
def test_thirty_layers_are_as_long_as_two(entry: EntryShape) -> None:
    """At every level, but for constants: the number of layers may be one that stands already."""

    def lengths(layers: int) -> tuple[list[tuple[str, int]], dict[str, int]]:
        counts: list[tuple[str, int]] = []

        def count(previous: ModulePass | None, module: ModuleOp, following: object) -> None:
            operations = [op for op in module.walk() if not isinstance(op, arith.ConstantOp)]
            counts.append((previous.name if previous is not None else "graph", len(operations)))

        compiled = compile_entry(model_module(entry, layers=layers), "tw-small", after_pass=[count])
        return counts, compiled.report.instructions

    counts, instructions = lengths(2)
    assert counts[-1][0] == "select"
    assert min(instructions.values()) > 0
    assert lengths(30) == (counts, instructions)
