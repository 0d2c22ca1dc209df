"""The tiling search: shapes and machine in, a tile for every kernel out. It sees no IR.

All kernels share the scratchpad through rings named by role, so a plan is judged whole: the largest
slot of each ring, times its least number of slots, plus the largest local part. Candidates share two
limits, one for every slot but the weights' and one for the weights'; each kernel takes the fastest
tile within them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...backend.errors import TilewrightError
from ...backend.machine import Machine
from ...backend.timing import ceil_div
from .shapes import Footprint, Kernel, powers_of_two

LEAST_SLOTS = {"weights": 2, "kv": 2, "sums": 2}
"""Rings that must overlap from the start; all others may begin with one slot."""


class DoesNotFitError(TilewrightError):
    """No tile of a kernel fits the machine."""


@dataclass(frozen=True)
class Tile:
    """The choice for one kernel: rows of the packed batch, and blocks of K or positions of KV."""

    rows: int
    depth: int


@dataclass(frozen=True)
class Plan:
    """A tile for each label, with what the whole program then needs and takes."""

    tiles: Mapping[str, Tile]
    spm_bytes: int
    acc_bytes: int
    picoseconds: int


@dataclass(frozen=True)
class _Option:
    tile: Tile
    footprint: Footprint
    picoseconds: int


def aligned(machine: Machine, nbytes: int) -> int:
    """`nbytes` rounded up to the machine's alignment."""
    return ceil_div(nbytes, machine.alignment) * machine.alignment


def needs(machine: Machine, footprints: Sequence[Footprint]) -> tuple[int, int]:
    """Bytes of scratchpad and of accumulators that kernels with these footprints need together."""
    spm: dict[str, int] = {}
    acc: dict[str, int] = {}
    for footprint in footprints:
        for total, part in ((spm, footprint.spm), (acc, footprint.acc)):
            for ring, nbytes in part.items():
                total[ring] = max(total.get(ring, 0), aligned(machine, nbytes))
    local = max((aligned(machine, f.local) for f in footprints), default=0)

    def rings(total: Mapping[str, int]) -> int:
        return sum(nbytes * LEAST_SLOTS.get(ring, 1) for ring, nbytes in total.items())

    # Local buffers are many and small: each may lose up to one alignment at its end.
    return rings(spm) + local + 12 * machine.alignment, rings(acc)


def _options(machine: Machine, kernel: Kernel) -> list[_Option]:
    return [
        _Option(
            Tile(rows, depth),
            kernel.footprint(rows, depth),
            kernel.picoseconds(machine, rows, depth),
        )
        for rows in powers_of_two(kernel.most_rows)
        for depth in kernel.depths()
    ]


def _within(option: _Option, slot: int, weights: int, acc: int) -> bool:
    return all(
        nbytes <= (weights if ring == "weights" else slot)
        for ring, nbytes in option.footprint.spm.items()
    ) and all(nbytes <= acc for nbytes in option.footprint.acc.values())


def _pick(options: Sequence[_Option], slot: int, weights: int, acc: int) -> _Option | None:
    fitting = [o for o in options if _within(o, slot, weights, acc)]
    return min(fitting, key=lambda o: (o.picoseconds, sum(o.footprint.spm.values())), default=None)


def _refuse(machine: Machine, kernels: Sequence[Kernel], options: list[list[_Option]]) -> None:
    """Raise DoesNotFitError: names the op with the largest least tile and the size that would do."""
    least = [
        min(o, key=lambda x: sum(x.footprint.spm.values()) + x.footprint.local) for o in options
    ]
    spm, acc = needs(machine, [o.footprint for o in least])
    sizes = [sum(o.footprint.spm.values()) + o.footprint.local for o in least]
    worst = max(range(len(kernels)), key=lambda i: sizes[i])
    short = "scratchpad" if spm > machine.spm_bytes else "accumulators"
    have, want = (machine.spm_bytes, spm) if short == "scratchpad" else (machine.acc_bytes, acc)
    raise DoesNotFitError(
        f"{short} of machine {machine.name} too small: {have} bytes, and the smallest tiles of this "
        f"program need {want}; `{kernels[worst].label}` needs most ({sizes[worst]} bytes for a tile "
        f"of {least[worst].tile.rows} row). Use a machine with at least {want} bytes"
    )


def search(machine: Machine, kernels: Sequence[Kernel]) -> Plan:
    """The plan with the least predicted time; among equals the one that needs least scratchpad.

    Raises DoesNotFitError when even the smallest tiles do not fit.
    """
    options = [_options(machine, kernel) for kernel in kernels]
    best: Plan | None = None
    limits = [size for size in reversed(powers_of_two(machine.spm_bytes))]
    for slot in limits:
        for weights in (w for w in limits if 4 * w <= machine.spm_bytes):
            for acc in (machine.acc_bytes // 4, machine.acc_bytes // 8, machine.acc_bytes // 12):
                chosen = [_pick(o, slot, weights, acc) for o in options]
                picked = [o for o in chosen if o is not None]
                if len(picked) < len(chosen):
                    continue
                spm, accumulators = needs(machine, [o.footprint for o in picked])
                if spm > machine.spm_bytes or accumulators > machine.acc_bytes:
                    continue
                time = sum(o.picoseconds for o in picked)
                if best is None or (time, spm) < (best.picoseconds, best.spm_bytes):
                    labels = (kernel.label for kernel in kernels)
                    tiles = dict(zip(labels, (o.tile for o in picked), strict=True))
                    best = Plan(tiles, spm, accumulators, time)
    if best is None:
        _refuse(machine, kernels, options)
    assert best is not None
    return best
