"""Which box of each operand an instruction touches, as `functional/reference_ops.py` does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...backend.formats import FORMATS
from ...backend.isa import BY_MNEMONIC, CONSTANT, ELEMENT_BYTES, NO_REGISTER, Ins, View

Shape = tuple[int, ...]
Touch = tuple[str, Shape, bool]
"""Operand, extents from its first element on, whether it is written."""
_VALUE_AXES = {1: ("cols",), 2: ("rows", "cols"), 3: ("rows", "mid", "cols")}


def touched(ins: Ins, views: Sequence[View], registers: Sequence[int]) -> Iterator[Touch]:
    """The operands of a memory instruction. Rows that are picked by number may be any."""
    shapes = {n: views[o.view].shape for n, o in ins.operands.items() if o.kind != CONSTANT}

    def clip(shape: Shape, *fields: str) -> Shape:
        out: list[int] = []
        for extent, field in zip(shape, fields, strict=True):
            register = ins.fields[field]
            limit = extent if register == NO_REGISTER else registers[register]
            out.append(max(0, min(extent, limit)))
        return tuple(out)

    match ins.mnemonic:
        case "copy":
            shape = shapes["dst"]
            box = clip(shape, *(f"axis{axis}" for axis in range(len(shape))))
            yield "dst", box, True
            yield "src", tuple(map(min, box, shapes["src"])), False
        case "fill":
            shape = shapes["dst"]
            yield "dst", clip(shape, *(f"axis{axis}" for axis in range(len(shape)))), True
        case "gather" | "scatter":
            rows, other = ("dst", "src") if ins.mnemonic == "gather" else ("src", "dst")
            count = clip(shapes[rows][:1], "rows")
            yield "index", count, False
            yield rows, (*count, *shapes[rows][1:]), rows == "dst"
            yield other, shapes[other] if count[0] else (0, *shapes[other][1:]), other == "dst"
        case "mm":
            m, n = clip(shapes["acc"], "m", "n")
            (k,) = clip(shapes["a"][1:], "k")
            if 0 in (m, n, k):
                return
            turned = ins.fields["transposed"] or views[ins.operands["b"].view].order == "nk"
            yield "acc", (m, n), False
            yield "acc", (m, n), True
            yield "a", (m, k), False
            yield "b", (n, k) if turned else (k, n), False
        case "vtr":
            rows, cols = clip(shapes["a"], "rows", "cols")
            yield "dst", (cols, rows), True
            yield "a", (rows, cols), False
        case _:
            yield from _values(ins, shapes, clip)


def _values(ins: Ins, shapes: dict[str, Shape], clip: Callable[..., Shape]) -> Iterator[Touch]:
    """vec, vsel, vquant, vtopk: one shape for all but reductions and scales."""
    lead = next(n for n in ("codes", "dst", "a") if n in shapes)
    if ins.mnemonic == "vtopk":
        lead = "a"
    shape = clip(shapes[lead], *_VALUE_AXES[len(shapes[lead])])
    for name, full in shapes.items():
        writes = BY_MNEMONIC[ins.mnemonic].operands
        written = next(spec.access != "read" for spec in writes if spec.name == name)
        if name in ("red", "values", "indices"):
            yield name, (*shape[:-1], 1), written
        elif name == "scales":
            block = shapes["codes"][-1] // full[-1]
            yield name, (*shape[:-1], -(-shape[-1] // block)), written
        else:
            yield name, shape, written


def runs_of(view: View, shape: Shape) -> list[tuple[int, int]]:
    """Runs of bytes of a clipped view, [first, end) from the view's register on; neighbours are
    one, ascending."""
    if 0 in shape:
        return []
    starts = [view.offset]
    if view.order:
        size, steps = _packed(view, shape)
    elif view.strides[-1] == 0:
        size, steps = ELEMENT_BYTES[view.format], list(zip(shape[:-1], view.strides, strict=False))
    else:
        size = shape[-1] * ELEMENT_BYTES[view.format]
        steps = list(zip(shape[:-1], view.strides, strict=False))
    for extent, stride in reversed(steps):
        if stride == size and len(starts) == 1:
            size *= extent
        elif stride:
            starts = [start + i * stride for i in range(extent) for start in starts]
    out: list[tuple[int, int]] = []
    for start in sorted(starts):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], start + size))
        else:
            out.append((start, start + size))
    return out


def _packed(view: View, shape: Shape) -> tuple[int, list[tuple[int, int]]]:
    """Bytes of a run of a packed view, and the (count, stride) of runs."""
    plain = ELEMENT_BYTES.get(view.format, 0)
    block = 1 if plain else FORMATS[view.format].block
    size = plain or FORMATS[view.format].block_bytes
    if view.order == "kn":
        width = shape[1] if plain else view.strides[1]
        return size * width, [(-(-shape[0] // block), view.strides[0])]
    blocks = -(-shape[1] // block)
    return size, [(shape[0], view.strides[0]), (blocks, view.strides[1])]
