"""`--verify-diagnostics`: errors that a module announces itself, each with its line.

    %b = tile.buffer : memref<4xf32, #tw.hbm>  // expected-error {{a buffer lives in #tw.spm}}
    // expected-error @below {{is used before it is defined}}

The text is part of the error's message. `@+2`, `@-1`, `@above`, `@below` name a line beside the
comment's; `@unknown` is for an error that is about no op, as one of a pass's options.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...backend.errors import TilewrightError

_COMMENT = re.compile(r"//\s*expected-(\w+)\s*(?:@([^\s{]+))?\s*(?:\{\{(.*?)\}\})?")
_OFFSETS = {"above": -1, "below": 1}


@dataclass(frozen=True)
class Expected:
    """One error that must come."""

    written: int
    """Line of the comment, from 1."""
    line: int | None
    """Line of the error; None if it has none."""
    text: str

    def meets(self, line: int | None, message: str) -> bool:
        """Whether an error is this one."""
        return self.line == line and self.text in message


def read_expected(text: str, name: str, offset: int = 0) -> tuple[Expected, ...]:
    """The errors that a module announces, with their lines in the file.

    `name` is the file's, for errors; `offset` is how many of its lines lie before the text.

    Raises TilewrightError for an announcement that cannot be read.
    """
    found: list[Expected] = []
    for number, line in enumerate(text.splitlines(), offset + 1):
        for match in _COMMENT.finditer(line):
            at = f"{name}:{number}"
            if match[1] != "error":
                raise TilewrightError(f"{at}: found expected-{match[1]}, wanted expected-error")
            if match[3] is None:
                raise TilewrightError(f"{at}: wanted text in braces: expected-error {{{{text}}}}")
            found.append(Expected(number, _line(number, match[2], at), match[3]))
    return tuple(found)


def _line(number: int, designator: str | None, at: str) -> int | None:
    if designator is None:
        return number
    if designator == "unknown":
        return None
    if designator in _OFFSETS:
        return number + _OFFSETS[designator]
    if re.fullmatch(r"[+-]\d{1,6}", designator):
        return number + int(designator)
    raise TilewrightError(f"{at}: found @{designator}, wanted @+N, @-N, @above, @below or @unknown")


def judge(expected: tuple[Expected, ...], error: tuple[int | None, str] | None, name: str) -> None:
    """Compare what a module announces with the error (line, message) that came, or None.

    A driver stops at its first error, so a module that announces two is refused. Raises
    TilewrightError for an error that was not announced, or did not come.
    """
    wanted = list(expected)
    if error is not None:
        line, message = error
        met = [one for one in wanted if one.meets(line, message)]
        if not met:
            place = f"{name}:{line}" if line is not None else f"{name}: at no known op"
            raise TilewrightError(f"{place}: unexpected error: {message}")
        wanted.remove(met[0])
    if wanted:
        one = wanted[0]
        where = "at no known op" if one.line is None else f"in line {one.line}"
        raise TilewrightError(
            f"{name}:{one.written}: the expected error '{one.text}' did not come {where}"
        )
