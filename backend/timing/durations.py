"""How long an instruction keeps its engine, in picoseconds: pure functions of plain numbers.

The tiling search scores with these, and the timing emulator charges them: one definition for both.
All sums are exact integers; each duration is rounded up once.
"""

from collections.abc import Sequence

from ..machine import Machine

PICOSECONDS = 10**12


def ceil_div(a: int, b: int) -> int:
    """The quotient a / b rounded towards plus infinity."""
    return -(-a // b)


def cycles_to_ps(machine: Machine, cycles: int) -> int:
    """Clock cycles as picoseconds, rounded up."""
    return ceil_div(cycles * PICOSECONDS, machine.clock_hz)


def transfer_ps(machine: Machine, nbytes: int) -> int:
    """The time hbm needs for `nbytes` at full bandwidth, without issue and latency.

    Where there is none a queue reads and writes the scratchpad, through a port like the vector
    unit's.
    """
    if not machine.has_hbm:
        return cycles_to_ps(machine, ceil_div(2 * nbytes, machine.vector_port_bytes))
    return ceil_div(nbytes * PICOSECONDS, machine.hbm_bytes_per_second)


def copy_ps(machine: Machine, nbytes: int, descriptors: int = 1) -> int:
    """`descriptors` copies of `nbytes` in all: queue issues, hbm delivers, the longer binds."""
    return max(descriptors * machine.dma_issue_ps, transfer_ps(machine, nbytes))


def queue_ps(machine: Machine, nbytes: int, moves: int) -> int:
    """The time of many moves of `nbytes` each through one load queue that nothing else holds up.

    Each is issued, served and done a latency later; the bytes in flight are bounded, so a queue may
    be slower than both its issue and main memory.
    """
    served = transfer_ps(machine, nbytes)
    if not nbytes or not machine.has_hbm:
        return moves * (machine.dma_issue_ps + served)
    in_flight = bytes_in_flight(machine, nbytes) // nbytes
    whole = machine.dma_issue_ps + served + machine.hbm_latency_ps
    return moves * max(machine.dma_issue_ps, served, ceil_div(whole, in_flight))


def phases(left_significand: int, right_significand: int) -> int:
    """Passes of the matrix unit: it multiplies 8-bit significands (isa, "Matrix unit")."""
    return ceil_div(left_significand, 8) * ceil_div(right_significand, 8)


def matmul_cycles(machine: Machine, m: int, n: int, k: int, passes: int = 1) -> int:
    """One `mm` of [m, k] by [k, n], its columns or rows split over the arrays.

    Each sub-tile of array_rows x array_columns is loaded through the weight port while the one
    before streams its rows, `passes` times; the longer of the two counts. Groups of arrays take
    different columns; the arrays of a group hold the same sub-tile and share its rows. The number
    of groups is the divisor of the arrays that takes least.
    """
    if not (m and n and k):
        return 0
    sub_tiles_n = ceil_div(n, machine.array_columns)
    load = ceil_div(machine.array_rows, machine.weight_rows)
    least = min(
        ceil_div(sub_tiles_n, machine.arrays // share) * max(ceil_div(m, share) * passes, load)
        for share in range(1, machine.arrays + 1)
        if machine.arrays % share == 0
    )
    return ceil_div(k, machine.array_rows) * least


def matmul_floor_cycles(machine: Machine, m: int, n: int, k: int, passes: int = 1) -> int:
    """What no cutting of [m, k] by [k, n] into tiles goes below: every sub-tile on some array."""
    if not (m and n and k):
        return 0
    sub_tiles = ceil_div(k, machine.array_rows) * ceil_div(n, machine.array_columns)
    load = ceil_div(machine.array_rows, machine.weight_rows)
    return ceil_div(sub_tiles * max(m * passes, load), machine.arrays)


def lane_passes(machine: Machine, rows: int, columns: int) -> int:
    """Cycles of all lanes for rows x columns elements.

    A row takes as many lanes as its columns rounded up to a power of two, the width of a tree that
    reduces it; rows that fit side by side go together, a longer row takes several passes.
    """
    side_by_side = machine.lanes >> max(columns - 1, 0).bit_length()
    if side_by_side:
        return ceil_div(rows, side_by_side)
    return rows * ceil_div(columns, machine.lanes)


def vector_cycles(machine: Machine, rows: int, columns: int) -> int:
    """One instruction of the vector unit over rows x columns elements, the port's time apart."""
    return machine.vector_startup + lane_passes(machine, rows, columns)


SIGNIFICANDS = {"f32": 24, "f16": 11, "bf16": 8}
CODE_SIGNIFICAND = 8


def significand(element: str) -> int:
    """Bits of a number's significand, the hidden one included; packed codes have at most 8."""
    return SIGNIFICANDS.get(element, CODE_SIGNIFICAND)


ARBITRATION_BYTES = 1 << 14
"""Main memory serves its queues in turn, at most so many bytes each."""


def box_bytes(machine: Machine, box: Sequence[int], strides: Sequence[int], item: int) -> int:
    """Bytes that main memory is busy with for a box of elements of `item` bytes: whole bursts.

    A run of contiguous bytes is rounded up to bursts; an axis costs its runs one by one, or the
    whole span that it covers where that is less, since neighbours then share bursts.
    """
    if 0 in box:
        return 0
    span, bursts = item, _whole_bursts(machine, item)
    for extent, stride in zip(reversed(box), reversed(strides), strict=True):
        span += (extent - 1) * abs(stride)
        bursts = min(extent * bursts, _whole_bursts(machine, span))
    return bursts


def _whole_bursts(machine: Machine, nbytes: int) -> int:
    return ceil_div(nbytes, machine.hbm_burst) * machine.hbm_burst


def bytes_in_flight(machine: Machine, largest: int) -> int:
    """The bound on a queue's bytes between issue and done; `largest` is its largest descriptor."""
    return transfer_bytes(machine, machine.hbm_latency_ps) + 2 * largest


def transfer_bytes(machine: Machine, picoseconds: int) -> int:
    """Bytes that main memory delivers in a time, rounded up; 0 where there is none."""
    return ceil_div(picoseconds * machine.hbm_bytes_per_second, PICOSECONDS)


def vector_work_cycles(machine: Machine, rows: int, columns: int, nbytes: int) -> int:
    """One instruction of the vector unit with all its operands' bytes; 0 where nothing is done."""
    if not rows or not columns:
        return 0
    lanes = lane_passes(machine, rows, columns)
    return machine.vector_startup + max(lanes, ceil_div(nbytes, machine.vector_port_bytes))
