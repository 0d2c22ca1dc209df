"""Text to words: a whole entry, with line and column in every error."""

from __future__ import annotations

from collections.abc import Mapping

from ..isa import BY_MNEMONIC, DEFAULT_OPCODES, EncodingError, Ins, Program, encode
from .operands import read_item
from .statements import read_tables
from .tables import Tables
from .tree import Node, parse


def assemble(text: str, opcodes: Mapping[str, int] = DEFAULT_OPCODES) -> Program:
    """The program of an entry's text. AsmError gives line, column, found and expected."""
    statements = [child for child in parse(text).children if child is not None]
    fields, tables = read_tables([s for s in statements if s.kind != "engine"])
    engines = dict[str, list[bytes]]()
    locations = dict[str, list[str]]()
    for statement in statements:
        if statement.kind == "engine":
            name = statement.child(0).text
            if name in engines:
                raise statement.error(f"engine {name} stands here twice")
            engines[name], locations[name] = _read_engine(name, statement, tables, opcodes)
    located = {name: texts for name, texts in locations.items() if any(texts)}
    return tables.program(fields, engines, located)


def source_line(text: str, engine: str, index: int) -> int:
    """The line, from 1, of an engine's instruction in a text that assembles."""
    for statement in parse(text).children:
        if statement is not None and statement.kind == "engine":
            if statement.child(0).text == engine:
                return statement.child(index + 1).line
    raise AssertionError(f"no engine {engine} in the text")


def _read_engine(
    engine: str, statement: Node, tables: Tables, opcodes: Mapping[str, int]
) -> tuple[list[bytes], list[str]]:
    """The words of an engine and the location of each, empty where it has none."""
    words, locations = list[bytes](), list[str]()
    for line in statement.children[1:]:
        assert line is not None
        ins = _read_instruction(engine, line, tables)
        try:
            words.append(encode(ins, opcodes).tobytes())
        except EncodingError as error:
            raise line.error(str(error)) from None
        location = line.children[-1]
        locations.append(location.text[2:].strip() if location is not None else "")
    return words, locations


def _read_instruction(engine: str, line: Node, tables: Tables) -> Ins:
    mnemonic = line.child(0).text
    row = BY_MNEMONIC.get(mnemonic)
    if row is None:
        raise line.error(
            f"found instruction '{mnemonic}', expected one of {', '.join(BY_MNEMONIC)}"
        )
    ins = Ins(mnemonic)
    for item in line.children[1:-1]:
        if item is not None:
            read_item(engine, row, item, ins, tables)
    return ins
