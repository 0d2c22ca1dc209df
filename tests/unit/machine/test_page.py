"""Every number in the page of machines has a source."""

import pytest

from tilewright.backend.machine import load_machine, machine_names
from tilewright.backend.machine.page import sources_of


@pytest.mark.parametrize("name", machine_names())
def test_every_number_has_a_source(name: str) -> None:
    numbers = set(load_machine(name).to_dict()) - {"note"}
    assert {key for key, source in sources_of(name).items() if source} == numbers


@pytest.mark.parametrize("name", machine_names())
def test_a_machine_that_only_resembles_says_so(name: str) -> None:
    assert load_machine(name).note or not name.endswith("-like")
