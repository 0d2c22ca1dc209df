"""A compiled program whose words lack one synchronisation: the emulator's fault names it.

Every `sync` instruction and every begin and end bit of every operand is deleted, one at a time.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from models import Tiny, write_huggingface
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from tilewright.backend.isa import CHANNEL, SYNC_KINDS, Ins, Program, decode, encode_all
from tilewright.backend.machine import load_machine
from tilewright.compiler.check import Launch, RandomCheckpoint, random_launch, stored_bytes
from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.compiler.frontend.weights import WeightStore
from tilewright.compiler.pipeline import passes_for, run_passes
from tilewright.dialects.tg import GlobalOp
from tilewright.passes.encode import encode_module
from tilewright.runtime.functional import Emulator, Fault, Memories

MACHINE = load_machine("tw-small")
BITS = ("begin", "end")
MODEL_OPS = ("token_embd", "blk.", "output")
Streams = dict[str, list[Ins]]
Locations = dict[str, list[str]]


@dataclass(frozen=True)
class Damage:
    """A program without one synchronisation: what is missing, of which channel."""

    what: str
    channel: str
    streams: Streams
    locations: Locations


def positions(launch: Launch) -> tuple[int, int]:
    """The least and the most positions of a sequence with new rows; few where none has any."""
    rows, before = launch.parameters["q_len"], launch.parameters["kv_len"]
    assert isinstance(rows, tuple)
    assert isinstance(before, tuple)
    found = [new + old for new, old in zip(rows, before, strict=True) if new]
    return (min(found), max(found)) if len(found) > 1 else (0, 0)


class Bench:
    """A compiled module, its weights, and a launch in which every instruction is executed."""

    def __init__(self, module: ModuleOp) -> None:
        checkpoint = RandomCheckpoint(module)
        # Blocks so short that a task has more trips than attention's pipeline has stages.
        passes = passes_for({"machine": "tw-small", "kv_block": 2, "weights": None})
        run_passes(module, passes)
        self.program: Program = encode_module(module, MACHINE)
        launches = (random_launch(module, seed) for seed in range(32))
        self.launch: Launch = max(launches, key=positions)
        declared = [op for op in module.ops if isinstance(op, GlobalOp)]
        self.weights: tuple[NDArray[np.uint8], int] = stored_bytes(
            self.program, declared, WeightStore(checkpoint.read)
        )
        self.streams: Streams = {e: decode(w) for e, w in self.program.engines.items()}

    def fault(self, streams: Streams, locations: Locations) -> str:
        """What the emulator says of a launch of these instructions; "" if nothing."""
        program = replace(
            self.program,
            engines={engine: encode_all(stream) for engine, stream in streams.items()},
            locations=locations,
        )
        emulator = Emulator(program, MACHINE, Memories(MACHINE, [program], *self.weights))
        for name, values in self.launch.data.items():
            emulator.write(name, values)
        try:
            emulator.run(dict(self.launch.parameters))
        except Fault as fault:
            return str(fault)
        return ""

    def damages(self) -> Iterator[Damage]:
        """Every program that lacks one synchronisation."""
        channels = self.program.channels
        for engine, stream in self.streams.items():
            places = self.program.locations[engine]
            for pc, ins in enumerate(stream):
                rest = stream[:pc], stream[pc + 1 :]
                if ins.mnemonic == "sync":
                    yield Damage(
                        f"{SYNC_KINDS[ins.fields['kind']]} of {engine} {pc}",
                        channels[ins.fields["channel"]].name,
                        {**self.streams, engine: rest[0] + rest[1]},
                        {**self.program.locations, engine: places[:pc] + places[pc + 1 :]},
                    )
                for name, operand in ins.operands.items():
                    for bit in BITS:
                        if operand.kind != CHANNEL or not getattr(operand, bit):
                            continue
                        without = replace(operand, **{bit: False})
                        changed = replace(ins, operands={**ins.operands, name: without})
                        yield Damage(
                            f"{name}.{bit} of {engine} {pc}",
                            channels[operand.id].name,
                            {**self.streams, engine: [*rest[0], changed, *rest[1]]},
                            self.program.locations,
                        )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    path = write_huggingface(tmp_path_factory.mktemp("bits") / "m", Tiny(), "F32")
    return Bench(load_model(path).build(EntryShape("prefill", 2, 4, 16), "exact"))


def test_every_deleted_bit_is_a_fault(bench: Bench) -> None:
    """Nothing survives; what is said names the channel, and model ops that use it or wait."""
    assert bench.fault(bench.streams, bench.program.locations) == ""
    kinds: Counter[str] = Counter()
    for damage in bench.damages():
        said = bench.fault(damage.streams, damage.locations)
        assert f"'{damage.channel}'" in said, f"{damage.what}, {damage.channel}: {said!r}"
        assert any(op in said for op in MODEL_OPS), said
        kinds[said.partition(" fault")[0]] += 1
    assert sum(kinds.values()) > 100
    print(f"{sum(kinds.values())} deleted one by one, none unnoticed; faults:")
    print(", ".join(f"{count} {kind}" for kind, count in kinds.most_common()))
