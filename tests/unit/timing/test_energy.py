"""Joules and square millimetres by hand."""

from dataclasses import replace

import pytest

from tilewright.backend.machine import load_machine
from tilewright.backend.timing.energy import Work, area_of, energy_of, mac_class

ESSAY = load_machine("essay-3tbs")


def test_joules_by_hand() -> None:
    work = Work(
        hbm_bytes=10**12,
        spm_bytes=2 * 10**12,
        acc_bytes=10**12,
        macs4=10**12,
        macs8=2 * 10**12,
        macs16=10**12,
        lane_cycles=10**12,
        picoseconds=10**12,
    )
    found = energy_of(ESSAY, work)
    assert found.hbm == pytest.approx(40)
    assert found.spm == pytest.approx(3.5)
    assert found.acc == pytest.approx(1.06)
    assert found.matrix == pytest.approx(0.175 + 2 * 0.21 + 0.35)
    assert found.vector == pytest.approx(1.69)
    assert found.idle == pytest.approx(75)
    assert found.total == pytest.approx(40 + 3.5 + 1.06 + 0.945 + 1.69 + 75)
    assert energy_of(ESSAY, Work()).total == 0


def test_area_by_hand() -> None:
    found = area_of(ESSAY)
    assert found.multipliers == pytest.approx(65536 * 64 * 0.107e-6)
    assert found.lanes == pytest.approx(4096 * 576 * 0.107e-6)
    assert found.sram == pytest.approx(36 * 0.78)
    assert found.phy == pytest.approx(41.8)
    assert found.total == pytest.approx(0.4488 + 0.2524 + 28.08 + 41.8, rel=1e-3)
    assert area_of(replace(ESSAY, arrays=8)).multipliers == pytest.approx(2 * found.multipliers)


@pytest.mark.parametrize(
    ("left", "right", "bits"),
    [
        ("bf16", "bf16", 16),
        ("f32", "f32", 16),
        ("bf16", "i8", 8),
        ("f32", "q8_0", 8),
        ("bf16", "i4_g128", 4),
        ("i8", "q4_1", 4),
        ("u8", "bf16", 16),
    ],
)
def test_the_narrower_operand_decides(left: str, right: str, bits: int) -> None:
    assert mac_class(left, right) == bits == mac_class(right, left)
