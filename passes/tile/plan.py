"""Kernel descriptions -> the plan: what stays on chip, and a tile for every kernel."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ...backend.formats import FORMATS
from ...backend.machine import Machine
from ...backend.timing import phases, significand, transfer_bytes
from ...dialects.shaped import nbytes
from ..policy import Policy
from .activations import ACTIVATIONS
from .attention_kernel import Attention
from .heads import Heads
from .heads_in_panels import Turned, runs_of
from .heads_on_chip import joined
from .joint import Joint, Named
from .kernels import Description
from .linear_kernel import Linear
from .plan_steps import element_bytes, shape_of_step
from .regions import Regions, readers
from .residency import Home, Residency, Rooms, find_homes, taken
from .rows import Embedding
from .search import DoesNotFitError, aligned, search
from .shapes import FLOAT, AttentionShape, Kernel, RowsShape, powers_of_two
from .shapes_linear import LinearShape
from .slots import fill_slots
from .tiles import Tile


@dataclass(frozen=True)
class Limits:
    """What a plan must serve: the policy, the most of everything, and the KV block asked for."""

    policy: Policy
    extents: Mapping[str, int]
    """rows and logit_rows (most packed rows), q_len (most rows of a sequence), context."""
    kv_block: int | None
    most_kv_block: int
    in_memory: bool = False
    """All tensors between kernels go through main memory."""
    later_rows: int = 0
    """Most rows of a sequence in the entries that take over the KV block; 0 without such."""
    held_bytes: int = 0
    """Bytes of the scratchpad that weights, cache, inputs and outputs take."""


@dataclass(frozen=True)
class Choice:
    """What is written for each kernel in order, with its tile, and the rooms of what is on chip.

    None stands for a kernel that is done within the one before it.
    """

    kernels: Sequence[tuple[Description, Tile] | None]
    rooms: Rooms
    picoseconds: int


def choose(machine: Machine, kernels: Sequence[Named], regions: Regions, limits: Limits) -> Choice:
    """The fastest plan; of equals the one that keeps most on chip.

    Raises DoesNotFitError, of what keeps most on chip or nothing the one that wants least.
    """
    wanted = [Residency.NONE] if limits.in_memory else [Residency.ROWS, Residency.NONE]
    if not limits.in_memory and _heads_align(kernels, regions):
        most = Residency.ALL if limits.extents["q_len"] == 1 else Residency.HEADS
        wanted.insert(0, most)
    best: Choice | None = None
    refused: DoesNotFitError | None = None
    for residency in wanted:
        homes = find_homes(regions, residency)
        with_turns = kernels if limits.in_memory else turn_in_panels(kernels, regions, homes)
        rooms = _rooms(machine, kernels, regions, homes, limits)
        written = [_in_order(named, rooms) for named in with_turns if named is not None]
        joint = Joint.of(written, rooms)
        shapes = [_Shapes(machine, rooms, limits, joint.regions).of(named) for named in written]
        try:
            plan = search(machine, shapes, limits.held_bytes + _held(machine, rooms, joint))
        except DoesNotFitError as error:
            if refused is None or error.order < refused.order:
                refused = error
            continue
        if best is None or plan.picoseconds < best.picoseconds:
            tiles = fill_slots(machine, shapes, plan)
            _lengthen(rooms, written, tiles)
            joint.settle(rooms, written, tiles)
            pairs = zip((named.kernel for named in written), tiles, strict=True)
            in_turn = [None if named is None else next(pairs) for named in with_turns]
            best = Choice(in_turn, rooms, plan.picoseconds)
    if best is None:
        assert refused is not None, "some plan was tried"
        raise refused
    return best


def _in_order(named: Named, rooms: Rooms) -> Named:
    """A kernel whose index picks the one row on chip takes it as it is."""
    if isinstance(named.kernel, Linear):
        return replace(named, kernel=named.kernel.in_order(rooms))
    return named


def _heads_align(kernels: Sequence[Named], regions: Regions) -> bool:
    """Whether regions that are seen by head hold whole heads, each part beginning at one."""
    padded = _padded_columns(kernels)

    def whole(name: str, head: int) -> bool:
        inside = name in regions.types
        columns = max(regions.types[name].get_shape()[1], padded.get(name, 0)) if inside else 1
        return columns % head == 0

    for named in kernels:
        match named.kernel:
            case Heads(parts=parts):
                if not all(p.column % p.head == 0 and whole(p.source, p.head) for p in parts):
                    return False
            case Attention() as attention:
                if not whole(attention.output, attention.head):
                    return False
            case _:
                pass
    return True


def turn_in_panels(
    kernels: Sequence[Named], regions: Regions, homes: dict[str, Home]
) -> list[Named | None]:
    """The kernels, where head-wise ones are part of the matmuls that make their rows: of one
    sequence, to main memory, with whole heads in every panel. Those rows then have no home."""
    joined: list[Named | None] = list(kernels)
    for number, (named, following) in enumerate(pairwise(kernels)):
        match named.kernel, following.kernel:
            case Linear(index=None, halved=False) as linear, Heads(batch=1) as heads:
                runs = runs_of(linear.packing, heads.parts)
                sources = {part.source for part in heads.parts}
                alone = sources == {linear.output} and readers(regions, linear.output) == 1
                results = [part.output for part in heads.parts if part.output is not None]
                stored = all(homes.get(name, Home.MEMORY) is Home.MEMORY for name in results)
                if runs is None or not alone or not stored:
                    continue
                homes[linear.output] = Home.MEMORY
                turned = Turned(heads, following.location, runs)
                joined[number] = replace(named, kernel=replace(linear, turned=turned))
                joined[number + 1] = None
            case _:
                pass
    return joined


def _padded_columns(kernels: Sequence[Named]) -> dict[str, int]:
    """Columns of the regions that matmuls read, in whole blocks of K."""
    columns: dict[str, int] = {}
    for named in kernels:
        if isinstance(kernel := named.kernel, Linear):
            packing = kernel.packing
            padded = packing.blocks * packing.spec.block
            columns[kernel.source] = max(columns.get(kernel.source, 0), padded)
    return columns


def _lengthen(rooms: Rooms, kernels: Sequence[Named], tiles: Sequence[Tile]) -> None:
    """Make buffers long enough for a block of rows that begins anywhere in them."""
    for named, tile in zip(kernels, tiles, strict=True):
        match named.kernel:
            case Heads() as heads if not heads.on_chip(rooms):
                names = [part.source for part in heads.parts]
            case Attention() as attention:
                names = [attention.output]
            case _:
                names = []
        for name in names:
            rooms.extra[name] = max(rooms.extra.get(name, 0), tile.rows - 1)


def _rooms(
    machine: Machine,
    kernels: Sequence[Named],
    regions: Regions,
    homes: Mapping[str, Home],
    limits: Limits,
) -> Rooms:
    columns = _padded_columns(kernels)
    handed = {name: n for name, n in columns.items() if homes.get(name) is Home.MATRIX}
    least = transfer_bytes(machine, machine.dma_issue_ps)
    elements = machine.vector_startup * machine.lanes
    return Rooms(regions, homes, limits.extents["rows"], least, elements, handed)


def _held(machine: Machine, rooms: Rooms, joint: Joint) -> int:
    """Bytes of the buffers that the vector unit keeps, each aligned, and of the regions of tensors
    where the scratchpad holds them, too."""
    kept = [rooms.row_bytes(name) for name, home in rooms.homes.items() if home is Home.VECTOR]
    kept += [FLOAT for _ in joint.squared]
    held = sum(aligned(machine, rooms.rows * n) for n in kept)
    if machine.has_hbm:
        return held
    picked = taken(rooms.regions)
    types = [t for n, t in rooms.regions.types.items() if n in picked or not rooms.on_chip(n)]
    return held + sum(aligned(machine, nbytes(t)) for t in types)


@dataclass(frozen=True)
class _Shapes:
    """The shapes of kernels: their numbers, without their names."""

    machine: Machine
    rooms: Rooms
    limits: Limits
    joined: Collection[str]
    """Regions whose makers save a pass where all panels share a slot of sums."""

    def of(self, named: Named) -> Kernel:
        """The shape of one kernel."""
        match named.kernel:
            case Linear():
                return self._linear(named, named.kernel)
            case Attention():
                return self._attention(named, named.kernel)
            case Heads():
                return self._heads(named, named.kernel)
            case Embedding():
                return self._embedding(named, named.kernel)
            case kernel:
                limits = self.limits
                return shape_of_step(
                    named.label,
                    kernel,
                    limits.policy,
                    limits.extents,
                    named.repeats,
                    limits.most_kv_block,
                )

    def _handed(self, *names: str) -> int:
        """Bytes a row of the widest of these regions that is handed to the matrix unit."""
        rooms = self.rooms
        return max(
            (rooms.row_bytes(n) for n in names if rooms.home(n) is Home.MATRIX),
            default=0,
        )

    def _longer(self, *names: str) -> dict[str, int]:
        """Bytes a row of these regions that the vector unit keeps: a block of a sequence's rows
        begins anywhere in their buffers, so those are longer."""
        rooms = self.rooms
        return {n: rooms.row_bytes(n) for n in names if rooms.home(n) is Home.VECTOR}

    def _linear(self, named: Named, kernel: Linear) -> LinearShape:
        packing, policy, rooms = kernel.packing, self.limits.policy, self.rooms
        spec = FORMATS[packing.format]
        written = [step for step in kernel.steps if step.kind != "half"]
        passes = [ACTIVATIONS[s.fn][1] if s.kind == "unary" else 1 for s in written]
        tensors = [step.name for step in kernel.steps if step.kind == "tensor"]
        gathered = kernel.index is not None
        source = () if gathered else (kernel.source,)
        spilled = gathered and rooms.on_chip(kernel.source)
        turned = kernel.turned
        out_bytes = element_bytes(kernel.result)
        temporaries, vector_steps = max(len(written) - 1, 0), max(sum(passes), 1)
        if turned is not None:
            out_bytes = max(element_bytes(part.element) for part in turned.kernel.parts)
            temporaries, vector_steps = len(written), sum(passes) + turned.passes
        return LinearShape(
            label=named.label,
            most_rows=self.limits.extents[kernel.count],
            k=packing.k,
            n=packing.n,
            panel=packing.panel,
            block=spec.block,
            block_bytes=packing.block_bytes(packing.panel),
            phases=phases(policy.significand, significand(packing.format)),
            operand_bytes=element_bytes(kernel.operand),
            through_vector=kernel.through_vector(rooms.home(kernel.source)),
            out_columns=packing.panel // 2 if kernel.halved else packing.panel,
            out_bytes=out_bytes,
            residuals=sum(not rooms.on_chip(name) for name in tensors),
            temporaries=temporaries,
            vector_steps=vector_steps,
            repeats=named.repeats,
            last_columns=packing.panel_stride_columns(packing.panels - 1),
            at_once=kernel.on_chip(rooms),
            loaded=gathered or not rooms.on_chip(kernel.source),
            stored=not rooms.on_chip(kernel.output),
            handed_bytes=self._handed(kernel.output, *source),
            spilled_bytes=rooms.spilled_rows(packing.k) * packing.k * FLOAT if spilled else 0,
            groups=tuple(kernel.groups()) if kernel.on_chip(rooms) and turned is None else (1,),
            saved=int(kernel.output in self.joined),
            angle_bytes=0 if turned is None else turned.dim * FLOAT,
            turned_bytes=0 if turned is None else turned.local_columns * FLOAT,
        )

    def _attention(self, named: Named, kernel: Attention) -> AttentionShape:
        limits, policy = self.limits, self.limits.policy
        return AttentionShape(
            label=named.label,
            most_rows=limits.extents["q_len"],
            batch=kernel.batch,
            context=limits.extents["context"],
            group=kernel.group,
            kv_heads=kernel.kv_heads,
            head=kernel.head,
            operand_bytes=element_bytes(kernel.operand),
            kv_bytes=element_bytes(kernel.cache),
            out_bytes=element_bytes(kernel.result),
            phases=phases(policy.significand, policy.significand),
            repeats=named.repeats,
            kv_block=limits.kv_block,
            most_kv_block=limits.most_kv_block,
            on_chip=self.rooms.on_chip(kernel.query),
            causal=not kernel.full,
            handed_bytes=self._handed(kernel.output),
            handed_rows=self.rooms.rows,
            longer=self._longer(kernel.output),
            later_rows=limits.later_rows,
        )

    def _heads(self, named: Named, kernel: Heads) -> RowsShape:
        rooms = self.rooms
        on_chip = kernel.on_chip(rooms)
        sources = {part.source for part in kernel.parts if rooms.on_chip(part.source)}
        widest = max(part.columns for part in kernel.parts)
        dim = max((p.rope.dim for p in kernel.parts if p.rope is not None), default=0)
        local = sum(
            part.columns + part.heads if part.norm is not None else 0 for part in kernel.parts
        ) + sum(p.heads * p.rope.dim for p in kernel.parts if p.rope is not None)
        rows = {"angles": dim * FLOAT}
        out = max(part.columns * element_bytes(part.element) for part in kernel.parts)
        handed: dict[str, int] = {}
        if on_chip:
            names = [part.output for part in kernel.parts if part.output is not None]
            slots = [
                sum(part.columns * element_bytes(part.element) for part in parts)
                for parts in joined(kernel.parts, rooms)
                if any(part.cache for part in parts)
            ]
            handed = {"handed": self._handed(*names), "fresh": max(slots, default=0)}
        elif not sources:
            rows["rows"] = widest * FLOAT
        return RowsShape(
            label=named.label,
            most_rows=rooms.rows if on_chip else self.limits.extents[kernel.counted],
            batch=kernel.batch if kernel.positioned and not on_chip else 1,
            in_bytes=rows,
            out_row_bytes=0 if on_chip else out,
            local_row_bytes=local * FLOAT,
            vector_bytes=FLOAT
            * max((p.head for p in kernel.parts if p.norm is not None), default=0),
            vector_columns=widest,
            repeats=named.repeats,
            row_choices=(rooms.rows,) if on_chip else None,
            handed=handed,
            longer={} if on_chip else self._longer(*sources),
        )

    def _embedding(self, named: Named, kernel: Embedding) -> RowsShape:
        packing, rooms = kernel.packed.packing, self.rooms
        on_chip = rooms.on_chip(kernel.output)
        cuts = {rooms.rows, *(n for n in powers_of_two(rooms.rows) if rooms.rows % n == 0)}
        return RowsShape(
            label=named.label,
            most_rows=self.limits.extents[kernel.count],
            batch=1,
            in_bytes={"picked": packing.row_bytes},
            out_row_bytes=0 if on_chip else packing.k * FLOAT,
            local_row_bytes=0,
            vector_bytes=0,
            vector_columns=packing.k,
            repeats=1,
            row_choices=tuple(sorted(cuts)) if on_chip else None,
        )
