"""The instruction table: one row per instruction. Everything else reads it.

Encoder, decoder, assembler, disassembler, the ISA page and the emulator's dispatch take mnemonics,
operands and fields from here; nobody writes an opcode twice.
"""

from __future__ import annotations

from .row import Instruction
from .rows_compute import COMPUTE_INSTRUCTIONS
from .rows_move import MOVE_INSTRUCTIONS
from .rows_scalar import SCALAR_INSTRUCTIONS

INSTRUCTIONS: tuple[Instruction, ...] = (
    *SCALAR_INSTRUCTIONS,
    *MOVE_INSTRUCTIONS,
    *COMPUTE_INSTRUCTIONS,
)

BY_MNEMONIC: dict[str, Instruction] = {row.mnemonic: row for row in INSTRUCTIONS}

DEFAULT_OPCODES: dict[str, int] = {row.mnemonic: n for n, row in enumerate(INSTRUCTIONS, start=1)}
"""Mnemonic to opcode. Opcode 0 is never used, so that a zeroed word is an error."""
