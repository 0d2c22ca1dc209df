"""projected → isa: `func.func @mxu { .. tile.matmul .. }` → `tw.program @mxu { .. tw.mm .. }`.

Index arithmetic becomes constant offsets of views, offset and bound registers; channel ops become
begin and end of operands, or `tw.sync`. Private buffers become regions.
"""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ...backend.machine import load_machine
from ...dialects.stream import ChannelOp
from ...dialects.tg import GlobalOp, ScalarOp, TableOp
from ...dialects.tile import BufferOp, nbytes
from ...dialects.tw import RegionOp
from ..located import PassError, located
from ..names import Names, symbols
from .build import Builder
from .lower import Lowering
from .registers import assign_registers


def parameter_offsets(module: ModuleOp) -> dict[str, int]:
    """Word of each launch parameter in the table, in order of declaration."""
    offsets: dict[str, int] = {}
    at = 0
    for op in module.ops:
        if isinstance(op, ScalarOp):
            offsets[op.scalar_name], at = at, at + 1
        elif isinstance(op, TableOp):
            offsets[op.table_name], at = at, at + op.count.data
    return offsets


class _Regions:
    """Regions of private buffers; buffers of one engine with the same bytes share one."""

    def __init__(self, names: Names):
        self.names = names
        self.regions: dict[tuple[str, str, int, int], RegionOp] = {}

    def of(self, buffer: BufferOp) -> str:
        """The region's name. Raises PassError for a buffer without an address."""
        if buffer.at is None or buffer.engine is None:
            raise PassError(
                f"{located(buffer)}: no address or no engine; allocate comes first", buffer
            )
        type_ = buffer.result.type
        size = nbytes(type_)
        key = (buffer.engine.data, type_.memory_space.name, buffer.at.data, size)
        region = self.regions.get(key)
        if region is None:
            name = self.names.fresh(buffer.result.name_hint or "buffer")
            region = RegionOp(name, buffer.engine, size, type_.memory_space, buffer.at.data)
            region.location = buffer.location
            self.regions[key] = region
        return region.region_name


@dataclass(frozen=True)
class SelectPass(ModulePass):
    """Choose the instructions of every engine."""

    name = "select"

    machine: str = "tw-small"
    """Machine whose registers are used: a name, or the path of a description."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        machine = load_machine(self.machine)
        globals = {g.global_name: g for g in op.ops if isinstance(g, GlobalOp)}
        regions = _Regions(Names(symbols(op)))
        offsets = parameter_offsets(op)
        for function in [f for f in op.ops if isinstance(f, func.FuncOp)]:
            engine = function.sym_name.data
            if engine not in machine.engines():
                raise PassError(
                    f"function @{engine} is no engine of {machine.name}: project comes before "
                    f"select; engines are {', '.join(machine.engines())}",
                    function,
                )
            buffers = {b: regions.of(b) for b in function.walk() if isinstance(b, BufferOp)}
            lowering = Lowering(machine, offsets, globals, buffers)
            code = lowering.function(function)
            items, nodes = assign_registers(code, lowering.scalars, engine, machine.registers)
            program = Builder(nodes).program(engine, items)
            program.location = function.location
            op.body.block.insert_op_before(program, function)
            function.detach()
            function.erase()
        anchor = next(
            p for p in op.ops if not isinstance(p, GlobalOp | ChannelOp | ScalarOp | TableOp)
        )
        for region in regions.regions.values():
            op.body.block.insert_op_before(region, anchor)
