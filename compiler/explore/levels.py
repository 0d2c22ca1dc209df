"""The section `levels`: what each pass left, what it changed, and of which op of the model.

    {"lines": [[text, op], ...],
     "entries": {entry: [{"name", "level", "summary", "seconds", "operations", "dump": [line, ...],
                          "added", "removed", "ops": {op: [added, removed]}}, ...]}}

A line that many dumps share is kept once; a dump is a list of indices into `lines`. The first of an
entry is the input, which no pass made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from importlib import import_module
from inspect import getdoc
from typing import Any

from ...passes import PASSES
from ..origin import INPUT
from ..pipeline import PassRun
from ..renaming import in_names_of
from .record import Dump, Line


def levels_section(
    dumps: Mapping[str, Sequence[Dump]], runs: Mapping[str, Sequence[PassRun]]
) -> dict[str, Any]:
    """The section, from the dumps of each entry and what its passes took."""
    numbers: dict[Line, int] = {}
    entries: dict[str, Any] = {}
    for entry, found in dumps.items():
        of_run = {run.name: run for run in runs[entry]}
        rows: list[dict[str, Any]] = []
        before: list[int] = []
        for dump in found:
            after = [numbers.setdefault(line, len(numbers)) for line in dump.lines]
            lines = list(numbers)
            run = of_run.get(dump.after)
            changed = changes(before, after, lines) if run is not None else {}
            rows.append(
                {
                    "name": dump.after,
                    "level": run.level if run is not None else "graph",
                    "summary": summary_of(dump.after),
                    "seconds": run.seconds if run is not None else None,
                    "operations": run.operations if run is not None else None,
                    "dump": after,
                    "added": sum(added for added, _ in changed.values()),
                    "removed": sum(removed for _, removed in changed.values()),
                    "ops": changed,
                }
            )
            before = after
        entries[entry] = rows
    return {"lines": [list(line) for line in numbers], "entries": entries}


def changes(
    before: Sequence[int], after: Sequence[int], lines: Sequence[Line]
) -> dict[str, list[int]]:
    """Op of the model -> lines added and removed between two dumps; a new name alone is neither."""
    found: dict[str, list[int]] = {}
    texts, now = (["\t".join(lines[n]) for n in side] for side in (before, after))
    matcher = SequenceMatcher(None, in_names_of(texts, now), now, autojunk=False)
    for tag, i, i_end, j, j_end in matcher.get_opcodes():
        if tag == "equal":
            continue
        for side, numbers in ((1, before[i:i_end]), (0, after[j:j_end])):
            for number in numbers:
                found.setdefault(lines[number][1], [0, 0])[side] += 1
    return found


def summary_of(name: str) -> str:
    """The first paragraph of what a pass's file says of it."""
    if name == INPUT:
        return "The graph that the front end built."
    text = getdoc(import_module(PASSES[name]().__module__)) or ""
    return " ".join(text.split("\n\n")[0].split())
