"""The elementary functions as docs/ISA.md defines them, run as they stand there."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

PAGE = Path(__file__).parents[3] / "docs" / "ISA.md"


def bits_of(x: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """The bits of float32 numbers."""
    return np.asarray(x, np.float32).view(np.int32)


def floating(n: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """The float32 numbers of these bits."""
    return np.asarray(n, np.int32).view(np.float32)


def power(n: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Two to the n."""
    return floating((np.asarray(n, np.int32) + np.int32(127)) << 23)


@pytest.fixture(scope="session")
def page_definitions() -> dict[str, Any]:
    """Names of the page's constants and functions, with their values."""
    page = PAGE.read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for name, bits, kind in re.findall(r"^\| `(\w+)` \| 0x(\w{8}) \| (\w+) ", page, flags=re.M):
        names[name] = np.array([int(bits, 16)], np.uint32).view(kind)[0]
    names |= {
        "select": np.where,
        "bits_of": bits_of,
        "floating": floating,
        "power": power,
        "to_float": np.float32,
    }
    exec(page.split("```python\n")[1].split("```")[0], names)  # the page is ours
    return names
