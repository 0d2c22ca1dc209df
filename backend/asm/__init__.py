"""Assembly text of an entry, exact both ways."""

from .assemble import assemble, source_line
from .disassemble import disassemble, instruction_lines
from .text import AsmError

__all__ = ["AsmError", "assemble", "disassemble", "instruction_lines", "source_line"]
