"""The page of instructions has each of the table, and its definitions run."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilewright.backend.isa import INSTRUCTIONS, Instruction
from tilewright.backend.isa.page import isa_page, syntax
from tilewright.backend.numerics import ELEMENTARY

TIMING = Path(__file__).parents[3] / "docs" / "timing.md"


@pytest.mark.parametrize("row", INSTRUCTIONS, ids=lambda row: row.mnemonic)
def test_each_instruction_has_its_page(row: Instruction) -> None:
    page = isa_page().split(f"\n## `{row.mnemonic}`\n")[1].split("\n## ")[0]
    parts = [row.summary, "**Syntax**", syntax(row), "**Encoding**", "**Meaning**", row.meaning]
    places = [page.index(part) for part in [*parts, "**Duration**"]]
    assert places == sorted(places)
    assert all(f"`{f.name}`" in page for f in row.fields)
    assert all(limit in page for limit in row.limits)


@pytest.mark.parametrize("row", INSTRUCTIONS, ids=lambda row: row.mnemonic)
def test_durations_are_those_of_the_page_on_time(row: Instruction) -> None:
    time = TIMING.read_text(encoding="utf-8")
    for code in re.findall(r"`[^`]+`", row.duration):
        assert code in time


def test_no_python_is_left_in_the_definitions() -> None:
    page = isa_page()
    assert "<<" not in page.replace("<< 23", "").replace("odd << 23", "")
    for word in ("np.", "_select", " _float(", "errstate", "f32(", "Any"):
        assert word not in page


@pytest.mark.parametrize("name", ELEMENTARY)
def test_the_pages_definitions_give_the_units_bits(
    name: str, page_definitions: dict[str, Any]
) -> None:
    rng = np.random.default_rng(5)
    x = rng.integers(0, 1 << 32, 20_000, dtype=np.uint32).view(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-40, 1, -1], np.float32)
    x = np.concatenate([special, x, rng.normal(0, 3, 20_000).astype(np.float32)])
    with np.errstate(all="ignore"):
        found = np.asarray(page_definitions[name](x))
    wanted = ELEMENTARY[name](x)
    assert found.dtype == np.float32
    same = found.view(np.uint32) == wanted.view(np.uint32)
    assert np.all(same | (np.isnan(found) & np.isnan(wanted)))
