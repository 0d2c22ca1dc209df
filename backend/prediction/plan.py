"""What a prediction needs of a compiled entry: its kernels with their tiles, and its rings.

The compiler writes it into the image; sizes are those chosen, counts of rows are the launch's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, cast

from ..errors import TilewrightError
from ..timing import ceil_div

MOST = 1 << 32
"""Numbers of a plan are smaller."""
MOST_RUNS = 1 << 16
"""Runs of kernels in a launch."""
POSITIVE = {"repeats", "k", "n", "panel", "block", "rows", "depth", "out_columns"} | {
    "heads", "kv_heads", "head", "block_heads", "phases", "queries", "panels",
}  # fmt: skip
"""Numbers that are not 0."""
HOMED = {"source", "query", "result"}
HOMES = ("memory", "vector", "matrix")
"""Where a tensor between kernels lives: main memory, a buffer of the vector unit, or a slot that
the vector unit hands to the matrix unit."""


class PlanError(TilewrightError):
    """A plan that the compiler did not write."""


@dataclass(frozen=True)
class Turn:
    """Panels of a matmul whose heads the vector unit turns and stores, panel by panel."""

    panels: int
    passes: tuple[tuple[int, int], ...]
    """Of the vector unit for a panel: lines of a row, columns of a line."""
    stored: int
    """Bytes a row of a panel into main memory."""
    stores: int
    """Moves for them."""


@dataclass(frozen=True)
class LinearKernel:
    """Y[M, N] = epilogue(prologue(X)[M, K] @ W[K, N])."""

    KIND: ClassVar[str] = "linear"

    op: str
    repeats: int
    """How often a step runs the kernel: once in each layer, or once."""
    count: str
    """The launch parameter that counts its rows."""
    k: int
    n: int
    panel: int
    """Columns of a panel."""
    last_columns: int
    """Columns of the last panel as it is stored, if it is narrower; else 0."""
    last_depth: int
    """Blocks of K in a weight tile of that panel; else 0."""
    block: int
    """Values of K in a block of the weight's format."""
    block_bytes: int
    """Of one block of K of a full panel."""
    phases: int
    rows: int
    """Most rows of a block of rows."""
    at_once: bool
    """All rows are one block."""
    depth: int
    """Blocks of K in a weight tile of a full panel."""
    source: str
    """Home of the rows."""
    source_bytes: int
    """Of an element of the rows."""
    gathered: bool
    """Rows are picked by an index, out of main memory."""
    spilled_rows: int
    """Rows that are stored at once where all are stored first, to be picked from; else 0."""
    norm: bool
    through_vector: bool
    """The rows pass the vector unit before the product: a norm, a conversion."""
    result: str
    """Home of the result."""
    result_bytes: int
    """Of an element of the result."""
    out_columns: int
    """Columns that a full panel leaves behind the epilogue."""
    passes: int
    """Of the vector unit over those, for each panel."""
    residuals: int
    """Tensors of the result's shape that the epilogue reads out of main memory."""
    turned: tuple[Turn, ...]
    """Panels in order, where a head-wise kernel is done behind each of them; else none."""
    angle_bytes: int
    """Bytes a row of the angles for that, in two moves."""


@dataclass(frozen=True)
class AttentionKernel:
    """Online softmax over KV blocks."""

    KIND: ClassVar[str] = "attention"

    op: str
    repeats: int
    heads: int
    kv_heads: int
    head: int
    """Values of a head."""
    operand_bytes: int
    kv_bytes: int
    result_bytes: int
    phases: int
    queries: int
    """The most of a sequence that was compiled for; with one, tasks of sequences overlap."""
    full: bool
    """Rows see all positions of their sequence, not only those up to their own."""
    rows: int
    """Queries in a block."""
    depth: int
    """Positions in a KV block."""
    block_heads: int
    """KV heads in a KV block."""
    skew: int
    """Cuts that make a pipeline of the loop over KV blocks."""
    whole: bool
    """All positions are one KV block: no running maximum, sum and output, and no pipeline."""
    query: str
    """Home of the queries."""
    own: bool
    """The step's own keys and values are on chip."""
    result: str
    """Home of the result."""


@dataclass(frozen=True)
class Part:
    """What the vector unit does to some columns of a block of rows, from load to store."""

    loaded: int
    """Bytes a row out of main memory."""
    loads: int
    """Moves for them."""
    passes: tuple[tuple[int, int], ...]
    """Of the vector unit: lines of a row, columns of a line."""
    stored: int
    """Bytes a row into main memory."""
    stores: int
    """Moves for them."""


@dataclass(frozen=True)
class RowsKernel:
    """Work of the vector unit alone on blocks of rows."""

    KIND: ClassVar[str] = "rows"

    op: str
    repeats: int
    count: str
    """The launch parameter that counts its rows; `q_len`: rows of each sequence apart."""
    rows: int
    """Most rows of a block."""
    picked: bool
    """Rows are picked by an index: a descriptor for each, and their numbers come first."""
    parts: tuple[Part, ...]
    result: str
    """Home of what it makes."""
    appended: int
    """Bytes a row that go into the caches later on, behind the attention that reads them."""


