"""docs/machines.md is what the descriptions print, and every number in them has a source."""

from pathlib import Path

import pytest

from tilewright.backend.machine import load_machine, machine_names
from tilewright.backend.machine.page import machines_page, sources_of

PAGE = Path(__file__).parents[3] / "docs" / "machines.md"


def test_the_committed_page_is_current() -> None:
    wanted = "run: python -m tilewright.backend.machine > docs/machines.md"
    assert PAGE.read_text() == machines_page(), wanted


@pytest.mark.parametrize("name", machine_names())
def test_every_number_has_a_source(name: str) -> None:
    numbers = set(load_machine(name).to_dict()) - {"note"}
    assert {key for key, source in sources_of(name).items() if source} == numbers


@pytest.mark.parametrize("name", machine_names())
def test_a_machine_that_only_resembles_says_so(name: str) -> None:
    assert load_machine(name).note or not name.endswith("-like")
