"""Bytes as the tile interpreter sees them: memories with a shadow, and strided places in them.

A `Memory` is a byte array beside a shadow of the same size that says which bytes were written. A
`Place` is what an operand says: a strided box of elements in a memory, possibly of a slot that an
engine holds (`Lease`). Reading a byte that was never written, leaving the memory, or using a slot
after its end is a `Mistake`; the executor adds the operation and its location.
"""

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

# One written byte is 1 in the shadow; an element of n bytes is written when its n bytes are.
_WRITTEN = {1: 0x01, 2: 0x0101, 4: 0x01010101, 8: 0x0101010101010101}
_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}

Array = NDArray[Any]

STORED: dict[str, np.dtype[Any]] = {
    "f32": np.dtype(np.float32),
    "f16": np.dtype(np.uint16),
    "bf16": np.dtype(np.uint16),
    "i32": np.dtype(np.int32),
    "i8": np.dtype(np.int8),
    "u8": np.dtype(np.uint8),
}
"""The numpy type that holds the bits of an element, as `backend.numerics` widens and narrows it."""


class Mistake(Exception):
    """What an operation did wrong, without saying where; never leaves the interpreter."""


class Memory:
    """Bytes and their shadow. A memory without a shadow is read-only and wholly written.

    Args:
        name: what messages call it (`spm`, `@k_cache`, `slots of @w`).
        data: the bytes, uint8[n]; kept, not copied.
        written: whether they count as written from the start.
        read_only: whether a write is a mistake.
    """

    __slots__ = ("data", "name", "read_only", "shadow")

    def __init__(self, name: str, data: Array, *, written: bool, read_only: bool = False) -> None:
        self.name = name
        self.data = data
        self.read_only = read_only
        self.shadow: Array | None = None
        if not read_only:
            self.shadow = np.full(data.size, 1 if written else 0, np.uint8)

    def poison(self, start: int, stop: int) -> None:
        """Forget that the bytes [start, stop) were written."""
        assert self.shadow is not None, f"{self.name} is read-only"
        self.shadow[start:stop] = 0

    def zero(self, start: int, stop: int) -> None:
        """Write zeros over the bytes [start, stop)."""
        assert self.shadow is not None, f"{self.name} is read-only"
        self.data[start:stop] = 0
        self.shadow[start:stop] = 1


@dataclass(slots=True, eq=False)
class Lease:
    """Who holds bytes, and until when: a slot up to its commit or release, a buffer for ever.

    Attributes:
        owner: `@channel` of a slot, the name of a buffer.
        engine: who holds them ("" for a buffer of no engine).
        writable: false for a consumer's slot.
        open: false from commit or release on.
    """

    owner: str
    engine: str
    writable: bool
    open: bool = True


@dataclass(frozen=True, slots=True)
class Packed:
    """Format, order and extent of a packed tile; its place is a box of bytes.

    Attributes:
        format: row of `backend.formats.FORMATS`.
        order: `kn` (place is [K blocks, bytes of a block row]) or `nk` (place is [N, row bytes]).
        rows: K of `kn`, N of `nk`.
        columns: panel width of `kn`, K of `nk`.
    """

    format: str
    order: str
    rows: int
    columns: int


