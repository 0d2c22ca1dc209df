"""Excerpts of the compiler's own output in pages of docs/, refreshed by running this file.

    python tests/repo/excerpts.py [PAGE ...]

It also runs the commands of each page anew and puts what they print into the blocks that show it
(`page_runner.py`).

A block that follows a marker is the marker's excerpt of what the sample model compiles to:

    <!-- excerpt prefill/tile from 'scf.for' after 'tile.store' to 'tile.store' skip 'tile.load' -->

The first word is an entry and a pass (the IR after it), or `disasm` and an engine. The excerpt goes
from the first line that holds the text of `from` (behind the line that holds the text of `after`,
if that is given; several go one behind the other) to the next one that holds that of `to`. Lines
that hold the text of a `skip` are left out, and `// ...` stands for them. Locations are left out.
"""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import dedent

from tilewright.backend.asm import disassemble
from tilewright.backend.image import read_image
from tilewright.compiler import compile_model

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SAMPLE = ROOT / "samples" / "tiny-shakespeare"
MACHINE = "tw-small"

BLOCK = re.compile(r"(<!-- excerpt (.*?) -->\n```\w*\n)(.*?)(```\n)", re.S)
LEFT_OUT = "// ..."
LOCATION = re.compile(r" loc\((?:(?! loc\().)*\)$", re.M)


@dataclass(frozen=True)
class Excerpt:
    """What a marker asks for."""

    source: str
    start: str
    end: str
    after: tuple[str, ...]
    skip: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Excerpt:
        """A marker's words. Raises ValueError for words that have no meaning."""
        source, *words = shlex.split(text)
        given: dict[str, list[str]] = {"from": [], "to": [], "after": [], "skip": []}
        for key, value in zip(words[::2], words[1::2], strict=True):
            if key not in given:
                raise ValueError(f"excerpt {text}: found {key!r}, wanted one of {', '.join(given)}")
            given[key].append(value)
        if len(given["from"]) != 1 or len(given["to"]) != 1:
            raise ValueError(f"excerpt {text}: wanted one `from` and one `to`")
        after, skip = tuple(given["after"]), tuple(given["skip"])
        return cls(source, given["from"][0], given["to"][0], after, skip)

    def lines(self, text: str) -> list[str]:
        """The excerpt of a text. Raises ValueError if it is not there."""
        lines = text.expandtabs(2).splitlines()
        at = 0
        for wanted in self.after:
            at = self._find(lines, wanted, at) + 1
        first = self._find(lines, self.start, at)
        last = first if self.start == self.end else self._find(lines, self.end, first + 1)
        found: list[str] = []
        for line in lines[first : last + 1]:
            if not any(words in line for words in self.skip):
                found.append(line)
            elif not found or found[-1].strip() != LEFT_OUT:
                found.append(line[: len(line) - len(line.lstrip())] + LEFT_OUT)
        return dedent("\n".join(found)).splitlines()

    def _find(self, lines: Sequence[str], wanted: str, start: int) -> int:
        for number in range(start, len(lines)):
            if wanted in lines[number]:
                return number
        raise ValueError(f"excerpt of {self.source}: found no line with {wanted!r}")


@cache
def compiled() -> dict[str, str]:
    """Everything an excerpt can be of, by the first word of its marker."""
    texts: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "sample.tw"
        compile_model(SAMPLE, machine=MACHINE, output=target, dump_ir=Path(folder) / "ir")
        for path in (Path(folder) / "ir").glob("*/*.mlir"):
            text = LOCATION.sub("", path.read_text())
            texts[f"{path.parent.name}/{path.stem.split('-', 1)[1]}"] = text
        image = read_image(target)
        for entry, program in image.entries.items():
            parts = disassemble(program, image.opcodes).split("\nengine ")
            texts[f"{entry}/disasm"] = parts[0]
            for part in parts[1:]:
                texts[f"{entry}/disasm.{part.split(' ', 1)[0]}"] = f"engine {part}"
    return texts


def refreshed(page: str) -> str:
    """The page with every excerpt as the compiler writes it now."""

    def replace(match: re.Match[str]) -> str:
        excerpt = Excerpt.parse(match[2])
        if excerpt.source not in compiled():
            raise ValueError(f"excerpt of {excerpt.source}: wanted one of {sorted(compiled())}")
        lines = excerpt.lines(compiled()[excerpt.source])
        return match[1] + "".join(f"{line}\n" for line in lines) + match[4]

    return BLOCK.sub(replace, page)


def pages() -> list[Path]:
    """The pages that hold excerpts."""
    return [path for path in sorted(DOCS.rglob("*.md")) if "<!-- excerpt" in path.read_text()]


def main(names: Sequence[str]) -> None:
    """Refresh the pages of these names, or all."""
    from page_blocks import all_pages, blocks, name
    from page_runner import Compiled
    from page_runner import refreshed as outputs

    with tempfile.TemporaryDirectory() as folder:
        made = Compiled(Path(folder) / "compiled")
        for number, page in enumerate(all_pages()):
            text = page.read_text()
            if names and name(page) not in names:
                continue
            fresh = refreshed(text) if page in pages() else text
            if any(one.output for one in blocks(page, text)):
                fresh = outputs(page, fresh, Path(folder) / str(number), made)
            if fresh != text:
                page.write_text(fresh)
                print(name(page))


if __name__ == "__main__":
    main(sys.argv[1:])
