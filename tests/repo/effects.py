"""What the pass of a FileCheck file does to each of its cases: changes it, or leaves it alone.

    python tests/repo/effects.py

prints both counts of each pass. A case is a function where a module has several, else a module of
the file, its attributes aside.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from sources import ROOT
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp
from xdsl.parser import Parser
from xdsl.passes import PassPipeline
from xdsl.utils.arg_spec import ArgSpec, parse_pipeline

from tilewright.dialects import context
from tilewright.passes import PASSES

FOLDER = ROOT / "tests" / "filecheck" / "passes"
CHECKERS = {"verify-streams": "it refuses programs, and changes none"}
"""Passes that change nothing, and why."""
RUN, SPLIT = "// RUN: tilewright-opt %s ", "// -----"


@dataclass
class Effects:
    """Cases of a file that its pass changes, and that it leaves alone, over all its RUN lines."""

    changed: int = 0
    alone: int = 0


def effects(name: str) -> Effects:
    """What a pass does to the cases of `NAME.mlir`."""
    found, text = Effects(), (FOLDER / f"{name}.mlir").read_text("utf-8")
    for spec in _specs(text):
        assert spec.name == name, f"{name}.mlir runs {spec.name}"
        for case in text.split(SPLIT):
            module = Parser(context(), case).parse_module()
            before = _cases(module)
            PassPipeline((PASSES[name]().from_spec(spec),)).apply(context(), module)
            after = _cases(module)
            same = sum(after.get(case) == text for case, text in before.items())
            found.alone += same
            found.changed += len(before) - same
    return found


def _specs(text: str) -> Iterator[ArgSpec]:
    """The pass of each RUN line, with its options."""
    for line in text.splitlines():
        if line.startswith(RUN):
            words = shlex.split(line)
            yield from parse_pipeline(words[words.index("-p") + 1])


def _cases(module: ModuleOp) -> dict[str, str]:
    """Cases by the name of their function; the whole module as ""."""
    functions = [op for op in module.ops if isinstance(op, FuncOp)]
    if len(functions) > 1:
        return {op.sym_name.data: str(op) for op in functions}
    return {"": "\n".join(map(str, module.ops))}


if __name__ == "__main__":
    for each in PASSES:
        one = effects(each)
        print(f"{each}: changes {one.changed} cases, leaves {one.alone} alone")
