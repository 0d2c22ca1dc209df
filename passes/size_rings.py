"""streamed → streamed: rings grow into the scratchpad that is left, `1 slots of 640` → `12 slots of
640`.

First every ring gets its high-water mark, with which the program runs; then rings of weights and of
keys and values a few slots, and all twice their mark, so that engines overlap; accumulators as many
as products are made during a fill; then weights, keys and values as many as a latency of the main
memory takes, and what is left by their parts of what a launch loads. Rings of whole results grow
last. No ring gets more slots than a launch fills. More slots never change what a program computes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

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

LATENCIES = 1
"""Latencies of main memory that rings run ahead at least: at times all bytes are those of one."""
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

    def overlap(self, names: Collection[str]) -> None:
        """A few slots for the rings that run ahead, before any other ring grows."""
        for channel in self.channels:
            if channel.channel_name in names:
                slots = self.useful(channel, 2 * SPARE_SLOTS)
                self.spaces[ring_space(channel)].grow(channel, max(slots, channel.slots.data))

    def run_ahead(self, classes: Mapping[str, int], nbytes: int) -> None:
        """Rings that run ahead take turns to grow up to a number of bytes, which rings of a class
        share, and the spare slots."""
        rings = [c for c in self.channels if c.channel_name in classes]
        wanted = {
            c.channel_name: ceil_div(int(nbytes * self._share(c, classes)), _slot_bytes(c))
            for c in rings
        }
        growing = list(rings)
        while growing:
            for channel in list(growing):
                if not self._longer(channel, wanted[channel.channel_name] + SPARE_SLOTS):
                    growing.remove(channel)

    def share_out(self, names: Collection[str]) -> None:
        """Rings that run ahead grow by what a launch loads through each, until nothing is left."""
        growing = [c for c in self.channels if c.channel_name in names]
        while growing:
            channel = min(growing, key=self._part)
            if not self._longer(channel, channel.slots.data + 1):
                growing.remove(channel)

    def _part(self, channel: ChannelOp) -> Fraction:
        """How much of what a launch loads through a ring it holds."""
        return Fraction(channel.slots.data, self.most[channel.channel_name] or 1)

    def _share(self, channel: ChannelOp, classes: Mapping[str, int]) -> Fraction:
        """Of the bytes that rings of a class load, those of one."""
        name = channel.channel_name
        rings = [c for c in self.channels if classes.get(c.channel_name) == classes[name]]
        if not all(self.most[c.channel_name] for c in rings):
            return Fraction(1)
        loaded = {c.channel_name: _slot_bytes(c) * (self.most[c.channel_name] or 0) for c in rings}
        return Fraction(loaded[name], sum(loaded.values()))

    def _longer(self, channel: ChannelOp, wanted: int) -> bool:
        """Give a ring one more slot, up to `wanted`; whether it got one."""
        if channel.slots.data >= self.useful(channel, wanted):
            return False
        return self.spaces[ring_space(channel)].grow(channel, channel.slots.data + 1)


def rings_ahead(module: ModuleOp) -> dict[str, int]:
    """Rings that loads of packed weights and of state fill, which nothing of the step holds up, and
    the class of these loads."""
    classes = {g.sym_name.data: load_class(g) for g in module.ops if isinstance(g, GlobalOp)}
    found: dict[str, int] = {}
    for load in module.walk():
        if isinstance(load, LoadOp) and classes[load.global_name] in (WEIGHTS, STATE):
            slot = root(load.slot).owner
            if isinstance(slot, AcquireOp):
                found[slot.channel_name] = classes[load.global_name]
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
    """Bytes that rings of weights, and those of keys and values, may hold beside 2 slots each; 0:
    all that is left."""

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
        ahead = rings_ahead(op)
        sizes.overlap(ahead)
        whole = rings_of_kernels(op)
        sizes.double({c.channel_name for c in channels} - whole)
        sizes.accumulate(machine)
        latency = LATENCIES * transfer_bytes(machine, machine.hbm_latency_ps)
        sizes.run_ahead(ahead, self.weight_ring_bytes or latency)
        if not self.weight_ring_bytes:
            sizes.share_out(ahead)
        sizes.double(whole)
