"""Machine descriptions: the two that are shipped, and the text of every refusal."""

import re
import tomllib
from importlib import resources
from pathlib import Path

import pytest

from tilewright.backend.machine import Machine, MachineError, load_machine, machine_names

SHIPPED = (
    "essay-3tbs",
    "ethos-u65-512-like",
    "groq-like",
    "h100-like",
    "tpu-v3-core",
    "tpu-v5e",
    "tw-1",
    "tw-small",
    "wafer-like",
)


def described(**changes: object) -> dict[str, object]:
    """The teaching machine's keys with some changed; a change to None takes the key away."""
    data: dict[str, object] = {**load_machine("tw-small").to_dict(), **changes}
    return {key: value for key, value in data.items() if value is not None}


def test_the_shipped_machines_load_under_their_names() -> None:
    assert machine_names() == SHIPPED
    for name in machine_names():
        assert load_machine(name).name == name


@pytest.mark.parametrize(("name", "hbm_bytes"), [("tw-1", 192 << 30), ("essay-3tbs", 192 * 10**9)])
def test_the_essay_machine_is_the_one_of_the_essay(name: str, hbm_bytes: int) -> None:
    machine = load_machine(name)
    assert (machine.spm_bytes, machine.acc_bytes) == (32 << 20, 4 << 20)
    assert (machine.arrays, machine.array_rows, machine.array_columns) == (4, 128, 128)
    assert machine.hbm_bytes == hbm_bytes
    assert machine.hbm_bytes_per_second == 3 * 10**12


@pytest.mark.parametrize("name", machine_names())
def test_a_description_survives_a_round_trip(name: str) -> None:
    machine = load_machine(name)
    assert Machine.from_dict(machine.to_dict()) == machine
    assert Machine.from_dict(tomllib.loads(machine.to_toml())) == machine


def test_a_user_file_is_read_by_its_path(tmp_path: Path) -> None:
    text = (resources.files("tilewright.backend.machine") / "tw-small.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(text.replace('"tw-small"', '"mine"'))
    assert load_machine(file).to_dict() == described(name="mine")
    assert load_machine(str(file)).name == "mine"


def test_digests_tell_machines_apart() -> None:
    same = Machine.from_dict(dict(reversed(described().items())))
    assert same.digest() == load_machine("tw-small").digest()
    assert Machine.from_dict(described(lanes=33)).digest() != same.digest()


def test_engines_stand_in_their_fixed_order() -> None:
    assert Machine.from_dict(described(load_queues=1)).engines() == ("ld", "st", "mxu", "vpu")
    four = Machine.from_dict(described(load_queues=4, store_queues=2)).engines()
    assert four == ("ld", "ld1", "ld2", "ld3", "st", "st1", "mxu", "vpu")


@pytest.mark.parametrize(
    ("changes", "width"),
    [
        ({}, 32),
        ({"arrays": 4}, 128),
        ({"arrays": 3, "array_columns": 6}, 16),  # 18 columns, rounded down
        ({"arrays": 64, "acc_bytes": 4096}, 64),  # two pages of 8 rows in 4 KiB
        ({"acc_bytes": 1024}, 16),
    ],
)
def test_panels_are_as_wide_as_arrays_and_accumulator_allow(
    changes: dict[str, object], width: int
) -> None:
    machine = Machine.from_dict(described(**changes))
    assert machine.panel_width == width
    assert 2 * 8 * 4 * machine.panel_width <= machine.acc_bytes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lane": 4}, "m.toml: lane: unknown key; known keys are name, clock_hz, "),
        ({"lanes": None}, "m.toml: lanes: missing; wanted an integer, at least 1"),
        ({"lanes": "32"}, "m.toml: lanes: found '32', wanted an integer, at least 1"),
        ({"lanes": 32.0}, "m.toml: lanes: found 32.0, wanted an integer, at least 1"),
        ({"lanes": True}, "m.toml: lanes: found True, wanted an integer, at least 1"),
        ({"lanes": 0}, "m.toml: lanes: found 0, wanted an integer, at least 1"),
        ({"lanes": 2**63}, "m.toml: lanes: found 9223372036854775808, wanted an integer"),
        ({"matrix_fill": -1}, "m.toml: matrix_fill: found -1, wanted an integer, at least 0"),
        ({"name": 7}, "m.toml: name: found 7, wanted a name of letters, digits"),
        ({"name": "a b"}, "m.toml: name: found 'a b', wanted a name of letters, digits"),
        ({"load_queues": 5}, "m.toml: load_queues: found 5, wanted an integer from 1 to 4"),
        ({"store_queues": 0}, "m.toml: store_queues: found 0, wanted an integer from 1 to 4"),
        ({"registers": 17}, "m.toml: registers: found 17, wanted an integer from 1 to 16"),
        ({"counters": 9}, "m.toml: counters: found 9, wanted an integer from 1 to 8"),
        ({"cores": 2}, "m.toml: cores: found 2, wanted 1: machines of more are not supported"),
        ({"chips": 2}, "m.toml: chips: found 2, wanted 1: machines of more are not supported"),
        ({"alignment": 32}, "m.toml: alignment: found 32, wanted a power of two, at least 64"),
        ({"alignment": 96}, "m.toml: alignment: found 96, wanted a power of two, at least 64"),
        ({"hbm_burst": 48}, "m.toml: hbm_burst: found 48, wanted a power of two, at least 1"),
        ({"acc_bytes": 512}, "m.toml: acc_bytes: found 512, wanted an integer, at least 1024"),
        ({"spm_bytes": 65_600, "alignment": 128}, "m.toml: spm_bytes: found 65600, wanted a mult"),
        ({"weight_rows": 33}, "m.toml: weight_rows: found 33, wanted at most array_rows, which is"),
        ({"hbm_burst": 128}, "m.toml: hbm_burst: found 128, wanted at most alignment, which is 64"),
        ({"energy_mac4_fj": 211}, "m.toml: energy_mac4_fj: found 211, wanted at most energy_mac8"),
        ({"energy_hbm_fj": 9}, "m.toml: energy_spm_fj: found 1060, wanted at most energy_hbm_fj"),
        ({"energy_hbm_fj": -1}, "m.toml: energy_hbm_fj: found -1, wanted an integer, at least 0"),
        ({"clock_hz": 10**13}, "m.toml: clock_hz: found 10000000000000, wanted an integer from 1"),
        (
            {"hbm_bytes": 0},
            "hbm_bytes_per_second: found 25000000000, wanted 0 if and only if hbm_b",
        ),
        ({"note": 'a "b"'}, "m.toml: note: found 'a \"b\"', wanted a line of text without quotes"),
        ({"note": "a\nb"}, "m.toml: note: found 'a\\nb', wanted a line of text without quotes"),
        ({"array_columns": 8}, "m.toml: array_columns: found 1 arrays of 8, wanted at least 16"),
    ],
)
def test_what_cannot_be_built_is_refused_by_name(changes: dict[str, object], message: str) -> None:
    with pytest.raises(MachineError, match=re.escape(message)):
        Machine.from_dict(described(**changes), "m.toml")


