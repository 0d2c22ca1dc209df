"""Number formats of weights: one table, unpacked blocks, packed orders, recipes of rows."""

from .blocks import Blocks, concat, dequantise, take_rows, zero_rows
from .ggml import from_ggml_rows, to_ggml_rows
from .packing import COLUMN_STEP, Packing, pack, pack_panels, unpack
from .quantise import quantise
from .recipes import CHANNEL_SCALE, Call, Node, Recipe, Source, parse_recipe
from .table import ELEMENTS, FORMATS, Format, FormatError, find_format, format_name

__all__ = [
    "CHANNEL_SCALE",
    "COLUMN_STEP",
    "ELEMENTS",
    "FORMATS",
    "Blocks",
    "Call",
    "Format",
    "FormatError",
    "Node",
    "Packing",
    "Recipe",
    "Source",
    "concat",
    "dequantise",
    "find_format",
    "format_name",
    "from_ggml_rows",
    "pack",
    "pack_panels",
    "parse_recipe",
    "quantise",
    "take_rows",
    "to_ggml_rows",
    "unpack",
    "zero_rows",
]
