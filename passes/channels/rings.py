"""Which buffers share a channel: ring names, producers and consumers. An analysis."""

from __future__ import annotations

from dataclasses import dataclass, field

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute

from ...dialects.tile import BufferOp
from ..located import PassError, located
from ..names import Names
from ..touches import Touched, Touches

ENGINE_ORDER = ("ld", "st", "mxu", "vpu")


@dataclass
class Ring:
    """Buffers that share one channel."""

    name: str
    producer: str
    consumers: tuple[str, ...]
    members: list[Touched] = field(default_factory=list[Touched])


def engine_key(engine: str) -> tuple[int, str]:
    """Engines in the machine's order."""
    return ENGINE_ORDER.index(engine.rstrip("0123456789")), engine


def roles(touched: Touched) -> tuple[str, tuple[str, ...]]:
    """Producer and consumers of a buffer that several engines touch. Raises PassError."""
    op = touched.buffer
    if len(touched.writers) != 1:
        what = "nobody writes" if not touched.writers else f"{' and '.join(touched.writers)} write"
        raise PassError(
            f"{located(op)}: {what} this buffer of {', '.join(touched.spans)}; a buffer that "
            "crosses engines has one writer: give each writer its own",
            op,
        )
    (producer,) = touched.writers
    others = sorted(set(touched.spans) - {producer}, key=engine_key)
    for engine in others:
        if touched.spans[engine].first <= touched.spans[producer].last:
            raise PassError(
                f"{located(touched.readers[engine])}: {engine} reads a buffer that {producer} "
                "still touches later or in the same loop "
                f"({located(touched.writers[producer])}); declare the buffer inside the loop, or "
                "copy it",
                touched.readers[engine],
            )
    return producer, tuple(others)


def make_rings(touches: Touches, names: Names) -> list[Ring]:
    """One ring for each ring name, one for each other buffer that crosses engines."""
    rings: dict[str, Ring] = {}
    out: list[Ring] = []
    for touched in touches.buffers:
        if len(touched.spans) < 2:
            continue
        producer, consumers = roles(touched)
        wish = touched.buffer.ring
        ring = rings.get(wish.data) if wish is not None else None
        if ring is None:
            hint = wish.data if wish is not None else touched.buffer.result.name_hint or "slot"
            ring = Ring(names.fresh(hint), producer, consumers)
            out.append(ring)
            if wish is not None:
                rings[wish.data] = ring
        _check_member(ring, touched, producer, consumers)
        ring.members.append(touched)
    return out


def _check_member(ring: Ring, touched: Touched, producer: str, consumers: tuple[str, ...]) -> None:
    for known in ring.members[:1]:
        space = slot_type(known.buffer).memory_space
        if (ring.producer, ring.consumers, space) != (
            producer, consumers, slot_type(touched.buffer).memory_space,
        ):  # fmt: skip
            raise PassError(
                f"{located(touched.buffer)}: a slot from {producer} to {list(consumers)} does "
                f"not go with ring {ring.name!r}, from {ring.producer} to {list(ring.consumers)} "
                f"({located(known.buffer)}); give it another ring",
                touched.buffer,
            )


def slot_type(buffer: BufferOp) -> MemRefType[Attribute]:
    """The type of the slots that a buffer becomes."""
    return buffer.result.type
