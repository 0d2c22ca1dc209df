"""The compiler: front ends, pipeline, interpreters, command line.

from tilewright.compiler import compile_model
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .driver import Report, compile_model

__all__ = ["Report", "compile_model"]


def __getattr__(name: str) -> object:
    """The public names, imported when asked for: the command line's help must not load xDSL."""
    if name in __all__:
        from . import driver

        return getattr(driver, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
