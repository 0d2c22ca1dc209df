"""The section `program`: what an image holds, instruction by instruction.

    {"entries": {entry: {"engines": {engine: [[text, op], ...]},
                         "channels": [...], "regions": [...]}}}

The place of an instruction in its list is its address: the number of its word.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ...backend.asm import instruction_lines
from ...backend.image import Image


def program_section(image: Image) -> dict[str, Any]:
    """The section, from an image, read or compiled."""
    entries: dict[str, Any] = {}
    for name, program in image.entries.items():
        engines: dict[str, list[list[str]]] = {}
        for engine, lines in instruction_lines(program, image.opcodes).items():
            ops = program.locations.get(engine, [""] * len(lines))
            engines[engine] = [[line, op] for line, op in zip(lines, ops, strict=True)]
        entries[name] = {
            "engines": engines,
            "channels": [asdict(channel) for channel in program.channels],
            "regions": [asdict(region) for region in program.regions],
        }
    return {"entries": entries}
