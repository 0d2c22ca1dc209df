"""Prints docs/passes.md: `python -m tilewright.passes > docs/passes.md`."""

from .page import passes_page

print(passes_page(), end="")