@pytest.mark.parametrize(
    ("name", "teraflops"),
    [
        ("tpu-v3-core", 61.5),
        ("tpu-v5e", 197),
        ("h100-like", 989),
        ("ethos-u65-512-like", 1.0),
        ("groq-like", 750),
        ("wafer-like", 160),
    ],
)
def test_arrays_and_clock_give_the_published_peak(name: str, teraflops: float) -> None:
    m = load_machine(name)
    peak = 2 * m.arrays * m.array_rows * m.array_columns * m.clock_hz / 1e12
    assert peak == pytest.approx(teraflops, rel=0.03)


def test_a_machine_without_main_memory_has_its_regions_in_scratchpads_and_counts_those() -> None:
    groq = load_machine("groq-like")
    assert not groq.has_hbm
    assert groq.chips_for(220 << 20) == 1
    assert groq.chips_for((220 << 20) + 1) == 2
    assert load_machine("tw-small").chips_for((16 << 30) + 1) == 3
    assert (groq.region_memory, load_machine("tw-small").region_memory) == ("spm", "hbm")
    assert "it would take 2 of them" in groq.does_not_fit((220 << 20) + 1)


def test_the_shipped_machines_need_no_warning() -> None:
    assert {name: load_machine(name).warnings() for name in SHIPPED} == dict.fromkeys(SHIPPED, ())


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"hbm_bytes_per_second": 31 * 10**9}, "bounds decode with weights of 4 bits and less: it "
         "takes in 64 billion a second, and 62 come"),
        ({"hbm_bytes_per_second": 130 * 10**9}, "bounds decode with weights of 16 bits and less"),
        ({"hbm_latency_ps": 10**7}, "the scratchpad of 262,144 bytes is less than twice hbm's"),
        ({"vector_port_bytes": 383}, "the vector port moves 383 bytes a cycle, and 32 lanes ask"),
    ],
)  # fmt: skip
def test_warnings_name_what_binds_unexpectedly(changes: dict[str, object], text: str) -> None:
    (warning,) = Machine.from_dict(described(**changes)).warnings()
    assert text in warning


def test_an_unknown_name_lists_the_known_ones() -> None:
    wanted = f"tw-2: no such machine; wanted one of {', '.join(SHIPPED)}, or a path that ends in"
    with pytest.raises(MachineError, match=re.escape(wanted)):
        load_machine("tw-2")


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"absent\.toml: cannot be read: .*No such file"):
        load_machine(tmp_path / "absent.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("name = \n")
    with pytest.raises(MachineError, match=r"broken\.toml: not valid TOML: .*line 1"):
        load_machine(broken)
    for text in (f"a = {'[' * 5000}", f"a = {'1' * 5000}"):
        broken.write_text(text)
        with pytest.raises(MachineError, match=r"broken\.toml: not valid TOML: "):
            load_machine(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(MachineError, match=r"broken\.toml: cannot be read: .*utf-8"):
        load_machine(broken)


def test_every_shipped_file_is_flat_toml() -> None:
    for name in machine_names():
        text = (resources.files("tilewright.backend.machine") / f"{name}.toml").read_text()
        assert tomllib.loads(text) == load_machine(name).to_dict()
