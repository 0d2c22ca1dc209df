"""What bisect found, as numbers and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from difflib import unified_diff
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from ..opt.watch import module_text
from ..origin import INPUT

MOST_LINES = 40
"""Lines of IR that are shown at most."""


@dataclass(frozen=True)
class Finding:
    """The first pass and op of one entry that made a result wrong."""

    entry: str
    pass_name: str
    """`input` where the first module itself differs."""
    op: str
    location: str
    layer: int | None
    place: str
    """What the op writes, with the index of the first wrong element."""
    wanted: str
    found: str
    worst: float
    """Largest error of what the op writes; not a number where no two values are compared."""
    allowed: float
    message: str
    """What differs in the state and outputs, or what stops the program."""
    outputs: tuple[tuple[str, float, float], ...]
    """State and outputs: name, worst error, what is allowed."""
    launch: str
    diff: tuple[str, ...]
    """The IR of the op's location before and after the pass."""
    command: str
    """Shows the pass alone; empty where no pass is at fault."""
    against: str = ""
    """What was compared with, where it is not the module before the pass."""
    agreed: str = ""
    """Of such a comparison: the last pass behind which both agree."""
    rounding: bool = False
    """Of such a comparison: bits differ, values do by no more than is allowed."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; a number that is none is null."""
        return {
            key: None if isinstance(value, float) and value != value else value
            for key, value in asdict(self).items()
        }

    def text(self) -> str:
        """For people."""
        layer = f", layer {self.layer}" if self.layer is not None else ""
        lines = [
            f"{self.entry}: {self._verdict()}",
            f"  op        {self.op or 'none can be named'}",
            f"  location  {self.location or 'none'}{layer}",
        ]
        if self.place:
            lines.append(f"  writes    {self.place}")
        if self.wanted or self.found:
            lines.append(f"  wanted    {self.wanted or 'nothing'}")
            lines.append(f"  found     {self.found or 'nothing'}")
        if self.worst == self.worst and self.wanted:
            allowed = f"{self.allowed:.3g}" if self.allowed else "0: equal bits"
            lines.append(f"  worst     error {self.worst:.3g}, allowed {allowed}")
        lines.append(f"  shows as  {self.message}")
        for name, worst, allowed in self.outputs:
            lines.append(f"            @{name}: worst error {worst:.3g}, allowed {allowed:.3g}")
        lines.append(f"  launch    {self.launch}")
        if self.diff:
            lines += ["", *self.diff]
        if self.command:
            lines += ["", f"To see the pass alone:\n  {self.command}"]
        return "\n".join(lines)

    def _verdict(self) -> str:
        if not self.against:
            if self.pass_name == INPUT:
                return "the module itself is wrong, before any pass"
            return f"pass {self.pass_name} is the first whose program is wrong"
        way = ", by rounding alone" if self.rounding else ""
        if self.pass_name == INPUT:
            return f"differs from {self.against} before any pass{way}"
        agreed = f" (behind {self.agreed} both agree)" if self.agreed else ""
        first = f"pass {self.pass_name} is the first behind which it differs from {self.against}"
        return first + way + agreed


def diff_at(
    before: ModuleOp, after: ModuleOp, places: set[str], sides: tuple[str, str]
) -> tuple[str, ...]:
    """A unified diff of the lines that belong to these locations."""
    ends = tuple(f' loc("{place}")' for place in places if place)
    was, now = (_lines_at(one, ends) for one in (before, after))
    lines = list(unified_diff(was, now, *sides, lineterm="", n=1))
    if len(lines) > MOST_LINES:
        return (*lines[:MOST_LINES], f"... {len(lines) - MOST_LINES} more lines")
    return tuple(lines)


def _lines_at(module: ModuleOp, ends: tuple[str, ...]) -> list[str]:
    lines = module_text(module, True).splitlines()
    return [line[: line.rindex(" loc(")] for line in lines if ends and line.endswith(ends)]
