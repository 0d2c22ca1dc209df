"""Files of IR, and passes that the user gives."""

import importlib
import sys
from pathlib import Path

import pytest

from tilewright.compiler.cli import main
from tilewright.compiler.opt import main as opt

from ..opt.outside import install
from .conftest import GRAPH, Bisect

SMALL = ("--machine", "tw-small")
GUEST = '''
"""Passes of somebody else: one that is wrong, and one whose op nobody else knows."""

from dataclasses import dataclass

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Dialect
from xdsl.irdl import IRDLOperation, irdl_op_definition
from xdsl.passes import ModulePass
from xdsl.universe import Universe

@irdl_op_definition
class MarkOp(IRDLOperation):
    name = "guest.mark"
    assembly_format = "attr-dict"

@dataclass(frozen=True)
class ReplacePass(ModulePass):
    name = "guest-replace"
    new: str = "relu"
    """What stands for silu."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for one in op.walk():
            if one.name == "tg.unary":
                one.properties["f"] = StringAttr(self.new)

@dataclass(frozen=True)
class MarkPass(ModulePass):
    name = "guest-mark"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        op.body.block.add_op(MarkOp())

@dataclass(frozen=True)
class UnmarkPass(ModulePass):
    name = "guest-unmark"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for one in [one for one in op.walk() if one.name == "guest.mark"]:
            one.detach()

UNIVERSE = Universe(
    all_dialects={"guest": lambda: Dialect("guest", [MarkOp], [])},
    all_passes={
        "guest-replace": lambda: ReplacePass,
        "guest-mark": lambda: MarkPass,
        "guest-unmark": lambda: UnmarkPass,
    },
)
'''


@pytest.fixture
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package, installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "guest_wrong", raising=False)
    install(folder, "guest_wrong", GUEST)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """What is said of arguments that cannot be followed."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main(["bisect", *map(str, arguments)])
    assert stop.value.code == 2
    return capsys.readouterr().err


@pytest.mark.usefixtures("guest")
def test_a_pass_of_another_package_is_named(graph: Path, bisect: Bisect) -> None:
    passes = "canonicalise,guest-replace,merge,fuse,choose-formats,choose-panels,tile"
    (found,) = bisect(graph, "-p", passes, *SMALL)
    assert (found["pass_name"], found["op"], found["location"]) == (
        "guest-replace",
        "tg.unary",
        "silu",
    )
    assert f"-p {passes} --machine tw-small --stop-after guest-replace" in found["command"]
    assert opt([*found["command"].split()[1:-1], str(graph.with_name("wrong.mlir"))]) == 0
    assert "tg.unary relu" in graph.with_name("wrong.mlir").read_text()
    right = passes.replace("replace", "replace{new=silu}")
    assert bisect(graph, "-p", right, *SMALL, status=0) == []


@pytest.mark.usefixtures("guest")
def test_a_module_that_nobody_can_run_is_left_out(
    graph: Path, bisect: Bisect, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = bisect(graph, "-p", "guest-mark,guest-replace,guest-unmark,canonicalise")
    assert found["pass_name"] == "guest-unmark"
    with pytest.raises(SystemExit):
        main(["bisect", str(graph), "-p", "guest-mark,guest-unmark"])
    said = capsys.readouterr()
    assert said.err == "linear: not run behind guest-mark: no interpreter knows guest.mark\n"
    assert said.out == "linear: all 2 modules agree\n"


@pytest.mark.parametrize("level", ["packed", "tiled", "streamed", "placed", "projected", "isa"])
def test_a_file_of_any_level_goes_on(graph: Path, level: str, bisect: Bisect) -> None:
    file = graph.with_name("behind.mlir")
    assert opt([str(graph), "--to", level, *SMALL, "-o", str(file)]) == 0
    last = {"packed": "choose-panels", "tiled": "reside", "streamed": "verify-streams",
            "placed": "allocate", "projected": "project", "isa": "select"}  # fmt: skip
    assert bisect(file, "--start-after", last[level], *SMALL, status=0) == []


def test_a_file_that_is_wrong_itself_is_said_to_be(graph: Path, bisect: Bisect) -> None:
    """A hand took out a release: no pass is at fault."""
    file = graph.with_name("broken.mlir")
    assert opt([str(graph), "--to", "projected", *SMALL, "-o", str(file)]) == 0
    lines = file.read_text().splitlines(keepends=True)
    at = next(n for n, line in enumerate(lines) if "stream.release" in line)
    file.write_text("".join(lines[:at] + lines[at + 1 :]))
    (found,) = bisect(file, "--start-after", "project", *SMALL)
    assert (found["pass_name"], found["command"]) == ("input", "")
    assert "deadlock" in found["message"] or "release" in found["message"]


def test_a_tolerance_lets_small_errors_pass(graph: Path, bisect: Bisect) -> None:
    other = graph.with_name("other.mlir")
    other.write_text(GRAPH.replace("tg.unary silu", "tg.unary gelu_tanh"))
    assert bisect(graph, "--against", other, "--to", "graph", "--tolerance", "1", status=0) == []
    (found,) = bisect(graph, "--against", other, "--to", "graph", "--tolerance", "1e-3")
    assert (found["location"], found["against"]) == ("silu", str(other))


def test_what_cannot_be_followed_is_refused(
    graph: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--batch is not for" in refused(capsys, graph, "--batch", 2)
    assert "no pass is named 'nothing'" in refused(capsys, graph, "-p", "nothing")
    tiled = graph.with_name("tiled.mlir")
    assert opt([str(graph), "--to", "tiled", *SMALL, "-o", str(tiled)]) == 0
    assert "tiled.mlir: the module is tiled and does not say" in refused(capsys, tiled)
    isa = graph.with_name("isa.mlir")
    assert opt([str(graph), "--to", "isa", *SMALL, "-o", str(isa)]) == 0
    said = refused(capsys, isa, "--start-after", "select")
    assert "isa.mlir: instructions run on a machine: say which (--machine)" in said
    folder = graph.with_name("ir")
    folder.mkdir()
    assert "--passes is not for" in refused(capsys, folder, "-p", "tile")
    unread = graph.with_name("unread.mlir")
    unread.write_text("builtin.module {")
    assert "unread.mlir:1:" in refused(capsys, unread)
