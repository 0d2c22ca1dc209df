"""Compiled kernels: imported late, kept in a folder that is named by a digest of their sources."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INSTALL = "pip install numba"


class NoNumba(Exception):
    """Nothing can be compiled; the text goes behind the name of what needs it."""


def kernel_digest(sources: Iterable[Path]) -> str:
    """A digest of every file whose text ends up in a compiled function."""
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def kernel_folder(sources: Iterable[Path]) -> Path:
    """Where the function compiled from these sources is kept (NUMBA_CACHE_DIR moves it)."""
    base = os.environ.get("NUMBA_CACHE_DIR")
    if not base:
        home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        base = Path(home) / "tilewright" / "kernels"
    return Path(base) / kernel_digest(sources)


@contextmanager
def kept_in(folder: Path) -> Generator[None]:
    """Kernels imported here are taken from a folder, or compiled into it.

    Raises NoNumba where it is missing.
    """
    try:
        config: Any = importlib.import_module("numba").config
    except ImportError:
        raise NoNumba(f"needs numba, which is not installed: {INSTALL}") from None
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        config.CACHE_DIR = before
