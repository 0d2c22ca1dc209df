"""The tiling search: shapes and machine in, a tile for every kernel out. It sees no IR.

All kernels share the scratchpad through rings named by role, so a plan is judged whole: the
largest slot of each ring, times its least number of slots, plus the largest local part. Candidates
share three limits: one for the weights' slots, one for all other slots, one for accumulators; each
kernel takes the fastest tile within them. The limits to try are the sizes that slots have; they do
not depend on the machine's memories, so that a larger one is never predicted to be slower.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ...backend.errors import TilewrightError
from ...backend.machine import Machine
from ..placement import align
from .shapes import AttentionShape, Footprint, Kernel
from .tiles import Tile

LEAST_SLOTS = {"weights": 4, "kv": 4, "sums": 2, "handed": 2, "fresh": 2}
"""Rings that must overlap from the start, or hold two slots; all others may begin with one."""
RESIDENT = ("weights", "kv", "vector")
"""Rings of what units read in place where there is no main memory."""
GRAINS = 400
"""Times of a kernel's tiles are equal where they differ by less than this part of the fastest."""

NEVER = 1 << 62
"""Picoseconds of what is not to be chosen."""
ROOM = 2
"""A KV block is chosen for other entries' sake only where attention takes no more than this part of
each memory: else other kernels need smaller tiles, or rings run less far ahead."""


class DoesNotFitError(TilewrightError):
    """No plan fits the machine; `wanted` are the bytes of the memory that is too small.

    Scratchpad is too small for plans whose sums fit; `accumulators`: there are none.
    """

    def __init__(self, text: str, wanted: int, accumulators: bool = False) -> None:
        super().__init__(text)
        self.wanted = wanted
        self.accumulators = accumulators

    @property
    def order(self) -> tuple[bool, int]:
        """Of several refusals the least is what it takes: one whose sums fit, then fewest bytes."""
        return self.accumulators, self.wanted


@dataclass(frozen=True)
class Plan:
    """A tile for each kernel, in their order, and what the whole program then needs and takes."""

    tiles: Sequence[Tile]
    spm_bytes: int
    acc_bytes: int
    picoseconds: int
    rank: int
    """The time without what is too little to matter."""
    later: int
    """The same of entries that take over the KV block."""


@dataclass(frozen=True)
class _Option:
    tile: Tile
    footprint: Footprint
    picoseconds: int
    rank: int
    later: int
    """Both as a plan's. Of options equal in both the one with smaller slots wins."""
    slots: tuple[int, int, int]
    """Bytes of the largest slot of weights, and of another ring in the scratchpad; of the largest
    ring in accumulators."""

    @property
    def bytes(self) -> int:
        """Scratchpad that the kernel alone needs, a slot a ring."""
        return sum(self.footprint.spm.values()) + self.footprint.local

    def within(self, limits: tuple[int, int, int]) -> bool:
        """Whether each slot is within its limit."""
        mine = self.slots
        return mine[0] <= limits[0] and mine[1] <= limits[1] and mine[2] <= limits[2]


def aligned(machine: Machine, nbytes: int) -> int:
    """`nbytes` rounded up to the machine's alignment, as `allocate` does it."""
    return align(nbytes, machine.alignment)


def needs(machine: Machine, footprints: Sequence[Footprint], held: int = 0) -> tuple[int, int]:
    """Bytes of scratchpad and of accumulators that kernels with these footprints need together.

    `held` are bytes that stay in the scratchpad over all of them.
    """
    spm: dict[str, int] = {}
    acc: dict[str, int] = {}
    slots = dict(LEAST_SLOTS)
    for footprint in footprints:
        for total, part in ((spm, footprint.spm), (acc, footprint.acc)):
            for ring, nbytes in part.items():
                total[ring] = max(total.get(ring, 0), nbytes)
        for ring, count in footprint.slots.items():
            slots[ring] = max(slots.get(ring, 1), count)
    longer: dict[str, int] = {}
    for footprint in footprints:
        for name, nbytes in footprint.longer.items():
            longer[name] = max(longer.get(name, 0), aligned(machine, nbytes))
    held += sum(longer.values())
    local = max((aligned(machine, f.local) for f in footprints), default=0)

    def rings(total: Mapping[str, int]) -> int:
        return sum(slots.get(ring, 1) * aligned(machine, nbytes) for ring, nbytes in total.items())

    # Local buffers are many and small: each may lose up to one alignment at its end.
    return held + rings(spm) + local + 12 * machine.alignment, rings(acc)


