"""Orders that try to break a program: a step of a tiny model gives its bits in each.

    TILEWRIGHT_ORDERS=1000000 TILEWRIGHT_FUZZ_SEED=7 pytest -s tests/fuzz/test_orders.py

Every order is a whole launch with values on the compiled engine. Without the variable: all named
orders and a few random ones.
"""

from __future__ import annotations

import os
from pathlib import Path

from long_runs import SEED
from models import Tiny, write_huggingface
from test_mutants import MACHINE, Compiled

from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.runtime.functional import Emulator, Memories
from tilewright.runtime.functional.orders import ORDERS, find_order

COUNT = int(os.environ.get("TILEWRIGHT_ORDERS", "0"))
FEW = 200
SMALL = Tiny(layers=1, width=32, heads=2, kv_heads=1, head_dim=16, ffn=32, vocab=32)
"""As small as it may be, so that a launch takes a fraction of a millisecond."""


def test_every_order_gives_the_same_bits(tmp_path: Path) -> None:
    model = write_huggingface(tmp_path / "m", SMALL, "F32")
    compiled = Compiled(load_model(model).build(EntryShape("decode", 2, 1, 8), "exact"))
    wanted: bytes | None = None
    memories = Memories(MACHINE, [compiled.program], *compiled.weights)
    emulator = Emulator(compiled.program, MACHINE, memories)
    names = [*ORDERS, *(f"random:{SEED + i}" for i in range(COUNT or FEW))]
    launch, instructions = compiled.drawn[0], 0
    for name in names:
        emulator.order = find_order(name)
        for region, values in launch.data.items():
            emulator.write(region, values)
        instructions = sum(emulator.run(dict(launch.parameters)).values())
        found = b"".join(emulator.read(region).tobytes() for region in compiled.kept)
        wanted = wanted or found
        assert found == wanted, f"order {name} gives other bits than {names[0]}"
    print(f"\n{len(names)} orders of {instructions} instructions, random from seed {SEED}: equal")
