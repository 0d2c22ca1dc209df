"""What dialects and passes may say of IR: every text that they raise, as a pattern of its words.

    python tests/repo/diagnostics.py

prints those that no `expected-error` and no CHECK line of tests/filecheck quotes.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sources import FILES, ROOT, tree_of

FOLDERS = ("dialects", "passes")
LEAST = 3
"""A quote of fewer words than these shows only a text that has no more."""
LONG = 6
"""A part of so many words shows its text by itself."""
NOT_IN_TEXT = {
    "passes/encode.py": "the image is written behind the last pass; unit/passes/test_refusals.py",
    "passes/tile/record.py": "the image's plan is read there; unit/passes/test_refusals.py",
    "passes/check_allocation.py": "a check that `resume` makes, behind a pass that keeps to it; "
    "unit/passes/test_placement.py, test_refusals.py",
    "dialects/shaped.py: is no memref": "types of operands are checked before; "
    "unit/passes/test_refusals.py",
    "dialects/tile/views.py: cannot be seen as": "a part that a pass makes; "
    "unit/passes/test_refusals.py",
    "dialects/tile/views.py: only unit axes": "a part that a pass makes; "
    "unit/dialects/test_constructors.py",
}
"""Files, and texts of files (`FILE: WORDS`), that no IR can show: why, and their tests."""
TESTS = ROOT / "tests"
_QUOTE = re.compile(r"expected-error[^{\n]*\{\{(.*?)\}\}|CHECK[A-Z-]*:\s*(?:error:)?\s*(.+)")


@dataclass(frozen=True)
class Diagnostic:
    """A text that is raised."""

    path: Path
    line: int
    parts: tuple[str, ...]
    """What stands between its placeholders."""

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {'..'.join(self.parts)}"

    @property
    def words(self) -> str:
        """Its longest part, by which a test may know it."""
        return max((part.strip(" :;,") for part in self.parts), key=len)


def _parts(node: ast.expr) -> tuple[str, ...]:
    """The constant parts of a text; empty for what is no text."""
    match node:
        case ast.Constant(value=str() as text):
            return (text,)
        case ast.JoinedStr(values=values):
            return tuple(
                one.value
                for one in values
                if isinstance(one, ast.Constant) and isinstance(one.value, str)
            )
        case _:
            return ()


def diagnostics() -> Iterator[Diagnostic]:
    """Every text that a `raise` or a parser's `raise_error` says."""
    for path in FILES:
        if path.relative_to(ROOT).parts[0] not in FOLDERS:
            continue
        for node in ast.walk(tree_of(path)):
            call = node.exc if isinstance(node, ast.Raise) else node
            named = isinstance(call, ast.Call) and ast.unparse(call.func).endswith("raise_error")
            if not isinstance(call, ast.Call) or not (isinstance(node, ast.Raise) or named):
                continue
            if ast.unparse(call.func) == "AssertionError":
                continue
            for argument in call.args:
                parts = _parts(argument)
                if any(part.strip(" :;,") for part in parts):
                    yield Diagnostic(path, call.lineno, parts)


def quotes() -> str:
    """What FileCheck files quote of errors, one quote a line."""
    found = [
        one or other
        for path in (TESTS / "filecheck").rglob("*.mlir")
        for one, other in _QUOTE.findall(path.read_text())
    ]
    return "\n".join(found)


def shown(one: Diagnostic, quoted: list[str]) -> bool:
    """Whether a quote is a piece of the text: what it says between placeholders fits a part.

    A placeholder stands for any words; a quote may begin and end within the text.
    """
    pattern = "\x00".join(one.parts)
    return any(_fits(quote, pattern) for quote in quoted)


def _fits(quote: str, pattern: str) -> bool:
    """Whether the longest part of a text stands in a quote, or the quote in a part of it."""
    parts = [part.strip(" :;,()") for part in pattern.split("\x00") if part.strip(" :;,")]
    longest = max(parts, key=len)
    if longest in quote or any(len(p.split()) >= LONG and p in quote for p in parts):
        return True
    enough = len(quote.split()) >= LEAST
    return enough and any(quote in part for part in parts)


def exception(one: Diagnostic) -> str:
    """The entry of `NOT_IN_TEXT` that names a diagnostic or its file, or ""."""
    path = str(one.path.relative_to(ROOT))
    for name in NOT_IN_TEXT:
        file, _, words = name.partition(": ")
        if path == file and any(words in part for part in one.parts):
            return name
    return ""


def missing() -> list[Diagnostic]:
    """The diagnostics that no FileCheck file shows, and should."""
    quoted = [quote.strip() for quote in quotes().splitlines() if quote.strip()]
    return [one for one in diagnostics() if not (exception(one) or shown(one, quoted))]


if __name__ == "__main__":
    every, left = list(diagnostics()), missing()
    elsewhere = [one for one in every if exception(one)]
    print(
        f"{len(every) - len(left) - len(elsewhere)} of {len(every)} diagnostics are shown by "
        f"tests/filecheck, {len(elsewhere)} by tests/unit alone"
    )
    for one in left:
        print(one)
