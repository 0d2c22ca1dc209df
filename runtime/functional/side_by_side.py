"""Two images on the same random inputs and state: the first instruction that writes something else.

    found = compare_entries(image, other, "decode", launches)

It takes a launch at a time on the reference engine, so that small models take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...backend.errors import TilewrightError
from ...backend.image import LOAD_ENTRY, Image
from ...backend.isa import REGION, Ins, Program
from ...backend.machine import Machine
from ...backend.numerics import narrow
from .differences import Difference, Record
from .emulator import Emulator
from .loader import Loaded, load
from .memories import Memories, is_stored
from .parameters import Parameters, launch_words


def compare_entries(
    image: Image, original: Image, entry: str, launches: Iterable[Parameters], seed: int = 0
) -> Difference | None:
    """The first write of `image` that is not that of `original`; None: there is none.

    Weights are those of the image that has them. Raises TilewrightError where neither has, where
    the machines or the tables of regions differ, Fault for what the emulator refuses.
    """
    if image.machine != original.machine:
        raise TilewrightError("the two images are for different machines; compile both for one")
    program, wanted = (one.entries[entry] for one in (image, original))
    if program.regions != wanted.regions or program.parameters != wanted.parameters:
        raise TilewrightError(
            f"entry {entry}: the two images declare other regions or launch parameters; wanted the "
            "same, as after an edit of instructions, views or channels"
        )
    weighed = next((one for one in (original, image) if one.weights is not None), None)
    if weighed is None and any(map(is_stored, program.regions)):
        raise TilewrightError("neither image holds weights; compile one of a checkpoint")
    machine = Machine.from_dict(original.machine)
    for parameters in launches:
        record: Record | None = None
        for one, opcodes in ((wanted, original.opcodes), (program, image.opcodes)):
            memories = _memories(one, machine, weighed)
            loaded = load(one, machine, opcodes)
            fill_inputs(loaded, memories, seed)
            record = Record(loaded, memories, record)
            record.launch(launch_words(one, parameters))
        assert record is not None
        if record.first:
            return record.first
    return None


def _memories(program: Program, machine: Machine, weighed: Image | None) -> Memories:
    """Memories with weights; on a machine without main memory, loaded."""
    if weighed is None:
        return Memories(machine, [program])
    filling = weighed.entries.get(LOAD_ENTRY)
    programs = [program, filling] if filling else [program]
    memories = Memories(machine, programs, weighed.weights, weighed.stored_first)
    if filling:
        Emulator(filling, machine, memories, opcodes=weighed.opcodes).run()
    return memories


def fill_inputs(loaded: Loaded, memories: Memories, seed: int) -> None:
    """Random values for inputs and state, in the format in which the program reads them.

    What picks rows by number picks rows of tables and weights at random, of others the first.
    """
    random = np.random.default_rng(seed)
    program = loaded.program
    formats: dict[int, str] = {}
    rows: dict[int, int] = {}
    for ins in (ins for stream in loaded.instructions for ins in stream):
        for operand in ins.operands.values():
            if operand.kind == REGION:
                formats.setdefault(operand.id, program.views[operand.view].format)
        rows |= _picked(program, ins)
    for number, region in enumerate(program.regions):
        if region.role not in ("input", "state") or is_stored(region):
            continue
        format = formats.get(number, "u8")
        size = narrow(np.zeros(1, np.float32), format).itemsize
        count = region.nbytes // size
        if format in ("f32", "bf16", "f16"):
            values = narrow(random.standard_normal(count, np.float32), format)
        else:
            limit = rows.get(number, 1)
            values = narrow(random.integers(0, limit, count).astype(np.float32), format)
        memories.write(region, values)


def _picked(program: Program, ins: Ins) -> dict[int, int]:
    """Region of row numbers -> how many rows of a table or weight they may pick."""
    source, index = ins.operands.get("src"), ins.operands.get("index")
    if ins.mnemonic != "gather" or source is None or index is None:
        return {}
    if source.kind != REGION or index.kind != REGION:
        return {}
    fixed = program.regions[source.id].role in ("weight", "table")
    return {index.id: program.views[source.view].shape[0] if fixed else 1}