def _rings_of_sums(footprint: Footprint) -> list[int]:
    """Bytes of each ring in accumulators."""
    return [nbytes * footprint.slots.get(ring, 1) for ring, nbytes in footprint.acc.items()]


def _option(tile: Tile, footprint: Footprint, picoseconds: int, rank: int, later: int) -> _Option:
    others = (nbytes for ring, nbytes in footprint.spm.items() if ring != "weights")
    slots = (
        footprint.spm.get("weights", 0),
        max(others, default=0),
        max(_rings_of_sums(footprint), default=0),
    )
    return _Option(tile, footprint, picoseconds, rank, later, slots)


def _footprint(machine: Machine, kernel: Kernel, tile: Tile) -> Footprint:
    """What a kernel needs, without the rings that a machine without main memory does not have."""
    found = kernel.footprint(tile)
    if machine.has_hbm:
        return found
    rings = {ring: nbytes for ring, nbytes in found.spm.items() if ring not in RESIDENT}
    return replace(found, spm=rings)


def _options(machine: Machine, kernel: Kernel) -> list[_Option]:
    """Every tile, fastest first, then by scratchpad."""
    tiles = list(kernel.tiles())
    times = [kernel.picoseconds(machine, tile) for tile in tiles]
    ranks = zip(_coarse(times), _coarse(_later(machine, kernel, tiles)), strict=True)
    every = [
        _option(tile, _footprint(machine, kernel, tile), time, *rank)
        for tile, time, rank in zip(tiles, times, ranks, strict=True)
    ]

    def order(option: _Option) -> tuple[int, int, int, int]:
        # A deep tile of weights that are read in place takes no room, and fewer instructions.
        deep = 0 if machine.has_hbm else -option.tile.depth
        return option.rank, option.later, sum(option.footprint.spm.values()), deep

    return sorted(every, key=order)


