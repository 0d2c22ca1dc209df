"""Assembly text of an entry, exact both ways."""

from .assemble import assemble
from .disassemble import disassemble
from .text import AsmError

__all__ = ["AsmError", "assemble", "disassemble"]
