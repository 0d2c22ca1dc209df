"""Kernels and their tiles -> the numbers that a prediction reads, as an attribute of the module.

`tw.plan` has a dictionary for each kernel (`backend.prediction`). It decides nothing: later levels
carry it to the image.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

from xdsl.dialects.builtin import (
    ArrayAttr,
    DictionaryAttr,
    IntegerAttr,
    ModuleOp,
    StringAttr,
    i1,
    i64,
)
from xdsl.ir import Attribute

from ...backend.isa import Channel
from ...backend.prediction import (
    AttentionKernel,
    Kernel,
    LinearKernel,
    Part,
    Plan,
    RowsKernel,
    Turn,
    kernel_of,
    kernel_values,
)
from ...backend.timing import phases, significand
from ..located import PassError
from ..policy import Policy
from .activations import ACTIVATIONS
from .attention_kernel import Attention
from .heads import Heads
from .heads import Part as HeadsPart
from .heads_in_panels import Run
from .heads_on_chip import joined
from .joint import Named
from .linear_kernel import Linear
from .plan import Choice
from .plan_steps import element_bytes
from .residency import Home, Rooms
from .rows import Embedding
from .shapes import FLOAT
from .tiles import Tile, narrow_depth

PLAN = "tw.plan"


def record_plan(module: ModuleOp, kernels: Sequence[Named], choice: Choice, policy: Policy) -> None:
    """Note what was chosen on the module; nothing where a kernel has no closed form."""
    found: list[Kernel] = []
    for named, pair in zip(kernels, choice.kernels, strict=True):
        if pair is None:
            continue
        kernel, tile = pair
        match kernel:
            case Linear():
                found.append(_linear(named, kernel, tile, choice.rooms, policy))
            case Attention():
                found.append(_attention(named, kernel, tile, choice.rooms, policy))
            case Heads():
                found.append(_heads(named, kernel, tile, choice.rooms))
            case Embedding():
                found.append(_embedding(named, kernel, tile, choice.rooms))
            case _:
                return
    module.attributes[PLAN] = _attribute([kernel_values(kernel) for kernel in found])


def plan_of(module: ModuleOp, channels: Sequence[Channel]) -> Plan | None:
    """The plan of a compiled module; None where it has a kernel without closed form.

    A ring has the name of its role, with a number where the name was taken.
    """
    noted = module.attributes.get(PLAN)
    if noted is None:
        return None
    slots: dict[str, int] = {}
    for channel in channels:
        if channel.kind == "slot":
            role = re.sub(r"_\d+$", "", channel.name)
            slots[role] = min(slots.get(role, channel.slots), channel.slots)
    values = _value(noted)
    if not isinstance(values, list):
        raise PassError(f"{PLAN} is {str(noted)[:80]}, wanted a list of kernels")
    return Plan(tuple(kernel_of(one) for one in cast(list[object], values)), slots)


def _attribute(value: object) -> Attribute:
    """JSON values as an attribute."""
    match value:
        case bool():
            return IntegerAttr(int(value), i1)
        case int():
            return IntegerAttr(value, i64)
        case str():
            return StringAttr(value)
        case dict():
            entries = cast(dict[str, object], value)
            return DictionaryAttr({key: _attribute(one) for key, one in entries.items()})
        case list() | tuple():
            return ArrayAttr([_attribute(one) for one in cast(Sequence[object], value)])
        case _:
            raise AssertionError(f"no attribute for {type(value).__name__}")


def _value(attribute: Attribute) -> Any:
    """The JSON values that `_attribute` was given."""
    match attribute:
        case IntegerAttr():
            number = attribute.value.data
            return bool(number) if attribute.type == i1 else number
        case StringAttr():
            return attribute.data
        case DictionaryAttr():
            return {key: _value(one) for key, one in attribute.data.items()}
        case ArrayAttr():
            return [_value(one) for one in attribute.data]
        case _:
            raise PassError(f"{PLAN} holds {attribute}; wanted numbers, strings and lists of them")


def _linear(named: Named, kernel: Linear, tile: Tile, rooms: Rooms, policy: Policy) -> LinearKernel:
    packing = kernel.packing
    written = [step for step in kernel.steps if step.kind != "half"]
    passes = [ACTIVATIONS[s.fn][1] if s.kind == "unary" else 1 for s in written]
    tensors = [step.name for step in kernel.steps if step.kind == "tensor"]
    home, turned = rooms.home(kernel.source), kernel.turned
    gathered = kernel.index is not None
    spilled = gathered and home is not Home.MEMORY
    last = packing.panel_stride_columns(packing.panels - 1) if packing.n % packing.panel else 0
    pieces = rooms.pieces.get(kernel.source, 1)
    depth = narrow_depth(packing.blocks // pieces, tile.depth, packing.panel, last) if last else 0
    return LinearKernel(
        op=named.label,
        repeats=named.repeats,
        count=kernel.count,
        k=packing.k,
        n=packing.n,
        panel=packing.panel,
        last_columns=last,
        last_depth=depth,
        block=packing.spec.block,
        block_bytes=packing.block_bytes(packing.panel),
        phases=phases(policy.significand, significand(packing.format)),
        rows=tile.rows,
        at_once=kernel.on_chip(rooms),
        depth=tile.depth,
        source=Home.MEMORY.value if gathered else home.value,
        source_bytes=element_bytes(kernel.source_element),
        gathered=gathered,
        spilled_rows=rooms.spilled_rows(packing.k) if spilled else 0,
        norm=kernel.norm is not None,
        squared=not gathered and kernel.source in rooms.squared,
        pieces=pieces,
        through_vector=kernel.through_vector(home),
        result=rooms.home(kernel.output).value,
        result_bytes=element_bytes(kernel.result),
        out_columns=packing.panel // 2 if kernel.halved else packing.panel,
        panels=tile.panels,
        passes=sum(passes) or int(turned is None and kernel.output not in rooms.in_sums),
        residuals=sum(not rooms.on_chip(name) for name in tensors),
        turned=() if turned is None else tuple(_turn(run) for run in turned.runs),
        angle_bytes=0 if turned is None else turned.dim * FLOAT,
    )


def _turn(run: Run) -> Turn:
    passes = [one for piece in run.pieces for one in _passes(piece.part, piece.heads)]
    stored = sum(p.heads * p.part.head * element_bytes(p.part.element) for p in run.pieces)
    stores = sum(
        (p.part.output is not None) + (p.heads if p.part.cache is not None else 0)
        for p in run.pieces
    )
    return Turn(run.panels, tuple(passes), stored, stores)


def _passes(part: HeadsPart, lines: int, few: bool = False) -> list[tuple[int, int]]:
    """What the vector unit does to so many heads of a part: a norm, then rope or a copy.

    `few`: rows so few that both halves are turned in one pass.
    """
    passes: list[tuple[int, int]] = []
    if part.norm is not None:
        passes += [(lines, part.head), (lines, 1), (lines, part.head)]
    if part.rope is None:
        return [*passes, (lines, part.head)]
    if few and part.rope.dim == part.head:
        half = part.head // 2
        return [*passes, (2 * lines, half), (lines, half), (lines, half)]
    passes += 4 * [(lines, part.rope.dim // 2)]
    if part.rope.dim < part.head:
        passes.append((lines, part.head - part.rope.dim))
    return passes


def _attention(
    named: Named, kernel: Attention, tile: Tile, rooms: Rooms, policy: Policy
) -> AttentionKernel:
    return AttentionKernel(
        op=named.label,
        repeats=named.repeats,
        heads=kernel.heads,
        kv_heads=kernel.kv_heads,
        head=kernel.head,
        operand_bytes=element_bytes(kernel.operand),
        kv_bytes=element_bytes(kernel.cache),
        result_bytes=element_bytes(kernel.result),
        phases=phases(policy.significand, policy.significand),
        queries=kernel.queries,
        whole=kernel.positions <= tile.depth,
        full=kernel.full,
        rows=tile.rows,
        depth=tile.depth,
        block_heads=tile.heads,
        skew=tile.skew,
        query=rooms.home(kernel.query).value,
        own=rooms.on_chip(kernel.query),
        result=rooms.home(kernel.output).value,
    )


def _heads(named: Named, kernel: Heads, tile: Tile, rooms: Rooms) -> RowsKernel:
    inside = kernel.on_chip(rooms)
    parts: list[Part] = []
    if kernel.rope is not None and not inside:
        parts.append(Part(kernel.rope.dim * FLOAT, 2, (), 0, 0))
    if inside:
        for group in joined(kernel.parts, rooms):
            heads = sum(part.heads for part in group)
            few = rooms.few(heads * group[0].head)
            parts.append(Part(0, 0, tuple(_passes(group[0], heads, few)), 0, 0))
    for part in kernel.parts if not inside else ():
        passes = _passes(part, part.heads)
        loads = int(not rooms.on_chip(part.source))
        stores = part.heads if part.cache is not None else 1
        stored = part.columns * element_bytes(part.element) if stores else 0
        parts.append(Part(loads * part.columns * FLOAT, loads, tuple(passes), stored, stores))
    homes = {rooms.home(part.output) for part in kernel.parts if part.output is not None}
    cached = [p.columns * element_bytes(p.element) for p in kernel.parts if p.cache is not None]
    return RowsKernel(
        op=named.label,
        repeats=named.repeats,
        count="rows" if inside else kernel.counted,
        rows=tile.rows,
        picked=False,
        parts=tuple(parts),
        result=(Home.MATRIX if Home.MATRIX in homes else Home.MEMORY).value,
        appended=sum(cached) if inside else 0,
    )


def _embedding(named: Named, kernel: Embedding, tile: Tile, rooms: Rooms) -> RowsKernel:
    packing = kernel.packed.packing
    home = rooms.home(kernel.output)
    stores = int(home is Home.MEMORY)
    part = Part(packing.row_bytes, 1, ((1, packing.k),), stores * packing.k * FLOAT, stores)
    return RowsKernel(
        op=named.label,
        repeats=named.repeats,
        count=kernel.count,
        rows=tile.rows,
        picked=True,
        parts=(part,),
        result=home.value,
        appended=0,
    )
