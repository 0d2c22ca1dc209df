"""The tables of docs/opt.md are those of the program."""

from pathlib import Path

from tilewright.compiler.opt.arguments import GROUPS
from tilewright.compiler.opt.page import refreshed

PAGE = Path(__file__).parents[3] / "docs" / "opt.md"


def test_the_tables_of_the_page_are_current() -> None:
    text = PAGE.read_text()
    assert text == refreshed(text), "run: python -m tilewright.compiler.opt.page docs/opt.md"
    for group in GROUPS.values():
        assert all(f"`{one.spelling}` |" in text for one in group if one.flags[0][0] == "-")
