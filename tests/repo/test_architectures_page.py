"""docs/architectures.md is current, and names every family and parameter of the table."""

from pathlib import Path

from tilewright.compiler.frontend.architectures import ARCHITECTURES, WEIGHTS
from tilewright.compiler.frontend.page import page

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"


def test_page_is_current() -> None:
    assert PAGE.read_text() == page(), (
        "run: python -m tilewright.compiler.frontend.page > docs/architectures.md"
    )


def test_nothing_is_left_out() -> None:
    text = page()
    assert all(f"| {name} | " in text for name in ARCHITECTURES)
    assert all(f"`{one.huggingface}` | `{one.gguf}`" in text for one in WEIGHTS)
