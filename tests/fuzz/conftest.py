"""Lets the tests of this folder import helpers, those beside it and the models of `tests/e2e`; puts
what each test tried into its report, from which `tests/conftest.py` prints a table.
"""

import sys
from pathlib import Path

import pytest

for folder in (Path(__file__).parent, Path(__file__).parent.parent / "e2e"):
    sys.path.insert(0, str(folder))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Runs before the last of a test's reports is made."""
    from long_runs import TALLIES  # Its path is set above.

    name = getattr(item, "originalname", item.name)
    if name in TALLIES:
        item.user_properties.append(("fuzz", TALLIES[name].to_dict()))
