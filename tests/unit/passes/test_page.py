"""The page of passes explains each option; the order has a reason for each."""

from dataclasses import fields

import pytest

from tilewright.passes import PASSES
from tilewright.passes.page import passes_page
from tilewright.passes.stages import REASONS, STAGES

ORDER = [name for names in STAGES.values() for name in names]


def test_each_pass_of_the_pipeline_has_a_reason_for_its_place() -> None:
    assert list(REASONS) == ORDER
    assert [name for name in PASSES if name in ORDER] == ORDER


@pytest.mark.parametrize("name", list(PASSES))
def test_each_option_is_explained(name: str) -> None:
    pass_type = PASSES[name]()
    assert pass_type.name == name
    section = passes_page().partition(f"# {name}\n")[2].partition("\n## ")[0]
    for option in fields(pass_type):
        assert f"| `{option.name.replace('_', '-')}` |" in section
