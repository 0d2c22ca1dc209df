"""`prove`: what can be shown of a compiled program without running it, rule by rule.

proof = prove(image.entries["decode"], machine, image.opcodes)
for line in proof.lines(): print(line)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...backend.isa import DEFAULT_OPCODES, Program
from ...backend.machine import Machine
from ..functional import launch_words, load
from .addresses import check_addresses
from .errors import ProofError
from .launches import Corner, corners
from .streams import Loop, stream_of, symbols_of
from .walk import Walk
from .weave import weave

QUICK = 20_000
"""Instructions of a launch that are followed where a proof is made by the way: about a second."""
LONG = 200_000
"""The same where a proof is what was asked for."""


@dataclass(frozen=True)
class Proof:
    """What was proven of one program."""

    marks: dict[str, int]
    """Channel -> most slots in use at once in one run through all streams."""
    loops: int
    """Loops over channels, all engines together."""
    corners: tuple[str, ...]
    """Launches that were walked."""
    walked: int
    """Instructions walked, all launches together."""
    followed: tuple[str, ...] = ()
    """Launches of which it was followed what slots and buffers hold."""
    notes: tuple[str, ...] = ()
    """What is safe and looks wrong: bytes that are written and never read, clears that are read."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"rules": self.lines()}

    def lines(self) -> list[str]:
        """Each rule, how it was proven, and for which launches."""
        launches = f"for {len(self.corners)} launches: {'; '.join(self.corners)}"
        return [
            f"C1 C3: {len(self.marks)} channels, one producer and the consumers declared; every "
            "step is of its engine: for every launch",
            f"C2: {self.loops} loops leave every channel as they found it, and one run that "
            "enters each once comes to the end at the real ring sizes: for every launch",
            "C4: registers written before they are read, operands name slots that are held, slots "
            "ended while held: for every launch",
            f"C4, bytes inside slot or region: {launches}",
            f"C4, bytes written before they are read, and read: {self._followed()}",
            "C5: trip counts come from constants, launch parameters and popped words, and are the "
            "same on all engines of a loop: for every launch",
            f"C6: accesses to shared bytes ordered by commit and wait: {launches}",
            "addresses: rings and regions inside their memory, aligned, apart: for every launch",
            "C7: each engine runs its own stream; no instruction names another: for every launch",
        ]

    def _followed(self) -> str:
        """The launches, or why there are none."""
        if not self.followed:
            return "not proven, the launches are too long"
        return f"for {len(self.followed)} launches: {'; '.join(self.followed)}"


def prove(
    program: Program,
    machine: Machine,
    opcodes: Mapping[str, int] = DEFAULT_OPCODES,
    launches: Sequence[Corner] | None = None,
    follow: int = QUICK,
) -> Proof:
    """Prove C1 to C7 of a program. `launches`: those to walk; the corners by default, none: [].

    Of launches with at most `follow` instructions, each layer counted or three of them, it is
    followed what slots and buffers hold (`contents`).

    Raises ProofError at the first rule that is broken, Fault or EncodingError for words that the
    machine does not take at all.
    """
    loaded = load(program, machine, opcodes)
    check_addresses(program, machine)
    symbols = symbols_of(program)
    streams = tuple(stream_of(loaded, engine, symbols) for engine in range(len(loaded.engines)))
    marks = weave(loaded, streams, symbols)
    walked = 0
    names: list[str] = []
    followed: list[str] = []
    notes: dict[str, None] = {}
    for corner in corners(program) if launches is None else launches:
        words = [int(word) for word in launch_words(program, corner.parameters)]
        try:
            walk = Walk(loaded, words)
            walked += walk.run()
            every = next((n for n, size in enumerate(walk.sizes) if size <= follow), None)
            if every is not None:
                walk = Walk(loaded, words, every)
                walked += walk.run()
        except ProofError as error:
            raise error.on(corner.name) from None
        names.append(corner.name)
        if walk.contents:
            followed.append(corner.name)
            notes |= walk.contents.notes
    loops = sum(map(_loops, streams))
    return Proof(marks, loops, tuple(names), walked, tuple(followed), tuple(notes))


def _loops(items: Sequence[object]) -> int:
    return sum(1 + _loops(item.body) for item in items if isinstance(item, Loop))
