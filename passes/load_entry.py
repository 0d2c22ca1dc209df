"""The load entry of a machine without main memory: words that fill its weights and tables.

    for each layer: copy dst=@w[layer * bytes], src=@host[place of @w + layer * bytes]

Not a pass: it makes a `backend.isa.Program` from the regions of another entry. The host shows the
image's bytes in a window, at the addresses that they get; one load queue copies them, a layer of a
parameter a descriptor, and the other engines halt at once. It runs once, before the first step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..backend.image import LOAD_ENTRY
from ..backend.isa import (
    ALU_FUNCTIONS,
    COUNTER_LOW,
    PACKED_ROLES,
    REGION,
    Ins,
    Operand,
    Program,
    Region,
    View,
    dense_view,
    encode_all,
)
from ..backend.machine import Machine

WINDOW = "host"
"""Name of the region that is the host's window, unless a parameter has it."""
INSIDE, SOURCE, SIZE, BASE = range(4)
"""Registers: offset in the region, offset in the window, bytes of a layer, the region's place in
the window."""
LAYER = COUNTER_LOW


def load_program(
    regions: Iterable[Region],
    layers: Mapping[str, int],
    machine: Machine,
    locations: Mapping[str, str] | None = None,
) -> Program:
    """The entry for the weights and tables among `regions`.

    `layers` says how many each has, `locations` which part of the model it is, by default its name.
    """
    stored = sorted((r for r in regions if r.role in PACKED_ROLES), key=lambda r: r.base)
    first = min((r.base for r in stored), default=0)
    end = max((r.base + r.nbytes for r in stored), default=0)
    taken = {region.name for region in stored}
    name = next(
        n for n in (WINDOW, *(f"{WINDOW}_{i}" for i in range(len(taken)))) if n not in taken
    )
    window = Region(name, "host", first, end - first, "input")
    views: dict[View, int] = {}
    stream: list[Ins] = []
    places: list[str] = []
    for number, region in enumerate(stored):
        size = region.nbytes // layers[region.name]
        view = views.setdefault(dense_view("u8", (size,)), len(views))
        target = Operand(REGION, number, view, 0, INSIDE)
        source = Operand(REGION, len(stored), view, 0, SOURCE)
        stream += [
            Ins("li", fields={"rd": SIZE, "imm": size}),
            Ins("li", fields={"rd": BASE, "imm": region.base - first}),
            Ins("loop", fields={"counter": 0, "trips": layers[region.name]}),
            _alu("mul", INSIDE, LAYER, SIZE),
            _alu("add", SOURCE, INSIDE, BASE),
            Ins("copy", {"dst": target, "src": source}),
            Ins("next", fields={"counter": 0}),
        ]
        places += [(locations or {}).get(region.name, region.name)] * (len(stream) - len(places))
    halt = [Ins("halt")]
    loads, *others = machine.engines()
    return Program(
        engines={
            e: encode_all([*stream, *halt] if e == loads else halt) for e in machine.engines()
        },
        views=tuple(views),
        regions=(*stored, window),
        locations={loads: [*places, LOAD_ENTRY], **{e: [LOAD_ENTRY] for e in others}},
    )


def _alu(function: str, to: int, a: int, b: int) -> Ins:
    return Ins("alu", fields={"fn": ALU_FUNCTIONS.index(function), "rd": to, "ra": a, "rb": b})
