"""Each pass has a FileCheck case that it changes, and one that it leaves alone."""

from __future__ import annotations

from effects import CHECKERS, effects

from tilewright.passes import PASSES


def test_each_pass_changes_a_case_and_leaves_one_alone() -> None:
    found = {name: effects(name) for name in PASSES}
    still = [name for name, one in found.items() if not one.changed and name not in CHECKERS]
    assert not still, f"no case of tests/filecheck/passes shows what these change: {still}"
    restless = [name for name, one in found.items() if not one.alone]
    assert not restless, f"no case of tests/filecheck/passes is left alone by {restless}"


def test_checkers_change_nothing() -> None:
    assert set(CHECKERS) <= set(PASSES)
    for name in CHECKERS:
        assert not effects(name).changed, f"{name} is no checker: it changes a case"
