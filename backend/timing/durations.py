"""How long an instruction keeps its engine, in picoseconds: pure functions of plain numbers.

The tiling search scores with these, and the timing emulator will charge them: one definition for
both. All sums are exact integers; each duration is rounded up once.
"""

from ..machine import Machine

PICOSECONDS = 10**12


def ceil_div(a: int, b: int) -> int:
    """The quotient a / b rounded towards plus infinity."""
    return -(-a // b)


def cycles_to_ps(machine: Machine, cycles: int) -> int:
    """Clock cycles as picoseconds, rounded up."""
    return ceil_div(cycles * PICOSECONDS, machine.clock_hz)


def transfer_ps(machine: Machine, nbytes: int) -> int:
    """The time hbm needs for `nbytes` at full bandwidth, without issue and latency."""
    return ceil_div(nbytes * PICOSECONDS, machine.hbm_bytes_per_second)


def copy_ps(machine: Machine, nbytes: int, descriptors: int = 1) -> int:
    """`descriptors` copies of `nbytes` in all: queue issues, hbm delivers, the longer binds."""
    return max(descriptors * machine.dma_issue_ps, transfer_ps(machine, nbytes))


def phases(left_significand: int, right_significand: int) -> int:
    """Passes of the matrix unit: it multiplies 8-bit significands (isa, "Matrix unit")."""
    return ceil_div(left_significand, 8) * ceil_div(right_significand, 8)


def matmul_cycles(machine: Machine, m: int, n: int, k: int, passes: int = 1) -> int:
    """One `mm` of [m, k] by [k, n] with the columns split over the arrays.

    Each sub-tile of array_rows x array_columns is loaded through the weight port while the one
    before streams its m rows, `passes` times; the longer of the two counts.
    """
    if not (m and n and k):
        return 0
    sub_tiles_k = ceil_div(k, machine.array_rows)
    sub_tiles_n = ceil_div(ceil_div(n, machine.array_columns), machine.arrays)
    load = ceil_div(machine.array_rows, machine.weight_rows)
    return sub_tiles_k * sub_tiles_n * max(m * passes, load)


def vector_cycles(machine: Machine, rows: int, columns: int, cost: int = 1) -> int:
    """One `vec` over rows x columns elements; `cost` is that of its function f."""
    return machine.vector_startup + rows * ceil_div(columns, machine.lanes) * cost
