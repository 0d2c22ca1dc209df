"""The options of `tilewright-opt`. Nothing here loads xDSL, so that help comes at once."""

from __future__ import annotations

import argparse
from pathlib import Path

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


def names(text: str) -> tuple[str, ...]:
    """`a,b` as names."""
    return tuple(word for word in text.split(",") if word)


def parser() -> argparse.ArgumentParser:
    """All options. Those that xDSL's driver reads have the names that it gives them."""
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
    """Add all options to a parser, group by group."""
    made.add_argument("input_file", nargs="?", metavar="FILE", help="IR; standard input by default")
    made.add_argument("-o", "--output-file", metavar="FILE", help="where to; standard output")
    _pipeline(made)
    _options(made)
    _printing(made)
    _input(made)
    _output(made)
    _reducing(made)


def _pipeline(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("which passes run")
    levels = list(STAGES)
    group.add_argument(
        "-p",
        "--passes",
        default="",
        metavar="PASSES",
        help="passes in order, with options: 'tile{machine=tw-1 kv-block=32},channels'. Of the "
        f"project, in pipeline order: {', '.join(PASSES)}. --list-passes names all",
    )
    group.add_argument(
        "--to",
        choices=levels,
        metavar="LEVEL",
        help=f"run the compiler's own pipeline to this level: {', '.join(levels)}",
    )
    group.add_argument(
        "--start-after",
        metavar="PASS",
        help="leave out the passes up to this one; a dumped file says itself where it stands",
    )
    group.add_argument("--stop-after", metavar="PASS", help="leave out the passes behind this one")
    group.add_argument(
        "--list-passes",
        action="store_true",
        help="print all passes with what they do, of the project, of xDSL, of other packages",
    )
    group.add_argument(
        "--pass-help",
        type=names,
        metavar="PASS,..",
        help="print what these passes do, and their options",
    )
    group.add_argument(
        "--list-dialects", action="store_true", help="print all dialects and whose they are"
    )


def _options(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("options of passes, where -p does not say otherwise")
    group.add_argument(
        "--machine", metavar="NAME", help="a machine's name, or a .toml file that describes one"
    )
    group.add_argument(
        "--kv-block", type=int, metavar="N", help="positions that attention treats at once"
    )
    group.add_argument(
        "--weights", metavar="FORMAT", help="format that the weights of matmuls are quantised to"
    )
    group.add_argument(
        "--unfused", action="store_true", default=None, help="each op a kernel of its own"
    )


def _printing(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("what is shown on the way (to standard error)")
    for when in ("before", "after"):
        group.add_argument(
            f"--print-ir-{when}",
            type=names,
            default=(),
            metavar="PASS,..",
            help=f"print the IR {when} these passes",
        )
        group.add_argument(
            f"--print-ir-{when}-all", action="store_true", help=f"print the IR {when} each pass"
        )
    group.add_argument(
        "--print-ir-after-change",
        action="store_true",
        help="print the IR after each pass that changed it, and nothing for the others",
    )
    group.add_argument(
        "--print-ir-diff",
        action="store_true",
        help="print what each pass changed, as a unified diff, instead of the whole IR",
    )
    group.add_argument(
        "--print-ir-after-failure",
        action="store_true",
        help="print the IR as a failing pass left it",
    )
    group.add_argument(
        "--print-between-passes", action="store_true", help="the same as --print-ir-after-all"
    )
    group.add_argument(
        "--dump-ir",
        type=Path,
        metavar="DIR",
        help="write the IR before the first and after each pass to DIR/00-input.mlir, "
        "DIR/01-<pass>.mlir, ...",
    )
    group.add_argument(
        "--time-passes", action="store_true", help="print seconds and operations of each pass"
    )


def _input(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("reading and checking")
    group.add_argument(
        "-f", "--frontend", choices=["mlir"], help="reader of the input; by default by its ending"
    )
    group.add_argument(
        "--split-input-file",
        action="store_true",
        help="the input is several modules, with a line `// -----` between any two",
    )
    group.add_argument(
        "--verify-diagnostics",
        action="store_true",
        help="`// expected-error @+1 {{text}}` must come, and no other error. A module without "
        "such a line: what verification or a pass refuses is printed, with exit status 0",
    )
    group.add_argument(
        "--parsing-diagnostics",
        action="store_true",
        help="the same for what cannot be parsed, in a module without such a line",
    )
    group.add_argument(
        "--disable-verify", action="store_true", help="do not verify before and after each pass"
    )
    group.add_argument(
        "--allow-unregistered-dialect",
        action="store_true",
        help="read ops of unknown dialects in their generic form",
    )
    group.add_argument(
        "--no-implicit-module",
        action="store_true",
        help="do not put several ops of a file into a module",
    )


def _output(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("writing the result")
    group.add_argument("-t", "--target", default="mlir", help="form of the output: mlir")
    group.add_argument(
        "--print-debuginfo",
        action="store_true",
        help="print locations; a dumped file keeps its own anyway",
    )
    group.add_argument(
        "--print-op-generic", action="store_true", help="print ops in their generic form"
    )
    group.add_argument(
        "--print-no-properties",
        action="store_true",
        help="print properties as attributes, as old MLIR did",
    )
    group.add_argument("--syntax-highlight", action="store_true", help="colour the output")
    group.add_argument(
        "-v", "--version", action="store_true", help="print the versions of Tilewright and xDSL"
    )


def _reducing(made: argparse.ArgumentParser) -> None:
    group = made.add_argument_group("a failing module made small")
    group.add_argument(
        "--reduce",
        action="store_true",
        help="shrink the module as long as the passes fail in the same way, and print it",
    )
    group.add_argument(
        "--reduce-text",
        metavar="TEXT",
        help="what the error must say to be the same; by default its own words, numbers and names "
        "aside",
    )
    group.add_argument(
        "--reduce-command",
        metavar="COMMAND",
        help="what must fail instead of the passes: a shell command in which %%s is the file",
    )
    group.add_argument(
        "--shrink", action="store_true", help="xDSL's: exit with 0 where a ShrinkException came"
    )
