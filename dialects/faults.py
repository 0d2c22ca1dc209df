"""What is wrong with an op: an error that knows the op, so that a driver can say where that is."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from .locations import location_name

Place = tuple[int, int]
"""Line and column, both from 1."""


class OpError(VerifyException):
    """`OP at LOCATION: message`, and the op itself."""

    def __init__(self, op: Operation, message: object) -> None:
        super().__init__(f"{where(op)}: {message}")
        self.op = op


def place_of(error: BaseException, text: str, places: Mapping[Operation, int]) -> Place | None:
    """Where in a text the op stands that an error, or what caused it, is about.

    `places` is what `parse_source` noted; None where the op is not known, or was made later.
    """
    found: BaseException | None = error
    while found is not None and not isinstance(found, OpError):
        found = found.__cause__
    if found is None or found.op not in places:
        return None
    before = text[: places[found.op]]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def where(op: Operation) -> str:
    """An op by name, and location if it has one."""
    name = location_name(op)
    return f"{op.name} at {name}" if name else op.name
