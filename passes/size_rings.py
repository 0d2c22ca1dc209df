"""streamed → streamed: rings grow into the scratchpad that is left, `1 slots of 640` → `12 slots of
640`.

First every ring gets its high-water mark, with which the program runs; then rings of weights and of
keys and values a few slots, and all twice their mark, so that engines overlap; accumulators as many
as products are made during a fill; then weights, keys and values run ahead by some latencies of the
main memory, before rings of whole results get twice their mark. No ring gets more slots than a
launch fills. More slots never change what a program computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import scf
from xdsl.dialects.builtin import IntAttr, ModuleOp
from xdsl.passes import ModulePass

from ..backend.machine import Machine, load_machine
from ..backend.timing import ceil_div, transfer_bytes
from ..dialects.stream import AcquireOp, ChannelOp
from ..dialects.tg import GlobalOp
from ..dialects.tile import LoadOp, root
from .allocate import globals_in
from .assign_engines import STATE, WEIGHTS, load_class
from .fills import fills
from .memory import channels_of, residents, ring_space
from .placement import align, place
from .verify_streams import verify_streams

LATENCIES = 8
"""Latencies of main memory that rings run ahead: a kernel's last product to the next one's first
takes a few, in which the bytes behind it come in."""
WEIGHT_LATENCIES = 2 * LATENCIES
"""The same for weights where room is left: attention of short sequences has few bytes itself."""
SPARE_SLOTS = 2
"""Slots of a weight ring beyond bandwidth x latency: one being filled, one being read."""


def _slot_bytes(channel: ChannelOp) -> int:
    assert channel.slot_bytes is not None, "the rings that grow have slots"
    return channel.slot_bytes.data


@dataclass
class _Space:
    """One memory while rings grow in it."""

    left: int

    def grow(self, channel: ChannelOp, slots: int) -> bool:
        """Give a ring `slots` slots if they fit."""
        more = (slots - channel.slots.data) * _slot_bytes(channel)
        if more > self.left:
            return False
        self.left -= more
        channel.slots = IntAttr(slots)
        return True


@dataclass
class _Sizes:
    """The rings of a module, the most slots of each channel, and what is left of each memory."""

    channels: list[ChannelOp]
    most: dict[str, int | None]
    spaces: dict[str, _Space] = field(default_factory=dict[str, _Space])

    def useful(self, channel: ChannelOp, slots: int) -> int:
        """`slots`, or as many as one launch fills, if that is less."""
        most = self.most[channel.channel_name]
        return slots if most is None else max(min(slots, most), channel.slots.data)

    def double(self, names: set[str]) -> None:
        """Twice the mark for some rings, filled by load queues first, small ones first."""

        def order(channel: ChannelOp) -> tuple[bool, int]:
            return channel.producer.kind != "ld", channel.slots.data * _slot_bytes(channel)

        for channel in sorted((c for c in self.channels if c.channel_name in names), key=order):
            slots = self.useful(channel, 2 * channel.slots.data)
            self.spaces[ring_space(channel)].grow(channel, slots)

    def accumulate(self, machine: Machine) -> None:
        """Rings of accumulators, small ones first: as many products as are made during a fill."""
        least = ceil_div(machine.array_rows, machine.weight_rows)
        wanted = SPARE_SLOTS + ceil_div(machine.matrix_fill, least)
        for channel in sorted(self.channels, key=_slot_bytes):
            while ring_space(channel) == "acc" and channel.slots.data < wanted:
                if not self.spaces["acc"].grow(channel, channel.slots.data + 1):
                    break

    def overlap(self, names: set[str]) -> None:
        """A few slots for the rings that run ahead, before any other ring grows."""
        for channel in self.channels:
            if channel.channel_name in names:
                slots = self.useful(channel, 2 * SPARE_SLOTS)
                self.spaces[ring_space(channel)].grow(channel, max(slots, channel.slots.data))

    def run_ahead(self, names: set[str], nbytes: int) -> None:
        """Rings that run ahead take turns to grow up to a number of bytes and the spare slots."""
        rings = [c for c in self.channels if c.channel_name in names]
        while rings:
            for channel in list(rings):
                wanted = ceil_div(nbytes, _slot_bytes(channel)) + SPARE_SLOTS
                wanted = self.useful(channel, wanted)
                if channel.slots.data >= wanted or not self.spaces[ring_space(channel)].grow(
                    channel, channel.slots.data + 1
                ):
                    rings.remove(channel)


def rings_ahead(module: ModuleOp, kinds: Sequence[int]) -> set[str]:
    """Rings that loads of packed weights or of state fill: nothing of the step decides when."""
    classes = {g.sym_name.data: load_class(g) for g in module.ops if isinstance(g, GlobalOp)}
    found: set[str] = set()
    for load in module.walk():
        if isinstance(load, LoadOp) and classes[load.global_name] in kinds:
            slot = root(load.slot).owner
            if isinstance(slot, AcquireOp):
                found.add(slot.channel_name)
    return found


def rings_of_kernels(module: ModuleOp) -> set[str]:
    """Rings of the vector unit that a kernel fills once, outside of its loops: whole results, which
    their readers take in the order of the kernels."""
    inside, outside = set[str](), set[str]()
    for acquire in module.walk():
        if isinstance(acquire, AcquireOp) and acquire.engine.kind == "vpu":
            loops, at = 0, acquire.parent_op()
            while at is not None:
                loops += isinstance(at, scf.ForOp)
                at = at.parent_op()
            (inside if loops > 1 else outside).add(acquire.channel_name)
    return outside - inside


@dataclass(frozen=True)
class SizeRingsPass(ModulePass):
    """Choose the number of slots of every channel."""

    name = "size-rings"

    machine: str = "tw-small"
    """Machine whose scratchpad is filled: a name, or the path of a description."""

    weight_ring_bytes: int = 0
    """Bytes that a ring of weights or of keys and values may hold, beside 2 slots; 0: what main
    memory delivers in 8 latencies."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = load_machine(self.machine)
        channels = channels_of(op)
        marks = verify_streams(op, check_room=False)
        for channel in channels:
            mark = marks[channel.channel_name]
            slots = mark if channel.kind.data == "slot" else 2 * mark
            channel.slots = IntAttr(slots)
            if channel.slot_bytes is not None:
                channel.slot_bytes = IntAttr(align(channel.slot_bytes.data, machine.alignment))
        sizes = _Sizes([c for c in channels if c.kind.data == "slot"], fills(op))
        for space, capacity in (("spm", machine.spm_bytes), ("acc", machine.acc_bytes)):
            lives = [r.life for r in residents(op) if r.space == space]
            used = place(lives, machine.alignment)[1] + globals_in(op, space, machine)
            sizes.spaces[space] = _Space(capacity - used)
        ahead = rings_ahead(op, (WEIGHTS, STATE))
        sizes.overlap(ahead)
        whole = rings_of_kernels(op)
        sizes.double({c.channel_name for c in channels} - whole)
        sizes.accumulate(machine)
        latency = transfer_bytes(machine, machine.hbm_latency_ps)
        sizes.run_ahead(ahead, self.weight_ring_bytes or LATENCIES * latency)
        weights = rings_ahead(op, (WEIGHTS,))
        sizes.run_ahead(weights, self.weight_ring_bytes or WEIGHT_LATENCIES * latency)
        sizes.double(whole)
