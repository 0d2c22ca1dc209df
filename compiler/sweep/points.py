"""The points of a sweep: machines with every combination of the values that `--set` gives."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod
from typing import Final

from ...backend.machine import Machine, MachineError
from .units import SweepError, find_key, read_number, whole, write_number

MOST_POINTS = 10_000
"""More are refused: a step of a range that is too small is the likelier reason."""
_RANGE = re.compile(r"(.+?)\.\.(.+?)(?:([*+])(.+))?")
FOLLOWERS: Final = {
    "hbm_bytes_per_second": ("area_phy_um2", "idle_milliwatts"),
    "clock_hz": ("idle_milliwatts",),
    "spm_bytes": ("energy_spm_fj",),
    "acc_bytes": ("energy_acc_fj",),
    "lanes": ("vector_port_bytes",),
    "array_rows": ("weight_rows", "matrix_fill"),
}
"""Key -> keys that another value of it would move in silicon, and a description holds apart."""

Settings = Mapping[str, int]
"""Key -> value, in the order of the command line."""


@dataclass(frozen=True)
class Point:
    """One machine of a sweep, or why there is none."""

    base: str
    """Name of the description that was changed."""
    settings: dict[str, int]
    """What was changed in it."""
    machine: Machine | None
    refusal: str = ""
    """Why the numbers contradict each other; empty if they do not."""

    @property
    def label(self) -> str:
        """The point in words."""
        changes = (f"{key}={write_number(key, value)}" for key, value in self.settings.items())
        return " ".join((self.base, *changes))


def read_settings(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Key -> values, from texts such as `spm.bytes=1MiB,4MiB` and `lanes=64..1024*2`.

    A range includes its end if a step meets it. A value that is listed twice counts once. Raises
    SweepError.
    """
    found: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, sign, values = text.partition("=")
        if not sign or not values.strip():
            raise SweepError(
                f"--set '{text}': wanted FIELD=VALUE,VALUE,... or FIELD=FIRST..LAST*FACTOR, such "
                "as spm.bytes=1MiB..64MiB*2"
            )
        key = find_key(name)
        if key in found:
            raise SweepError(f"--set {key}: given twice; list all values in one --set")
        numbers = [number for item in values.split(",") for number in _values(key, item.strip())]
        found[key] = tuple(dict.fromkeys(numbers))
    return found


def _values(key: str, text: str) -> list[int]:
    """One item of a list: a value or a range."""
    if ".." not in text:
        return [whole(key, read_number(key, text), text)]
    match = _RANGE.fullmatch(text)
    if match is None or match[3] is None:
        raise SweepError(
            f"--set {key}: found '{text}', wanted a step behind the range: FIRST..LAST*FACTOR or "
            "FIRST..LAST+STEP"
        )
    value, last = read_number(key, match[1]), read_number(key, match[2])
    factor = _factor(key, match[4]) if match[3] == "*" else Fraction(1)
    step = read_number(key, match[4]) if match[3] == "+" else Fraction(0)
    if value > last or (not value and not step) or (factor <= 1 and not step):
        raise SweepError(f"--set {key}: found '{text}', wanted a range that rises step by step")
    found: list[int] = []
    while value <= last:
        found.append(whole(key, value, text))
        if len(found) > MOST_POINTS:
            raise SweepError(f"--set {key}: '{text}' has more than {MOST_POINTS:,} values")
        value = value * factor + step
    return found


def _factor(key: str, text: str) -> Fraction:
    """What a range is multiplied by: a number without unit."""
    try:
        return Fraction(text.strip())
    except (ValueError, ZeroDivisionError):
        raise SweepError(f"--set {key}: found factor '{text}', wanted a number above 1") from None


def points_of(
    machines: Sequence[Machine], settings: Mapping[str, Sequence[int]]
) -> tuple[Point, ...]:
    """Every machine with every combination; the last setting varies first.

    A combination that the description refuses is a point without a machine. Raises SweepError for
    more than MOST_POINTS.
    """
    count = len(machines) * prod(len(values) for values in settings.values())
    if count > MOST_POINTS:
        raise SweepError(f"{count:,} points are asked for, wanted at most {MOST_POINTS:,}")
    return tuple(
        _point(machine, dict(zip(settings, values, strict=True)))
        for machine in machines
        for values in product(*settings.values())
    )


def _point(base: Machine, settings: dict[str, int]) -> Point:
    try:
        changed = Machine.from_dict({**base.to_dict(), **settings}, base.name)
    except MachineError as error:
        return Point(base.name, settings, None, str(error))
    return Point(base.name, settings, changed)


def held_back(keys: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each key that varies while what it would move in silicon does not."""
    return tuple(
        f"{key} varies and {' and '.join(held)} stay{'s' * (len(held) == 1)} as described: set "
        f"{'it' if len(held) == 1 else 'them'} too, or give a description of each machine"
        for key in keys
        if (held := [follower for follower in FOLLOWERS.get(key, ()) if follower not in keys])
    )