Kernel = LinearKernel | AttentionKernel | RowsKernel
KINDS: dict[str, type[Kernel]] = {k.KIND: k for k in (LinearKernel, AttentionKernel, RowsKernel)}


@dataclass(frozen=True)
class Plan:
    """The kernels of an entry in the order of the program; those of a layer follow each other."""

    kernels: tuple[Kernel, ...]
    slots: Mapping[str, int]
    """Slots of each ring, by its role."""

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"kernels": [kernel_values(one) for one in self.kernels], "slots": dict(self.slots)}

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> Plan:
        """The plan that `to_dict` gave. Raises PlanError that names the key at fault."""
        kernels = tuple(kernel_of(one) for one in _list(values, "kernels"))
        runs = sum(kernel.repeats for kernel in kernels)
        if runs > MOST_RUNS:
            raise PlanError(f"plan: {runs} runs of kernels, wanted {MOST_RUNS} or fewer")
        slots = values.get("slots")
        if not isinstance(slots, dict):
            raise _error("slots", slots, "an object")
        slots = cast(dict[str, Any], slots)
        return Plan(kernels, {ring: _number(slots, ring, 1) for ring in slots})


def kernel_values(kernel: Kernel) -> dict[str, Any]:
    """A kernel as JSON values; `kind` says which one."""
    return {"kind": kernel.KIND, **asdict(kernel)}


def kernel_of(values: object) -> Kernel:
    """The kernel that `kernel_values` gave. Raises PlanError that names the key at fault."""
    if not isinstance(values, dict):
        raise _error("kernels", values, "objects")
    found = dict(cast(dict[str, Any], values))
    kind = found.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise _error("kind", kind, f"one of {', '.join(KINDS)}")
    kernel = cast(Kernel, _read(KINDS[kind], found))
    if isinstance(kernel, LinearKernel):
        if kernel.n % kernel.panel and not (kernel.last_columns and kernel.last_depth):
            raise PlanError(f"plan: the last panel of {kernel.op} has no weight tiles")
        panels = sum(turn.panels for turn in kernel.turned)
        if panels not in (0, ceil_div(kernel.n, kernel.panel)):
            raise PlanError(f"plan: {panels} panels of {kernel.op} are turned, wanted all or none")
    if isinstance(kernel, AttentionKernel) and kernel.kv_heads < kernel.block_heads:
        raise PlanError(f"plan: a KV block of {kernel.op} has more heads than there are")
    return kernel


def _read(kind: type[Any], values: Mapping[str, Any]) -> object:
    """A dataclass of numbers, words and parts from a JSON object."""
    wanted = {field.name: str(field.type) for field in fields(kind)}
    if set(values) != set(wanted):
        raise _error(kind.__name__, list(values), f"the keys {', '.join(wanted)}")
    found: dict[str, Any] = {}
    for key, type_ in wanted.items():
        match type_:
            case "int":
                found[key] = _number(values, key, 1 if key in POSITIVE else 0)
            case "bool" | "str":
                plain = bool if type_ == "bool" else str
                if not isinstance(values[key], plain):
                    raise _error(key, values[key], "true or false" if plain is bool else "a string")
                found[key] = values[key]
            case "tuple[Part, ...]" | "tuple[Turn, ...]":
                parts = _list(values, key)
                if not all(isinstance(part, dict) for part in parts):
                    raise _error(key, parts, "objects")
                of = Part if key == "parts" else Turn
                found[key] = tuple(_read(of, part) for part in parts)
            case _:
                found[key] = tuple(_pair(item) for item in _list(values, key))
    for key in HOMED & set(found):
        if found[key] not in HOMES:
            raise _error(key, found[key], f"one of {', '.join(HOMES)}")
    return kind(**found)


def _pair(value: object) -> tuple[int, int]:
    items = _list({"passes": value}, "passes")
    if len(items) != 2:
        raise _error("passes", value, "pairs of lines and columns")
    lines, columns = (_number({"passes": item}, "passes", 1) for item in items)
    return lines, columns


def _list(values: Mapping[str, Any], key: str) -> list[Any]:
    found = values.get(key)
    if not isinstance(found, list | tuple):
        raise _error(key, found, "a list")
    return list(cast(list[Any], found))


def _number(values: Mapping[str, Any], key: str, least: int) -> int:
    found = values.get(key)
    if type(found) is not int or not least <= found < MOST:
        raise _error(key, found, f"a whole number from {least} to 2^32 - 1")
    return found


def _error(key: str, found: object, wanted: str) -> PlanError:
    return PlanError(f"plan: {key} is {repr(found)[:80]}, wanted {wanted}")
