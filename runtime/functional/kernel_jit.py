"""Decorators of compiled kernels. They are called by other kernels only, never from Python."""

from typing import Any

from numba import njit

_INTERNAL: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
}
"""Wrappers would be compiled in vain."""

compiled: Any = njit(**_INTERNAL)
"""Decorator of a kernel that is always reached from the one cached entry."""

inlined: Any = njit(forceinline=True, **_INTERNAL)
"""Decorator of a small function that must be part of its caller's loop to become vectors."""
