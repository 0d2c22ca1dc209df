"""The launch-parameter table: values by name, checked, as the words that engines read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...backend.isa import Program
from .faults import Fault
from .host_memory import host_zeros

Parameters = Mapping[str, int | Sequence[int] | npt.NDArray[np.integer[Any]]]


def launch_words(program: Program, parameters: Parameters) -> npt.NDArray[np.int64]:
    """The launch-parameter table. Raises Fault for a missing, unknown or outlying value."""
    table = host_zeros(program.table_words, np.int64, "the launch-parameter table")
    table[: len(program.words)] = program.words
    known = {p.name: p for p in program.parameters}
    for name in parameters:
        if name not in known:
            listed = ", ".join(known) or "none"
            raise Fault("parameter", f"parameter '{name}' is unknown; the entry has {listed}")
    for name, parameter in known.items():
        if name not in parameters:
            raise Fault("parameter", f"parameter '{name}' is missing")
        values = np.atleast_1d(np.asarray(parameters[name], np.int64))
        if values.ndim != 1 or len(values) > parameter.count:
            raise Fault(
                "parameter",
                f"parameter '{name}' has {values.size} values, wanted {parameter.count}",
            )
        for index, value in enumerate(values):
            if not parameter.lo <= value <= parameter.hi:
                raise Fault(
                    "parameter",
                    f"parameter '{name}'[{index}] is {value}, wanted {parameter.lo} to "
                    f"{parameter.hi}",
                )
        table[parameter.offset : parameter.offset + len(values)] = values
    return table
