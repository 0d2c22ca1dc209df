"""The refusals that a compiler of small machines may give: each names what is too small."""

from __future__ import annotations

import re

KINDS = {
    "scratchpad too small": r"too small",
    "does not fit without main memory": r"do not fit .* which has no main memory",
    "main memory too small": r"bytes of hbm and machine|main memory: \d+ bytes are needed",
    "too few registers": r"needs more than its \d+ registers",
    "rows of another element type": r"@\w+ holds \w+; (wanted|head-wise)",
    "gathered rows without scales": r"that are gathered bring no scale along",
    "too few loop counters": r"loops are nested, \S+ counts",
    "several KV blocks": r"attention kernels with KV blocks .* set kv-block",
}
"""What a refusal is called -> what its text says."""


def refused_by_name(text: str) -> str:
    """The kind of a refusal. Raises AssertionError for one that the table lacks."""
    for kind, pattern in KINDS.items():
        if re.search(pattern, text):
            return kind
    raise AssertionError(f"a refusal of no known kind: {text}")
