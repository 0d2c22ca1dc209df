"""A machine description: the one place where sizes, rates and latencies of the machine are numbers.

Read from TOML (`tw-1.toml` here, or a user's own file); every key is required, none is optional,
and an unknown, missing, wrongly typed or impossible key is refused by name.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib import resources
from pathlib import Path
from typing import Literal

from ..errors import TilewrightError
from .warnings import warnings_of

ACCUMULATOR_BYTES = 4
"""Bytes of one accumulator element (float32 or int32)."""
COLUMN_STEP = 16
"""Packed panels are a multiple of this many columns wide."""
ROW_STEP = 8
"""Accumulator pages hold a multiple of this many rows."""
ACCUMULATOR_PAGES = 2
"""Pages of one panel that must fit: one is filled while the other is drained."""
SMALLEST_ALIGNMENT = 64
"""Bytes: the instruction set asks this of every region base and slot."""


class MachineError(TilewrightError):
    """A machine description that cannot be used: names the file, the key, the found, the wanted."""


@dataclass(frozen=True)
class Machine:
    """One core of a TW machine and its memories. Times in picoseconds or cycles, sizes in bytes."""

    name: str
    clock_hz: int
    """Clock of every engine, in hertz."""
    load_queues: int
    """Load engines (`ld`, `ld1`, ...), each an instruction stream of its own."""
    store_queues: int
    """Store engines; programs use the first."""
    spm_bytes: int
    """Scratchpad capacity."""
    acc_bytes: int
    """Accumulator capacity, beside the scratchpad."""
    alignment: int
    """Alignment of region bases and of slots, in bytes."""
    arrays: int
    """Systolic arrays that work on one matrix instruction together."""
    array_rows: int
    """Rows of one array: values of K held at once."""
    array_columns: int
    """Columns of one array: outputs computed at once."""
    weight_rows: int
    """Rows of weights that enter each array in a cycle."""
    matrix_fill: int
    """Cycles from the first operand to the first result, exposed only after a gap."""
    lanes: int
    """Float32 lanes of the vector unit."""
    vector_startup: int
    """Cycles before the first result of a vector instruction."""
    vector_port_bytes: int
    """Bytes a cycle between the vector unit and the on-chip memories, both directions together."""
    hbm_bytes: int
    """Capacity of the main memory; 0 where there is none and weights stay in the scratchpad."""
    hbm_bytes_per_second: int
    """Peak bandwidth of the main memory, reads and writes together."""
    hbm_latency_ps: int
    """From the issue of a transfer to its first byte, in picoseconds."""
    hbm_burst: int
    """Smallest transfer of the main memory, in bytes."""
    dma_issue_ps: int
    """Time a queue spends on issuing one transfer, in picoseconds."""
    registers: int
    """Scalar registers of each engine."""
    counters: int
    """Loop counters of each engine: the deepest nest of loops."""
    scalar_cycles: int
    """Cycles of a scalar instruction."""
    chips: int
    cores: int
    """Cores of the whole machine."""
    energy_hbm_fj: int
    """Femtojoules a byte that enters or leaves the main memory."""
    energy_spm_fj: int
    """Femtojoules a byte read from or written to the scratchpad."""
    energy_acc_fj: int
    """Femtojoules a byte read from or written to the accumulators."""
    energy_mac4_fj: int
    """Femtojoules a multiply-add of one phase, codes of 4 bits by 8 bits of a float's significand;
    sums are float32."""
    energy_mac8_fj: int
    """The same for codes of 8 bits."""
    energy_mac16_fj: int
    """The same where both operands are floats, exponents included."""
    energy_vector_fj: int
    """Femtojoules of one lane's work in a cycle of the vector unit."""
    idle_milliwatts: int
    """Power that does not depend on the work: leakage, clocks, refresh."""
    area_multiplier_nm2: int
    """Square nanometres of a multiplier, divided by the product of its operands' bits."""
    area_sram_um2: int
    """Square micrometres of a MiB of scratchpad or accumulators."""
    area_phy_um2: int
    """Square micrometres of the interface to the main memory."""
    note: str
    """What a reader of this machine's figures must know; empty if nothing."""

    @property
    def multipliers(self) -> int:
        """Multiply-adds of the matrix unit a cycle, of 8-bit significands."""
        return self.arrays * self.array_rows * self.array_columns

    @property
    def panel_width(self) -> int:
        """Columns of one packed panel: what the arrays take in at once, if two pages of it fit.

        Result: a multiple of 16, at least 16, with 2 pages of 8 rows of float32 within `acc_bytes`.
        """
        wanted = self.arrays * self.array_columns
        held = self.acc_bytes // (ACCUMULATOR_PAGES * ROW_STEP * ACCUMULATOR_BYTES)
        return max(COLUMN_STEP, min(wanted, held) // COLUMN_STEP * COLUMN_STEP)

    def engines(self) -> tuple[str, ...]:
        """Names of the engines in their fixed order: load queues, store queues, `mxu`, `vpu`."""
        loads = ["ld", *(f"ld{i}" for i in range(1, self.load_queues))]
        stores = ["st", *(f"st{i}" for i in range(1, self.store_queues))]
        return (*loads, *stores, "mxu", "vpu")

    @property
    def has_hbm(self) -> bool:
        """Whether there is a main memory."""
        return self.hbm_bytes > 0

    @property
    def region_memory(self) -> Literal["hbm", "spm"]:
        """Where weights, caches and all else that outlives a launch lie: main memory, or the
        scratchpad where there is none."""
        return "hbm" if self.has_hbm else "spm"

    def chips_for(self, nbytes: int) -> int:
        """How many of this machine hold so many bytes in its region memory, at least."""
        return -(-nbytes // (self.hbm_bytes or self.spm_bytes))

    def does_not_fit(self, nbytes: int) -> str:
        """What to say of `nbytes` that the scratchpad cannot hold where there is no main memory."""
        return (
            f"weights, cache and activations do not fit {self.name}, which has no main memory: "
            f"{nbytes} bytes are needed, its scratchpad has {self.spm_bytes}; it would take "
            f"{self.chips_for(nbytes)} of them, and a program is for one: use fewer bits, a "
            "smaller batch or chunk, or fewer positions"
        )

    def warnings(self) -> tuple[str, ...]:
        """What binds where one would not look for it, one sentence each; see `warnings.py`."""
        return warnings_of(self)

    def to_dict(self) -> dict[str, int | str]:
        """Every key with its value, in the order of the fields; `from_dict` is the inverse."""
        return asdict(self)

    def to_toml(self) -> str:
        """The description as the text of a file that `load_machine` reads."""
        lines = (
            f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
            for key, value in self.to_dict().items()
        )
        return "\n".join(lines) + "\n"

    def digest(self) -> str:
        """SHA-256 (hex) of the canonical JSON of the description: equal machines, equal digests."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_dict(cls, data: Mapping[str, object], source: str = "machine") -> "Machine":
        """The machine described by `data`; `source` (a file's name) is named in every error.

        Raises MachineError for an unknown, missing, wrongly typed or impossible key.
        """
        known = [field.name for field in fields(cls)]
        for key in data:
            if key not in known:
                raise MachineError(
                    f"{source}: {key}: unknown key; known keys are {', '.join(known)}"
                )
        for key in known:
            if key not in data:
                raise MachineError(f"{source}: {key}: missing; wanted {_wanted(key)}")
        for key, value in data.items():
            _check_value(source, key, value)
        machine = cls(**data)  # pyright: ignore[reportArgumentType]  # _check_value saw each type
        _check_whole(source, machine)
        return machine


_RANGES: dict[str, tuple[int, int | None]] = {
    "clock_hz": (1, 10**12),
    "load_queues": (1, 4),
    "store_queues": (1, 4),
    "registers": (1, 16),
    "counters": (1, 8),
    "chips": (1, 1),
    "cores": (1, 1),
    "alignment": (SMALLEST_ALIGNMENT, None),
    "spm_bytes": (1024, None),
    "acc_bytes": (ACCUMULATOR_PAGES * ROW_STEP * ACCUMULATOR_BYTES * COLUMN_STEP, None),
    "hbm_bytes": (0, None),
    "hbm_bytes_per_second": (0, None),
    "matrix_fill": (0, None),
    "vector_startup": (0, None),
    "vector_port_bytes": (ACCUMULATOR_BYTES, None),
    "hbm_latency_ps": (0, None),
    "dma_issue_ps": (0, None),
    **{
        key: (0, None)
        for key in (
            "energy_hbm_fj",
            "energy_spm_fj",
            "energy_acc_fj",
            "energy_mac4_fj",
            "energy_mac8_fj",
            "energy_mac16_fj",
            "energy_vector_fj",
            "idle_milliwatts",
            "area_multiplier_nm2",
            "area_sram_um2",
            "area_phy_um2",
        )
    },
}
"""Smallest and largest value of a key; a key that is not listed is at least 1."""

_POWERS_OF_TWO = ("alignment", "hbm_burst")
_WHOLE_LINES = ("spm_bytes", "acc_bytes", "hbm_bytes")
_LARGEST = 2**62
_TEXT = re.compile(r'[^"\\\x00-\x1f]*')
_NOT_LESS = (
    ("array_rows", "weight_rows"),
    ("alignment", "hbm_burst"),
    ("energy_mac8_fj", "energy_mac4_fj"),
    ("energy_mac16_fj", "energy_mac8_fj"),
    ("energy_hbm_fj", "energy_spm_fj"),
)
"""The first of a pair is at least the second."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _wanted(key: str) -> str:
    """What a key's value must be, in words."""
    if key == "name":
        return "a name of letters, digits, '-', '_' and '.'"
    if key == "note":
        return "a line of text without quotes and backslashes, empty if there is nothing to say"
    low, high = _RANGES.get(key, (1, None))
    kind = "a power of two" if key in _POWERS_OF_TWO else "an integer"
    if high is None:
        return f"{kind}, at least {low}"
    if low == high:
        return f"{low}: machines of more are not supported"
    return f"{kind} from {low} to {high}"


def _check_value(source: str, key: str, value: object) -> None:
    """One key by itself: type and range."""
    wrong = MachineError(f"{source}: {key}: found {value!r}, wanted {_wanted(key)}")
    if key in ("name", "note"):
        pattern = _NAME if key == "name" else _TEXT
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise wrong
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong
    low, high = _RANGES.get(key, (1, None))
    if not low <= value <= (_LARGEST if high is None else high):
        raise wrong
    if key in _POWERS_OF_TWO and value & (value - 1):
        raise wrong


def _check_whole(source: str, machine: Machine) -> None:
    """What involves two keys."""
    for key in _WHOLE_LINES:
        value: int = getattr(machine, key)
        if value % machine.alignment:
            raise MachineError(
                f"{source}: {key}: found {value}, wanted a multiple of alignment,"
                f" which is {machine.alignment}"
            )
    if bool(machine.hbm_bytes) != bool(machine.hbm_bytes_per_second):
        raise MachineError(
            f"{source}: hbm_bytes_per_second: found {machine.hbm_bytes_per_second}, wanted 0 if "
            f"and only if hbm_bytes is, which is {machine.hbm_bytes}"
        )
    for larger, smaller in _NOT_LESS:
        most: int = getattr(machine, larger)
        found: int = getattr(machine, smaller)
        if found > most:
            raise MachineError(
                f"{source}: {smaller}: found {found}, wanted at most {larger}, which is {most}"
            )
    if machine.arrays * machine.array_columns < COLUMN_STEP:
        raise MachineError(
            f"{source}: array_columns: found {machine.arrays} arrays of {machine.array_columns},"
            f" wanted at least {COLUMN_STEP} columns together"
        )


def machine_names() -> tuple[str, ...]:
    """Names that `load_machine` knows, sorted."""
    files = resources.files(__package__ or __name__).iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def load_machine(name_or_path: str | Path) -> Machine:
    """A machine by its name (`tw-1`) or from the user's own file (any path ending in `.toml`).

    Raises MachineError when there is no such machine or file, or when the file is not valid.
    """
    text_name = str(name_or_path)
    if not text_name.endswith(".toml"):
        if text_name not in machine_names():
            raise MachineError(
                f"{text_name}: no such machine; wanted one of {', '.join(machine_names())},"
                " or a path that ends in .toml"
            )
        file = resources.files(__package__ or __name__) / f"{text_name}.toml"
        return _parse(file.read_text(encoding="utf-8"), f"{text_name}.toml")
    try:
        text = Path(name_or_path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MachineError(f"{text_name}: cannot be read: {error}") from error
    return _parse(text, text_name)


def _parse(text: str, source: str) -> Machine:
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Beside its own errors tomllib lets through those of Python: digits, brackets without end.
        raise MachineError(f"{source}: not valid TOML: {error}") from error
    return Machine.from_dict(data, source)
