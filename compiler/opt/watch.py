"""What happens between two passes: the module is checked, printed, dumped, and the pass timed."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from time import perf_counter

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.printer import Printer
from xdsl.utils.exceptions import DiagnosticException, ParseError

from ...dialects.checks import verify_module
from ..renaming import in_names_of

EVERY = ("*",)
"""The names of all passes, for `Shown`."""

_NOWHERE = re.compile(r" loc\(unknown\)$", re.M)
"""A location that says nothing; at the end of a line, so never within a string."""
_NAMED = re.compile(r' loc\(("(?:[^"\\]|\\.)*")\((?:unknown|"(?:[^"\\]|\\.)*":\d+:\d+)\)\)$', re.M)
"""A name with a place of its own, which is of the text that was read, not of this one."""

Head = Callable[[str], str]
"""Pass -> the lines at the head of what is dumped behind it; before the first it is `input`."""


@dataclass(frozen=True)
class Shown:
    """What is printed to standard error, before and after which passes."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    changed_only: bool = False
    """Nothing is said of passes that changed nothing."""
    diff: bool = False
    """What a pass changed, not the whole IR."""
    locations: bool = False


class Watch:
    """Checks, prints, dumps and times: its `after_pass` is called between passes.

    `dump` is a folder (made if missing) or None; `head` gives the first lines of its files.
    """

    def __init__(
        self,
        shown: Shown | None = None,
        dump: Path | None = None,
        verify: bool = True,
        head: Head | None = None,
    ):
        self.shown = shown or Shown()
        self.dump = dump
        self.verify = verify
        self.head = head
        self.times: list[tuple[str, float, int]] = []
        """(pass, seconds, operations behind it) so far."""
        self._count = 0
        self._last = ""
        self._started = 0.0

    def after_pass(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Called before the first pass (`previous` None) and after each."""
        seconds = perf_counter() - self._started
        if previous is None:
            self._count, self._last = 0, ""
        else:
            self.times.append((previous.name, seconds, sum(1 for _ in module.walk())))
        self._verify(previous, module)
        if self.shown.before or self.shown.after:
            self._show(previous, module, following)
        if self.dump is not None:
            self._write(self.dump, "input" if previous is None else previous.name, module)
        self._count += 1
        self._started = perf_counter()

    def _verify(self, previous: ModulePass | None, module: ModuleOp) -> None:
        if not self.verify:
            return
        try:
            verify_module(module)
        except DiagnosticException as error:
            if previous is None:
                raise
            raise DiagnosticException(f"after {previous.name}: {first_line(error)}") from error

    def _show(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        shown = self.shown
        text = module_text(module, shown.locations)
        if previous is not None and _among(previous, shown.after):
            changed = text != self._last
            if changed or not shown.changed_only:
                spec = previous.pipeline_pass_spec()
                said("after", f"{spec}{'' if changed else ': changed nothing'}")
            if changed:
                print(difference(self._last, text) if shown.diff else text, end="", file=sys.stderr)
        if following is not None and _among(following, shown.before):
            said("before", str(following.pipeline_pass_spec()))
            print(text, end="", file=sys.stderr)
        self._last = text

    def _write(self, folder: Path, name: str, module: ModuleOp) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        head = self.head(name) if self.head is not None else ""
        path = folder / f"{self._count:02}-{name}.mlir"
        path.write_text(head + module_text(module, locations=True), encoding="utf-8")

    def report(self) -> str:
        """A table of what each pass took, its share, and how many operations it left."""
        total = sum(seconds for _, seconds, _ in self.times)
        lines = ["   seconds   share  operations  pass"]
        for name, seconds, operations in self.times:
            share = seconds / total if total else 0.0
            lines.append(f"{seconds:10.4f}  {share:6.1%}  {operations:10}  {name}")
        return "\n".join([*lines, f"{total:10.4f}  100.0%              all"]) + "\n"


def _among(one: ModulePass, names: tuple[str, ...]) -> bool:
    return names == EVERY or one.name in names


def said(when: str, what: str) -> None:
    """The line above printed IR."""
    print(f"// IR {when} {what}", file=sys.stderr)


def module_text(module: ModuleOp, locations: bool = False) -> str:
    """The module as text, with the locations that are known if asked for, and a last newline."""
    if not locations:
        return str(module) + "\n"
    out = io.StringIO()
    Printer(stream=out, print_debuginfo=True).print_op(module)
    text = _NOWHERE.sub("", out.getvalue())
    return _NAMED.sub(r" loc(\1)", text) + "\n"


def difference(before: str, after: str) -> str:
    """A unified diff, three lines of context around each change; a new name alone is none."""
    now = after.splitlines()
    was = in_names_of(before.splitlines(), now)
    lines = unified_diff(was, now, "before", "after", lineterm="")
    return "".join(f"{line}\n" for line in lines)


def first_line(error: BaseException) -> str:
    """What an error says, on one line and without pictures of the IR."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: cannot be opened: {error.strerror}"
    if isinstance(error, ParseError):
        return f"{error.span.get_location()}: {error.msg}"
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
