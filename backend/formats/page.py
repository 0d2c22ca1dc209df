"""The text of docs/formats.md: prose here, tables from FORMATS."""

from .packing import COLUMN_STEP, Packing
from .recipes import FUNCTIONS
from .table import FORMATS, Format

_PAGE = """\
# Number formats and packed orders

*This page is generated: `python -m tilewright.backend.formats > docs/formats.md`.*

A value is `(code - zero) * scale + minimum`, each operation rounded to float32 by itself, in this
order. A block is a run of values along K that share scale, minimum and zero. `zero` is a constant
of the format or stored with each block. Formats of block 1 are plain elements.

## Formats

{formats}

Commands and passes take the other names too; case does not matter, and a dash is an underscore:
`INT4-g128` is `i4_g128`.

Extreme is the value of the largest magnitude, with its sign. `i8` keeps one float32 scale for each
output row in a vector beside the packed bytes; the matrix unit never applies it, an epilogue does.
The rules of GGUF types give the bytes of the `gguf` package.

How the quantiser picks scale and code:

{rules}

## Unpacked rows

`Blocks` holds N rows (output features) of K values: codes `[N, K]`, scales, minima and zeros
`[N, K / block]`. 4-bit codes are 0 to 15, one a byte. When K is not whole blocks, the last block is
filled up with codes that stand for zero; its scale is that of its own values. A unit that reads a
last block still clips K: with a minimum, a code for zero is not the value zero.

## Order `kn`: panels, for matrix products

    [panel][block of K][scale of each column][minimum or zero of each column][codes]

A panel is a number of columns (output features) that lie side by side; the machine's
`panel_width` unless stated otherwise. The last panel is stored as wide as its columns rounded up
to {step}; padding columns are zero bytes. With w the stored width, the codes of a block are

- 4 bits: block / 2 rows of w bytes; byte j of a column holds k = 2j low and k = 2j + 1 high;
- 8 bits: block rows of w bytes;
- plain elements: one row of w elements for each k.

A panel is contiguous over all of K, so any tile of whole panels and blocks is one run a panel.
Panel p starts at byte p * blocks * (bytes of a block of a full panel).

Example, `q4_1`, 576 columns of 576 values, panels of 512:

{example}

## Order `nk`: rows, for gathers

    [row][block of K][scale, minimum or zero, codes of the block]

The codes of a block lie as one column of a panel: byte j holds k = 2j low and k = 2j + 1 high. A
row of 576 values of `q8_0` is {q8_row} bytes; a row may start at any byte.

## GGUF rows

A GGUF block of 4-bit codes pairs k = j (low) with k = j + 16 (high). `from_ggml_rows` undoes that
and `to_ggml_rows` restores it; no value changes.

## Recipes

Which checkpoint rows make up a packed weight is text: a tensor's name in quotes, `{{l}}` standing
for the layer, and functions of rows.

{functions}

    concat(rotary('blk.{{l}}.attn_q.weight', 9), rotary('blk.{{l}}.attn_k.weight', 3),
           'blk.{{l}}.attn_v.weight')
"""

_MEANINGS = {
    "rows": "rows start to stop - 1",
    "rotary": "rows `[heads * d]` as `(heads, d/2, 2)`, the last two axes swapped: undoes the"
    " interleaving of rotary pairs in llama-arch GGUF files",
    "concat": "all rows of each, one after another",
    "interleave": "group rows of r, group rows of s, and so on; the remainder likewise",
    "pad": "rows of zeros at the end, up to n rows",
}
_ARGUMENTS = {
    "rows": "r, start, stop",
    "rotary": "r, heads",
    "concat": "r, ...",
    "interleave": "r, s, group",
    "pad": "r, n",
}


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _zero(row: Format) -> str:
    return f"stored {row.zero}" if row.zero else str(row.zero_point)


def _panel_rows(packing: Packing) -> list[tuple[str, ...]]:
    return [
        (
            str(p),
            str(packing.panel_columns(p)),
            str(packing.panel_stride_columns(p)),
            f"{packing.panel_offset(p):,}",
            f"{packing.block_bytes(packing.panel_stride_columns(p)):,}",
            f"{packing.panel_bytes(p):,}",
        )
        for p in range(packing.panels)
    ]


def formats_page() -> str:
    """The whole page as Markdown."""
    formats = [
        (
            f"`{row.name}`",
            str(row.code_bits),
            str(row.block),
            row.scale or "-",
            row.minimum or "-",
            _zero(row),
            f"{row.bits_per_value:g}",
            row.ggml or "-",
            ", ".join(f"`{name}`" for name in row.aliases) or "-",
        )
        for row in FORMATS.values()
    ]
    head = ("format", "bits", "block", "scale", "minimum", "zero", "bits a value", "GGUF type",
            "other names")  # fmt: skip
    panels = Packing("q4_1", "kn", 576, 576, 512)
    panel_head = ("panel", "columns", "stored", "first byte", "bytes a block", "bytes")
    functions = [(f"`{name}({_ARGUMENTS[name]})`", _MEANINGS[name]) for name in sorted(FUNCTIONS)]
    return _PAGE.format(
        formats=_table(head, formats),
        rules=_table(("format", "rule"), [(f"`{f.name}`", f.rule) for f in FORMATS.values()]),
        step=COLUMN_STEP,
        example=_table(panel_head, _panel_rows(panels)),
        q8_row=Packing("q8_0", "nk", 1, 576).row_bytes,
        functions=_table(("function", "rows"), functions),
    )
