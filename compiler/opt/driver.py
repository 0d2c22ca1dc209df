"""The driver: xDSL's, with the project's dialects and passes, checks, dumps and diagnostics."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import IO, cast

from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Attribute
from xdsl.passes import ModulePass, PassPipeline
from xdsl.utils.diagnostic import Diagnostic
from xdsl.utils.exceptions import DiagnosticException, ParseError, PassFailedException
from xdsl.xdsl_opt_main import xDSLOptMain

from ...backend.errors import TilewrightError
from ...dialects.faults import place_beside, place_of
from ...dialects.source import Places, parse_source
from ..origin import Origin, read_origin
from .arguments import DESCRIPTION, add_arguments
from .expected import Expected, judge, read_expected
from .known import everything
from .selection import Wanted, check, find_pass, select_passes
from .watch import EVERY, Shown, Watch, first_line, module_text, said

REFUSALS = (DiagnosticException, ParseError, TilewrightError)
"""What says that IR is at fault; any other exception is a mistake in a pass."""


class TilewrightOpt(xDSLOptMain):
    """Reads a module (or several, split), runs passes, prints it. Chunks are done one by one."""

    def register_all_dialects(self) -> None:
        self.known = everything()
        self.ctx = self.known.context()
        self.text, self.offset = "", 0
        self.places: Places = {}
        self.origin: Origin | None = None
        self.expected: tuple[Expected, ...] = ()
        self.refused = False
        self.running: ModulePass | None = None

    def register_all_frontends(self) -> None:
        self.available_frontends["mlir"] = self.parse

    def register_all_passes(self) -> None:
        self.available_passes = self.known.passes

    def register_all_targets(self) -> None:
        super().register_all_targets()
        self.available_targets = {"mlir": self.available_targets["mlir"]}

    def register_all_arguments(self, arg_parser: argparse.ArgumentParser) -> None:
        add_arguments(arg_parser)

    def setup_pipeline(self) -> None:
        """Only looks: which passes run depends on where a module says that it stands."""
        args = self.args
        options = {
            name: getattr(args, name) for name in ("machine", "kv_block", "weights", "unfused")
        }
        self.wanted = Wanted(args.passes, args.to, args.start_after, args.stop_after, options)
        check(self.wanted, self.known)
        for name in (*args.print_ir_before, *args.print_ir_after):
            find_pass(name, self.known)
        everywhere = args.print_ir_after_all or args.print_between_passes
        changes = args.print_ir_after_change or (args.print_ir_diff and not args.print_ir_after)
        shown = Shown(
            before=EVERY if args.print_ir_before_all else args.print_ir_before,
            after=EVERY if everywhere or changes else args.print_ir_after,
            changed_only=args.print_ir_after_change,
            diff=args.print_ir_diff,
            locations=args.print_debuginfo,
        )
        self.watch = Watch(shown, args.dump_ir, not args.disable_verify, self.head)

    def head(self, name: str) -> str:
        """The first lines of what is dumped behind a pass; none for IR that had none."""
        return self.origin.behind(name).text() if self.origin is not None else ""

    def parse(self, file: IO[bytes]) -> ModuleOp:
        """A chunk's text to a module; what its comments say is kept beside."""
        # Chunks of a split input are text, whatever xDSL's types say.
        raw = cast(bytes | str, file.read())
        self.text = raw if isinstance(raw, str) else raw.decode("utf-8")
        self.places, self.refused = {}, False
        name = self.get_input_name()
        self.origin = read_origin(self.text, name)
        if self.args.verify_diagnostics:
            self.expected = read_expected(self.text, name, self.offset)
        implicit = not self.args.no_implicit_module
        return parse_source(self.ctx, self.text, name, implicit, self.places, first=self.offset + 1)

    def parse_chunk(
        self, chunk: IO[bytes], file_extension: str, start_offset: int = 0
    ) -> ModuleOp | None:
        self.offset = start_offset
        try:
            return super().parse_chunk(chunk, file_extension, start_offset)
        except ParseError as error:
            if not self.expected:
                raise
            line = error.span.get_location().line + self.offset
            judge(self.expected, (line, error.msg), self.get_input_name())
            return None

    def apply_passes(self, prog: ModuleOp) -> None:
        try:
            self.transform(prog)
        except REFUSALS as error:
            if not self.expected:
                raise
            self.refused = True
            judge(self.expected, (self.line_of(error), first_line(error)), self.get_input_name())
            return
        if self.expected:
            judge(self.expected, None, self.get_input_name())

    def transform(self, module: ModuleOp) -> None:
        """Run the passes that are asked for, watched; the module's head moves with them."""
        passes = select_passes(self.wanted, self.known, module, self.origin)
        self.running = None

        def between(
            previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
        ) -> None:
            self.watch.after_pass(previous, module, following)
            if previous is not None and self.origin is not None:
                self.origin = self.origin.behind(previous.name)
            self.running = following

        if self.args.reduce:
            self.reduce(module, passes)
            return
        try:
            PassPipeline(tuple(passes), between).apply(self.ctx, module)
        except Exception:
            if self.args.print_ir_after_failure and self.running is not None:
                said("after", f"{self.running.pipeline_pass_spec()}, which failed")
                print(module_text(module), end="", file=sys.stderr)
            raise
        self.running = None
        if self.args.time_passes:
            print(self.watch.report(), end="", file=sys.stderr)
            self.watch.times.clear()

    def reduce(self, module: ModuleOp, passes: Sequence[ModulePass]) -> None:
        """Put the reduced module in the place of the module."""
        from .reduce import reduce_module

        text, command = self.args.reduce_text, self.args.reduce_command
        small = reduce_module(module, passes, self.known, text, command)
        module.detach_region(module.body)
        module.add_region(small.detach_region(small.body))
        module.attributes = dict(small.attributes)

    def output_resulting_program(self, prog: ModuleOp) -> str:
        """The module's text; nothing of one that was refused as it announced."""
        if self.refused:
            return ""
        if self.origin is None:
            return super().output_resulting_program(prog)
        if not self.args.print_op_generic:
            return self.origin.text() + module_text(prog, locations=True)
        self.args.print_debuginfo = True
        return self.origin.text() + super().output_resulting_program(prog)

    def line_of(self, error: BaseException) -> int | None:
        """The line of the op that an error is about, if that stems from this file."""
        place = place_of(error, self.places)
        return place.line if place is not None and place.file == self.get_input_name() else None

    def described(self, error: BaseException) -> str:
        """An error on one line, with the place in the file, if it does not say that itself, or the
        pass in front where known."""
        message = first_line(error)
        place = place_beside(error, self.places, message)
        if place is not None:
            return f"{place}: {message}"
        if self.running is not None and not message.startswith("after "):
            return f"pass {self.running.name}: {message}"
        return message


