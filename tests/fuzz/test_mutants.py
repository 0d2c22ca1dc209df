"""Mutants of compiled streams: each is named, or a survivor that changes nothing, and why.

    TILEWRIGHT_MUTANTS=1 pytest -s tests/fuzz/test_mutants.py     # all: a quarter of an hour
    TILEWRIGHT_MUTANTS=1 pytest -s tests/fuzz/test_mutants.py -k attention

The variable says which: 1 is every one, 5 every fifth, from a first that TILEWRIGHT_FUZZ_SEED
picks; without it, a few of each program.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from graphs import attention
from long_runs import SEED
from models import Tiny, write_huggingface
from mutants import Mutant, mutants
from numpy.typing import NDArray
from verdicts import Judge, Verdict
from xdsl.dialects.builtin import ModuleOp

from tilewright.backend.isa import Program
from tilewright.backend.machine import load_machine
from tilewright.compiler.check import Launch, RandomCheckpoint, random_launch, stored_bytes
from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.compiler.frontend.weights import WeightStore
from tilewright.compiler.pipeline import passes_for, run_passes
from tilewright.dialects.tg import GlobalOp
from tilewright.passes.encode import encode_module
from tilewright.runtime.functional import Emulator, Fault, Memories
from tilewright.runtime.functional.orders import find_order
from tilewright.runtime.functional.parameters import Parameters
from tilewright.runtime.proof import corners

MACHINE = load_machine("tw-small")
EVERY = int(os.environ.get("TILEWRIGHT_MUTANTS", "0"))
FEW = 9
"""Mutants of a program where the variable does not say."""
DETAILS = os.environ.get("TILEWRIGHT_MUTANT_LIST", "")
"""A file that every verdict is appended to, a line each."""
SHAKESPEARE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"


class Compiled:
    """An entry with weights, and the launches on which it is compared."""

    def __init__(self, module: ModuleOp, kv_block: int = 2, at_corners: bool = False) -> None:
        """Blocks are so short that a task has more trips than attention's pipeline has stages."""
        checkpoint = RandomCheckpoint(module)
        options = {"machine": "tw-small", "kv_block": kv_block, "weights": None}
        run_passes(module, passes_for(options))
        self.program: Program = encode_module(module, MACHINE)
        self.drawn: list[Launch] = [random_launch(module, seed) for seed in range(3)]
        if at_corners:
            self.drawn = [
                *(self._with(c.parameters, self.drawn[0].data) for c in corners(self.program)),
                self.drawn[1],
            ]
        self.declared = [op for op in module.ops if isinstance(op, GlobalOp)]
        self.weights: tuple[NDArray[np.uint8], int] = stored_bytes(
            self.program, self.declared, WeightStore(checkpoint.read)
        )
        self.kept = [op.global_name for op in self.declared if op.role.data in ("state", "output")]

    @property
    def launches(self) -> list[Mapping[str, int | tuple[int, ...]]]:
        """Launch parameters."""
        return [launch.parameters for launch in self.drawn]

    def add(self, parameters: Parameters) -> None:
        """One more launch, with the data of the first."""
        self.drawn.append(self._with(parameters, self.drawn[0].data))

    def every(self) -> list[Parameters]:
        """Each sequence alone, at every length."""
        found: list[Parameters] = []
        most, last = (self.program.parameter(name) for name in ("q_len", "kv_len"))
        for number in range(most.count):
            for new, old in product(range(1, most.hi + 1), range(last.hi + 1)):
                alone = [0] * most.count
                q, kv, starts = [*alone], [*alone], [0] * (number + 1) + [new] * most.count
                q[number], kv[number] = new, old
                if new + old <= last.hi + 1:
                    step = {"rows": new, "logit_rows": 0, "q_len": q, "kv_len": kv}
                    found.append({**step, "row_start": starts[: most.count]})
        return found

    def _with(self, parameters: Any, data: Mapping[str, NDArray[Any]]) -> Launch:
        """A launch with data that was drawn for another."""
        if "logit_index" not in data:
            return Launch(parameters, data)
        index = data["logit_index"]
        picked = np.arange(index.size).reshape(index.shape) % np.asarray(parameters["rows"])
        return Launch(parameters, {**data, "logit_index": picked.astype(index.dtype)})

    def memories(self, program: Program, launch: int) -> Memories:
        """Memories as they are before a launch."""
        memories = Memories(MACHINE, [program], *self.weights)
        for name, values in self.drawn[launch].data.items():
            memories.write(program.region(name), values)
        return memories

    def results(self, program: Program, memories: Memories) -> bytes:
        """What a launch left in state and outputs."""
        return b"".join(memories.read(program.region(name)).tobytes() for name in self.kept)

    def in_orders(self, program: Program, orders: Sequence[str]) -> list[bytes | str]:
        """What all launches leave in state and outputs, in each order, or a fault."""
        memories = self.memories(program, 0)
        emulator = Emulator(program, MACHINE, memories)
        found: list[bytes | str] = []
        for order in orders:
            emulator.order = find_order(order)
            out: list[bytes] = []
            try:
                for launch in self.drawn:
                    memories.hbm.data.fill(0)
                    for name, values in launch.data.items():
                        emulator.write(name, values)
                    emulator.run(launch.parameters)
                    out.append(self.results(program, memories))
                found.append(b"".join(out))
            except Fault as fault:
                found.append(str(fault))
        return found


