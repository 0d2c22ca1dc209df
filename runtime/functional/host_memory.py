"""Arrays of the host that stand for a machine's memories, and the error where it lacks the room."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ...backend.errors import TilewrightError


class HostMemoryError(TilewrightError):
    """The host has no room for what an image asks for."""


def host_zeros(count: int, dtype: type[np.generic], what: str) -> npt.NDArray[Any]:
    """`count` zeros; pages cost nothing until they are touched. Raises HostMemoryError."""
    try:
        return np.zeros(count, dtype)
    except (MemoryError, ValueError, OverflowError):
        nbytes = count * np.dtype(dtype).itemsize
        raise HostMemoryError(
            f"{what} takes {nbytes} bytes, more than this computer gives: compile for a shorter "
            "context or a smaller batch, or look whether the image is damaged"
        ) from None
