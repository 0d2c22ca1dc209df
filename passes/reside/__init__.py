"""tiled → tiled: without main memory, units work on globals where they lie in the scratchpad.

`turns` says whether reads and later writes of a global take turns by themselves; `reside` is the
pass.
"""

from .reside import ResidePass

__all__ = ["ResidePass"]