def tiny(folder: Path, phase: str) -> Compiled:
    """A step of a tiny model of two layers, two sequences."""
    path = write_huggingface(folder / "m", Tiny(), "F32")
    shape = EntryShape(phase, 2, 4 if phase == "prefill" else 1, 16)
    return Compiled(load_model(path).build(shape, "exact"), at_corners=True)


def full_attention(folder: Path) -> Compiled:
    """Attention alone: two heads of 16, 12 positions, all of them new and seen by all."""
    path = folder / "attention.mlir"
    path.write_text(attention(2, 12, 16, "exact"), encoding="utf-8")
    return Compiled(load_model(path).modules[0], kv_block=4)


def shakespeare(_: Path) -> Compiled:
    """A decode step of the sample, short caches; weights are random."""
    shape = EntryShape("decode", 1, 1, 32)
    return Compiled(load_model(SHAKESPEARE).build(shape, "exact"), kv_block=8, at_corners=True)


PROGRAMS: dict[str, tuple[Callable[[Path], Compiled], tuple[str, ...]]] = {
    "tiny prefill": (lambda folder: tiny(folder, "prefill"), ("token_embd", "blk.", "output")),
    "tiny decode": (lambda folder: tiny(folder, "decode"), ("token_embd", "blk.", "output")),
    "attention": (full_attention, ("attention",)),
    "tiny-shakespeare decode": (shakespeare, ("token_embd", "blk.", "output")),
}
"""Programs, and what names of their model ops begin with."""


def picked(every: list[Mutant]) -> list[Mutant]:
    """Those to try."""
    draw = random.Random(SEED)
    return every[draw.randrange(EVERY) :: EVERY] if EVERY else draw.sample(every, FEW)


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_mutant_is_named_or_changes_nothing(name: str, tmp_path: Path) -> None:
    """What is refused or found names channel and model op; a survivor has a reason."""
    make, ops = PROGRAMS[name]
    compiled = make(tmp_path)
    judge = Judge(compiled.program, MACHINE, compiled)
    every = [*mutants(compiled.program)]
    table: Counter[tuple[str, str]] = Counter()
    survivors: dict[tuple[str, str], list[str]] = {}
    unnamed: list[str] = []
    for mutant in picked(every):
        verdict = judge(mutant)
        table[mutant.kind, verdict.by] += 1
        at = f"{mutant.kind}, {mutant.what}, {mutant.channel}: {verdict}"
        if verdict.by == "equal":
            survivors.setdefault((mutant.kind, verdict.reason), []).append(mutant.what)
        if not (verdict.reason if verdict.by == "equal" else names(mutant, verdict, ops)):
            unnamed.append(at)
        if DETAILS:
            with Path(DETAILS).open("a", encoding="utf-8") as file:
                print(f"{name}, {at}", file=file)
    print(f"\n{name}: {sum(table.values())} of {len(every)} mutants")
    for (kind, by), count in sorted(table.items()):
        print(f"| {kind} | {by} | {count} |")
    for (kind, reason), which in sorted(survivors.items()):
        print(f"survived: {len(which)} of '{kind}': {reason}: {'; '.join(which)}")
    assert unnamed == []


def names(mutant: Mutant, verdict: Verdict, ops: tuple[str, ...]) -> bool:
    """Channel or region, and, but for overlaps of tables, the model op."""
    of_op = verdict.by == "proof: addresses" or any(op in verdict.said for op in ops)
    return f"'{mutant.channel}'" in verdict.said and of_op
