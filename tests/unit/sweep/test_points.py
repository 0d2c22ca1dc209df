"""Values with units, ranges, and the machines of every combination."""

import pytest

from tilewright.backend.machine import load_machine
from tilewright.compiler.sweep import held_back, points_of, read_settings, write_number
from tilewright.compiler.sweep.points import MOST_POINTS
from tilewright.compiler.sweep.units import KEYS, SweepError, find_key

SMALL = load_machine("tw-small")


@pytest.mark.parametrize(
    ("text", "key", "values"),
    [
        ("spm.bytes=1MiB,2MiB,4MiB", "spm_bytes", (1 << 20, 2 << 20, 4 << 20)),
        ("spm_bytes=262_144", "spm_bytes", (262144,)),
        ("spm.bytes=1.5MiB", "spm_bytes", (3 << 19,)),
        ("hbm.bandwidth=3TB/s,819 GB/s", "hbm_bytes_per_second", (3 * 10**12, 819 * 10**9)),
        ("hbm_bytes_per_second=2.5e10", "hbm_bytes_per_second", (25 * 10**9,)),
        ("clock=1.5GHz", "clock_hz", (1_500_000_000,)),
        ("hbm.latency=600ns", "hbm_latency_ps", (600_000,)),
        ("energy.hbm=40pJ,48pJ", "energy_hbm_fj", (40_000, 48_000)),
        ("idle=0.1W", "idle_milliwatts", (100,)),
        ("area.phy=2.9mm2", "area_phy_um2", (2_900_000,)),
        ("area.multiplier=0.107um2", "area_multiplier_nm2", (107_000,)),
        ("array-rows=16,32,16", "array_rows", (16, 32)),
        ("hbm.burst=32B", "hbm_burst", (32,)),
        ("spm.bytes=1MiB..64MiB*4", "spm_bytes", (1 << 20, 4 << 20, 16 << 20, 64 << 20)),
        ("spm.bytes=1MiB..5MiB*2", "spm_bytes", (1 << 20, 2 << 20, 4 << 20)),
        ("lanes=64..256+64", "lanes", (64, 128, 192, 256)),
        ("dma.issue=10ns..11ns+500ps,1us", "dma_issue_ps", (10_000, 10_500, 11_000, 10**6)),
        ("lanes=8..27*1.5", "lanes", (8, 12, 18, 27)),
        ("vector_startup=0..2+1", "vector_startup", (0, 1, 2)),
    ],
)
def test_values(text: str, key: str, values: tuple[int, ...]) -> None:
    assert read_settings([text]) == {key: values}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["spm.bytes"], "--set 'spm.bytes': wanted FIELD=VALUE"),
        (["spm.bytes="], "wanted FIELD=VALUE"),
        (["spm.byte=1"], "--set spm.byte: no number of a machine has this name; did you mean spm_"),
        (["name=mine"], "--set name: no number of a machine has this name"),
        (["spm.bytes=3GHz"], "--set spm_bytes: found '3GHz', wanted a size such as 4MiB (units: B"),
        (["hbm.bandwidth=3TB"], "found '3TB', wanted a rate such as 3TB/s (units: B/s, kB/s"),
        (["lanes=4KiB"], "--set lanes: found '4KiB', wanted a whole number (units: none)"),
        (["lanes=-4"], "found '-4', wanted a whole number"),
        (["lanes=1,,2"], "found '', wanted a whole number"),
        (["spm.bytes=0.3B"], "--set spm_bytes: '0.3B' gives 0.3, which is not a whole number of B"),
        (["lanes=1.5"], "'1.5' gives 1.5, which is not a whole number"),
        (["lanes=9..20*1.5"], "'9..20*1.5' gives 13.5, which is not a whole number"),
        (["lanes=1..8"], "wanted a step behind the range: FIRST..LAST*FACTOR or FIRST..LAST+STEP"),
        (["lanes=8..1*2"], "found '8..1*2', wanted a range that rises step by step"),
        (["lanes=1..8*1"], "wanted a range that rises step by step"),
        (["lanes=0..8*2"], "wanted a range that rises step by step"),
        (["lanes=1..8+0"], "wanted a range that rises step by step"),
        (["lanes=1..8*x"], "found factor 'x', wanted a number above 1"),
        (["lanes=1..1000000+1"], f"has more than {MOST_POINTS:,} values"),
        (["lanes=1", "lanes=2"], "--set lanes: given twice; list all values in one --set"),
    ],
)
def test_refusals(texts: list[str], message: str) -> None:
    with pytest.raises(SweepError) as refused:
        read_settings(texts)
    assert message in str(refused.value)


