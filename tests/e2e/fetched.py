"""Models that `tilewright fetch` brings; tests of them are skipped where they are absent."""

import os
from pathlib import Path

import pytest

from tilewright.compiler.fetch import find_model


def fetched(name: str) -> Path:
    """The file of a fetched model. Skips the test without it, or fails it where all must run."""
    path = find_model(name)
    if path is None:
        message = f"{name} is not in the cache: run `tilewright fetch {name}`"
        if os.environ.get("TILEWRIGHT_REQUIRE_MODELS"):
            pytest.fail(message)
        pytest.skip(message)
    return path
