"""Results kept between sweeps, as small JSON files in `$TILEWRIGHT_CACHE` or `~/.cache/tilewright`.

A result's key is a digest of everything that it follows from: the model's sizes and formats, the
machine, the options, and the sources of the compiler and the emulator. A file is written aside and
renamed, so an interrupted sweep leaves whole results only.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from ...backend.machine import Machine
from ..fetch import cache_folder
from ..frontend import Model
from .measured import Workload
from .units import SweepError

SOURCES: Final = ("backend", "compiler", "dialects", "passes", "runtime")
"""Packages whose text decides a result."""
LIBRARIES: Final = ("numpy", "xdsl")
"""Libraries whose version does."""


def default_folder() -> Path:
    """Where results of these sources are kept."""
    return cache_folder() / "sweep" / sources_digest()[:16]


@cache
def sources_digest() -> str:
    """SHA-256 (hex) over the sources of compiler and emulator and the libraries they stand on."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for package in SOURCES:
        for path in sorted((root / package).rglob("*.py")):
            digest.update(f"{path.relative_to(root).as_posix()}\0".encode() + path.read_bytes())
    for library in LIBRARIES:
        digest.update(f"{library} {version(library)}\0".encode())
    return digest.hexdigest()


def model_digest(model: Model) -> str:
    """SHA-256 (hex) over what a program follows from: sizes, features, formats; not weights."""
    text = repr((model.config, model.parameters))
    return hashlib.sha256(text.encode()).hexdigest()


def result_key(model: str, workload: Workload, machine: Machine) -> str:
    """The key of one result; `model` is its digest."""
    parts = {
        "sources": sources_digest(),
        "model": model,
        "machine": machine.to_dict(),
        "options": workload.options(),
    }
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class Cache:
    """A folder of results by key."""

    def __init__(self, folder: Path) -> None:
        """Raises SweepError where the folder cannot be made."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._not_writable(error) from None

    def find(self, key: str) -> dict[str, Any] | None:
        """What was stored under a key; None for nothing, and for a file that is no JSON object."""
        try:
            found: Any = json.loads((self.folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType]

    def store(self, key: str, value: dict[str, Any]) -> None:
        """Keep a result, whole or not at all. Raises SweepError where it cannot be written."""
        try:
            handle, aside = tempfile.mkstemp(dir=self.folder, suffix=".part")
            try:
                with open(handle, "w", encoding="utf-8") as file:
                    json.dump(value, file)
                os.replace(aside, self.folder / f"{key}.json")
            except BaseException:
                Path(aside).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise self._not_writable(error) from None

    def _not_writable(self, error: OSError) -> SweepError:
        return SweepError(
            f"results cannot be kept in {self.folder}: {error.strerror}; name another folder in "
            "TILEWRIGHT_CACHE, or give --no-cache"
        )
