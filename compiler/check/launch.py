"""Random launches that fit a module's declarations: launch parameters, inputs and state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from ...backend.formats import ELEMENTS
from ...dialects.lowbit import PackedType
from ...dialects.shaped import is_memref, memref_of
from ...dialects.tg import EmbedOp, GlobalOp, ScalarOp, TableOp
from ...dialects.tile import GatherOp
from .checkpoint import CheckInputError

Array = NDArray[Any]
MOST_ROWS = 8
"""Rows of a launch at most, so that a check takes seconds."""


@dataclass(frozen=True)
class Launch:
    """Launch parameters, and arrays of inputs and state by name."""

    parameters: Mapping[str, int | tuple[int, ...]]
    data: Mapping[str, Array]


def random_launch(module: ModuleOp, seed: int = 0, most_rows: int = MOST_ROWS) -> Launch:
    """Launch parameters and inputs that fit a module, drawn from a seed.

    The parameters of a ragged step are consistent: rows of the sequences follow each other, and
    cached and new positions fit the context. Others are drawn from the low end of their ranges.
    State starts at random values.
    """
    random = np.random.default_rng([seed, 1])
    scalars = {op.scalar_name: op for op in module.ops if isinstance(op, ScalarOp)}
    tables = {op.table_name: op for op in module.ops if isinstance(op, TableOp)}
    parameters: dict[str, int | tuple[int, ...]] = {}
    for name, op in scalars.items():
        parameters[name] = _between(random, op.lo.data, op.hi.data)
    for name, op in tables.items():
        words = [_between(random, op.lo.data, op.hi.data) for _ in range(op.count.data)]
        parameters[name] = tuple(words)
    if {"row_start", "q_len", "kv_len"} <= tables.keys() and "rows" in scalars:
        parameters |= _ragged(
            random, min(most_rows, scalars["rows"].hi.data), tables["q_len"], tables["kv_len"]
        )
        if "logit_rows" in scalars:
            rows, most = parameters["rows"], scalars["logit_rows"].hi.data
            assert isinstance(rows, int), "rows is one number"
            parameters["logit_rows"] = int(random.integers(min(1, rows), min(rows, most) + 1))
    data = {
        op.global_name: _values(random, module, op, parameters)
        for op in module.ops
        if isinstance(op, GlobalOp) and op.role.data in ("input", "state")
    }
    return Launch(parameters, data)


def _between(random: np.random.Generator, low: int, high: int) -> int:
    return int(random.integers(low, min(high, low + MOST_ROWS) + 1))


def _ragged(
    random: np.random.Generator, most_rows: int, q_len: TableOp, kv_len: TableOp
) -> dict[str, int | tuple[int, ...]]:
    """Sequences of some new and some cached positions; at least one new row in all."""
    context = kv_len.hi.data + 1
    left = min(most_rows, MOST_ROWS)
    starts: list[int] = []
    new: list[int] = []
    cached: list[int] = []
    at = 0
    for sequence in range(q_len.count.data):
        most = min(q_len.hi.data, left)
        length = int(random.integers(1 if sequence == 0 else 0, most + 1)) if most else 0
        starts.append(at)
        new.append(length)
        cached.append(int(random.integers(0, max(context - length, 0) + 1)) if length else 0)
        cached[-1] = min(cached[-1], kv_len.hi.data)
        at += length
        left -= length
    return {"rows": at, "row_start": tuple(starts), "q_len": tuple(new), "kv_len": tuple(cached)}


def _values(
    random: np.random.Generator,
    module: ModuleOp,
    op: GlobalOp,
    parameters: Mapping[str, int | Sequence[int]],
) -> Array:
    """An input or state. Row numbers stay inside what they index."""
    if not is_memref(op.type):
        raise CheckInputError(f"@{op.global_name} : {op.type}: inputs and state are memrefs")
    name = str(memref_of(op.type).element_type)
    if name not in ELEMENTS:
        raise CheckInputError(f"@{op.global_name}: no random values of {name}")
    dtype = ELEMENTS[name]
    if dtype.kind in "iu":
        rows = parameters.get("rows", 1)
        limit = rows if op.global_name == "logit_index" and isinstance(rows, int) else 0
        limit = limit or _indexed_rows(module, op.global_name)
        return random.integers(0, max(limit, 1), op.shape).astype(dtype)
    return random.standard_normal(op.shape, np.float32).astype(dtype)


def _indexed_rows(module: ModuleOp, index: str) -> int:
    """Rows of the smallest global that `index` picks rows of; 2 if nothing does."""
    declared = {op.global_name: op for op in module.ops if isinstance(op, GlobalOp)}
    limits: list[int] = []
    for op in module.walk():
        if isinstance(op, EmbedOp | GatherOp) and op.index_name == index:
            picked = declared[op.global_name]
            limits.append(picked.type.n if isinstance(picked.type, PackedType) else picked.shape[0])
    return min(limits, default=2)
