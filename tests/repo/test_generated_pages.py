"""Generated pages are what their generators write, and an edit by hand is found."""

import re
from collections.abc import Callable

import pytest
from page_blocks import ROOT

from tilewright.backend.formats.page import formats_page
from tilewright.backend.isa.page import isa_page
from tilewright.backend.machine.page import machines_page
from tilewright.compiler.cli.page import page as cli_page
from tilewright.compiler.frontend.page import page as architectures_page
from tilewright.compiler.opt.page import refreshed as opt_page
from tilewright.dialects.page import page as dialects_page
from tilewright.passes.page import passes_page
from tilewright.passes.tile.page import page as supported_ops_page

WHOLE: dict[str, tuple[Callable[[], str], str]] = {
    "ISA.md": (isa_page, "backend.isa"),
    "architectures.md": (architectures_page, "compiler.frontend.page"),
    "cli.md": (cli_page, "compiler.cli.page"),
    "dialects.md": (dialects_page, "dialects.page"),
    "formats.md": (formats_page, "backend.formats"),
    "machines.md": (machines_page, "backend.machine"),
    "passes.md": (passes_page, "passes"),
    "supported-ops.md": (supported_ops_page, "passes.tile.page"),
}
"""Page -> its generator, and the module that is run to write it."""
GENERATED_PART = re.compile(r"<!-- generated: \w+ -->\n(.*?)<!-- end -->", re.S)


def committed(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def check(name: str, text: str) -> None:
    """A text is what the page's generator writes."""
    if name == "opt.md":
        made, command = opt_page(text), "compiler.opt.page docs/opt.md"
    else:
        generator, module = WHOLE[name]
        made, command = generator(), f"{module} > docs/{name}"
        assert f"python -m tilewright.{module}" in text[:300], "the page says how it is made"
    assert text == made, f"run: python -m tilewright.{command}"


@pytest.mark.parametrize("name", [*WHOLE, "opt.md"])
def test_page_is_current_and_an_edit_by_hand_is_found(name: str) -> None:
    text = committed(name)
    check(name, text)
    words = GENERATED_PART.findall(text)[0] if name == "opt.md" else text
    line = max(words.splitlines(), key=len)
    with pytest.raises(AssertionError, match="run: python -m"):
        check(name, text.replace(line, line + " by hand"))


def test_the_list_of_pages_marks_those_that_are_generated() -> None:
    marked = re.findall(r"^\| \[(.*?)\]\(.*\*\(generated\)\* \|$", committed("README.md"), re.M)
    assert set(marked) == set(WHOLE)
