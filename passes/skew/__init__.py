"""streamed → streamed: marked loops become pipelines.

`loop_stages` and `task_stages` say which statement belongs to which stage; `skew` is the pass and
writes one loop, `tasks` a loop in a loop of tasks, both by way of `loop_writer`.
"""

from .loop_stages import HINT
from .skew import SkewPass
from .task_stages import OVERLAP

__all__ = ["HINT", "OVERLAP", "SkewPass"]
