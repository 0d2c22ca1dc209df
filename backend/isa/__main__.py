"""Prints docs/ISA.md: `python -m tilewright.backend.isa > docs/ISA.md`."""

from .page import isa_page

print(isa_page(), end="")