def test_an_unknown_field_lists_all_known_ones_the_closest_first() -> None:
    with pytest.raises(SweepError) as refused:
        find_key("hbm.bandwith")
    listed = str(refused.value).partition("first: ")[2].split(", ")
    assert listed[0] == "hbm_bytes_per_second"
    assert sorted(listed) == sorted(KEYS)
    assert set(KEYS) == SMALL.to_dict().keys() - {"name", "note"}


@pytest.mark.parametrize("key", KEYS)
def test_a_number_that_is_written_is_read_again(key: str) -> None:
    for value in (0, 1, 12_345, 64 << 20, 192 * 10**9):
        assert read_settings([f"{key}={write_number(key, value)}"]) == {key: (value,)}


def test_units_are_the_largest_that_tell_the_number() -> None:
    written = [write_number("spm_bytes", n) for n in (1 << 20, 192 * 10**9, 1000, 1 << 12)]
    assert written == ["1MiB", "192GB", "1kB", "4KiB"]
    assert write_number("clock_hz", 1_830_000_000) == "1.83GHz"
    assert write_number("lanes", 4096) == "4096"


def test_every_combination_in_order() -> None:
    settings = read_settings(["lanes=16,32", "spm.bytes=128KiB,256KiB"])
    points = points_of([SMALL, load_machine("tw-1")], settings)
    assert [(p.base, *p.settings.values()) for p in points] == [
        (base, lanes, spm << 10)
        for base in ("tw-small", "tw-1")
        for lanes in (16, 32)
        for spm in (128, 256)
    ]
    first = points[0]
    assert first.label == "tw-small lanes=16 spm_bytes=128KiB"
    assert first.machine is not None
    changed = SMALL.to_dict() | {"lanes": 16, "spm_bytes": 128 << 10}
    assert first.machine.to_dict() == changed


def test_without_settings_a_machine_is_one_point() -> None:
    (point,) = points_of([SMALL], {})
    assert point.machine == SMALL


def test_numbers_that_contradict_each_other_are_points_with_the_reason() -> None:
    points = points_of([SMALL], read_settings(["weight_rows=2,33", "spm.bytes=256KiB,1000001"]))
    assert [point.refusal for point in points] == [
        "",
        "tw-small: spm_bytes: found 1000001, wanted a multiple of alignment, which is 64",
        "tw-small: weight_rows: found 33, wanted at most array_rows, which is 32",
        "tw-small: spm_bytes: found 1000001, wanted a multiple of alignment, which is 64",
    ]
    assert [point.machine is None for point in points] == [False, True, True, True]


def test_too_many_points() -> None:
    settings = read_settings(["lanes=1..200+1", "spm.bytes=64KiB..6400KiB+64KiB"])
    with pytest.raises(SweepError, match="20,000 points are asked for, wanted at most 10,000"):
        points_of([SMALL], settings)


def test_what_stays_while_it_would_move_is_said() -> None:
    assert held_back(["lanes", "vector_port_bytes"]) == ()
    assert held_back(["array_rows", "weight_rows"]) == (
        "array_rows varies and matrix_fill stays as described: set it too, or give a description "
        "of each machine",
    )
    (said,) = held_back(["hbm_bytes_per_second"])
    assert said.startswith("hbm_bytes_per_second varies and area_phy_um2 and idle_milliwatts stay")
