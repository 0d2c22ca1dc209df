"""The tables of docs/opt.md hold every option."""

from tilewright.compiler.opt.arguments import GROUPS
from tilewright.compiler.opt.page import options


def test_each_option_has_a_row() -> None:
    text = options()
    for group in GROUPS.values():
        assert all(f"`{one.spelling}` |" in text for one in group if one.flags[0][0] == "-")
