"""The tables of docs/opt.md: `python -m tilewright.compiler.opt.page docs/opt.md`."""

from __future__ import annotations

import re
import sys
from dataclasses import fields
from pathlib import Path

from ...passes.page import literals_below_fields
from ..origin import Origin
from .arguments import GROUPS

_PLACE = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->\n)", re.S)


def refreshed(page: str) -> str:
    """The page with its tables as they are now."""
    tables = {"options": options, "head": head}
    return _PLACE.sub(lambda match: match[1] + tables[match[2]]() + match[3], page)


def options() -> str:
    """The arguments of `tilewright-opt`, a table a group."""
    parts: list[str] = []
    for title, arguments in GROUPS.items():
        lines = [f"### {title[0].upper()}{title[1:]}", "", "| | |", "|---|---|"]
        for one in arguments:
            spelling = one.rest["metavar"] if not one.flags[0].startswith("-") else one.spelling
            lines.append(f"| `{spelling.replace('|', chr(92) + '|')}` | {_sentence(one.help)} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def head() -> str:
    """The lines at the head of a dumped file: the fields of `Origin`, with what it says of them."""
    said = literals_below_fields(Origin)
    lines = ["| line | says |", "|---|---|"]
    for field in fields(Origin):
        lines.append(f"| `{field.name.replace('_', '-')}` | {said[field.name]} |")
    return "\n".join(lines) + "\n"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:].replace("|", "\\|")


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(refreshed(path.read_text(encoding="utf-8")), encoding="utf-8")
