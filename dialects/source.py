"""IR text to a module: xDSL's parser behind a check of what would make it hang or run deep."""

from __future__ import annotations

import re
from bisect import bisect_right

from xdsl.context import Context
from xdsl.dialects.builtin import FileLineColLoc, IntAttr, ModuleOp, StringAttr, UnknownLoc
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException
from xdsl.utils.lexer import Input, Span

from .locations import placed

_SKIPPED = re.compile(r'//[^\n]*+|"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+(?P<close>"?)')
"""A comment or a string, in linear time; a string that does not end has an empty `close`."""


Places = dict[Operation, FileLineColLoc]
"""Op -> where in the file it begins."""


class PlacingParser(Parser):
    """xDSL's parser, which also notes where each op stands: in `places`, and in its location.

    `first` is the line of the file on which the text begins; `file` the name for locations.
    """

    def __init__(self, ctx: Context, text: str, name: str, file: str, first: int) -> None:
        super().__init__(ctx, text, name)
        self.places: Places = {}
        self.file = StringAttr(file)
        self.first = first
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def parse_operation(self) -> Operation:
        start = self.pos
        op = super().parse_operation()
        line = bisect_right(self.lines, start)
        column = start - self.lines[line - 1] + 1
        place = FileLineColLoc(self.file, IntAttr(self.first + line - 1), IntAttr(column))
        self.places[op] = place
        op.location = placed(op.location, place)
        return op


def parse_source(
    ctx: Context,
    text: str,
    name: str,
    implicit_module: bool = True,
    places: Places | None = None,
    file: str | None = None,
    first: int = 1,
) -> ModuleOp:
    """The module of a text; `name` is the file's, for errors.

    `implicit_module` puts several ops, or one that is no module, into a module. Each op has its
    line and column, beside its name or in place of it; `places` gets them, too. `file` is the
    file's name in these, by default `name`, and `first` the line of the file on which the text
    begins. Raises ParseError.
    """
    # The pattern of xDSL's lexer takes time exponential in the length of a string without an end.
    for match in _SKIPPED.finditer(text):
        if match["close"] == "":
            span = Span(match.start(), match.start() + 1, Input(text, name))
            raise ParseError(span, "a string has no end in its line, or an unknown escape in it")
    parser = PlacingParser(ctx, text, name, file or name, first)
    try:
        module = parser.parse_module(implicit_module)
        if isinstance(module.location, UnknownLoc):  # The implicit one.
            module.location = FileLineColLoc(parser.file, IntAttr(first), IntAttr(1))
        if places is not None:
            places |= parser.places
        return module
    except RecursionError:
        said = "nested too deeply to be read"
    except (VerifyException, ArithmeticError, ValueError) as error:
        # Types and attributes check themselves when they are made, without a place in the text.
        said = " ".join(str(error).split())[:300]
    raise ParseError(Span(parser.pos, parser.pos, Input(text, name)), said)
