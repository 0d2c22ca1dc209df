"""C1 to C7 of a compiled program, proven without running it: its instructions, not its IR."""

from .addresses import check_shared
from .errors import ProofError
from .launches import Corner, corners
from .prove import LONG, Proof, prove

__all__ = ["LONG", "Corner", "Proof", "ProofError", "check_shared", "corners", "prove"]
