"""What tile plans, allocate places: with the memory that a refusal asks for, and a little more.

Lines of up to 4 KiB, so that every slot and buffer loses a good part of what it is rounded up to.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st
from long_runs import announce, fuzzed, refusal
from machines import varied, write_machine
from random_graphs import RANGES, Graph, graphs
from random_machines import RANGES as MACHINES
from random_machines import any_machines
from refusals import refused_by_name

from tilewright.backend.errors import TilewrightError
from tilewright.compiler.driver import compile_entry
from tilewright.compiler.frontend import EntryShape, load_model
from tilewright.compiler.frontend.loader import Model

ALIGNMENTS = (64, 256, 1024, 4096)
LEAST = {"scratchpad": "spm_bytes", "accumulators": "acc_bytes"}
"""What a refusal calls a memory, and the number of it."""
ASKED = re.compile(r"^(scratchpad|accumulators) of .* a machine with at least (\d+) bytes", re.S)
LEAST_BYTES = 1024
"""Of a memory that a description may have."""
MOST_TURNS = 4
"""A larger memory asks for the other once; a plan of one that fits asks for no third size."""


def test_ranges() -> None:
    lines = {"alignment": str(ALIGNMENTS), "memories": "what is asked for and 0 to 8 lines more"}
    announce("test_room", RANGES | MACHINES | lines)


@fuzzed(5)
@given(
    graph=graphs(),
    numbers=any_machines(),
    alignment=st.sampled_from(ALIGNMENTS),
    spare=st.fixed_dictionaries({name: st.integers(0, 8) for name in ("spm_bytes", "acc_bytes")}),
)
def test_what_tile_plans_is_placed(
    graph: Graph, numbers: dict[str, Any], alignment: int, spare: dict[str, int]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "graph.mlir"
        path.write_text(graph.written(True))
        model = load_model(path)
        least = dict.fromkeys(("spm_bytes", "acc_bytes"), max(alignment, LEAST_BYTES))
        said = ""
        sizes = dict(numbers) | least | {"alignment": alignment, "hbm_burst": 64}
        said = ""
        for turn in range(MOST_TURNS):
            event(f"machines tried: {turn + 1}")
            said = refused(model, sizes, folder)
            asked = ASKED.search(said)
            if asked is None:
                break
            memory = LEAST[asked[1]]
            assert int(asked[2]) > sizes[memory], said
            sizes[memory] = int(asked[2]) + alignment * spare[memory]
        else:
            raise AssertionError(f"after {MOST_TURNS} sizes that were asked for: {said}")
    if said:
        refusal(refused_by_name(said))


def refused(model: Model, numbers: dict[str, Any], folder: Path) -> str:
    """What the compiler says of a machine; "" if it has a program for it."""
    try:
        machine = write_machine(varied(numbers), folder)
        compile_entry(model.build(EntryShape("step", 1, 1, 1), "exact"), machine)
    except TilewrightError as error:
        return str(error)
    return ""
