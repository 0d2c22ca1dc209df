"""Checks of one engine's program: its instructions run there, and registers hold what reads
expect.
"""

from __future__ import annotations

from xdsl.ir import Block, SSAValue
from xdsl.utils.exceptions import VerifyException

from .instruction import InstructionOp
from .program import LoopOp, ProgramOp
from .types import RegType, register_type


def check_program(program: ProgramOp) -> None:
    """Raises VerifyException on an instruction of another engine or a register lost before its
    use.
    """
    kind = program.engine.kind
    for op in program.walk():
        if isinstance(op, InstructionOp) and kind not in op.row().engines:
            raise VerifyException(f"{kind} has no instruction {op.mnemonic()}")
    check_block(program.body.block, {})


def check_block(block: Block, held: dict[RegType, SSAValue]) -> None:
    """Walk a block with the value each register holds; `held` is changed to what holds after it."""
    for op in block.ops:
        for value in op.operands:
            if held.get(register_type(value)) is not value:
                name = register_type(value).register.data
                raise VerifyException(f"{op.name} reads {name}, which holds another value by then")
        if isinstance(op, LoopOp):
            check_loop(op, held)
        for result in op.results:
            held[register_type(result)] = result


def check_loop(loop: LoopOp, held: dict[RegType, SSAValue]) -> None:
    """A later trip finds the registers that the body writes overwritten."""
    written = {
        register_type(value)
        for op in loop.body.walk()
        for value in (*op.results, *(op.body.block.args if isinstance(op, LoopOp) else ()))
    }
    for register in written:
        held.pop(register, None)
    held[register_type(loop.counter)] = loop.counter
    check_block(loop.body.block, held)
    for register in (*written, register_type(loop.counter)):
        held.pop(register, None)
