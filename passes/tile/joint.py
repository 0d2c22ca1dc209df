"""What wide sums save: passes over rows that all panels of a matmul leave in one slot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from xdsl.dialects.builtin import LocationAttr

from .heads import Heads
from .kernels import Description
from .linear_kernel import Linear
from .residency import Home, Rooms
from .rows import Embedding
from .tiles import Tile


@dataclass(frozen=True)
class Named:
    """A kernel with its label and how often a step runs it."""

    label: str
    kernel: Description
    repeats: int
    location: LocationAttr


@dataclass(frozen=True)
class Joint:
    """Regions on chip that could be made in one pass, and what that saves."""

    squared: frozenset[str]
    """A norm reads the rows: whatever makes them can leave the sum of their squares, too."""
    in_sums: frozenset[str]
    """A head-wise kernel alone reads them, as the product left them: it can read the sums."""

    @property
    def regions(self) -> frozenset[str]:
        """All of them."""
        return self.squared | self.in_sums

    @staticmethod
    def of(kernels: Sequence[Named], rooms: Rooms) -> Joint:
        """Regions that stay with the vector unit, made by kernels that can do so."""
        squared = {
            one.kernel.source
            for one in kernels
            if isinstance(one.kernel, Linear) and one.kernel.norm and one.kernel.index is None
        }
        in_sums: set[str] = set()
        for named in kernels:
            match named.kernel:
                case Heads() as heads if heads.on_chip(rooms):
                    in_sums |= {part.source for part in heads.parts}
                case _:
                    pass
        for named in kernels:
            match named.kernel:
                case Linear() as linear:
                    if not linear.squared:
                        squared.discard(linear.output)
                    if linear.steps:
                        in_sums.discard(linear.output)
                    in_sums.discard(linear.source)
                    in_sums -= {step.name for step in linear.steps if step.kind == "tensor"}
                case Embedding() as embedding:
                    in_sums.discard(embedding.output)
                case Heads() as heads:
                    if not heads.on_chip(rooms):
                        in_sums -= {part.source for part in heads.parts}
                    squared -= {part.output for part in heads.parts if part.output is not None}
                case other:
                    squared.discard(other.output)
        inside = {name for name, home in rooms.homes.items() if home is Home.VECTOR}
        return Joint(frozenset(squared & inside), frozenset(in_sums & inside))

    def settle(self, rooms: Rooms, kernels: Sequence[Named], tiles: Sequence[Tile]) -> None:
        """Keep the regions for which the tiles have sums wide enough."""
        narrow = {
            one.kernel.output
            for one, tile in zip(kernels, tiles, strict=True)
            if isinstance(one.kernel, Linear) and tile.panels < one.kernel.packing.panels
        }
        rooms.squared |= self.squared - narrow
        rooms.in_sums |= self.in_sums - narrow
        rooms.pieces.update(_pieces(rooms, kernels, tiles))


MOST_PIECES = 4
"""Slots of a result, written out one by one: most of what the next matmul does then needs not wait
for the last of them."""


def _pieces(
    rooms: Rooms, kernels: Sequence[Named], tiles: Sequence[Tile]
) -> Iterator[tuple[str, int]]:
    """Regions that one matmul hands to the next in pieces, where that takes no more room."""
    handed = {name for name, home in rooms.homes.items() if home is Home.MATRIX}
    for named, tile in zip(kernels, tiles, strict=True):
        match named.kernel:
            case Linear(output=name) as linear if name in handed:
                packing = linear.packing
                full = packing.n // packing.panel
                readers = [k.kernel for k in kernels if getattr(k.kernel, "source", "") == name]
                slots = {n: rooms.shape(n)[0] * rooms.row_bytes(n) for n in handed}
                whole = slots.pop(name)
                others = max(slots.values(), default=0)
                for pieces in range(MOST_PIECES, 1, -1):
                    even = full and packing.n % packing.panel == 0
                    even = even and full // tile.panels % pieces == 0
                    room = pieces * max(whole // pieces, others) <= 2 * whole
                    if even and room and all(_takes(r, pieces) for r in readers):
                        yield name, pieces
                        break
            case _:
                pass


def _takes(reader: Description, pieces: int) -> bool:
    """Whether a kernel can multiply whole blocks of K of each of some pieces."""
    if not isinstance(reader, Linear) or reader.index is not None:
        return False
    packing = reader.packing
    return packing.k == packing.blocks * packing.spec.block and packing.blocks % pieces == 0
