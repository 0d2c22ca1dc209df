"""An image: everything that a session needs, in memory or (its weights) mapped from a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..isa import DEFAULT_OPCODES, PACKED_ROLES, Program, Region
from ..json_text import parse_json
from .container import ALIGNMENT, ImageError

Bytes = npt.NDArray[np.uint8]

TOKENIZER_FILE = "tokenizer.json"

MAX_GAP = 1 << 20
"""Largest distance between neighbouring weight regions, stored as zeros."""
LOAD_ENTRY = "load"
"""The entry that fills the scratchpad of a machine without main memory, once a session."""


@dataclass(frozen=True)
class Image:
    """Entries that share weights and regions, for one machine and one numeric policy."""

    machine: dict[str, Any]
    """`Machine.to_dict()` of the machine it was compiled for."""
    policy: str
    """Name of the numeric policy."""
    entries: dict[str, Program]
    """Entry name (`prefill`, `decode`) to its program."""
    opcodes: dict[str, int] = field(default_factory=lambda: dict(DEFAULT_OPCODES))
    """Opcode map that the words are encoded with."""
    kv_block: int = 0
    """Positions that attention treats at once; images equal in this and policy agree in bits."""
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    """JSON: model name, architecture config, max_context, batch, chunk, end-of-text tokens, ..."""
    model: dict[str, Any] = field(default_factory=dict[str, Any])
    """`ModelRecord.to_dict()`: sizes and formats that bounds read; empty where there is no model
    but a graph or assembly."""
    plans: dict[str, Any] = field(default_factory=dict[str, Any])
    """Entry name to `Plan.to_dict()`, which predictions read; empty for an entry that has none."""
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """Whole files carried along, such as `tokenizer.json`."""
    has_weights: bool = False
    """False for an image compiled from a config alone: it can be timed, not run."""
    weights: Bytes | None = None
    """After reading: the bytes of addresses [stored_first, stored_end), mapped from the file,
    read-only. Machines with main memory have them there, others in the window `host`."""
    digest: str = ""
    """After reading or sealing: SHA-256 over tensors and tables, in hexadecimal."""

    @property
    def tokenizer(self) -> dict[str, Any] | None:
        """The tokenizer and chat template as `runtime.tokenizer` takes them, None without one.

        Raises ImageError where it is no JSON.
        """
        text = self.files.get(TOKENIZER_FILE)
        try:
            return None if text is None else parse_json(text)
        except ValueError as error:
            raise ImageError(f"the image's {TOKENIZER_FILE} is not JSON: {error}") from None

    def packed_regions(self) -> dict[str, Region]:
        """Every weight and table region of every entry, by rising address.

        ImageError where entries disagree about one, where two overlap or leave a large gap, or
        where one is not aligned, not in hbm or spm, or not where the others are.
        """
        found = dict[str, Region]()
        for name, program in self.entries.items():
            for region in program.regions:
                if region.role not in PACKED_ROLES:
                    continue
                if found.setdefault(region.name, region) != region:
                    raise ImageError(
                        f"entry {name}: region {region.name} is {region}, another entry has "
                        f"{found[region.name]}; entries share weights at one address"
                    )
                first = next(iter(found.values()))
                if region.memory not in ("hbm", "spm") or region.memory != first.memory or (
                    region.base % ALIGNMENT
                ):  # fmt: skip
                    raise ImageError(
                        f"entry {name}: region {region.name} at {region.memory} {region.base}: "
                        f"weights lie in hbm, or all in spm, at multiples of {ALIGNMENT}"
                    )
        ordered = sorted(found.values(), key=lambda r: (r.base, r.nbytes))
        for before, after in pairwise(ordered):
            gap = after.base - before.base - before.nbytes
            if not 0 <= gap <= MAX_GAP:
                raise ImageError(
                    f"regions {before.name} and {after.name} are {gap} bytes apart in "
                    f"{before.memory}: weights follow each other, 0 to {MAX_GAP} bytes apart"
                )
        return {region.name: region for region in ordered}

    @property
    def stored_first(self) -> int:
        """Lowest address of a weight or table."""
        return min((r.base for r in self.packed_regions().values()), default=0)

    @property
    def stored_end(self) -> int:
        """One past the highest address of a weight or table."""
        return max((r.base + r.nbytes for r in self.packed_regions().values()), default=0)

    def region_bytes(self, name: str) -> Bytes:
        """The stored bytes of a weight or table region (ImageError when it has none)."""
        region = self.packed_regions().get(name)
        if region is None:
            raise ImageError(f"no weight or table named '{name}' in this image")
        if self.weights is None:
            raise ImageError(f"region {name}: this image was compiled without weights")
        start = region.base - self.stored_first
        return self.weights[start : start + region.nbytes]