@dataclass(frozen=True, slots=True)
class Place:
    """A strided box of elements: byte offset, shape, byte strides, element type.

    Attributes:
        memory: where the bytes are.
        offset: byte of element (0, 0, ...).
        shape: elements along each axis.
        strides: bytes along each axis; 0 repeats.
        element: `f32`, `f16`, `bf16`, `i32`, `i8` or `u8` (packed tiles).
        packed: what the bytes mean when they are a packed tile.
        lease: the slot they lie in, if any.
    """

    memory: Memory
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    element: str
    packed: Packed | None = None
    lease: Lease | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The numpy type that holds an element's bits."""
        return STORED[self.element]

    @property
    def size(self) -> int:
        """Number of elements."""
        count = 1
        for extent in self.shape:
            count *= extent
        return count

    def span(self) -> tuple[int, int]:
        """First byte and the byte after the last; empty boxes span nothing."""
        if self.size == 0:
            return self.offset, self.offset
        low = high = self.offset
        for extent, stride in zip(self.shape, self.strides, strict=True):
            reach = (extent - 1) * stride
            low, high = low + min(reach, 0), high + max(reach, 0)
        return low, high + self.dtype.itemsize

    def clip(self, *bounds: int | None) -> "Place":
        """The first `bounds[i]` elements of axis i; None, or more than there are, takes all."""
        shape = list(self.shape)
        for axis, bound in enumerate(bounds):
            if bound is None or bound >= shape[axis]:
                continue
            if bound < 0:
                raise Mistake(f"a bound of axis {axis} is {bound}; want at least 0")
            shape[axis] = bound
        return replace(self, shape=tuple(shape)) if tuple(shape) != self.shape else self

    def part(
        self,
        offsets: tuple[int, ...],
        sizes: tuple[int, ...],
        steps: tuple[int, ...] | None = None,
    ) -> "Place":
        """A box inside this one; offsets and sizes in elements, steps between taken elements."""
        steps = steps or (1,) * len(offsets)
        for axis, (at, size, step) in enumerate(zip(offsets, sizes, steps, strict=True)):
            last = at + (size - 1) * step
            inside = (
                0 <= min(at, last) and max(at, last) < self.shape[axis]
                if size > 0
                else size == 0 and 0 <= at <= self.shape[axis]
            )
            if not inside:
                raise Mistake(
                    f"box [{at} : {size} by {step}] leaves axis {axis} of {self.shape[axis]} "
                    f"elements in {self.memory.name}"
                )
        offset = self.offset + sum(o * s for o, s in zip(offsets, self.strides, strict=True))
        strides = tuple(s * step for s, step in zip(self.strides, steps, strict=True))
        return replace(self, offset=offset, shape=sizes, strides=strides)

    def axes(self, kept: tuple[int, ...]) -> "Place":
        """Only these axes, in this order; the others have one element."""
        if len(kept) == len(self.shape):
            return self
        return replace(
            self,
            shape=tuple(self.shape[axis] for axis in kept),
            strides=tuple(self.strides[axis] for axis in kept),
        )

    def _view(self, buffer: Array, dtype: Any) -> Array:
        low, high = self.span()
        if low < 0 or high > buffer.size:
            raise Mistake(f"bytes [{low}, {high}) leave {self.memory.name} of {buffer.size}")
        return np.ndarray(self.shape, dtype, cast(Any, buffer), self.offset, self.strides)

    def read(self) -> Array:
        """The elements, as a view that must not be kept: reading unwritten bytes is a mistake."""
        if self.lease is not None and not self.lease.open:
            raise Mistake(f"reads a slot of {self.lease.owner} after its end")
        shadow = self.memory.shadow
        if shadow is not None and self.size:
            width = self.dtype.itemsize
            seen = self._view(shadow, _UNSIGNED[width])
            if int(seen.min()) != _WRITTEN[width]:
                first = tuple(int(i) for i in np.argwhere(seen != _WRITTEN[width])[0])
                raise Mistake(
                    f"reads element {list(first)} of a {self._words()}, which was never written"
                )
        return self._view(self.memory.data, self.dtype)

    def raw(self) -> Array:
        """The elements without the check of the shadow."""
        return self._view(self.memory.data, self.dtype)

    def write(self, values: Array | float | int) -> None:
        """Store `values`, which have the element's bits already, and mark them written."""
        if self.memory.shadow is None:
            raise Mistake(f"writes {self.memory.name}, which is read-only")
        if self.lease is not None and not self.lease.open:
            raise Mistake(f"writes a slot of {self.lease.owner} after its end")
        if self.lease is not None and not self.lease.writable:
            raise Mistake(f"writes a slot of {self.lease.owner} as a consumer")
        if not self.size:
            return
        self._view(self.memory.data, self.dtype)[...] = values
        width = self.dtype.itemsize
        self._view(self.memory.shadow, _UNSIGNED[width])[...] = _WRITTEN[width]

    def overlaps(self, other: "Place") -> bool:
        """Whether the two share a byte."""
        if self.memory is not other.memory:
            return False
        (low, high), (first, last) = self.span(), other.span()
        if high <= first or last <= low:
            return False
        return bool(np.shares_memory(self.raw(), other.raw()))

    def same(self, other: "Place") -> bool:
        """Whether the two are the same view of the same bytes."""
        return (
            self.memory is other.memory
            and (self.offset, self.shape, self.element)
            == (other.offset, other.shape, other.element)
            and all(
                mine == theirs or extent == 1
                for mine, theirs, extent in zip(
                    self.strides, other.strides, self.shape, strict=True
                )
            )
        )

    def _words(self) -> str:
        extent = "x".join(str(n) for n in self.shape)
        return f"{extent}x{self.element} view of {self.memory.name}"


def contiguous(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Byte strides of a dense array in row-major order."""
    strides: list[int] = []
    step = itemsize
    for extent in reversed(shape):
        strides.append(step)
        step *= extent
    return tuple(reversed(strides))


def empty(count: int) -> Array:
    """`count` bytes."""
    return np.zeros(count, np.uint8)
