"""docs/architectures.md names every family and parameter of the table."""

from tilewright.compiler.frontend.architectures import ARCHITECTURES, WEIGHTS
from tilewright.compiler.frontend.page import page


def test_nothing_is_left_out() -> None:
    text = page()
    assert all(f"| {name} | " in text for name in ARCHITECTURES)
    assert all(f"`{one.huggingface}` | `{one.gguf}`" in text for one in WEIGHTS)
