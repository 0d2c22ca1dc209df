"""Lines of two texts of IR that differ in the names of values alone.

The printer counts values, so a pass that adds one gives others behind it new numbers: `%5` becomes
`%7`, `%x_1` becomes `%x_2`. Such lines are no change, as long as each value keeps its new name:

    %5 = arith.addi %a, %4        %7 = arith.addi %a, %6      equal
    tile.load @x[%5] to %y        tile.load @x[%7] to %y      equal
    tile.load @x[%5] to %y        tile.load @x[%6] to %y      another value: a change
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

_VALUE = re.compile(r"%[\w$.-]+")
_COUNTED = re.compile(r"%(?:\d+|(\w*?)_\d+)")
_DEFINED = re.compile(r"\s*(%.+?) = |.*\bfor (%\S+) = ")
_ANEW = re.compile(r"\s*(?:func\.func|tw\.program)\b")
"""What begins a scope of names."""


def in_names_of(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The lines of `before`, those that are equal but for names as they stand in `after`."""
    matcher = SequenceMatcher(
        None, [_without_counts(line) for line in before], [_without_counts(line) for line in after],
        autojunk=False,
    )  # fmt: skip
    made = list(before)
    names = _Names()
    for i, j, size in matcher.get_matching_blocks():
        for n in range(size):
            if names.agree(before[i + n], after[j + n]):
                made[i + n] = after[j + n]
    return made


def _without_counts(line: str) -> str:
    def stem(match: re.Match[str]) -> str:
        counted = _COUNTED.fullmatch(match[0])
        return "%" + (counted[1] or "") if counted else match[0]

    return _VALUE.sub(stem, line)


class _Names:
    """The name behind the pass of each value, as far as it was seen."""

    def __init__(self) -> None:
        self.behind: dict[str, str] = {}
        self.before: dict[str, str] = {}

    def agree(self, left: str, right: str) -> bool:
        """Whether two lines, equal but for names, name the same values; those they define begin."""
        if _ANEW.match(left):
            self.behind.clear()
            self.before.clear()
        defined = _DEFINED.match(left)
        new = set(_VALUE.findall(defined[1] or defined[2])) if defined else set[str]()
        pairs = list(zip(_VALUE.findall(left), _VALUE.findall(right), strict=True))
        used = [pair for pair in pairs if pair[0] not in new]
        if any(self.behind.get(a, b) != b or self.before.get(b, a) != a for a, b in used):
            return False
        for a, b in pairs:
            self.before.pop(self.behind.get(a, ""), None)
            self.behind.pop(self.before.get(b, ""), None)
            self.behind[a], self.before[b] = b, a
        return True
