"""The dialects of the levels: tg, lowbit, tile, stream, tw; `context()` knows them all."""

from .context import DIALECTS, context

__all__ = ["DIALECTS", "context"]
