"""`tilewright bisect`: the first pass, and the first op, that made a result wrong.

`sources` says where modules come from, `search` which two neighbours differ, `trace` what every op
of a module writes, and `align`, with `align_tensors` and `align_kernels`, which op is the first
whose counterpart writes something else; `against` compares with another compilation.
"""

from .chain import Chain, Link
from .finding import Finding
from .search import bisect_chain
from .sources import chains_of_file, chains_of_folder, chains_of_model

__all__ = [
    "Chain",
    "Finding",
    "Link",
    "bisect_chain",
    "chains_of_file",
    "chains_of_folder",
    "chains_of_model",
]
