"""The spelling of views, constants and names, both ways."""

from __future__ import annotations

import re
import struct

from ..errors import TilewrightError
from ..isa import ELEMENT_BYTES, VIEW_FORMATS, Order, View, contiguous_strides

PARAMETER_FIELD = ("ldp", "word")
"""The one field that text may give by the name of a launch parameter."""

_VIEW = re.compile(
    r"<\s*(?P<shape>\d+(?:x\d+)*)\s+(?P<format>\w+)(?:\s+(?P<order>kn|nk))?"
    r"(?:\s*,\s*\[(?P<strides>[-\d,\s]*)\])?\s*>"
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][\w.$-]*")


class AsmError(TilewrightError):
    """Text that is no assembly: where, what was found and what was expected."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


def symbol_text(name: str) -> str:
    """`@name`, quoted where it is not a plain word."""
    return f"@{name}" if _PLAIN_NAME.fullmatch(name) else f'@"{name}"'


def symbol_name(text: str) -> str:
    """The name in a symbol token."""
    return text[1:].strip('"')


def view_text(view: View) -> str:
    """`<4x8 f32>`, with byte strides where they are not those of a contiguous array.

    The offset is not part of it: it stands in the place's brackets.
    """
    shape = "x".join(map(str, view.shape))
    order = f" {view.order}" if view.order else ""
    strides = "" if view.is_contiguous else f", {list(view.strides)}"
    return f"<{shape} {view.format}{order}{strides}>"


def parse_view(text: str, offset: int) -> View:
    """The view that `view_text` writes; ViewError or ValueError says what is wrong."""
    match = _VIEW.fullmatch(text)
    if match is None:
        raise ValueError(f"found {text}, expected a view such as <512x64 q4_1 kn, [2304, 64]>")
    shape = tuple(int(n) for n in match["shape"].split("x"))
    order: Order = "kn" if match["order"] == "kn" else "nk" if match["order"] else ""
    if match["strides"] is not None:
        strides = tuple(int(n) for n in match["strides"].replace(",", " ").split())
    elif order or match["format"] in set(VIEW_FORMATS) - set(ELEMENT_BYTES):
        raise ValueError(f"{text}: expected strides, as in <32x16 q4_1 kn, [320, 16]>")
    else:
        dense = match["format"] in ELEMENT_BYTES
        strides = contiguous_strides(match["format"], shape) if dense else (0,) * len(shape)
    return View(match["format"], shape, strides, order, offset)


def constant_text(bits: int) -> str:
    """The shortest decimal that reads back as the float32 of these bits."""
    (value,) = struct.unpack("<f", bits.to_bytes(4, "little"))
    if value != value:
        return f"nan(0x{bits:08x})"
    for digits in range(1, 10):
        text = f"{value:.{digits}g}"
        if constant_bits(text) == bits:
            break
    else:
        raise AssertionError(f"no decimal for {bits:08x}")
    return text if any(c in text for c in ".en") else text + ".0"


def constant_bits(text: str) -> int:
    """Bits of a constant's text, rounded to the nearest float32 (overflow gives infinity)."""
    if text.startswith("nan("):
        return int(text[4:-1], 16)
    try:
        return int.from_bytes(struct.pack("<f", float(text)), "little")
    except OverflowError:
        return 0xFF800000 if text.startswith("-") else 0x7F800000
