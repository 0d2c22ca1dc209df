"""`tilewright-opt`: reads IR of any level, runs passes on it, prints it.

    tilewright-opt program.mlir -p 'assign-engines,channels' --print-ir-after-all

Every pass is followed by verification of the whole module: ops, dominance, names, parts.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; 0, or 1 with `error: ...` on stderr for IR at fault, 2 for a user's error."""
    from .arguments import parser

    words = list(sys.argv[1:] if argv is None else argv)
    # Asked for help, or given what cannot be read, it ends here: before anything slow is loaded.
    parser().parse_args(words)
    from .driver import run

    return run(words)
