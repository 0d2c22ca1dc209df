"""Collects tests/filecheck/**/*.mlir: every RUN line is one pytest test, run in this process.

    // RUN: tilewright-opt %s -p fuse | tilewright-opt -p tile | filecheck %s --check-prefix TILED

A RUN line is one or more commands joined by pipes: `tilewright-opt` any number of times, each
reading the text before it as standard input, and `filecheck` last, if at all. `%s` is the file.
`2>&1` behind a tilewright-opt joins what it says to what it prints. A line that ends in a backslash
goes on in the next RUN line. A command that fails, fails the test, unless `not` stands before it:
then it must fail. Plain `lit` runs the same files, a process a command (filecheck/lit.cfg.py).
"""

import contextlib
import gc
import io
import json
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filecheck.finput import FInput
from filecheck.matcher import Matcher
from filecheck.options import Options, parse_argv_options
from filecheck.parser import Parser
from hypothesis import settings

# How long an example takes depends on what else the machine does; that is no failure.
settings.register_profile("tilewright", deadline=None)
settings.load_profile("tilewright")

# Before a test loads numpy: on a busy machine its BLAS is many times slower with several threads.
for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

# IR is many small objects: looking through them for cycles takes a tenth of a compilation.
gc.set_threshold(100_000, 20, 50)

RUN = re.compile(r"^[ \t]*//[ \t]*RUN:[ \t]*(.*?)[ \t]*$", re.M)


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` must be known before the folder that uses it is."""
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="tests/bench/test_golden.py: show old, new and ratio of each figure, and rewrite them",
    )


def run_lines(text: str) -> list[str]:
    """The RUN lines of a file, continued lines joined."""
    lines: list[str] = []
    continued = False
    for line in RUN.findall(text):
        if continued:
            lines[-1] = lines[-1][:-1] + line
        else:
            lines.append(line)
        continued = line.endswith("\\")
    return lines


def split_pipe(line: str) -> list[list[str]]:
    """The commands of a RUN line, each split into words; `"a | b"` in quotes is one word."""
    words = shlex.shlex(line, posix=True, punctuation_chars="|")
    words.whitespace_split = True
    words.commenters = ""
    commands: list[list[str]] = [[]]
    for word in words:
        if word == "|":
            commands.append([])
        else:
            commands[-1].append(word)
    return commands


def run_opt(arguments: list[str], given: str, fails: bool = False, joined: bool = False) -> str:
    """Standard output of `tilewright-opt arguments` with `given` as standard input.

    `fails`: it must; `joined`: standard error is part of it. Raises AssertionError.
    """
    # Imported late: collecting tests must not need the compiler.
    from tilewright.compiler import opt

    main: Callable[[list[str]], object] = opt.main
    out = io.StringIO()
    said = out if joined else io.StringIO()
    stdin = sys.stdin
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()), encoding="utf-8")
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            status = main(arguments)
    except SystemExit as stop:
        status = stop.code
    finally:
        sys.stdin = stdin
    if (status not in (None, 0)) != fails:
        wanted = "another than 0" if fails else "0"
        raise AssertionError(
            f"tilewright-opt {shlex.join(arguments)}: exit status {status}, wanted {wanted}\n"
            f"{said.getvalue()}"
            f"--- output\n{out.getvalue()}"
        )
    return out.getvalue()


def run_filecheck(arguments: list[str], given: str) -> None:
    """`filecheck arguments` on `given`; raises AssertionError with its explanation."""
    options: Options = parse_argv_options(["filecheck", *arguments])
    matcher = Matcher(options, FInput("-", given), Parser.from_opts(options))
    said = io.StringIO()
    matcher.stderr = said
    with contextlib.redirect_stdout(said):
        status = matcher.run()
    if status:
        raise AssertionError(f"{said.getvalue()}\n--- output\n{given}")


class FileCheckItem(pytest.Item):
    """One RUN line."""

    line: str

    def runtest(self) -> None:
        text = ""
        commands = split_pipe(self.line)
        for number, words in enumerate(commands):
            words = [word.replace("%s", str(self.path)) for word in words] or [""]
            fails, joined = words[0] == "not", words[-1] == "2>&1"
            tool, *arguments = words[fails : len(words) - joined] or [""]
            if tool == "tilewright-opt":
                text = run_opt(arguments, text, fails, joined)
            elif tool == "filecheck" and number and number == len(commands) - 1:
                run_filecheck(arguments, text)
            else:
                raise AssertionError(
                    f"RUN line: found {tool!r} as command {number + 1}; wanted tilewright-opt,"
                    " or filecheck as the last of several"
                )

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        if excinfo.errisinstance(AssertionError):
            return f"RUN: {self.line}\n{excinfo.value}"
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class MlirFile(pytest.File):
    """A FileCheck test file."""

    def collect(self) -> Iterator[pytest.Item]:
        lines = run_lines(self.path.read_text())
        if not lines:
            raise self.CollectError(f"{self.path}: found no RUN line, wanted at least one")
        for number, line in enumerate(lines):
            item = FileCheckItem.from_parent(  # pyright: ignore[reportUnknownMemberType]
                self, name=f"RUN{number}"
            )
            item.line = line
            yield item


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Every `.mlir` file below a folder named filecheck."""
    if file_path.suffix == ".mlir" and "filecheck" in file_path.parts:
        return MlirFile.from_parent(  # pyright: ignore[reportUnknownMemberType]
            parent, path=file_path
        )
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What the tests of tests/fuzz tried, as a table; for `python tests/fuzz` as a file, too."""
    tried: dict[str, dict[str, Any]] = {}
    failed: set[str] = set()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            name = re.sub(r".*::|\[.*", "", getattr(report, "nodeid", ""))
            if outcome in ("failed", "error"):
                failed.add(name)
            for key, value in getattr(report, "user_properties", ()):
                if key == "fuzz":
                    tried[name] = value
    if not tried:
        return
    terminalreporter.section("fuzzing")
    width = max(map(len, tried))
    terminalreporter.line(f"{'target':{width}}  runs  refused  found  seed")
    for name, one in sorted(tried.items()):
        terminalreporter.line(
            f"{name:{width}}  {one['runs']:4}  {sum(one['refused'].values()):7}  "
            f"{int(name in failed):5}  {one['seed']:4}"
        )
    if "TILEWRIGHT_FUZZ_TALLIES" in os.environ:
        Path(os.environ["TILEWRIGHT_FUZZ_TALLIES"]).write_text(json.dumps(tried), "utf-8")
