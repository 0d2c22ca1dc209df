"""Table statements of the text: channels, regions, parameters, words, views, constants."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from ..errors import TilewrightError
from ..isa import Channel, ChannelKind, Memory, Parameter, Region, Role, Space
from ..json_text import parse_json
from .tables import Tables
from .text import AsmError, constant_bits, parse_view, symbol_name
from .tree import Node


def read_tables(statements: list[Node]) -> tuple[dict[str, Any], Tables]:
    """The scalar parts of a program (kv_block, meta, words) and its tables."""
    fields: dict[str, Any] = {}
    tables = Tables()
    for statement in statements:
        try:
            _read(statement, fields, tables)
        except AsmError:
            raise
        except (TilewrightError, ValueError, OverflowError) as error:
            raise statement.error(f"{statement.kind}: {error}") from None
    return fields, tables


def _read(statement: Node, fields: dict[str, Any], tables: Tables) -> None:
    parts = [None if child is None else child.text for child in statement.children]
    match statement.kind:
        case "channel":
            tables.add_channel(_channel(parts))
        case "region":
            name, role, memory, base, nbytes, owner = parts
            tables.add_region(
                Region(
                    symbol_name(_text(name)), cast(Memory, memory), _int(base), _int(nbytes),
                    cast(Role, role), owner or "",
                )
            )  # fmt: skip
        case "parameter":
            name, *numbers = parts
            tables.add_parameter(Parameter(symbol_name(_text(name)), *map(_int, numbers)))
        case "words":
            fields["words"] = np.array([_int(part) for part in parts], np.int64)
        case "kv_block":
            fields["kv_block"] = _int(parts[0])
        case "meta":
            fields["meta"] = parse_json(_text(parts[0]).removeprefix("meta "))
        case "view":
            name, offset, text = parts
            _expect_next(name, f"v{len(tables.views)}")
            tables.views.append(parse_view(_text(text), _int(offset)))
        case _:
            assert statement.kind == "constant"
            _expect_next(parts[0], f"k{len(tables.constants)}")
            tables.constants.append(constant_bits(statement.child(1).child(0).text))


def _channel(parts: list[str | None]) -> Channel:
    *head, slot_bytes, space, base, primed, most = parts
    name, producer, *consumers, kind, slots = head
    return Channel(
        name=symbol_name(_text(name)),
        producer=_text(producer),
        consumers=tuple(_text(c) for c in consumers if c is not None),
        kind=cast(ChannelKind, kind),
        slots=_int(slots),
        slot_bytes=_int(slot_bytes or "0"),
        space=cast(Space, space or "none"),
        base=_int(base or "0"),
        primed=_int(primed or "0"),
        max=_int(most or "0"),
    )


def _expect_next(found: str | None, wanted: str) -> None:
    if found != wanted:
        raise ValueError(f"found {found}, expected {wanted}: entries are numbered in order")


def _text(part: str | None) -> str:
    assert part is not None, "the grammar demands this part"
    return part


def _int(part: str | None) -> int:
    return int(_text(part))
