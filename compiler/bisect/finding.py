"""What bisect found, as numbers and as text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from difflib import unified_diff
from typing import Any

from xdsl.dialects.builtin import ModuleOp

from ..opt.watch import module_text

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
            f"{self.entry}: pass {self.pass_name} is the first whose program is wrong",
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
        return "\n".join([*lines, "", f"To see the pass alone:\n  {self.command}"])


def diff_at(before: ModuleOp, after: ModuleOp, places: set[str]) -> tuple[str, ...]:
    """A unified diff of the lines that belong to these locations."""
    ends = tuple(f' loc("{place}")' for place in places if place)
    texts = [
        [line[: line.rindex(" loc(")] for line in module_text(one, True).splitlines()
         if ends and line.endswith(ends)]
        for one in (before, after)
    ]  # fmt: skip
    lines = list(unified_diff(*texts, "before", "after", lineterm="", n=1))
    if len(lines) > MOST_LINES:
        return (*lines[:MOST_LINES], f"... {len(lines) - MOST_LINES} more lines")
    return tuple(lines)
