"""The text of docs/ISA.md: chapters from chapters.md, one page an instruction from the table."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib import resources

import numpy as np

from ..formats import ELEMENTS, FORMATS
from ..numerics import ELEMENTARY, elementary
from .codec import operand_low
from .field import KIND_MEANINGS, OPERAND_PARTS, Field, register_name
from .row import Instruction
from .table import DEFAULT_OPCODES, INSTRUCTIONS
from .view import VIEW_FORMATS


def isa_page() -> str:
    """The whole page as Markdown."""
    text = resources.files(f"{__package__}").joinpath("chapters.md").read_text("utf-8")
    parts = {
        "opcodes": _opcodes(),
        "operand": _operand_parts(),
        "formats": _formats(),
        "packed": _packed(),
        "constants": _constants(),
        "elementary": _elementary(),
    }
    for name, part in parts.items():
        assert f"<<{name}>>" in text, f"chapters.md has no place for {name}"
        text = text.replace(f"<<{name}>>", part)
    return "\n".join([text.rstrip(), *map(_instruction, INSTRUCTIONS)]).rstrip() + "\n"


def syntax(row: Instruction) -> str:
    """The instruction's line of assembly, with the default fields in brackets."""
    by_name = any(spec.optional for spec in row.operands)
    items = list[str]()
    for spec in row.operands:
        text = f"{spec.name}=<{spec.name}>" if by_name else f"<{spec.name}>"
        items.append(f"[{text}]" if spec.optional else text)
    for f in row.fields:
        items.append(f"<{f.name}>" if f.default is None else f"[{f.name}=<{f.name}>]")
    return f"{row.mnemonic} {', '.join(items)}".rstrip()


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = tuple(head)
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _opcodes() -> str:
    rows = [
        (str(DEFAULT_OPCODES[row.mnemonic]), f"`{row.mnemonic}`", row.summary)
        for row in INSTRUCTIONS
    ]
    return _table(("opcode", "mnemonic", ""), rows)


def _operand_parts() -> str:
    rows = [(f"{p.low}-{p.low + p.width - 1}", p.name, p.doc) for p in OPERAND_PARTS]
    return _table(("bits", "part", ""), [*rows, ("31-31", "", "0")])


def _formats() -> str:
    rows = [
        (str(n), f"`{name}`", str(ELEMENTS[name].itemsize) if name in ELEMENTS else "packed only")
        for n, name in enumerate(VIEW_FORMATS)
    ]
    return _table(("number", "format", "element bytes"), rows)


def _packed() -> str:
    rows = [
        (
            f"`{f.name}`", str(f.block), str(f.code_bits), f.scale or "-", f.minimum or "-",
            "stored " + f.zero if f.zero else str(f.zero_point), str(f.block_header_bytes),
            str(f.block_bytes),
        )
        for f in FORMATS.values()
        if f.scale
    ]  # fmt: skip
    head = ("format", "block", "code bits", "scale", "minimum", "zero", "header bytes H",
            "bytes of a block of one column or row")  # fmt: skip
    return _table(head, rows)


def _constants() -> str:
    rows = list[tuple[str, str, str]]()
    for name, value in vars(elementary).items():
        kind = type(value).__name__
        if kind in ("float32", "int32"):
            bits = int(np.array(value).view(np.uint32))
            rows.append((f"`{name}`", f"0x{bits:08x}", f"{kind} {value}"))
    return _table(("name", "bits", "value"), rows)


def _elementary() -> str:
    """The sources of the definitions, in a neutral spelling."""
    functions = [elementary.__dict__["_reciprocal_unit"], *ELEMENTARY.values()]
    return "\n\n".join(_plain_source(inspect.getsource(f)) for f in functions)


def _plain_source(source: str) -> str:
    source = re.sub(r"^    x = _array\(x\)\n", "", source, flags=re.M)
    if "    with np.errstate" in source:
        head, body = re.split(r'    with np\.errstate\(all="ignore"\):\n', source)
        source = head + re.sub(r"^    ", "", body, flags=re.M)
    source = re.sub(r"\(x: .*\) -> .*:", "(x):", source)
    source = re.sub(r"\(m: .*\) -> .*:", "(m):", source)
    source = re.sub(r"np\.full_like\(x, INFINITY\)", "INFINITY", source)
    source = re.sub(r"np\.int32\((-?\d+)\)", r"\1", source)
    source = re.sub(r"f32\(([\d.]+)\)", r"\1", source)
    source = re.sub(r"(\w+)\.astype\(np\.float32\)", r"to_float(\1)", source)
    source = source.replace(": Any = ", " = ").replace("_reciprocal_unit", "reciprocal_unit")
    for old, new in (("_select", "select"), ("_bits(", "bits_of("), ("_float(", "floating("),
                     ("_power_of_two", "power")):  # fmt: skip
        source = re.sub(rf"\b{re.escape(old)}", new, source)
    return source.rstrip()


def _instruction(row: Instruction) -> str:
    parts = [
        "",
        f"## `{row.mnemonic}`",
        "",
        row.summary,
        "",
        f"Engines: {', '.join(row.engines)}",
        "",
        "**Syntax**",
        "",
        f"    {syntax(row)}",
        "",
        "**Encoding**",
        "",
        _encoding(row),
        "",
        "**Meaning**",
        "",
        row.meaning,
        "",
    ]
    if row.limits:
        parts += ["**Limits**", "", *(f"- {limit}" for limit in row.limits), ""]
    return "\n".join([*parts, f"**Duration** {row.duration}"])


def _encoding(row: Instruction) -> str:
    lines = [("0-7", "opcode", str(DEFAULT_OPCODES[row.mnemonic]), "by default")]
    for index, spec in enumerate(row.operands):
        low = operand_low(index)
        where = f"{spec.access}, in {' or '.join(spec.spaces)}" if spec.spaces else "constant only"
        if spec.spaces and spec.allows_constant:
            where += ", or a constant"
        if spec.spaces:
            ranks = f"rank {spec.ranks[0]}"
            ranks += f" to {spec.ranks[1]}" if spec.ranks[1] > spec.ranks[0] else ""
            formats = "any" if len(spec.formats) == len(VIEW_FORMATS) else " ".join(spec.formats)
            where += f"; {ranks}; format {formats or 'any element type'}"
        doc = f"{spec.doc} ({where})" + ("; may be absent" if spec.optional else "")
        lines.append((f"{low}-{low + 31}", f"`{spec.name}`", "operand", doc))
    for f in sorted(row.fields, key=lambda f: f.low):
        lines.append((f"{f.low}-{f.high}", f"`{f.name}`", _field_values(f), _field_doc(f)))
    return _table(("bits", "name", "value", ""), lines)


def _field_values(field: Field) -> str:
    if field.kind == "enum":
        return ", ".join(f"{n} {value}" for n, value in enumerate(field.values))
    return KIND_MEANINGS[field.kind]


def _field_doc(field: Field) -> str:
    if field.default is None:
        return field.doc
    default = str(field.default)
    if field.kind == "optional":
        default = register_name(field.default)
    elif field.kind == "enum":
        default = field.values[field.default]
    return f"{field.doc} (default {default})"
