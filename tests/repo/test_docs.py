"""Pages of docs/: excerpts are what the compiler writes, and links lead somewhere."""

import re
from pathlib import Path

import pytest
from excerpts import BLOCK, LEFT_OUT, Excerpt, compiled, pages, refreshed
from page_blocks import all_pages, name

FENCED = re.compile(r"^```.*?^```$", re.S | re.M)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")
PAGES = all_pages()


@pytest.mark.parametrize("path", PAGES, ids=name)
def test_links_lead_to_files(path: Path) -> None:
    targets = [
        target
        for target, _ in LINK.findall(FENCED.sub("", path.read_text()))
        if "://" not in target
    ]
    missing = [target for target in targets if not (path.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("path", pages(), ids=name)
def test_excerpts_are_what_the_compiler_writes(path: Path) -> None:
    assert path.read_text() == refreshed(path.read_text()), "run: python tests/repo/excerpts.py"


@pytest.mark.parametrize("path", pages(), ids=name)
def test_every_line_of_an_excerpt_is_in_the_dump_in_its_order(path: Path) -> None:
    for _, marker, block, _ in BLOCK.findall(path.read_text()):
        dump = iter(line.strip() for line in compiled()[Excerpt.parse(marker).source].splitlines())
        lines = [line.strip() for line in block.splitlines() if line.strip() != LEFT_OUT]
        assert lines, marker
        assert all(line in dump for line in lines), marker


def test_a_marker_selects_lines_and_says_what_is_wrong() -> None:
    text = "a 1\n  b 2\n    x\n    y\n  c 3\nb 4\n"
    excerpt = Excerpt.parse("e/p from 'b' to 'c' skip 'x' skip 'y'")
    assert excerpt.lines(text) == ["b 2", "  // ...", "c 3"]
    assert Excerpt.parse("e/p from 'b' after 'c' to 'b'").lines(text) == ["b 4"]
    with pytest.raises(ValueError, match=r"excerpt of e/p: found no line with 'z'"):
        Excerpt.parse("e/p from 'z' to 'c'").lines(text)
    with pytest.raises(ValueError, match="wanted one `from` and one `to`"):
        Excerpt.parse("e/p from 'z'")
    with pytest.raises(ValueError, match="found 'until'"):
        Excerpt.parse("e/p from 'z' until 'c'")
