"""What is wrong with an op: an error that knows the op, so that a driver can say where that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.dialects.builtin import FileLineColLoc
from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from .locations import file_location, model_name


@dataclass(frozen=True)
class Place:
    """Where in a file an op begins; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class OpError(VerifyException):
    """`OP at NAME: message`, and the op itself; where in a file that is, `place_of` says."""

    def __init__(self, op: Operation, message: object) -> None:
        super().__init__(f"{where(op)}: {message}")
        self.op = op


def place_of(error: BaseException, places: Mapping[Operation, FileLineColLoc]) -> Place | None:
    """Where the op stands that an error, or what caused it, is about; or the op that it was made
    from: the `op` of an OpError, or of another error that has one.

    `places` is what `parse_source` noted; None where the op was not read from a file.
    """
    found: BaseException | None = error
    op = None
    while found is not None and not isinstance(op := getattr(found, "op", None), Operation):
        found = found.__cause__
    if not isinstance(op, Operation):
        return None
    place = places.get(op) or file_location(op)
    if place is None:
        return None
    return Place(place.filename.data, place.line.data, place.column.data)


def place_beside(
    error: BaseException, places: Mapping[Operation, FileLineColLoc], message: str
) -> Place | None:
    """As `place_of`; None where the message says it itself."""
    place = place_of(error, places)
    return None if place is None or str(place) in message else place


def where(op: Operation) -> str:
    """An op by its kind, and the part of the model it stems from if that is known."""
    name = model_name(op)
    return f"{op.name} at {name}" if name else op.name
