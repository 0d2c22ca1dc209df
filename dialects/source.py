"""IR text to a module: xDSL's parser behind a check of what would make it hang or run deep."""

from __future__ import annotations

import re

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.parser import Parser
from xdsl.utils.exceptions import ParseError, VerifyException
from xdsl.utils.lexer import Input, Span

_SKIPPED = re.compile(r'//[^\n]*+|"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+(?P<close>"?)')
"""A comment or a string, in linear time; a string that does not end has an empty `close`."""


Places = dict[Operation, int]
"""Op -> where in the text it begins, in characters."""


class PlacingParser(Parser):
    """xDSL's parser, which also notes where each op stands."""

    def __init__(self, ctx: Context, text: str, name: str, places: Places) -> None:
        super().__init__(ctx, text, name)
        self.places = places

    def parse_operation(self) -> Operation:
        start = self.pos
        op = super().parse_operation()
        self.places[op] = start
        return op


def parse_source(
    ctx: Context,
    text: str,
    name: str,
    implicit_module: bool = True,
    places: Places | None = None,
) -> ModuleOp:
    """The module of a text; `name` is the file's, for errors.

    `implicit_module` puts several ops, or one that is no module, into a module; `places` gets the
    place of each op. Raises ParseError.
    """
    # The pattern of xDSL's lexer takes time exponential in the length of a string without an end.
    for match in _SKIPPED.finditer(text):
        if match["close"] == "":
            span = Span(match.start(), match.start() + 1, Input(text, name))
            raise ParseError(span, "a string has no end in its line, or an unknown escape in it")
    parser = Parser(ctx, text, name) if places is None else PlacingParser(ctx, text, name, places)
    try:
        return parser.parse_module(implicit_module)
    except RecursionError:
        said = "nested too deeply to be read"
    except (VerifyException, ArithmeticError, ValueError) as error:
        # Types and attributes check themselves when they are made, without a place in the text.
        said = " ".join(str(error).split())[:300]
    raise ParseError(Span(parser.pos, parser.pos, Input(text, name)), said)
