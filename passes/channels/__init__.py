"""tiled → streamed: what crosses engines becomes a channel, order through hbm a token.

`rings` says which buffers share a channel, `schedule` when each slot begins and ends, `tokens`
which load waits for which store; `channels` is the pass, and `slots` writes.
"""

from .channels import ChannelsPass
from .rings import engine_key
from .schedule import Hold, RingError, Use, schedule
from .tokens import find_tokens

__all__ = ["ChannelsPass", "Hold", "RingError", "Use", "engine_key", "find_tokens", "schedule"]
