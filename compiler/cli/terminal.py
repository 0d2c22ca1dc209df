"""`tilewright gui`: passes tried on IR in a terminal."""

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from ...backend.errors import TilewrightError

NEEDED = ("textual", "pyclip")
"""What the extra `gui` brings: xDSL's application is made of the first and copies by the second."""


def gui(
    file: Annotated[
        Path | None, typer.Argument(help="IR of any level; a few lines to try by default.")
    ] = None,
    passes: Annotated[
        str, typer.Option("-p", "--passes", help="Passes to begin with, as tilewright-opt reads.")
    ] = "",
    machine: Annotated[
        str | None,
        typer.Option(help="Machine that passes get; by default that of a dumped file's head."),
    ] = None,
) -> None:
    """Try passes on IR in xDSL's terminal GUI, with all dialects and passes of tilewright-opt.

    It needs the extra `gui`: pip install 'tilewright[gui]'.

    \b
    Examples:
      tilewright gui ir/decode/06-tile.mlir
      tilewright gui ir/decode/06-tile.mlir -p assign-engines,channels
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise TilewrightError(
            f"gui needs {' and '.join(missing)}, not installed here: pip install 'tilewright[gui]'"
        )
    from ..opt.terminal import application

    made = application(file, passes, machine)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise TilewrightError(
            "gui needs a terminal, and standard input or output is none: "
            "tilewright-opt does the same without one"
        )
    made.run()
