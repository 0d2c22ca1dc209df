"""Mutants of compiled streams: each is noticed, or proven to obey C1 to C7 as the program does.

    TILEWRIGHT_MUTANTS=1 pytest -s tests/fuzz/test_mutants.py     # every mutant, some minutes

The variable says which: 1 is every one, 5 every fifth; without it, every 97th.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import numpy as np
import pytest
from models import Tiny, write_huggingface
from mutants import STEPS, Verdict, judge, mutants
from numpy.typing import NDArray
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

MACHINE = load_machine("tw-small")
SAMPLE = int(os.environ.get("TILEWRIGHT_MUTANTS", "97"))
MODEL_OPS = ("token_embd", "blk.{l}.", "output")


class Compiled:
    """An entry of a tiny model with weights, and the launches on which values are compared."""

    def __init__(self, module: ModuleOp) -> None:
        checkpoint = RandomCheckpoint(module)
        # Blocks so short that a task has more trips than attention's pipeline has stages.
        run_passes(module, passes_for({"machine": "tw-small", "kv_block": 2, "weights": None}))
        self.program: Program = encode_module(module, MACHINE)
        self.launches: list[Launch] = [random_launch(module, seed) for seed in range(3)]
        self.declared = [op for op in module.ops if isinstance(op, GlobalOp)]
        self.weights: tuple[NDArray[np.uint8], int] = stored_bytes(
            self.program, self.declared, WeightStore(checkpoint.read)
        )
        self.kept = [op.global_name for op in self.declared if op.role.data in ("state", "output")]

    def values(self, program: Program, order: str) -> bytes | str:
        """What all launches leave in state and outputs, or a fault."""
        out: list[Any] = []
        for launch in self.launches:
            try:
                memories = Memories(MACHINE, [program], *self.weights)
                emulator = Emulator(program, MACHINE, memories, order=order)
                for name, values in launch.data.items():
                    emulator.write(name, values)
                emulator.run(dict(launch.parameters))
            except Fault as fault:
                return str(fault)
            out += [emulator.read(name).tobytes() for name in self.kept]
        return b"".join(out)


@pytest.fixture(scope="module", params=["prefill", "decode"])
def compiled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    path = write_huggingface(tmp_path_factory.mktemp("mutants") / "m", Tiny(), "F32")
    shape = EntryShape(request.param, 2, 4 if request.param == "prefill" else 1, 16)
    return Compiled(load_model(path).build(shape, "exact"))


def test_no_mutant_of_a_step_changes_a_value_unnoticed(compiled: Compiled) -> None:
    """What the proof lets pass has equal values in every order; what it refuses it names."""
    wanted = compiled.values(compiled.program, "sequential")
    assert isinstance(wanted, bytes), wanted
    table: Counter[tuple[str, str]] = Counter()
    survivors: list[str] = []
    for number, mutant in enumerate(mutants(compiled.program)):
        if number % SAMPLE:
            continue
        verdict = judge(mutant, MACHINE, compiled, wanted)
        table[mutant.kind, verdict.by] += 1
        if verdict.by.startswith("proof"):
            check_names(mutant.channel, mutant.what, verdict)
        elif verdict.by != "equal" and mutant.kind in STEPS:
            survivors.append(f"{mutant.kind}, {mutant.what}, {mutant.channel}: {verdict}")
    print()
    for (kind, by), count in sorted(table.items()):
        print(f"| {kind} | {by} | {count} |")
    assert survivors == []


def check_names(channel: str, what: str, verdict: Verdict) -> None:
    """Channel or region, and, where an instruction is at fault, the model op."""
    assert f"'{channel}'" in verdict.said, f"{what}, {channel}: {verdict.said}"
    if verdict.by != "proof: addresses":
        assert any(op in verdict.said for op in MODEL_OPS), verdict.said
