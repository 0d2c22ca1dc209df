"""The flat int64 tables that both engines run on: which column of a row holds what.

Rows are decoded instructions (`loader`), channels, regions and engine state. Python and the
compiled kernels read the same constants, so nothing here imports numba.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ...backend.formats import ELEMENTS, FORMATS
from ...backend.isa import INSTRUCTIONS, ORDERS, VIEW_FORMATS

# Elements and formats, by their number in a view entry.
F32, F16, BF16 = (VIEW_FORMATS.index(name) for name in ("f32", "f16", "bf16"))
I32, I8, U8 = (VIEW_FORMATS.index(name) for name in ("i32", "i8", "u8"))
DENSE, KN, NK = (ORDERS.index(order) for order in ("", "kn", "nk"))

ZERO_NONE, ZERO_CONSTANT, ZERO_STORED = range(3)


def _table(value: Callable[[str], int]) -> npt.NDArray[np.int64]:
    """One number for each format of a view."""
    return np.array([value(name) for name in VIEW_FORMATS], np.int64)


def is_packed(name: str) -> bool:
    """True for a format with block scales."""
    return name in FORMATS and FORMATS[name].scale is not None


def _block(name: str) -> int:
    return FORMATS[name].block if is_packed(name) else 1


def _code_bits(name: str) -> int:
    return FORMATS[name].code_bits if is_packed(name) else 8 * ELEMENTS[name].itemsize


def _element(name: str) -> int:
    return 1 if is_packed(name) else ELEMENTS[name].itemsize


def _header(name: str) -> int:
    return FORMATS[name].block_header_bytes if is_packed(name) else 0


def _block_bytes(name: str) -> int:
    return FORMATS[name].block_bytes if is_packed(name) else ELEMENTS[name].itemsize


def _minima(name: str) -> int:
    return int(is_packed(name) and FORMATS[name].minimum is not None)


def _zero(name: str) -> int:
    if not is_packed(name):
        return ZERO_NONE
    if FORMATS[name].zero:
        return ZERO_STORED
    return ZERO_CONSTANT if FORMATS[name].zero_point else ZERO_NONE


BLOCK = _table(_block)
"""Values along K that share a scale; 1 for plain elements."""
CODE_BITS = _table(_code_bits)
ELEMENT = _table(_element)
"""Bytes of a plain element; 1 for packed formats, whose bytes stand at any address."""
HEADER = _table(_header)
"""Bytes of scale and minimum or zero of one block of one column."""
BLOCK_BYTES = _table(_block_bytes)
"""Bytes of one block of one column."""
MINIMA = _table(_minima)
ZERO = _table(_zero)

# Instructions, by their position in the table.
_NUMBER = {row.mnemonic: number for number, row in enumerate(INSTRUCTIONS)}
LI, ALU, LDP, POP = (_NUMBER[m] for m in ("li", "alu", "ldp", "pop"))
LOOP, NEXT, SYNC, HALT = (_NUMBER[m] for m in ("loop", "next", "sync", "halt"))
COPY, FILL, GATHER, SCATTER = (_NUMBER[m] for m in ("copy", "fill", "gather", "scatter"))
MM, VEC, VSEL, VQUANT, VTOPK, VTR = (
    _NUMBER[m] for m in ("mm", "vec", "vsel", "vquant", "vtopk", "vtr")
)

# A decoded instruction. Fields of scalar instructions and of memory instructions share columns.
OP = 0
RD, RA, RB, FUNCTION, IMMEDIATE = 1, 2, 3, 4, 5
CHANNEL_NUMBER, COUNT, COUNTER, PAIR = 6, 7, 8, 9
"""Channel of pop and sync; n of sync; counter; pc of the matching loop or next."""
BOUNDS = 10
"""Five bound registers, by axis of the value (mm: m, n, k); -1 none."""
F, OPERATION, REDUCTION, STEP, AXIS, LO, HI, FILL_BITS, TRANSPOSED = range(15, 24)
OPERANDS = 24
"""Six operand blocks of OPERAND_WIDTH columns."""

KIND, ID, AGE, REG, BEGIN, END, PRODUCER = range(7)
"""Of an operand: PRODUCER is 1 where the engine is its channel's producer."""
FORMAT, ORDER, RANK, OFFSET, CONSTANT_BITS = range(7, 12)
SHAPE, STRIDE = 12, 17
ACCESS = 22
"""0 read, 1 write, 2 update."""
OPERAND_WIDTH = 24
ROW_WIDTH = OPERANDS + 6 * OPERAND_WIDTH
MAX_OPERANDS = 6

READ, WRITE, UPDATE = range(3)

# A channel.
C_SLOTS, C_BYTES, C_ADDRESS, C_SHADOW, C_SPACE, C_PRODUCER, C_MAX, C_KIND, C_PRIMED = range(9)
C_ALIAS = 9
"""Address of a word for each slot: where its bytes are read instead, 0 its own; or 0: none."""
CHANNEL_WIDTH = 10
SLOT, TOKEN, SCALAR = range(3)
SPACE_NONE, SPACE_SPM, SPACE_ACC = range(3)

# A region.
R_ADDRESS, R_BYTES, R_SHADOW, R_WRITABLE, R_OWNER = range(5)
REGION_WIDTH = 5
"""R_SHADOW 0: always initialised. R_OWNER -1: any engine."""

# An engine's state.
PC, HALTED, BEGUN, EXECUTED, REGISTER = 0, 1, 2, 3, 4
"""REGISTER: 16 registers and 8 counters. BEGUN: bits of operands (steps of sync) already begun."""
REGISTER_COUNT = 24
LOOP_COUNT = REGISTER + REGISTER_COUNT
"""Trip counts of the running loops, by counter."""
ENGINE_WIDTH = LOOP_COUNT + 8

LINE = 64
"""Bytes for which one shadow word holds a bit a byte, 1 where the byte is initialised."""

# An open operand of the instruction that runs.
P_PLACE, P_SIZE, P_SHADOW, P_FIRST, P_SOME = range(5)
"""Its place's address, bytes and shadow, the address of element 0, whether it has elements."""
P_RUN = 5
"""Ten columns: first byte, bytes of a run, four (count, stride) pairs, outermost first."""
PLACE_WIDTH = 16

CONSTANT_KIND = 3
NEVER = -(2**62)
"""A band's lower limit where none is given."""
ALWAYS = 2**62
"""A band's upper limit where none is given."""
