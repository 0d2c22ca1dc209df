"""docs/formats.md is what the table prints."""

from pathlib import Path

from tilewright.backend.formats.page import formats_page

PAGE = Path(__file__).parents[3] / "docs" / "formats.md"


def test_the_committed_page_is_current() -> None:
    wanted = "run: python -m tilewright.backend.formats > docs/formats.md"
    assert PAGE.read_text() == formats_page(), wanted
