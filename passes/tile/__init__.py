"""tile: one kernel after another -> one sequential program of loops over tiles.

Tensors between kernels stay on chip where a step has few rows (residency.py), else they become
regions of hbm; each kernel is a nest of loops on buffers. Homes and sizes come from a search over
all kernels of the program at once (plan.py, search.py); the loops from a file for each kind of
kernel. Rows are the packed batch of a ragged step, so one program serves every batch and length.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects import arith, func, scf
from xdsl.dialects.builtin import IntegerAttr, ModuleOp, i64
from xdsl.ir import Block, Operation, Region
from xdsl.passes import ModulePass

from ...backend.machine import load_machine
from ...dialects.tg import FusedOp, GlobalOp, InputOp, OutputOp, WeightOp
from ..allocate import bytes_of_globals
from ..located import PassError, located
from ..names import Names, symbols
from ..policy import policy_of
from ..symbols import entry_function, globals_of, scalars_of, tables_of
from .activations import ACTIVATIONS
from .attention import emit_attention
from .attention_kernel import Attention
from .emitter import Emitter, Index
from .heads import Heads, emit_heads
from .heads_on_chip import emit_appends, emit_heads_on_chip
from .joint import Named
from .kernels import Description, Surroundings, describe
from .linear import emit_linear
from .linear_kernel import Linear
from .plan import Limits, choose
from .record import plan_of, record_plan
from .regions import ROW_COUNTS, assign_regions
from .residency import Rooms
from .rows import Embedding, emit_embedding
from .search import DoesNotFitError
from .steps import emit_step
from .tiles import Tile

__all__ = ["ACTIVATIONS", "DoesNotFitError", "TilePass", "plan_of"]


@dataclass(frozen=True)
class TilePass(ModulePass):
    """Choose a tile for every kernel and write the tile program."""

    name = "tile"

    machine: str = "tw-small"
    """Name of a machine, or the path of its description."""
    kv_block: int | None = None
    """Positions that attention treats at once, a power of two; it decides the bits of the result.
    By default the fastest that fits."""
    most_kv_block: int = 1 << 10
    """The largest KV block to try."""
    later_rows: int = 0
    """Most rows of a sequence in the entries that take over the KV block. Of KV blocks that are as
    fast here, the one that suits those best is chosen."""
    unfused: bool = False
    """Keep all tensors between kernels in main memory."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        if self.kv_block is not None and (self.kv_block < 1 or self.kv_block & (self.kv_block - 1)):
            raise PassError(f"kv-block: found {self.kv_block}, wanted a power of two")
        machine = load_machine(self.machine)
        function = entry_function(op)
        policy = policy_of(op)
        extents = _extents(op)
        tables = tables_of(op)
        regions = assign_regions(function.body.block, policy, extents, Names(symbols(op)))
        batch = tables["q_len"].count.data
        around = Surroundings(globals_of(op), regions, policy, batch, extents["q_len"])
        found = list(_kernels(function.body.block, 1))
        named = [
            Named(kernel.label.data, describe(kernel, around), repeats, kernel.location)
            for kernel, repeats in found
        ]
        limits = Limits(
            policy,
            extents,
            self.kv_block,
            self.most_kv_block,
            in_memory=self.unfused,
            later_rows=self.later_rows,
            held_bytes=0 if machine.has_hbm else bytes_of_globals(op, machine),
        )
        choice = choose(machine, named, regions, limits)
        written = [pair for pair in choice.kernels if pair is not None]
        in_memory = {
            kernel.source
            for kernel, _ in written
            if isinstance(kernel, Linear) and kernel.index is not None
        }
        passed = {
            kernel.output
            for kernel, _ in written
            if isinstance(kernel, Linear) and kernel.turned is not None
        }
        makers = [(name, value.owner) for value, name in regions.names.items()]
        places = {n: owner.location for n, owner in reversed(makers) if isinstance(owner, FusedOp)}
        for name, type_ in regions.types.items():
            if name in in_memory or (not choice.rooms.on_chip(name) and name not in passed):
                declared = GlobalOp("scratch", name, type_)
                declared.location = places[name]
                op.body.block.insert_op_before(declared, function)
        _record_kv_block(op, written)
        record_plan(op, named, choice, policy)
        body = Block()
        emitter = Emitter(body, function.location)
        chosen = dict(zip((kernel for kernel, _ in found), choice.kernels, strict=True))
        _Writer(emitter, chosen, choice.rooms).block(function.body.block, [])
        emitter.location = function.location
        emitter.add(func.ReturnOp())
        function.detach_region(function.body)
        function.add_region(Region(body))


