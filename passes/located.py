"""Operations in messages, `tile.matmul at blk.{l}.ffn_down`, and the error that passes raise."""

from xdsl.ir import Operation

from ..backend.errors import TilewrightError
from ..dialects.locations import location_name


class PassError(TilewrightError):
    """A program that a pass cannot carry on with: names the op, what is wrong, what to do."""


def located(op: Operation | None) -> str:
    """An op by name and location."""
    if op is None:
        return "the program"
    name = location_name(op)
    return f"{op.name} at {name}" if name else op.name
