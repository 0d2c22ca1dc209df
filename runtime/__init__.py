"""The runtime: images run here, on the emulated machine, without the compiler.

from tilewright.runtime import Session
"""

from .launch import Launch, SessionError
from .sampling import Sampling, SamplingError
from .session import Session

__all__ = ["Launch", "Sampling", "SamplingError", "Session", "SessionError"]
