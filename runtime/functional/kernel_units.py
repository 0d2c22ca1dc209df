"""The matrix unit and the vector unit as C functions, each compiled and cached by itself.

Called through their addresses they are not compiled again into every function above them. All
arguments are int64: addresses of the decoded row, of the open operands, of the clipped shape
(three extents), then the limits of a band, and scratch.
"""

# pyright: basic, reportCallIssue=false, reportAttributeAccessIssue=false
# numba has no type stubs.

from .kernel_base import unit, words_at
from .kernel_matmul import matmul
from .kernel_vector import operand_of, vec, vquant, vsel, vtopk, vtr
from .layout import (
    FORMAT,
    NK,
    OP,
    ORDER,
    P_FIRST,
    PLACE_WIDTH,
    ROW_WIDTH,
    STRIDE,
    TRANSPOSED,
    VEC,
    VQUANT,
    VSEL,
    VTOPK,
)


@unit
def matrix_unit(row_address, place_address, shape_address, low, high, scratch):
    """mm."""
    row = words_at(row_address, ROW_WIDTH)
    place = words_at(place_address, 6 * PLACE_WIDTH)
    shape = words_at(shape_address, 5)
    acc, a, b = operand_of(row, 0), operand_of(row, 1), operand_of(row, 2)
    turned = row[TRANSPOSED] != 0 or b[ORDER] == NK
    matmul(shape[0], shape[1], shape[2], place[P_FIRST], acc[STRIDE], acc[FORMAT], a[FORMAT],
           place[PLACE_WIDTH + P_FIRST], a[STRIDE], a[STRIDE + 2], b[FORMAT], b[ORDER], turned,
           place[2 * PLACE_WIDTH + P_FIRST], b[STRIDE], b[STRIDE + 2], scratch)  # fmt: skip


@unit
def vector_unit(row_address, place_address, shape_address, low, high, scratch):
    """vec, vsel, vquant, vtopk and vtr."""
    row = words_at(row_address, ROW_WIDTH)
    address = words_at(place_address, 6 * PLACE_WIDTH)[P_FIRST::PLACE_WIDTH]
    shape = words_at(shape_address, 5)
    op = row[OP]
    if op == VEC:
        vec(row, address, shape, low, high, scratch)
    elif op == VSEL:
        vsel(row, address, shape, scratch)
    elif op == VQUANT:
        vquant(row, address, shape, scratch)
    elif op == VTOPK:
        vtopk(row, address, shape, scratch)
    else:
        vtr(row, address, shape)
