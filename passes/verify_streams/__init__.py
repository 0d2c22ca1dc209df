"""The proof that projection is safe: one walk of a streamed program.

`ledger` counts the slots of each channel, `scope` knows what is in force at a point, and
`verify_streams` walks.
"""

from .verify_streams import StreamError, VerifyStreamsPass, verify_streams

__all__ = ["StreamError", "VerifyStreamsPass", "verify_streams"]