def run(argv: Sequence[str]) -> int:
    """What `main` does once the arguments can be read."""
    tool: TilewrightOpt | None = None
    # `--disable-verify` and `--syntax-highlight` are set for the whole process by xDSL.
    checked, coloured = Attribute.__post_init__, Diagnostic.colored
    try:
        if _answered(argv):
            return 0
        tool = TilewrightOpt(DESCRIPTION, argv)
        tool.run()
    except (TilewrightError, PassFailedException, ValueError, OSError) as error:
        print(f"error: {tool.described(error) if tool else first_line(error)}", file=sys.stderr)
        return 2
    except (DiagnosticException, ParseError) as error:
        print(f"error: {tool.described(error) if tool else first_line(error)}", file=sys.stderr)
        return 1
    finally:
        Attribute.__post_init__, Diagnostic.colored = checked, coloured
    return 0


def _answered(argv: Sequence[str]) -> bool:
    """Print what needs no module, if that is asked for."""
    from . import listing
    from .arguments import parser

    args = parser().parse_args(argv)
    if args.version:
        print(versions())
    elif args.list_passes:
        print(listing.passes(everything()), end="")
    elif args.list_dialects:
        print(listing.dialects(everything()), end="")
    elif args.pass_help is not None:
        print(listing.pass_help(everything(), args.pass_help), end="")
    else:
        return False
    return True


def versions() -> str:
    """The versions of this program and of xDSL, on one line."""
    try:
        own = version("tilewright")
    except PackageNotFoundError:  # A working tree that is not installed.
        own = "not installed"
    return f"tilewright-opt {own}, xDSL {version('xdsl')}"
