"""Random machines: any description that is valid, from a microcontroller's to an accelerator's."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from machines import KIB, MIB, NO_MAIN_MEMORY, random_machines

RANGES = {
    "machine": "tw-small with other numbers: scratchpad 8 KiB to 64 MiB, sums from 1 KiB, 1 to 5 "
    "arrays of 1 to 128 rows and columns, 1 to 600 lanes, 1 to 4 load and store queues, with and "
    "without main memory; bursts, alignment, ports, fill, clock, registers and counters likewise"
}


@st.composite
def any_machines(draw: st.DrawFn) -> dict[str, Any]:
    """Changes to tw-small. One in three is drawn from the milder ranges of `random_machines`."""
    if draw(st.integers(0, 2)) == 0:
        return dict(draw(random_machines()))
    alignment = draw(st.sampled_from((64, 64, 64, 128, 256, 1024)))
    lines = st.integers(1, 64).map(lambda n: n * alignment)
    arrays = draw(st.integers(1, 5))
    rows = draw(st.sampled_from((1, 2, 7, 8, 16, 24, 31, 32, 100, 128)))
    columns = draw(st.sampled_from((1, 4, 8, 16, 20, 31, 32, 48, 64, 128)))
    while arrays * columns < 16:
        columns *= 2
    has_hbm = draw(st.integers(0, 3)) > 0
    spm = draw(st.sampled_from((8, 16, 24, 32, 64, 128, 192, 320, 1000, 5000, 65536))) * KIB
    numbers: dict[str, Any] = {
        "alignment": alignment,
        "hbm_burst": draw(st.sampled_from([b for b in (1, 8, 32, 64, 128) if b <= alignment])),
        "spm_bytes": max(alignment, spm // alignment * alignment) + (0 if has_hbm else MIB),
        "acc_bytes": 1024 * draw(st.sampled_from((1, 2, 3, 4, 16, 24, 64, 1024)))
        if draw(st.booleans()) else 1024 + draw(lines) // 1024 * 1024,
        "arrays": arrays,
        "array_rows": rows,
        "array_columns": columns,
        "weight_rows": draw(st.integers(1, rows)),
        "matrix_fill": draw(st.integers(0, 300)),
        "lanes": draw(st.integers(1, 600)),
        "load_queues": draw(st.integers(1, 4)),
        "store_queues": draw(st.integers(1, 4)),
        "vector_startup": draw(st.integers(0, 64)),
        "vector_port_bytes": draw(st.integers(4, 5000)),
        "scalar_cycles": draw(st.integers(1, 3)),
        "clock_hz": draw(st.sampled_from((1, 10**6, 10**9, 940 * 10**6, 1_830_000_001))),
        "hbm_bytes_per_second": draw(st.sampled_from((10**6, 25 * 10**9, 3 * 10**12))),
        "hbm_latency_ps": draw(st.integers(0, 10**7)),
        "dma_issue_ps": draw(st.integers(0, 10**5)),
        "registers": draw(st.sampled_from((16, 16, 16, 12, 8))),
        "counters": draw(st.sampled_from((8, 8, 8, 5))),
    }  # fmt: skip
    return numbers if has_hbm else numbers | NO_MAIN_MEMORY
