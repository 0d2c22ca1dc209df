"""`tilewright bisect`: the first pass, and the first op, that made a result wrong.

`chain` says which modules there are, `search` which two neighbours differ, `trace` what every op of
a module writes, and `align` which op is the first whose counterpart writes something else.
"""

from .chain import Chain, Link, chain_of_dumps, chains_of_model
from .finding import Finding
from .search import bisect_chain

__all__ = ["Chain", "Finding", "Link", "bisect_chain", "chain_of_dumps", "chains_of_model"]