def _coarse(times: Sequence[int]) -> list[int]:
    """Times without what is too little to matter."""
    fastest = min(times)
    grain = max(fastest // GRAINS, 1)
    return [time - (time - fastest) % grain for time in times]


def _later(machine: Machine, kernel: Kernel, tiles: Sequence[Tile]) -> list[int]:
    """By tile: the least time of entries that take over its KV block, all rows of theirs at once.

    A block that leaves them too little room counts as the fastest that does not: it is neither
    chosen nor dropped for their sake. A tile that leaves too little room here is NEVER chosen.
    """
    if not isinstance(kernel, AttentionShape) or not kernel.later_rows:
        return [0] * len(tiles)
    found: dict[int, int] = {}
    for depth in {tile.depth for tile in tiles}:
        shape = kernel.later(depth)
        whole = (tile for tile in shape.tiles() if tile.rows >= kernel.later_rows)
        fitting = (t for t in whole if _leaves_room(machine, _footprint(machine, shape, t)))
        times = [shape.picoseconds(machine, tile) for tile in fitting]
        if times:
            found[depth] = min(times)
    fastest = min(found.values(), default=0)
    room = (_leaves_room(machine, _footprint(machine, kernel, tile)) for tile in tiles)
    return [
        found.get(tile.depth, fastest) if enough else NEVER
        for tile, enough in zip(tiles, room, strict=True)
    ]


def _leaves_room(machine: Machine, footprint: Footprint) -> bool:
    spm, acc = needs(machine, [footprint])
    return ROOM * spm <= machine.spm_bytes and ROOM * acc <= machine.acc_bytes


def _worthwhile(options: Sequence[_Option]) -> list[_Option]:
    """Those that are the first within some limits, in their order."""
    kept: list[_Option] = []
    for option in options:
        if not any(faster.within(option.slots) for faster in kept):
            kept.append(option)
    return kept


def _candidates(options: Sequence[Sequence[_Option]]) -> Iterator[Sequence[_Option]]:
    """Each distinct choice that some limits lead to, and the smallest tiles."""
    yield _smallest(options)
    kernels = [_worthwhile(of_kernel) for of_kernel in options]
    seen: set[tuple[Tile, ...]] = set()
    for light in _limited(kernels, 0):
        for narrow in _limited(light, 1):
            for low in _limited(narrow, 2):
                picked = [kernel[0] for kernel in low]
                key = tuple(option.tile for option in picked)
                if key not in seen:
                    seen.add(key)
                    yield picked


def _limited(
    kernels: Sequence[Sequence[_Option]], axis: int
) -> Iterator[Sequence[Sequence[_Option]]]:
    """For each size that slots of this axis have: every kernel's options up to it.

    A kernel whose slots are all larger keeps those with the smallest.
    """
    for limit in sorted({o.slots[axis] for kernel in kernels for o in kernel}, reverse=True):
        yield [_up_to(kernel, axis, limit) for kernel in kernels]


def _up_to(kernel: Sequence[_Option], axis: int, limit: int) -> Sequence[_Option]:
    within = [o for o in kernel if o.slots[axis] <= limit]
    if within:
        return within
    least = min(o.slots[axis] for o in kernel)
    return [o for o in kernel if o.slots[axis] == least]


def _smallest(options: Sequence[Sequence[_Option]]) -> Sequence[_Option]:
    return [min(of_kernel, key=lambda o: o.bytes) for of_kernel in options]


def _refuse(
    machine: Machine, kernels: Sequence[Kernel], options: Sequence[Sequence[_Option]], held: int
) -> DoesNotFitError:
    """The error that names the size that would do, and the op that then takes most.

    That is the least scratchpad of the plans whose sums fit; where none do, the least accumulators.
    """

    def key(picked: Sequence[_Option]) -> tuple[bool, int]:
        spm, acc = needs(machine, [option.footprint for option in picked], held)
        return (True, acc) if acc > machine.acc_bytes else (False, spm)

    least = min(_candidates(options), key=key)
    spm, acc = needs(machine, [option.footprint for option in least], held)
    if acc <= machine.acc_bytes and not machine.has_hbm:
        return DoesNotFitError(machine.does_not_fit(spm), spm)
    if acc <= machine.acc_bytes:
        memory, have, want = "scratchpad", machine.spm_bytes, spm
        sizes = [option.bytes for option in least]
    else:
        memory, have, want = "accumulators", machine.acc_bytes, acc
        sizes = [sum(_rings_of_sums(option.footprint)) for option in least]
    worst = max(range(len(kernels)), key=lambda i: sizes[i])
    rows = least[worst].tile.rows
    return DoesNotFitError(
        f"{memory} of machine {machine.name} too small: {have} bytes, and the smallest tiles of "
        f"this program need {want}; `{kernels[worst].label}` needs most ({sizes[worst]} bytes for "
        f"a tile of {rows} row{'s' * (rows > 1)}). Use a machine with at least {want} bytes",
        want,
        acc > machine.acc_bytes,
    )


def search(machine: Machine, kernels: Sequence[Kernel], held: int = 0) -> Plan:
    """The plan with the least predicted time; among equals the one with the KV block that suits
    other entries best, then the one that needs least scratchpad.

    `held` are bytes of the scratchpad that tensors on chip take.

    Raises DoesNotFitError when even the smallest tiles do not fit.
    """
    options = [_options(machine, kernel) for kernel in kernels]
    best: Plan | None = None
    for picked in _candidates(options):
        rank = sum(option.rank for option in picked)
        if best is not None and rank > best.rank:
            continue
        spm, acc = needs(machine, [option.footprint for option in picked], held)
        if spm > machine.spm_bytes or acc > machine.acc_bytes:
            continue
        later = sum(option.later for option in picked)
        if best is None or (rank, later, spm) < (best.rank, best.later, best.spm_bytes):
            time = sum(option.picoseconds for option in picked)
            best = Plan([option.tile for option in picked], spm, acc, time, rank, later)
    if best is None:
        raise _refuse(machine, kernels, options, held)
    return best
