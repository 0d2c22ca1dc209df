"""Varied machines: the shipped ones with other numbers, written as descriptions of their own."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from tilewright.backend.machine import Machine, load_machine

KIB, MIB = 1 << 10, 1 << 20
SPM_KIB = (16, 32, 64, 128, 192, 320, 1024, 5000, 65536)

NO_MAIN_MEMORY = {"hbm_bytes": 0, "hbm_bytes_per_second": 0, "hbm_latency_ps": 0}
"""All that a model needs lies in the scratchpad."""

VARIED: dict[str, dict[str, int]] = {
    "spm-128k": {"spm_bytes": 128 * KIB},
    "spm-128k-one-queue": {"spm_bytes": 128 * KIB, "load_queues": 1, "acc_bytes": 32 * KIB},
    "arrays-16": {"array_rows": 16, "array_columns": 16, "spm_bytes": 256 * KIB},
    "arrays-2x48": {"arrays": 2, "array_rows": 48, "array_columns": 48, "load_queues": 3},
    "odd-lanes": {"lanes": 37, "vector_startup": 5, "spm_bytes": 1 * MIB},
    "arrays-256": {
        "arrays": 1,
        "array_rows": 256,
        "array_columns": 256,
        "spm_bytes": 4 * MIB,
        "acc_bytes": 1 * MIB,
        "load_queues": 4,
    },
    "small-acc": {"acc_bytes": 16 * KIB, "spm_bytes": 512 * KIB},
    "wide": {
        "arrays": 4,
        "array_rows": 128,
        "array_columns": 128,
        "spm_bytes": 64 * MIB,
        "acc_bytes": 4 * MIB,
        "load_queues": 4,
        "lanes": 4096,
    },
    "no main memory": NO_MAIN_MEMORY | {"spm_bytes": 32 * MIB},
    "no main memory, one queue": NO_MAIN_MEMORY
    | {"spm_bytes": 8 * MIB, "load_queues": 1, "lanes": 37, "arrays": 2, "array_columns": 48},
    "no main memory, tight": NO_MAIN_MEMORY | {"spm_bytes": 2816 * KIB, "acc_bytes": 16 * KIB},
}
"""What differs from tw-small."""


def varied(changes: dict[str, int], name: str = "varied") -> Machine:
    """tw-small with other numbers."""
    numbers = load_machine("tw-small").to_dict() | changes | {"name": name}
    return Machine.from_dict(numbers)


def write_machine(machine: Machine, folder: Path) -> str:
    """The description as a file; its path, as `--machine` takes it."""
    path = folder / f"{machine.name}.toml"
    path.write_text(machine.to_toml())
    return str(path)


def random_machines() -> st.SearchStrategy[dict[str, int]]:
    """Changes to tw-small, from a microcontroller's size to an accelerator's; one in four has no
    main memory, and more scratchpad instead."""
    numbers = st.fixed_dictionaries(
        {
            "spm_bytes": st.sampled_from(SPM_KIB).map(KIB.__mul__),
            "acc_bytes": st.sampled_from([16, 24, 64, 1024]).map(KIB.__mul__),
            "arrays": st.integers(1, 5),
            "array_rows": st.sampled_from([16, 24, 32, 100, 128]),
            "array_columns": st.sampled_from([16, 20, 32, 64, 128]),
            "lanes": st.integers(1, 600),
            "load_queues": st.integers(1, 4),
            "weight_rows": st.integers(1, 16),
            "vector_startup": st.integers(0, 64),
            "hbm_latency_ps": st.integers(0, 10**6),
            "dma_issue_ps": st.integers(1, 10**5),
        }
    )
    return st.tuples(numbers, st.sampled_from((True, True, True, False))).map(_with_memory)


def _with_memory(drawn: tuple[dict[str, int], bool]) -> dict[str, int]:
    numbers, has_hbm = drawn
    if has_hbm:
        return numbers
    return numbers | NO_MAIN_MEMORY | {"spm_bytes": numbers["spm_bytes"] + MIB}
