"""Prints docs/formats.md: `python -m tilewright.backend.formats > docs/formats.md`."""

from .page import formats_page

print(formats_page(), end="")
