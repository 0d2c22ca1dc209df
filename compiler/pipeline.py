"""From a graph-level module to a program: every pass with its options, run and watched in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from time import perf_counter
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ..dialects.context import context
from ..passes import PASSES
from ..passes.stages import STAGES, UNFUSED

AfterPass = Callable[[ModulePass | None, ModuleOp, ModulePass | None], None]


@dataclass(frozen=True)
class PassRun:
    """What one pass did: seconds it took, and operations in the module after it."""

    name: str
    level: str
    seconds: float
    operations: int


@dataclass(frozen=True)
class Handed:
    """What ties an entry to the others: all add up attention alike."""

    kv_block: int | None
    """The KV block that was asked for, or that an entry compiled before chose."""
    later_rows: int
    """Most new rows of a sequence in the entries that take over its KV block."""


def passes_for(options: dict[str, Any]) -> list[tuple[str, ModulePass]]:
    """(level, pass) of the whole pipeline; each pass takes the `options` that are its fields.

    With `unfused` in the options it is the pipeline without fusion.
    """
    made: list[tuple[str, ModulePass]] = []
    stages = UNFUSED if options.get("unfused") else STAGES
    for level, names in stages.items():
        for name in names:
            pass_type = PASSES[name]()
            known = {field.name for field in fields(pass_type)}
            made.append((level, pass_type(**{k: v for k, v in options.items() if k in known})))
    return made


def passes_behind(
    passes: Sequence[tuple[str, ModulePass]], after: str | None
) -> list[tuple[str, ModulePass]]:
    """The passes that are left of a pipeline for a module that stands behind one; None: all."""
    names = [one.name for _, one in passes]
    return list(passes[names.index(after) + 1 :] if after is not None else passes)


def run_passes(
    module: ModuleOp,
    passes: Sequence[tuple[str, ModulePass]],
    after_pass: Sequence[AfterPass] = (),
) -> list[PassRun]:
    """Run the passes on a module in place; each of `after_pass` is called before and after each."""
    ctx = context()
    runs: list[PassRun] = []
    following = passes[0][1] if passes else None
    for call in after_pass:
        call(None, module, following)
    for number, (level, one) in enumerate(passes):
        start = perf_counter()
        one.apply(ctx, module)
        seconds = perf_counter() - start
        following = passes[number + 1][1] if number + 1 < len(passes) else None
        for call in after_pass:
            call(one, module, following)
        runs.append(PassRun(one.name, level, seconds, sum(1 for _ in module.walk())))
    return runs
