"""The parse tree of a text: plain nodes with positions, and the errors of the grammar."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from .text import AsmError

_TERMINALS = {
    "SYMBOL": "a name such as @w",
    "NAME": "a word",
    "INT": "an integer",
    "FLOAT": "a number",
    "VIEW_TEXT": "a view such as <4x8 f32>",
    "META_LINE": "meta",
    "LOCATION": "// and a location",
    "_NL": "end of line",
    "LSQB": "[",
    "RSQB": "]",
    "LPAR": "(",
    "RPAR": ")",
    "LBRACE": "{",
    "RBRACE": "}",
    "COMMA": ",",
    "COLON": ":",
    "EQUAL": "=",
    "PLUS": "+",
    "$END": "end of text",
}


@dataclass(frozen=True)
class Node:
    """A rule's match or a token."""

    kind: str
    """Name of the grammar's rule or terminal."""
    text: str
    """A token's text; empty for a rule."""
    line: int
    column: int
    children: tuple[Node | None, ...] = ()
    """A rule's parts; None for an optional part that is absent."""

    def error(self, message: str) -> AsmError:
        """An error at this place."""
        return AsmError(self.line, self.column, message)

    def child(self, index: int) -> Node:
        """A part that the grammar demands."""
        child = self.children[index]
        assert child is not None, f"{self.kind} has no part {index}"
        return child


def parse(text: str) -> Node:
    """The tree of a text. AsmError says what was found and what was expected."""
    try:
        return _node(cast(Any, _parser()).parse(text + "\n"))
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from None


@cache
def _parser() -> Lark:
    grammar = resources.files(f"{__package__}").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _node(found: Tree[Token] | Token) -> Node:
    if isinstance(found, Token):
        return Node(found.type, str(found), found.line or 1, found.column or 1)
    parts = cast("list[Tree[Token] | Token | None]", found.children)
    meta = cast(Any, found.meta)
    return Node(
        str(found.data), "", getattr(meta, "line", 1), getattr(meta, "column", 1),
        tuple(None if part is None else _node(part) for part in parts),
    )  # fmt: skip


def _syntax_error(error: UnexpectedInput, text: str) -> AsmError:
    expected, found = set[str](), "end of text"
    if isinstance(error, UnexpectedToken):
        token = cast(Token, cast(Any, error).token)
        expected = error.accepts or error.expected
        if token.type != "$END":
            found = "end of line" if token.type == "_NL" else f"'{token}'"
    elif isinstance(error, UnexpectedCharacters):
        expected, found = error.allowed or expected, f"'{cast(Any, error).char}'"
    names = sorted(_TERMINALS.get(name, name.lower()) for name in expected)
    line, column = error.line, error.column
    if line < 1 or found == "end of text":
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    return AsmError(line, column, f"found {found}, expected {' or '.join(names)}")
