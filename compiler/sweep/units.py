"""Numbers of a machine with units, read and written: 4MiB, 3TB/s, 1.5GHz, 100ns, 40pJ, 2.9mm2."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from difflib import get_close_matches
from fractions import Fraction
from typing import Final

from ...backend.errors import TilewrightError
from ...backend.machine import Machine


class SweepError(TilewrightError):
    """A sweep that was not asked for properly: names the option, what was found and wanted."""


@dataclass(frozen=True)
class Kind:
    """A kind of quantity: what its values may be written in."""

    ending: str
    """Of the keys that hold it."""
    short: str
    """What may stand for the ending in `--set`."""
    wanted: str
    """What a value is, for errors."""
    units: dict[str, Fraction]
    """Unit -> how many of the key's own unit it is; the first one is the key's own."""


def _units(*pairs: tuple[str, int]) -> dict[str, Fraction]:
    return {name: Fraction(count) for name, count in pairs}


_BYTES: Final = (
    ("B", 1), ("kB", 10**3), ("KB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12),
    ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
)  # fmt: skip
COUNT: Final = Kind("", "", "a whole number", {"": Fraction(1)})
KINDS: Final = (
    Kind(
        "_bytes_per_second",
        "_bandwidth",
        "a rate such as 3TB/s",
        _units(*((f"{name}/s", count) for name, count in _BYTES)),
    ),
    Kind("_bytes", "_bytes", "a size such as 4MiB", _units(*_BYTES)),
    Kind(
        "_hz",
        "",
        "a frequency such as 1.5GHz",
        _units(("Hz", 1), ("kHz", 10**3), ("MHz", 10**6), ("GHz", 10**9)),
    ),
    Kind(
        "_ps",
        "",
        "a time such as 100ns",
        _units(("ps", 1), ("ns", 10**3), ("us", 10**6), ("ms", 10**9)),
    ),
    Kind("_fj", "", "an energy such as 40pJ", _units(("fJ", 1), ("pJ", 10**3), ("nJ", 10**6))),
    Kind("_milliwatts", "", "a power such as 75W", _units(("mW", 1), ("W", 10**3), ("kW", 10**6))),
    Kind("_um2", "", "an area such as 2.9mm2", _units(("um2", 1), ("mm2", 10**6))),
    Kind("_nm2", "", "an area such as 0.1um2", _units(("nm2", 1), ("um2", 10**6))),
)
"""By ending; a key with none of them is a count, but for those below."""
_BYTES_WITHOUT_ENDING = ("alignment", "hbm_burst")
_TEXTS = ("name", "note")
KEYS: Final = tuple(f.name for f in fields(Machine) if f.name not in _TEXTS)
"""Keys of a description that are numbers."""
_NUMBER = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?(?:[eE][0-9]{1,2})?) ?([A-Za-z/0-9]*)")


def kind_of(key: str) -> Kind:
    """The kind of quantity that a key holds."""
    if key in _BYTES_WITHOUT_ENDING:
        return next(kind for kind in KINDS if kind.ending == "_bytes")
    return next((kind for kind in KINDS if key.endswith(kind.ending)), COUNT)


def _spellings() -> dict[str, str]:
    """How a key may be written, all with underscores -> the key."""
    short = {
        key.removesuffix(kind.ending) + kind.short
        if (kind := kind_of(key)).ending and key.endswith(kind.ending)
        else key: key
        for key in KEYS
    }
    return short | {key: key for key in KEYS}


def find_key(text: str) -> str:
    """The key that is written as `spm_bytes`, `spm.bytes`, `hbm.bandwidth` or `clock`.

    Raises SweepError with the known keys, the closest first.
    """
    spellings = _spellings()
    wanted = text.strip().replace(".", "_").replace("-", "_")
    if wanted in spellings:
        return spellings[wanted]
    closest = get_close_matches(wanted, spellings, n=len(spellings), cutoff=0)
    known = list(dict.fromkeys(spellings[name] for name in closest))
    raise SweepError(
        f"--set {text}: no number of a machine has this name; did you mean {known[0]}? The closest "
        f"first: {', '.join(known)}"
    )


def read_number(key: str, text: str) -> Fraction:
    """A value in the key's own unit, which it also has without a unit. Raises SweepError."""
    kind = kind_of(key)
    found = _NUMBER.fullmatch(text.strip())
    if found is None or (found[2] and found[2] not in kind.units):
        units = ", ".join(kind.units) if kind is not COUNT else "none"
        raise SweepError(
            f"--set {key}: found '{text.strip()}', wanted {kind.wanted} (units: {units})"
        )
    return Fraction(found[1].replace("_", "")) * (kind.units[found[2]] if found[2] else 1)


def whole(key: str, value: Fraction, text: str) -> int:
    """The value as the integer that a description holds. Raises SweepError."""
    if value.denominator != 1:
        own = next(iter(kind_of(key).units))
        raise SweepError(
            f"--set {key}: '{text}' gives {float(value):g}, which is not a whole number"
            + (f" of {own}" if own else "")
        )
    return value.numerator


def write_number(key: str, value: int) -> str:
    """A value in the largest unit that it has at least one of and that takes up to 3 decimals."""
    units = sorted(kind_of(key).units.items(), key=lambda pair: -pair[1])
    for unit, size in units:
        if value >= size and (1000 * value) % size == 0:
            return f"{float(value / size):.15g}{unit}"
    return f"{value}{units[-1][0]}"
