"""Runs the blocks of a page in a folder of its own, from top to bottom, as a reader would.

Commands of the compiler run in this process, all others by bash. A model of `samples/` that an
earlier page compiled in the same way is copied instead of compiled again. `pip install -e .`
leaves the package's metadata in the folder, which is all that this process and its children need.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from excerpts import Excerpt
from page_blocks import ROOT, Block, blocks

TOOLS = {
    "tilewright": "from tilewright.compiler.cli import main; main()",
    "tilewright-opt": "import sys; from tilewright.compiler.opt import main; sys.exit(main())",
    "filecheck": "import sys; from filecheck.main import main; sys.exit(main())",
    "lit": "from lit.main import main; main()",
    "pytest": "import sys, pytest; sys.exit(pytest.main())",
}
"""What pages may call by name, whatever is installed where the tests run."""
SHELL = re.compile(r"[|<>;&*$`(){}]")
RUN_LINE = re.compile(r"^// RUN: (.*)$", re.M)
SOURCES = ("backend", "compiler", "dialects", "passes", "runtime", "samples", "tests", "docs")


class PageError(AssertionError):
    """A block that does not do what the page says: where, what was found, what was wanted."""


@dataclass
class Compiled:
    """What the compilations of this process left behind, by command."""

    folder: Path
    made: dict[str, tuple[Path, str]] = field(default_factory=dict[str, tuple[Path, str]])


class Runner:
    """One page in one folder."""

    def __init__(self, page: Path, folder: Path, compiled: Compiled) -> None:
        self.page, self.folder, self.compiled = page, folder, compiled
        self.tree: Path | None = None
        self.names: dict[str, Any] = {"__name__": "page"}
        folder.mkdir(parents=True)
        (folder / "samples").symlink_to(ROOT / "samples")
        self.tools = folder.with_name(folder.name + ".tools")
        self.tools.mkdir()
        for tool, code in TOOLS.items():
            self._tool(tool, f'{shlex.quote(sys.executable)} -c {shlex.quote(code)} "$@"')
        self._tool("python", f'{shlex.quote(sys.executable)} "$@"')

    def _tool(self, name: str, command: str) -> None:
        (self.tools / name).write_text(f"#!/bin/sh\nexec {command}\n")
        (self.tools / name).chmod(0o755)

    def run(self, text: str) -> str:
        """Run all blocks; the page with its outputs as they are now. Raises PageError."""
        printed, fresh, at = "", "", 0
        with self._inside():
            for block in blocks(self.page, text):
                if not block.runs:
                    continue
                if block.output:
                    fresh += text[at : block.start] + shown(block, printed)
                    at = block.start + len(block.body)
                else:
                    printed = self._do(block)
        return fresh + text[at:]

    def _do(self, block: Block) -> str:
        if block.file:
            path = self.folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.body)
            return ""
        if block.language == "sh":
            *first, last = commands(block.body)
            before = [self._command(block, line, False) for line in first]
            return "".join([*before, self._command(block, last, block.asks == "fails")])
        if block.language == "python":
            return self._python(block)
        if block.language == "mlir":
            return self._mlir(block)
        if block.language == "diff" and block.asks == "patch":
            return self._patch(block)
        raise PageError(f"{block.where}: wanted `file=`, `no-run: WHY`, or an excerpt's marker")

    def _command(self, block: Block, line: str, fails: bool) -> str:
        words = shlex.split(line, comments=True)
        if words[:4] == ["pip", "install", "-e", "."]:
            install(self.folder)
            return ""
        if words[:3] == ["pip", "uninstall", "-y"]:
            for metadata in self.folder.glob(f"{words[3]}-*.dist-info"):
                shutil.rmtree(metadata)
            return ""
        ours = words[0] in ("tilewright", "tilewright-opt") and not SHELL.search(line)
        if ours and self.tree is None:
            key = line if words[1] == "compile" and words[2].startswith("samples/") else ""
            if key in self.compiled.made:
                return self._copied(key)
            status, said = in_process(words)
            if key and not status:
                self._keep(key, words, said)
        else:
            status, said = self._bash(line)
        if bool(status) != fails:
            wanted = "another than 0" if fails else "0"
            raise PageError(f"{block.where}: {line}\nstatus {status}, wanted {wanted}\n{said}")
        return said

    def _bash(self, line: str) -> tuple[int, str]:
        done = subprocess.run(
            ["bash", "-ec", line],
            cwd=self.tree or self.folder,
            env=os.environ | self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def _environment(self) -> dict[str, str]:
        names = (self.tree or ROOT) / "tests" / ".ns"
        path = f"{self.tools}{os.pathsep}{os.environ['PATH']}"
        return {
            "PATH": path,
            "PYTHONPATH": f"{names}{os.pathsep}{self.folder}",
            "PYTEST_ADDOPTS": "--numprocesses=0",
            "COLUMNS": "100",
        }

    def _keep(self, key: str, words: list[str], said: str) -> None:
        kept = self.compiled.folder / str(len(self.compiled.made))
        kept.mkdir(parents=True)
        for option in ("-o", "--dump-ir"):
            if option in words:
                copy(self.folder, kept, words[words.index(option) + 1])
        self.compiled.made[key] = kept, said

    def _copied(self, key: str) -> str:
        kept, said = self.compiled.made[key]
        for path in kept.iterdir():
            copy(kept, self.folder, path.name)
        return said

    def _python(self, block: Block) -> str:
        code = compile("\n" * (block.line - 1) + block.body, str(self.page), "exec")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, self.names)
        return out.getvalue()

    def _mlir(self, block: Block) -> str:
        path = self.folder / f"line-{block.line}.mlir"
        path.write_text(block.body)
        lines = RUN_LINE.findall(block.body)
        announced = " --verify-diagnostics" if "expected-" in block.body else ""
        for line in lines or [f"tilewright-opt %s{announced}"]:
            status, said = self._bash("set -o pipefail; " + line.replace("%s", path.name))
            if status:
                raise PageError(f"{block.where}: {line}\nstatus {status}, wanted 0\n{said}")
        return ""

    def _patch(self, block: Block) -> str:
        if self.tree is None:
            self.tree = self.folder / "tilewright"
            for folder in SOURCES:
                left_out = shutil.ignore_patterns("__pycache__", "*.egg-info", "tilewright")
                shutil.copytree(ROOT / folder, self.tree / folder, ignore=left_out)
            for file in ("README.md", "pyproject.toml"):
                shutil.copy(ROOT / file, self.tree / file)
            (self.tree / "tests" / ".ns").mkdir(exist_ok=True)
            (self.tree / "tests" / ".ns" / "tilewright").symlink_to(self.tree)
        command = ["git", "apply", "-"]
        done = subprocess.run(
            command, cwd=self.tree, input=block.body, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise PageError(f"{block.where}: the patch does not apply\n{done.stdout}{done.stderr}")
        return ""

    @contextlib.contextmanager
    def _inside(self) -> Generator[None]:
        """The folder is the current one, and modules in it can be imported."""
        before, path, modules = os.getcwd(), list(sys.path), set(sys.modules)
        environment = dict(os.environ)
        os.chdir(self.folder)
        sys.path.insert(0, str(self.folder))
        os.environ["TILEWRIGHT_CACHE"] = str(self.folder / "cache")
        os.environ["COLUMNS"] = "100"
        try:
            yield
        finally:
            os.chdir(before)
            sys.path[:] = path
            os.environ.clear()
            os.environ.update(environment)
            for module in set(sys.modules) - modules:
                file = getattr(sys.modules[module], "__file__", None)
                if file and Path(file).is_relative_to(self.folder):
                    del sys.modules[module]


def commands(body: str) -> list[str]:
    """The lines of a shell block: continued ones joined, comments left out."""
    lines = body.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if shlex.split(line, comments=True)]


def in_process(words: list[str]) -> tuple[int, str]:
    """A command of the compiler: its status, and what a terminal would show."""
    from tilewright.compiler import opt
    from tilewright.compiler.cli import main

    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8", write_through=True)
    status: object = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            if words[0] == "tilewright-opt":
                status = opt.main(words[1:])
            else:
                main(words[1:])
        except SystemExit as stop:
            status = stop.code
    return int(bool(status)), raw.getvalue().decode()


def copy(source: Path, target: Path, name: str) -> None:
    """A file or folder that a command wrote, from one folder to another."""
    if (source / name).is_dir():
        shutil.copytree(source / name, target / name, dirs_exist_ok=True)
    else:
        shutil.copy(source / name, target / name)


def install(folder: Path) -> None:
    """The package of a folder's pyproject.toml, as `pip install -e .` leaves it."""
    table = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    metadata = folder / f"{table['name']}-{table['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {table['name']}\nVersion: {table['version']}\n"
    )
    lines = [
        line
        for group, entries in table["entry-points"].items()
        for line in (f"[{group}]", *(f"{name} = {value}" for name, value in entries.items()))
    ]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")


def shown(block: Block, printed: str) -> str:
    """What an output block should show of what was printed; lines with `...` stay if they fit."""
    lines = [line.rstrip() for line in printed.expandtabs(4).splitlines()]
    words = block.asks.removeprefix("output").strip()
    if words:
        lines = Excerpt.parse(f"output {words}").lines("\n".join(lines))
    while lines and not lines[-1]:
        lines.pop()
    loose = [line for line in block.body.splitlines() if "..." in line and line.strip() != "// ..."]
    for number, line in enumerate(lines):
        for one in loose:
            if re.fullmatch(re.escape(one).replace(r"\.\.\.", ".*"), line):
                lines[number] = one
                break
    return "".join(f"{line}\n" for line in lines)


def refreshed(page: Path, text: str, folder: Path, compiled: Compiled) -> str:
    """The page with its outputs as its commands print them now. Raises PageError."""
    return Runner(page, folder, compiled).run(text)
