"""Operations in messages, `tile.matmul at blk.{l}.ffn_down`, and the error that passes raise."""

from xdsl.ir import Operation

from ..backend.errors import TilewrightError
from ..dialects.locations import whereabouts
from ..dialects.tile import BufferOp, TileOp


class PassError(TilewrightError):
    """A program that a pass cannot carry on with: names the op, what is wrong, what to do.

    The op itself goes along, so that a driver can say in which line it stands.
    """

    def __init__(self, message: str, op: Operation | None = None) -> None:
        super().__init__(message)
        self.op = op


def located(op: Operation | None) -> str:
    """An op by name and location, and by its line where it was read from a file."""
    return "the program" if op is None else whereabouts(op)


def engine_of(op: TileOp | BufferOp, earlier: str) -> str:
    """The engine of an op. Raises PassError where `earlier`, the pass that says it, has not run."""
    if op.engine is None:
        raise PassError(f"{located(op)} has no engine: {earlier} comes before this pass", op)
    return op.engine.data
