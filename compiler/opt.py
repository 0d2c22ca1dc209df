"""`tilewright-opt`: reads IR of any level, runs passes on it, prints it.

    tilewright-opt program.mlir -p 'assign-engines,channels' --print-ir-after-all

Every pass is followed by verification of the whole module: ops, dominance, names, parts.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import IO, cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass, PassPipeline
from xdsl.utils.arg_spec import parse_pipeline
from xdsl.utils.exceptions import (
    ArgSpecParseError,
    DiagnosticException,
    ParseError,
    PassFailedException,
)
from xdsl.xdsl_opt_main import xDSLOptMain

from ..backend.errors import TilewrightError
from ..dialects.checks import verify_module
from ..dialects.context import DIALECTS, UPSTREAM
from ..dialects.source import parse_source
from ..passes import PASSES

UPSTREAM_PASSES = ("canonicalize", "cse", "dce")
"""xDSL's own passes that are of use on these levels."""


class TilewrightOpt(xDSLOptMain):
    """xDSL's driver with the project's dialects, passes, checks and dumps, and nothing else."""

    def register_all_dialects(self) -> None:
        for dialect in (*UPSTREAM, *DIALECTS):
            self.ctx.load_dialect(dialect)

    def register_all_frontends(self) -> None:
        def parse(file: IO[bytes]) -> ModuleOp:
            # Chunks of a split input are text, whatever xDSL's types say.
            raw = cast(bytes | str, file.read())
            text = raw if isinstance(raw, str) else raw.decode("utf-8")
            implicit = not self.args.no_implicit_module
            return parse_source(self.ctx, text, self.get_input_name(), implicit)

        self.available_frontends["mlir"] = parse

    def register_all_passes(self) -> None:
        super().register_all_passes()
        upstream = {name: self.available_passes[name] for name in UPSTREAM_PASSES}
        self.available_passes = {**PASSES, **upstream}

    def register_all_targets(self) -> None:
        super().register_all_targets()
        self.available_targets = {"mlir": self.available_targets["mlir"]}

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        super().register_all_arguments(arg_parser)
        arg_parser.prog = "tilewright-opt"
        arg_parser.add_argument(
            "--print-ir-after-all",
            action="store_true",
            help="print the IR after each pass to stderr, or that the pass changed nothing",
        )
        arg_parser.add_argument(
            "--dump-ir",
            type=Path,
            metavar="DIR",
            help="write the IR before the first and after each pass to DIR/00-input.mlir, "
            "DIR/01-<pass>.mlir, ...",
        )

    def setup_pipeline(self) -> None:
        watch = Watch(
            self.args.print_ir_after_all,
            self.args.dump_ir,
            not self.args.disable_verify,
        )
        check_names(self.args.passes, self.available_passes)
        self.pipeline = PassPipeline.parse_spec(
            self.available_passes, self.args.passes, watch.after_pass
        )


def check_names(pipeline: str, known: Iterable[str]) -> None:
    """Refuse a pipeline that cannot be read, and a pass that does not exist, with those that do,
    the likeliest first.
    """
    try:
        names = [spec.name for spec in parse_pipeline(pipeline)]
    except ArgSpecParseError as error:
        said = str(error).strip().splitlines()[-1].strip()
        raise TilewrightError(f"-p '{pipeline}' is no list of passes: {said}") from None
    for name in names:
        if name not in known:
            likest = sorted(known, key=lambda one: -SequenceMatcher(None, name, one).ratio())
            raise TilewrightError(f"no pass is named '{name}'; the passes are {', '.join(likest)}")


class Watch:
    """Checks, prints and dumps a module between passes.

    `dump` is a folder (made if missing) or None.
    """

    def __init__(self, print_all: bool = False, dump: Path | None = None, verify: bool = True):
        self.print_all = print_all
        self.dump = dump
        self.verify = verify
        self.count = 0
        self.last = ""

    def after_pass(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Called before the first pass (`previous` None) and after each."""
        if previous is None:
            self.count, self.last = 0, ""
        try:
            if self.verify:
                verify_module(module)
        except DiagnosticException as error:
            if previous is not None:
                raise DiagnosticException(f"after {previous.name}: {first_line(error)}") from error
            raise
        if not self.print_all and self.dump is None:
            return
        text = str(module) + "\n"
        name = "input" if previous is None else previous.name
        if self.print_all and previous is not None:
            spec = previous.pipeline_pass_spec()
            changed = "" if text != self.last else ": changed nothing"
            print(f"// IR after {spec}{changed}", file=sys.stderr)
            if not changed:
                print(text, end="", file=sys.stderr)
        if self.dump is not None:
            self.dump.mkdir(parents=True, exist_ok=True)
            (self.dump / f"{self.count:02}-{name}.mlir").write_text(text)
        self.count += 1
        self.last = text


def first_line(error: Exception) -> str:
    """What an error says, on one line and without pictures of the IR."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: cannot be opened: {error.strerror}"
    if isinstance(error, ParseError):
        return f"{error.span.get_location()}: {error.msg}"
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the driver; 0, or 1 with `error: ...` on stderr for IR at fault, 2 for a user's
    error.
    """
    try:
        TilewrightOpt("reads IR of any level, runs passes on it, prints it", argv).run()
    except (TilewrightError, PassFailedException, ValueError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except (DiagnosticException, ParseError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
