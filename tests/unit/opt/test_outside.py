"""Passes and dialects of other packages are there once the package is installed."""

import importlib
import sys
from pathlib import Path

import pytest

from tilewright.compiler.opt import main

from .outside import PACKAGE, install

PROGRAM = """
func.func @f(%a: i32) -> i32 {
  %m = arith.muli %a, %a : i32
  %n = guest.negate %m
  func.return %n : i32
}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where packages are looked for."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    importlib.invalidate_caches()
    for name in ("guest_passes", "other_passes"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "f.mlir"
    path.write_text(PROGRAM)
    return path


def test_its_ops_and_passes_are_used(
    site: Path, program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(program)]) == 1
    assert "guest.negate is not registered" in capsys.readouterr().err
    install(site, "guest_passes")
    assert main([str(program), "-p", "guest-refuse-products{allowed=1}"]) == 0
    assert "guest.negate %m" in capsys.readouterr().out
    assert main([str(program), "-p", "guest-refuse-products"]) == 2
    said = capsys.readouterr().err
    assert said == "error: pass guest-refuse-products: 1 products are too many\n"


def test_it_is_listed_and_its_options_are_explained(
    site: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "guest_passes")
    assert main(["--list-passes"]) == 0
    text = capsys.readouterr().out
    assert "\nguest_passes:\n  guest-refuse-products Refuses products.\n" in text
    assert text.startswith("tilewright:\n  canonicalise ")
    assert "\nxdsl:\n" in text
    assert main(["--list-dialects"]) == 0
    assert capsys.readouterr().out.endswith("\nguest_passes:\n  guest\n")
    assert main(["--pass-help", "guest-refuse-products,tile"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(
        "guest-refuse-products (guest_passes)\n"
        "  Refuses products.\n\n"
        "  More than `allowed` of them in a module are too many.\n\n"
        "  options:\n"
        "    allowed (int, by default 0)\n"
        "        Products that a module may have.\n\n"
        "tile (tilewright)\n"
    )


@pytest.mark.parametrize(
    ("source", "value", "message"),
    [
        ("raise RuntimeError('no luck')", "UNIVERSE", "cannot be loaded (RuntimeError: no luck): "),
        ("import nothing_like_it", "UNIVERSE", "(ModuleNotFoundError: No module named 'nothing_"),
        ("UNIVERSE = 3", "UNIVERSE", "of group xdsl.universe is 3, wanted an xdsl.universe.Univ"),
        ("", "UNIVERSE", "cannot be loaded (AttributeError: "),
        (
            PACKAGE.replace('"guest-swap": ', '"tile": '),
            "UNIVERSE",
            "pass 'tile' of 'other_passes' (entry point of group xdsl.universe) has the name of "
            "one of 'tilewright': rename it, or uninstall its package",
        ),
        (PACKAGE.replace('{"guest": ', '{"arith": '), "UNIVERSE", "dialect 'arith' of 'other_"),
    ],
)
def test_a_broken_one_is_named(
    source: str, value: str, message: str, site: Path, program: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    install(site, "other_passes", source, value)
    assert main([str(program)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "other_passes" in said
    assert message in said
    assert said.count("\n") == 1
