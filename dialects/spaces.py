"""Where bytes live and who moves them: `#tw.hbm`, `#tw.spm`, `#tw.acc`, and the engines."""

from __future__ import annotations

import re

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import Attribute, Data, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser, Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException


@irdl_attr_definition
class HbmAttr(ParametrizedAttribute):
    """`#tw.hbm`: the large memory behind the load and store queues. Only they reach it."""

    name = "tw.hbm"


@irdl_attr_definition
class SpmAttr(ParametrizedAttribute):
    """`#tw.spm`: the scratchpad. All engines reach it."""

    name = "tw.spm"


@irdl_attr_definition
class AccAttr(ParametrizedAttribute):
    """`#tw.acc`: the accumulators. The matrix unit adds into them, the vector unit reads them."""

    name = "tw.acc"


HBM, SPM, ACC = HbmAttr(), SpmAttr(), AccAttr()

KINDS = ("ld", "st", "mxu", "vpu")


@irdl_attr_definition
class EngineAttr(Data[str]):
    """An engine: `ld`, `ld1`, ... (load queues), `st`, ... (store queues), `mxu`, `vpu`."""

    name = "tw.engine"

    @classmethod
    def parse_parameter(cls, parser: AttrParser) -> str:
        with parser.in_angle_brackets():
            return parser.parse_identifier()

    def print_parameter(self, printer: Printer) -> None:
        printer.print_string(f"<{self.data}>")

    def verify(self) -> None:
        if re.fullmatch(r"(ld|st)([1-9][0-9]*)?|mxu|vpu", self.data) is None:
            raise VerifyException(f"no engine is named {self.data!r}: ld, ld1, .., st, mxu, vpu")

    @property
    def kind(self) -> str:
        """`ld`, `st`, `mxu` or `vpu`: the name without the queue's number."""
        return self.data.rstrip("0123456789")


def engine_attr(engine: str | EngineAttr | None) -> EngineAttr | None:
    """An engine by name, or None for None."""
    return EngineAttr(engine) if isinstance(engine, str) else engine


def parse_engine(parser: Parser) -> EngineAttr:
    """The bare name of an engine."""
    position = parser.pos
    name = parser.parse_identifier()
    try:
        return EngineAttr(name)
    except VerifyException as error:
        parser.raise_error(str(error), position, parser.pos)


def space_name(type_: Attribute) -> str:
    """`hbm`, `spm` or `acc` of a memref, or "" if it has no such space."""
    if not isinstance(type_, MemRefType):
        return ""
    space = type_.memory_space
    return space.name.removeprefix("tw.") if isinstance(space, HbmAttr | SpmAttr | AccAttr) else ""
