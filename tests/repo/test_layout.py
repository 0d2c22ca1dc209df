"""What the repository looks like: short files, complete packages, no numbers of a machine."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from .sources import FILES, FOLDERS, ROOT, SAMPLES, TESTS, module_of, tree_of

LONGEST = 400
SIZES_OF_MACHINES = (16, 32, 64, 128)
"""Literals that a pass must not hold: they belong to machines and formats."""

LEFT_TO_DO = re.compile(r"\b(TO[D]O|FIXM[E]|XX[X])\b(?!\(#\d+\))")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*FILES, *SAMPLES, *TESTS], ids=name)
def test_file_is_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST, f"{name(path)}: found {lines} lines, wanted at most {LONGEST}"


@pytest.mark.parametrize("path", [*FILES, *SAMPLES, *TESTS], ids=name)
def test_what_is_left_to_do_has_an_issue_number(path: Path) -> None:
    found = LEFT_TO_DO.search(path.read_text())
    assert found is None, f"{name(path)}: {found.group() if found else ''}"


@pytest.mark.parametrize("path", [*FILES, *SAMPLES], ids=name)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(tree_of(path)), f"{name(path)}: wanted a module docstring"


@pytest.mark.parametrize(
    "path", [p for p in FILES if p.relative_to(ROOT).parts[0] == "passes"], ids=name
)
def test_passes_hold_no_size_of_a_machine(path: Path) -> None:
    wrong = [
        f"{name(path)}:{node.lineno}: found {node.value}; take it from the machine or the format"
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Constant)
        and type(node.value) is int
        and node.value in SIZES_OF_MACHINES
    ]
    assert not wrong, "\n".join(wrong)


def test_every_package_is_in_the_wheel() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    on_disk = {f"tilewright.{module_of(path)}" for path in FILES if path.name == "__init__.py"}
    on_disk.add("tilewright.samples")
    assert on_disk == set(config["tool"]["setuptools"]["packages"])


def test_every_data_file_is_in_the_wheel() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns: list[str] = config["tool"]["setuptools"]["package-data"]["*"]
    suffixes = {Path(pattern).suffix for pattern in patterns}
    files = [path for folder in (*FOLDERS, "samples") for path in (ROOT / folder).rglob("*.*")]
    wrong = {
        name(path)
        for path in files
        if path.is_file() and path.suffix not in {".py", ".pyc", ".nbi", ".nbc", *suffixes}
    }
    assert not wrong


def test_every_folder_of_modules_is_a_package() -> None:
    folders = {path.parent for path in FILES}
    assert not [name(folder) for folder in folders if not (folder / "__init__.py").exists()]


def test_every_package_says_that_it_is_typed() -> None:
    assert not [folder for folder in FOLDERS if not (ROOT / folder / "py.typed").exists()]
