"""tiled → tiled, every tile op bound to an engine: `tile.load @w[..] to %s` → `.. to %s on ld`.

A load queue is in order, so what waits for data of this very step must not stand in front of what
only waits for bandwidth. Loads are therefore spread by the role of their global, as far as the
machine has queues; all loads of one mutable global are on one queue.
"""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass

from ..backend.machine import load_machine
from ..dialects.lowbit import PackedType
from ..dialects.spaces import EngineAttr
from ..dialects.tg import GlobalOp
from ..dialects.tile import GatherOp, LoadOp, TileOp

WEIGHTS, ACTIVATIONS, STATE, VECTORS = range(4)
"""Wanted queue of a class of loads; a machine with fewer queues takes its last one."""


def load_class(declaration: GlobalOp) -> int:
    """The class of loads that read a global: by its role, dense weights apart from packed ones."""
    match declaration.role.data:
        case "weight":
            return WEIGHTS if isinstance(declaration.type, PackedType) else VECTORS
        case "table":
            return VECTORS
        case "state":
            return STATE
        case _:
            return ACTIVATIONS


@dataclass(frozen=True)
class AssignEnginesPass(ModulePass):
    """Bind every tile op to an engine of the machine."""

    name = "assign-engines"

    machine: str = "tw-small"
    """Machine whose queues are shared out: a name, or the path of a description."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        queues = load_machine(self.machine).load_queues
        names = ["ld", *(f"ld{number}" for number in range(1, queues))]
        classes = {g.sym_name.data: load_class(g) for g in op.ops if isinstance(g, GlobalOp)}
        for tile in op.walk():
            if not isinstance(tile, TileOp):
                continue
            engine = tile.KIND
            if isinstance(tile, LoadOp | GatherOp):
                engine = names[min(classes[tile.global_name], queues - 1)]
            tile.engine = EngineAttr(engine)
