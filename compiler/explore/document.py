"""The document that a page shows: sections of JSON values, made one by one from a compiled model.

| section | holds |
|---|---|
| `about` | model, machine, policy, step, ops of the model |
| `levels` | the IR after each pass (`levels.py`); None for an image, which holds no IR |
| `program` | instructions, channels and regions (`program.py`) |
| `step` | the timed step, as `tilewright time --json` writes it |
| `timed` | each entry's step over time and memory, its causes and what would help (`steps.py`) |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...backend.image import Image
from ...backend.isa import BY_MNEMONIC
from ...runtime.timing import StepReport
from ..pipeline import PassRun
from .levels import levels_section
from .program import program_section
from .record import Dump
from .steps import step_sections

Document = dict[str, Any]


@dataclass(frozen=True)
class Compiled:
    """What is looked at: an image, the IR it came from if that is known, and a timed step."""

    name: str
    """What the user named: a model or an image."""
    image: Image
    report: StepReport
    dumps: Mapping[str, Sequence[Dump]] = field(default_factory=dict[str, Sequence[Dump]])
    """Entry -> the IR after each pass; empty for an image."""
    runs: Mapping[str, Sequence[PassRun]] = field(default_factory=dict[str, Sequence[PassRun]])


def document(found: Compiled) -> Document:
    """All sections."""
    levels = levels_section(found.dumps, found.runs) if found.dumps else None
    program = program_section(found.image)
    contexts = [cached + new for cached, new in found.report.sequences]
    return {
        "about": about_section(found, program),
        "levels": levels,
        "program": program,
        "step": found.report.to_dict(),
        "timed": step_sections(found.image, contexts),
    }


def about_section(found: Compiled, program: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says at its head, and each entry's ops of the model in program order."""
    report, image = found.report, found.image
    return {
        "name": found.name,
        "model": report.model,
        "machine": report.machine,
        "policy": report.policy,
        "phase": report.phase,
        "step": report.step_text(),
        "digest": report.digest,
        "is_image": not found.dumps,
        "entries": list(image.entries),
        "ops": {
            entry: ops_of(entry, found, program["entries"][entry]["engines"])
            for entry in image.entries
        },
    }


def ops_of(
    entry: str, found: Compiled, engines: Mapping[str, Sequence[Sequence[str]]]
) -> list[str]:
    """Ops of the model, in the order of the program; then those that other levels alone have.

    An op is what moves or computes something: loops and launch parameters have names, too.
    """
    dumps = found.dumps.get(entry, ())
    run = {op for lines in engines.values() for text, op in lines if has_operands(text)}
    names: dict[str, None] = {}
    for dump in sorted(dumps, key=lambda dump: dump.after != "tile"):
        names |= in_order(op for _, op in dump.lines)  # the tiled level has the program's order
    for lines in engines.values():
        names |= in_order(op for _, op in lines)
    known = run.union(*(dump.ops for dump in dumps)) - {""}
    return sorted((op for op in names if op in known), key=lambda op: op not in run)


def has_operands(text: str) -> bool:
    """Whether an instruction touches memory: all but those for registers, loops and hand-over."""
    row = BY_MNEMONIC.get(text.split(maxsplit=1)[0])
    return row is not None and bool(row.operands)


def in_order(ops: Iterable[str]) -> dict[str, None]:
    """Ops by the place where each is last, as constants of all of them stand ahead of the first."""
    last = {op: at for at, op in enumerate(ops)}
    return dict.fromkeys(sorted(last, key=lambda op: last[op]))
