"""Who notices a mutant: the proof, the emulator, or the comparison of writes; or why nobody must.

    judge = Judge(program, machine, bench); verdict = judge(mutant)

`equal` is a survivor: its results are those of the program on every launch, and the reason says
what was seen of it. Of a shifted view: no instruction writes anything else than in the program, or
the shifted one does, and what reads it writes what it should.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mutants import Mutant

from tilewright.backend.errors import TilewrightError
from tilewright.backend.isa import Ins, Program
from tilewright.backend.machine import Machine
from tilewright.runtime.functional import Fault, Memories
from tilewright.runtime.functional.differences import Record
from tilewright.runtime.functional.loader import Loaded, load
from tilewright.runtime.functional.parameters import Parameters, launch_words
from tilewright.runtime.proof import Corner, ProofError, prove
from tilewright.runtime.proof.walk import EngineWalk, Walk

ORDERS = ("sequential", "loads-earliest", "stores-latest", "random:1", "random:2", "random:3")
WHOLE = ("shift a ring", "shift a region")
"""Kinds that move a place with all that uses it; others without an instruction change steps."""
FOLLOW = 10**9
"""Every launch is followed, however long."""
STEPS_PROVEN = "C1 to C7 hold again, so that no order changes a value; equal in six orders"
MOVED = "all that uses it moved with it and is apart from all else; equal in six orders"
SAME_BYTES = "the bytes read instead are equal"
SAME_RESULT = "other bytes are read, and the result is the same"
UNREAD = "what is written elsewhere, nobody reads"


@dataclass(frozen=True)
class Verdict:
    """`proof: C2`, `note`, `emulator: bounds`, `comparison` or `equal`."""

    by: str
    said: str
    reason: str = ""
    """Why a survivor is one; empty where it is not known."""


class Bench(Protocol):
    """Gives a program memories with weights, state and inputs; reads what it left."""

    @property
    def launches(self) -> Sequence[Mapping[str, int | Sequence[int]]]: ...

    def add(self, parameters: Parameters) -> None:
        """One more launch."""
        ...

    def every(self) -> Sequence[Parameters]:
        """Each sequence alone, at every length."""
        ...

    def memories(self, program: Program, launch: int) -> Memories: ...

    def results(self, program: Program, memories: Memories) -> bytes: ...

    def in_orders(self, program: Program, orders: Sequence[str]) -> list[bytes | str]: ...


class _Touching(Walk):
    """A walk that notes which instructions touch any bytes."""

    def __init__(self, loaded: Loaded, words: list[int], pcs: set[tuple[str, int]]) -> None:
        super().__init__(loaded, words, 0)
        self.pcs = pcs

    def _access(
        self,
        number: int,
        one: EngineWalk,
        ins: Ins,
        name: str,
        shape: tuple[int, ...],
        writes: bool,
    ) -> None:
        super()._access(number, one, ins, name, shape, writes)
        if 0 not in shape:
            self.pcs.add((self.loaded.engines[number], one.pc))


class Judge:
    """Of the mutants of one program."""

    def __init__(self, program: Program, machine: Machine, bench: Bench) -> None:
        self.program, self.machine, self.bench = program, machine, bench
        self.notes = {*self._prove(program)}
        self.loaded = load(program, machine)
        self._in_order: list[bytes | str] = []
        self._wanted: dict[int, tuple[Record, bytes]] = {}
        self._touching: dict[tuple[str, int], Parameters] = {}

    def __call__(self, mutant: Mutant) -> Verdict:
        """Who notices it first."""
        program = mutant.make()
        try:
            notes = [note for note in self._prove(program) if note not in self.notes]
        except ProofError as error:
            return Verdict(f"proof: {error.rule}", str(error))
        except TilewrightError as error:
            return Verdict("loader", str(error))
        if notes:
            return Verdict("note", "; ".join(notes))
        try:
            return self._compare(mutant, program)
        except Fault as fault:
            return Verdict(f"emulator: {fault.kind}", str(fault))

    def _prove(self, program: Program) -> tuple[str, ...]:
        corners = [Corner(f"launch {i}", {**p}) for i, p in enumerate(self.bench.launches)]
        return prove(program, self.machine, launches=corners, follow=FOLLOW).notes

    def _run(
        self, loaded: Loaded, number: int, wanted: Record | None, near: tuple[str, int] | None
    ) -> tuple[Record, bytes]:
        memories = self.bench.memories(loaded.program, number)
        record = Record(loaded, memories, wanted, near)
        record.launch(launch_words(loaded.program, self.bench.launches[number]))
        return record, self.bench.results(loaded.program, memories)

    def _compare(self, mutant: Mutant, program: Program) -> Verdict:
        if mutant.at is None and self._equal_in_orders(program):
            return Verdict("equal", "", MOVED if mutant.kind in WHOLE else STEPS_PROVEN)
        loaded, found = load(program, self.machine), list[Record]()
        for number in range(len(self.bench.launches)):
            if number not in self._wanted:
                self._wanted[number] = self._run(self.loaded, number, None, None)
            wanted, result = self._wanted[number]
            record, other = self._run(loaded, number, wanted, mutant.at)
            if record.first and (record.differing != {mutant.at} or other != result):
                return Verdict("comparison", record.first.text)
            assert other == result, "other results, though every write is the same"
            found.append(record)
        if mutant.at is None:
            return Verdict("values", "other values in some order, and the same writes in sequence")
        near = [self._run(self.loaded, n, None, mutant.at)[0] for n in range(len(found))]
        if not any(r.reads or mutant.at[1] in r.kept[mutant.at[0]].places for r in near):
            return self._where_it_runs(mutant)
        if any(record.differing for record in found):
            return Verdict("equal", "", UNREAD)
        same = all(one.reads == other.reads for one, other in zip(near, found, strict=True))
        return Verdict("equal", "", SAME_BYTES if same else SAME_RESULT)

    def _equal_in_orders(self, program: Program) -> bool:
        if not self._in_order:
            self._in_order = self.bench.in_orders(self.program, ORDERS)
        return self._in_order == self.bench.in_orders(program, ORDERS)

    def _where_it_runs(self, mutant: Mutant) -> Verdict:
        """Judged again with a launch in which the instruction touches bytes, if there is any."""
        assert mutant.at
        every = self.bench.every()
        if not self._touching:
            for parameters in every:
                pcs: set[tuple[str, int]] = set()
                _Touching(
                    self.loaded, [*map(int, launch_words(self.program, parameters))], pcs
                ).run()
                for at in pcs:
                    self._touching.setdefault(at, parameters)
        if mutant.at in self._touching:
            self.bench.add(self._touching[mutant.at])
            return self(mutant)
        return Verdict("equal", "", f"its instruction touches no byte in {len(every)} launches: "
                       "each sequence alone, at every length")  # fmt: skip
