"""The excerpts of docs/levels.md are lines of the IR they name."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from xdsl.parser import Parser

from tilewright.compiler import opt
from tilewright.dialects import context

ROOT = Path(__file__).parents[2]
LEVELS = (ROOT / "docs" / "levels.md").read_text()
FENCE = re.compile(r"(?:<!-- from (\S+)(?: (-p \S+))? -->\n)?```mlir\n(.*?)```", re.S)
EXCERPTS: list[tuple[str, str, str]] = FENCE.findall(LEVELS)
LEFT_OUT = "// ..."


def ir(path: str, passes: str) -> str:
    """The text of a file, or what passes make of it."""
    if not passes:
        return (ROOT / path).read_text()
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert opt.main([str(ROOT / path), *passes.split()]) == 0
    return out.getvalue()


@pytest.mark.parametrize("number", range(len(EXCERPTS)))
def test_excerpt_is_of_its_source(number: int) -> None:
    path, passes, body = EXCERPTS[number]
    assert path, f"excerpt {number} of docs/levels.md names no source"
    lines = iter(line.strip() for line in ir(path, passes).splitlines())
    for line in (line.strip() for line in body.splitlines()):
        if line != LEFT_OUT:
            assert line in lines, f"{path} {passes}: no line, at its place, reads {line!r}"


@pytest.mark.parametrize("path", sorted({path for path, _, _ in EXCERPTS}))
def test_source_of_excerpts_parses(path: str) -> None:
    Parser(context(), (ROOT / path).read_text()).parse_module().verify()
