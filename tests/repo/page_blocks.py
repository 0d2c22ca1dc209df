"""The fenced blocks of a page, and what the words behind the language ask for.

    ```sh                             run, and must end with status 0
    ```sh fails                       run, and its last command must not
    ```sh no-run: WHY                 not run; the reason is for readers
    ```python                         run; blocks of a page share their names
    ```python file=swapper.py         written to that file (any language)
    ```diff patch                     applied to a copy of the sources, in which later commands run
    ```mlir                           RUN lines are run; announced errors must come; else it parses
    ```text output                    what the block before it printed
    ```text output from 'a' to 'b'    lines of that, as an excerpt's marker picks them

In an output `...` stands for any text of a line. A block behind a marker `<!-- excerpt` or
`<!-- from` is compared with its source (`excerpts.py`, `test_dialect_pages.py`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.S | re.M)
MARKER = re.compile(r"<!-- (?:excerpt|from) .*? -->\n\Z", re.S)
RUN = ("sh", "python", "mlir", "toml", "diff", "sql", "json")
"""Languages whose blocks must be run or say why not. Others are prose."""


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    page: Path
    line: int
    """Of its first line of text, from 1."""
    language: str
    asks: str
    """The words behind the language."""
    body: str
    start: int
    """Where the body begins in the page's text."""
    excerpt: bool
    """A marker says what it is compared with."""

    @property
    def where(self) -> str:
        """The page and line, as messages name them."""
        return f"{name(self.page)}:{self.line}"

    @property
    def file(self) -> str:
        """The file it is written to, or nothing."""
        return self.asks.removeprefix("file=") if self.asks.startswith("file=") else ""

    @property
    def reason(self) -> str | None:
        """Why it is not run; None where it is."""
        return self.asks.removeprefix("no-run:").strip() if self.asks[:6] == "no-run" else None

    @property
    def output(self) -> bool:
        """It shows what the block before it printed."""
        return self.asks.split(" ")[0] == "output"

    @property
    def runs(self) -> bool:
        """Something must be done with it."""
        wanted = self.language in RUN or self.output or bool(self.file)
        return wanted and self.reason is None and not self.excerpt


def name(page: Path) -> str:
    """A page's path in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path, text: str) -> list[Block]:
    """The blocks of a page, from top to bottom."""
    found: list[Block] = []
    for match in FENCE.finditer(text):
        language, _, asks = match[1].strip().partition(" ")
        line = text.count("\n", 0, match.start(2)) + 1
        excerpt = MARKER.search(text[: match.start()]) is not None
        found.append(Block(page, line, language, asks, match[2], match.start(2), excerpt))
    return found


TEMPLATES = (ROOT / "backend" / "isa" / "chapters.md",)
"""Not pages: a generator fills their gaps."""


def all_pages() -> list[Path]:
    """Every page of the repository."""
    return sorted(
        path
        for path in [ROOT / "README.md", *ROOT.glob("*/**/*.md")]
        if path not in TEMPLATES
        and path.relative_to(ROOT).parts[0] != "build"
        and not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
    )