def _extents(module: ModuleOp) -> dict[str, int]:
    """The most rows by launch parameter, and the longest context."""
    scalars, tables = scalars_of(module), tables_of(module)
    for name in ROW_COUNTS:
        if name not in scalars:
            raise PassError(
                f"the module has no launch parameter @{name}; declare it by tg.scalar", module
            )
    for name in ("row_start", "q_len", "kv_len"):
        if name not in tables:
            raise PassError(
                f"the module has no launch parameters @{name}; declare them by tg.table", module
            )
    caches = [g for g in globals_of(module).values() if g.role.data == "state"]
    context = max((g.shape[-2] for g in caches), default=1)
    extents = {name: max(scalars[name].hi.data, 1) for name in ROW_COUNTS}
    return extents | {"q_len": max(tables["q_len"].hi.data, 1), "context": context}


def _kernels(block: Block, repeats: int) -> Iterator[tuple[FusedOp, int]]:
    """Every kernel with how often a step runs it."""
    for op in block.ops:
        if isinstance(op, FusedOp):
            yield op, repeats
        elif isinstance(op, scf.ForOp):
            yield from _kernels(op.body.block, repeats * _trips(op))


def _constant(op: Operation) -> int | None:
    if isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr):
        return op.value.value.data
    return None


def _trips(loop: scf.ForOp) -> int:
    """Trips of a loop of layers, which are constant."""
    bounds = [
        _constant(v.owner) if isinstance(v.owner, Operation) else None
        for v in (loop.lb, loop.ub, loop.step)
    ]
    if bounds[0] != 0 or bounds[2] != 1 or bounds[1] is None:
        raise PassError(
            f"{located(loop)}: wanted a loop from 0 by 1 to a constant, found {bounds}", loop
        )
    return bounds[1]


def _record_kv_block(module: ModuleOp, chosen: Iterable[tuple[Description, Tile]]) -> None:
    """Note the choice that decides bits where every later level and the image can read it."""
    blocks = {size.depth for kernel, size in chosen if isinstance(kernel, Attention)}
    if len(blocks) > 1:
        raise PassError(
            f"attention kernels with KV blocks {sorted(blocks)}; wanted one: set kv-block", module
        )
    for block in blocks:
        module.attributes["tw.kv_block"] = IntegerAttr(block, i64)


@dataclass
class _Writer:
    """Writes the kernels of a function in order; loops of layers stay loops."""

    e: Emitter
    chosen: Mapping[FusedOp, tuple[Description, Tile] | None]
    rooms: Rooms
    waiting: list[Heads] = field(default_factory=list[Heads])
    """Kernels whose keys and values are to be stored behind the attention that reads them."""

    def block(self, block: Block, layer: list[Index]) -> None:
        """The kernels of a block."""
        e = self.e
        for op in block.ops:
            match op:
                case FusedOp():
                    e.location = op.location
                    if (chosen := self.chosen[op]) is not None:
                        self._kernel(*chosen, layer)
                case scf.ForOp():
                    e.location = op.location
                    with e.loop(_trips(op), "l") as counter:
                        self.block(op.body.block, [counter])
                        e.location = op.location
                case WeightOp() | InputOp() | arith.ConstantOp() | scf.YieldOp() | func.ReturnOp():
                    pass
                case OutputOp():
                    raise PassError(
                        f"{located(op)}: an output stands outside of a kernel; run fuse", op
                    )
                case _:
                    raise PassError(f"{located(op)}: no kernel holds it; run fuse before tile", op)
        self._append(layer)

    def _kernel(self, kernel: Description, size: Tile, layer: list[Index]) -> None:
        e, rooms = self.e, self.rooms
        match kernel:
            case Linear():
                emit_linear(e, kernel, size, layer, rooms)
            case Attention():
                emit_attention(e, kernel, size, layer, rooms)
                self._append(layer)
            case Heads() if kernel.on_chip(rooms):
                emit_heads_on_chip(e, kernel, layer, rooms)
                self.waiting.append(kernel)
            case Heads():
                emit_heads(e, kernel, size, layer, rooms)
            case Embedding():
                emit_embedding(e, kernel, size, rooms)
            case _:
                emit_step(e, kernel, size, layer)

    def _append(self, layer: list[Index]) -> None:
        """Store the keys and values that wait, at the location of what made them."""
        for kernel in self.waiting:
            emit_appends(self.e, kernel, layer, self.rooms)
        self.waiting.clear()
