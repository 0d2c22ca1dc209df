"""The table of commands, and what every command does about errors."""

import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from ...backend.errors import TilewrightError
from . import (
    assembly,
    bisect,
    bounds,
    check,
    compare,
    explore,
    inspect,
    machines,
    models,
    prepare,
    resume,
    showcase,
    step,
    sweep,
    terminal,
    text,
    timing,
    trace,
)
from .output import USER_ERROR

COMMANDS: tuple[tuple[str, Callable[..., Any]], ...] = (
    ("demo", showcase.demo),
    ("compile", models.compile_command),
    ("resume", resume.resume),
    ("run", models.run),
    ("generate", text.generate),
    ("step", step.step),
    ("inspect", inspect.inspect),
    ("check", check.check),
    ("time", timing.time_command),
    ("compare", compare.compare_command),
    ("trace", trace.trace_command),
    ("explore", explore.explore_command),
    ("bound", bounds.bound),
    ("sweep", sweep.sweep),
    ("opt", assembly.opt),
    ("gui", terminal.gui),
    ("bisect", bisect.bisect),
    ("asm", assembly.asm),
    ("disasm", assembly.disasm),
    ("machines", machines.machines),
    ("warmup", prepare.warmup),
    ("fetch", prepare.fetch),
)

PASSED_ON = ("opt",)
"""Commands that another program serves: their arguments, `--help` too, are not looked at here."""

HELP = """Compile transformer models for TW, an emulated AI accelerator, and run them there.

\b
First steps:
  tilewright demo
  tilewright compile MODEL -o model.tw --max-context 512
  tilewright generate model.tw "Once upon a time"
  tilewright COMMAND --help
"""


def application() -> typer.Typer:
    """All commands, in the order in which help lists them."""
    app = typer.Typer(
        name="tilewright",
        help=HELP,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for name, function in COMMANDS:
        passed_on = name in PASSED_ON
        app.command(
            name,
            add_help_option=not passed_on,
            context_settings={"allow_extra_args": passed_on, "ignore_unknown_options": passed_on},
        )(function)
    return app


def one_line(error: Exception) -> str:
    """The text of an error on one line."""
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return f"{error.filename}: {reason[0].lower()}{reason[1:]}"
    return " ".join(str(error).split())


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; always ends by SystemExit.

    A TilewrightError, and a file that cannot be opened, is one line `error: ...` and status 2.
    """
    try:
        application()(arguments)
    except (TilewrightError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:
            raise
        print(f"error: {one_line(error)}", file=sys.stderr)
        sys.exit(USER_ERROR)
