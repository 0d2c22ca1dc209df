"""The options of `tilewright-opt`. Nothing here loads xDSL, so that help comes at once."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...passes import PASSES
from ...passes.stages import STAGES

DESCRIPTION = """\
Reads IR of any level, runs passes on it, prints it. A file that `compile --dump-ir` wrote says
which pass it stands behind, and for which machine: passes go on from there.
"""

EXAMPLES = """\
examples:
  tilewright-opt program.mlir -p 'assign-engines{machine=tw-small},channels'
  tilewright-opt graph.mlir --to tiled --machine tw-small --print-ir-diff
  tilewright-opt ir/decode/06-tile.mlir --stop-after skew --time-passes
  tilewright-opt broken.mlir -p my-pass --reduce -o small.mlir
"""


LEVELS = tuple(STAGES)


def names(text: str) -> tuple[str, ...]:
    """`a,b` as names."""
    return tuple(word for word in text.split(",") if word)


@dataclass(frozen=True)
class Argument:
    """One argument: how it is written, what it is for, and the rest that argparse wants."""

    flags: tuple[str, ...]
    help: str
    rest: Mapping[str, Any]

    @classmethod
    def of(cls, *flags: str, help: str, **rest: Any) -> Argument:
        """An argument as argparse writes it."""
        return cls(flags, help, rest)

    @property
    def spelling(self) -> str:
        """How it is written, with the name of its value: `-o, --output-file FILE`."""
        value = self.rest.get("metavar") or "|".join(self.rest.get("choices", ()))
        return f"{', '.join(self.flags)} {value}".strip()


GROUPS: dict[str, tuple[Argument, ...]] = {
    "files": (
        Argument.of("input_file", nargs="?", metavar="FILE", help="IR; standard input by default"),
        Argument.of("-o", "--output-file", metavar="FILE", help="where to; standard output"),
    ),
    "which passes run": (
        Argument.of(
            "-p",
            "--passes",
            default="",
            metavar="PASSES",
            help="passes in order, with options: 'tile{machine=tw-1 kv-block=32},channels'. Of the "
            f"project, in pipeline order: {', '.join(PASSES)}. --list-passes names all",
        ),
        Argument.of(
            "--to",
            choices=LEVELS,
            metavar="LEVEL",
            help=f"run the compiler's own pipeline to this level: {', '.join(LEVELS)}",
        ),
        Argument.of(
            "--start-after",
            metavar="PASS",
            help="leave out the passes up to this one; a dumped file says itself where it stands",
        ),
        Argument.of("--stop-after", metavar="PASS", help="leave out the passes behind this one"),
        Argument.of(
            "--list-passes",
            action="store_true",
            help="print all passes with what they do, of the project, of xDSL, of other packages",
        ),
        Argument.of(
            "--pass-help",
            type=names,
            metavar="PASS,..",
            help="print what these passes do, and their options",
        ),
        Argument.of(
            "--list-dialects", action="store_true", help="print all dialects and whose they are"
        ),
    ),
    "options of passes, where -p does not say otherwise": (
        Argument.of(
            "--machine", metavar="NAME", help="a machine's name, or a .toml file that describes one"
        ),
        Argument.of(
            "--kv-block", type=int, metavar="N", help="positions that attention treats at once"
        ),
        Argument.of(
            "--weights",
            metavar="FORMAT",
            help="format that the weights of matmuls are quantised to",
        ),
        Argument.of(
            "--unfused", action="store_true", default=None, help="each op a kernel of its own"
        ),
    ),
    "what is shown on the way (to standard error)": (
        Argument.of(
            "--print-ir-before",
            type=names,
            default=(),
            metavar="PASS,..",
            help="print the IR before these passes",
        ),
        Argument.of(
            "--print-ir-before-all", action="store_true", help="print the IR before each pass"
        ),
        Argument.of(
            "--print-ir-after",
            type=names,
            default=(),
            metavar="PASS,..",
            help="print the IR after these passes",
        ),
        Argument.of(
            "--print-ir-after-all", action="store_true", help="print the IR after each pass"
        ),
        Argument.of(
            "--print-ir-after-change",
            action="store_true",
            help="print the IR after each pass that changed it, and nothing for the others",
        ),
        Argument.of(
            "--print-ir-diff",
            action="store_true",
            help="print what each pass changed, as a unified diff, instead of the whole IR",
        ),
        Argument.of(
            "--print-ir-after-failure",
            action="store_true",
            help="print the IR as a failing pass left it",
        ),
        Argument.of(
            "--print-between-passes", action="store_true", help="the same as --print-ir-after-all"
        ),
        Argument.of(
            "--dump-ir",
            type=Path,
            metavar="DIR",
            help="write the IR before the first and after each pass to DIR/00-input.mlir, "
            "DIR/01-<pass>.mlir, ...",
        ),
        Argument.of(
            "--time-passes", action="store_true", help="print seconds and operations of each pass"
        ),
    ),
    "reading and checking": (
        Argument.of(
            "-f",
            "--frontend",
            choices=["mlir"],
            help="reader of the input; by default by its ending",
        ),
        Argument.of(
            "--split-input-file",
            action="store_true",
            help="the input is several modules, with a line `// -----` between any two",
        ),
        Argument.of(
            "--verify-diagnostics",
            action="store_true",
            help="`// expected-error @+1 {{text}}` must come, and no other error. A module without "
            "such a line: what verification or a pass refuses is printed, with exit status 0",
        ),
        Argument.of(
            "--parsing-diagnostics",
            action="store_true",
            help="the same for what cannot be parsed, in a module without such a line",
        ),
        Argument.of(
            "--disable-verify", action="store_true", help="do not verify before and after each pass"
        ),
        Argument.of(
            "--allow-unregistered-dialect",
            action="store_true",
            help="read ops of unknown dialects in their generic form",
        ),
        Argument.of(
            "--no-implicit-module",
            action="store_true",
            help="do not put several ops of a file into a module",
        ),
    ),
    "writing the result": (
        Argument.of("-t", "--target", default="mlir", help="form of the output: mlir"),
        Argument.of(
            "--print-debuginfo",
            action="store_true",
            help="print locations; a dumped file keeps its own anyway",
        ),
        Argument.of(
            "--print-op-generic", action="store_true", help="print ops in their generic form"
        ),
        Argument.of(
            "--print-no-properties",
            action="store_true",
            help="print properties as attributes, as old MLIR did",
        ),
        Argument.of("--syntax-highlight", action="store_true", help="colour the output"),
        Argument.of(
            "-v", "--version", action="store_true", help="print the versions of Tilewright and xDSL"
        ),
    ),
    "a failing module made small": (
        Argument.of(
            "--reduce",
            action="store_true",
            help="shrink the module as long as the passes fail in the same way, and print it",
        ),
        Argument.of(
            "--reduce-text",
            metavar="TEXT",
            help="what the error must say to be the same; by default its own words, but for "
            "numbers and names",
        ),
        Argument.of(
            "--reduce-command",
            metavar="COMMAND",
            help="what must fail instead of the passes: a shell command in which %s is the file",
        ),
        Argument.of(
            "--shrink", action="store_true", help="xDSL's: exit with 0 where a ShrinkException came"
        ),
    ),
}
"""All arguments by group. Those that xDSL's driver reads have the names that it gives them."""


def parser() -> argparse.ArgumentParser:
    """All arguments, help and examples."""
    made = argparse.ArgumentParser(
        prog="tilewright-opt",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add_arguments(made)
    return made


def add_arguments(made: argparse.ArgumentParser) -> None:
    """Add all arguments to a parser, group by group."""
    for title, arguments in GROUPS.items():
        group = made.add_argument_group(title)
        for one in arguments:
            # argparse reads % as the beginning of a name.
            group.add_argument(*one.flags, help=one.help.replace("%", "%%"), **one.rest)
