"""The terminal GUI, without a terminal: a pass is chosen and its output shown."""

import asyncio
import importlib.util
import shlex
from pathlib import Path

import pytest
from textual.widgets import TextArea

from tilewright.backend.errors import TilewrightError
from tilewright.compiler.cli import main as tilewright
from tilewright.compiler.opt import main as opt
from tilewright.compiler.opt.terminal import Terminal, application

PROGRAM = """\
// tilewright dump
// after: reside
// machine: tw-1
builtin.module @step {
  tg.scalar @m : 0 to 4
  tg.global table @cos : memref<4x32xf32, #tw.hbm> from "rope_cos(10000.0, 64, 4)"
  func.func @step() {
    %m = tg.get @m
    %a = tile.buffer : memref<4x32xf32, #tw.spm>
    tile.load @cos[0, 0] [%m, 32] to %a
    func.return
  }
}
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "a program.mlir"
    path.write_text(PROGRAM)
    return path


async def choose(app: Terminal, name: str, options: str = "") -> str:
    """Open the application, choose a pass and what its screen proposes; what that proposed."""
    async with app.run_test(size=(140, 50)) as pilot:
        names = [one for one, _ in app.all_passes]
        app.passes_tree.focus()
        app.passes_tree.move_cursor(app.passes_tree.root.children[names.index(name)])
        await pilot.press("enter")
        await pilot.pause()
        proposed = app.screen.query_one("#argument_text_area", TextArea).text
        await pilot.click("#enter_button")
        await pilot.pause()
    return proposed


def test_a_pass_is_chosen_and_its_effect_shown(
    program: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The machine comes from the file's head: tw-1 has a fourth queue, which tables take."""
    app = application(program)
    assert [name for name, _ in app.all_passes][:3] == ["canonicalise", "merge", "fuse"]
    assert asyncio.run(choose(app, "assign-engines")) == "machine=tw-1"
    assert "tile.load @cos[0, 0] [%m, 32] to %a on ld3" in app.output_text_area.text
    # What it calls its query is a command that prints the same.
    command, *arguments = shlex.split(app.get_query_string())
    assert command == "tilewright-opt"
    assert opt(arguments) == 0
    assert "tile.load @cos[0, 0] [%m, 32] to %a on ld3" in capsys.readouterr().out


async def opened(app: Terminal) -> str:
    """What the output shows once the application is open."""
    async with app.run_test() as pilot:
        await pilot.pause()
        return app.output_text_area.text


def test_passes_and_machine_of_the_command_line(program: Path) -> None:
    app = application(program, "assign-engines", "tw-small")
    assert "tile.load @cos[0, 0] [%m, 32] to %a on ld1" in asyncio.run(opened(app))


async def wrong_turns(app: Terminal) -> list[str]:
    """What the output shows of a pass out of turn, of its removal, of text without an end."""
    async with app.run_test(size=(140, 50)) as pilot:
        await pilot.pause()
        shown = [app.output_text_area.text]
        await pilot.click("#remove_last_pass_button")
        await pilot.pause()
        shown.append(app.output_text_area.text)
        names = [one for one, _ in app.all_passes]
        app.passes_tree.root.children[names.index("project")].expand()
        await pilot.pause()
        app.input_text_area.text = 'func.func @f() attributes {a = "' + 40 * "no end"
        await pilot.pause()
        return [*shown, app.output_text_area.text]


def test_what_a_pass_refuses_is_shown_and_taken_back(program: Path) -> None:
    refused, taken_back, unread = asyncio.run(wrong_turns(application(program, "channels")))
    assert refused.startswith("pass channels: ")
    assert "assign-engines" in refused
    assert "tile.load @cos[0, 0] [%m, 32] to %a\n" in taken_back
    assert f"{program}:1:" in unread
    assert "a string has no end in its line" in unread


async def condensed(app: Terminal) -> list[str]:
    """The passes that are offered when those that change nothing are left out."""
    async with app.run_test(size=(140, 50)) as pilot:
        await pilot.click("#condense_button")
        await pilot.pause()
        return [str(one) for one in app.available_pass_list]


def test_condensed_are_the_passes_that_change_something(program: Path) -> None:
    offered = asyncio.run(condensed(application(program)))
    assert "assign-engines" in offered
    assert "canonicalise" not in offered


@pytest.mark.parametrize(
    ("missing", "said"),
    [("textual", "gui needs textual, not installed here: pip install 'tilewright[gui]'"),
     (None, "gui needs a terminal, and standard input or output is none")],
)  # fmt: skip
def test_what_the_command_refuses(
    missing: str | None,
    said: str,
    program: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "tilewright.compiler.cli.terminal.find_spec",
        lambda name: None if name == missing else find(name),  # pyright: ignore[reportUnknownLambdaType,reportUnknownArgumentType]
    )
    with pytest.raises(SystemExit) as stopped:
        tilewright(["gui", str(program)])
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_what_is_no_text_or_no_pass_is_refused(program: Path) -> None:
    with pytest.raises(TilewrightError, match="no pass is named 'chanels'"):
        application(program, "chanels")
    program.write_bytes(b"\xff")
    with pytest.raises(TilewrightError, match=r"a program\.mlir: is no text: "):
        application(program)
