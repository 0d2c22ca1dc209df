"""Integer arithmetic of the scalar units, compiled: `backend.numerics.scalar` on int64."""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

from ...backend.isa.rows_scalar import ALU_FUNCTIONS
from .kernel_jit import compiled

ADD, SUB, MUL, LEAST, MOST = (ALU_FUNCTIONS.index(f) for f in ("add", "sub", "mul", "min", "max"))
SHIFT_LEFT, SHIFT_RIGHT = ALU_FUNCTIONS.index("shl"), ALU_FUNCTIONS.index("shr")


@compiled
def alu(function, a, b):
    """A function by its number."""
    if function == ADD:
        return a + b
    if function == SUB:
        return a - b
    if function == MUL:
        return a * b
    if function == LEAST:
        return min(a, b)
    if function == MOST:
        return max(a, b)
    if function == SHIFT_LEFT:
        return a << (b & 63)
    if function == SHIFT_RIGHT:
        return a >> (b & 63)
    return a & b
