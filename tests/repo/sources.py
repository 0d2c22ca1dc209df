"""What the tests of the repository read: the files of the packages and what they import."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("backend", "compiler", "dialects", "passes", "runtime")
"""The packages; inside them imports are relative."""

FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
SAMPLES = sorted((ROOT / "samples").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


@dataclass(frozen=True)
class Import:
    """One imported name."""

    line: int
    module: str
    """`folder.module.name` for the project's own, else the module as written."""
    own: bool
    """Whether it is the project's."""
    relative: bool
    late: bool
    """Whether it stands inside a function or a condition: chosen to load no more than is needed."""


def module_of(path: Path) -> str:
    """`backend.isa.table` for backend/isa/table.py; a package is named without `__init__`."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed file."""
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> list[Import]:
    """Everything that a file imports, at its head or inside a function."""
    package = path.relative_to(ROOT).parent.parts
    found: list[Import] = []
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            head = ".".join([*base, *([node.module] if node.module else [])])
            names = [f"{head}.{alias.name}" if head else alias.name for alias in node.names]
            found += [_import(node, name, bool(node.level)) for name in names]
        elif isinstance(node, ast.Import):
            found += [_import(node, alias.name, False) for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    found.append(_dynamic(node, argument.value, package))
    return found


def _dynamic(node: ast.expr, name: str, package: Sequence[str]) -> Import:
    """What `import_module(name, __package__)` imports."""
    level = len(name) - len(name.lstrip("."))
    base = package[: len(package) - level + 1] if level else ()
    return _import(node, ".".join([*base, name.lstrip(".")]), bool(level))


def _import(node: ast.stmt | ast.expr, module: str, relative: bool) -> Import:
    own = relative or module.split(".")[0] in ("tilewright", *FOLDERS)
    late = node.col_offset > 0
    return Import(node.lineno, module.removeprefix("tilewright."), own, relative, late)
