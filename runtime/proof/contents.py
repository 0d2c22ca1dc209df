"""What slots and regions hold on a walk: bytes are written before they are read, and read at all.

- Of a slot only bytes are read that were written since its acquire, of a buffer those that were
  written in this launch. The emulator faults for others, but in accumulators, which acquire clears:
  there it is a note.
- What is written is read before it is written again, released or forgotten: else a note. A program
  that throws away what it computes is safe, and mostly has a wrong address. A result that nothing
  reads at all is none where it goes to a buffer: many instructions have one that is not wanted.

`walk` may skip trips of outermost loops. A slot that is held across one counts as written and read
by the trips that were skipped; nothing is refused, and regions are not followed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ...backend.isa import BY_MNEMONIC, CHANNEL, Ins
from ..functional import UNINITIALISED_FAULT, FaultPoint, Loaded
from .byte_map import ByteMap
from .clocks import Runs
from .errors import as_fault, location_of

FOLLOWED_ROLES = ("scratch", "output", "local")
"""Roles of regions whose bytes count as never written when a launch begins."""
PICKED = {"gather": "src", "scatter": "dst"}
"""Operands of which rows are picked by number: any may be touched."""
Place = tuple[bool, int, int]
"""Whether a channel, its number or the region's, running number of the slot."""


@dataclass
class _Place:
    """One slot between its acquire and its last release, or a region."""

    name: str
    cleared: bool
    """Whether bytes that nothing has written are zeros."""
    slot: bool
    written: ByteMap = field(default_factory=ByteMap)
    unread: ByteMap = field(default_factory=ByteMap)
    """By the number of the write."""
    all_writes: bool = True
    all_reads: bool = True
    """Whether no trip was skipped that may have written, or read."""


class Contents:
    """Follows the bytes of slots, of buffers and of scratch regions."""

    def __init__(self, loaded: Loaded, whole: bool) -> None:
        """`whole`: no trip of any loop is skipped."""
        self.loaded, self.whole = loaded, whole
        self.notes: dict[str, None] = {}
        """What is safe and looks wrong, in the order in which it was found."""
        self._writes: list[tuple[int, int]] = []
        """Engine and instruction of each write."""
        self._wanted: set[int] = set()
        """Writes of which some byte was read."""
        self._places: dict[Place, _Place] = {}
        for number, region in enumerate(loaded.program.regions):
            if whole and region.role in FOLLOWED_ROLES:
                name = f"region '{region.name}'"
                self._places[False, number, 0] = _Place(name, region.memory == "acc", False)

    def acquired(self, channel: int, slot: int) -> None:
        """A slot was acquired: nothing is in it."""
        one = self.loaded.program.channels[channel]
        if one.slot_bytes:
            name = f"a slot of channel '{one.name}'"
            self._places[True, channel, slot] = _Place(name, one.space == "acc", True)

    def skipped(self, channel: int, slots: range, producer: bool) -> None:
        """An engine skips trips while it holds these slots."""
        for slot in slots:
            place = self._places.get((True, channel, slot))
            if place and producer:
                place.all_writes = False
            elif place:
                place.all_reads = False

    def released(self, channel: int, slot: int) -> None:
        """The last consumer has released a slot."""
        place = self._places.pop((True, channel, slot), None)
        if place:
            self._unread(place, [*place.unread.all()], "its release")

    def ended(self) -> None:
        """The launch is over; the host reads outputs."""
        for (slot, number, _), place in self._places.items():
            if not slot and self.loaded.program.regions[number].role != "output":
                self._unread(place, [*place.unread.all()], "the launch ends")

    def touched(
        self, engine: int, pc: int, ins: Ins, name: str, slot: int, runs: Runs, writes: bool
    ) -> None:
        """An instruction reads or writes runs of an operand, in the slot with this number.

        Raises ProofError for bytes that nothing has written.
        """
        operand = ins.operands[name]
        place = self._places.get((operand.kind == CHANNEL, operand.id, slot))
        if place is None:
            return
        if writes:
            picked = PICKED.get(ins.mnemonic) == name
            self._write(place, engine, pc, runs, picked)
            return
        if PICKED.get(ins.mnemonic) != name and not (ins.mnemonic == "mm" and name == "acc"):
            self._check_written(place, engine, pc, ins.mnemonic, name, runs)
        if not place.slot:
            self._wanted.update(write for _, _, write in place.unread.inside(runs))
        place.unread.drop(runs)

    def popped(self, channel: int, slot: int, offset: int) -> None:
        """A word is popped from a slot."""
        place = self._places.get((True, channel, slot))
        if place:
            place.unread.drop([(offset, offset + 4)])

    def _write(self, place: _Place, engine: int, pc: int, runs: Runs, picked: bool) -> None:
        place.written.put(runs)
        if picked:
            return
        lost = [*place.unread.inside(runs)]
        if lost:
            self._unread(place, lost, f"{self._at(engine, pc)} writes them again")
        place.unread.put(runs, len(self._writes))
        self._writes.append((engine, pc))

    def _check_written(
        self, place: _Place, engine: int, pc: int, mnemonic: str, name: str, runs: Runs
    ) -> None:
        missing = place.written.missing(runs) if place.all_writes else -1
        if missing < 0:
            return
        if self.whole and not place.cleared:
            index = [spec.name for spec in BY_MNEMONIC[mnemonic].operands].index(name)
            point = FaultPoint(UNINITIALISED_FAULT, engine, pc, index, x=missing)
            raise as_fault("C4", self.loaded, point)
        self._note(
            f"{self._at(engine, pc)}: {mnemonic} {name} reads byte {missing} of {place.name}, "
            f"which nothing has written{' since it was cleared' if place.cleared else ''}"
        )

    def _unread(self, place: _Place, runs: list[tuple[int, int, int]], before: str) -> None:
        """Notes for bytes that were written in vain."""
        if not (place.all_reads and place.all_writes):
            return
        for first, end, write in runs:
            if place.slot or write in self._wanted:
                engine, pc = self._writes[write]
                self._note(
                    f"{self._at(engine, pc)} writes bytes {first}..{end} of {place.name}, which "
                    f"nothing reads before {before}"
                )

    def _note(self, text: str) -> None:
        self.notes[text] = None

    def _at(self, engine: int, pc: int) -> str:
        place = location_of(self.loaded, engine, pc)
        return f"{self.loaded.engines[engine]} instruction {pc}{f', {place}' if place else ''}"
