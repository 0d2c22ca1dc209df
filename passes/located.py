"""Operations in messages: `tile.matmul at blk.{l}.ffn_down`, and the error that passes raise."""

from xdsl.dialects.builtin import FileLineColLoc, NameLoc, UnknownLoc
from xdsl.ir import Attribute, Operation

from ..backend.errors import TilewrightError


class PassError(TilewrightError):
    """A program that a pass cannot carry on with: names the op, what is wrong, what to do."""


def location_text(location: Attribute) -> str:
    """The name a location holds; "" for an unknown one."""
    match location:
        case NameLoc():
            return location.desc.data
        case FileLineColLoc():
            return f"{location.filename.data}:{location.line.data}:{location.column.data}"
        case UnknownLoc():
            return ""
        case _:
            return str(location)


def located(op: Operation | None) -> str:
    """An op by name and location."""
    if op is None:
        return "the program"
    text = location_text(op.location)
    return f"{op.name} at {text}" if text else op.name
