"""Who may import whom: folders import in one direction, and the runtime never loads xDSL."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from . import sources
from .sources import FILES, ROOT, Import, module_of

WITHOUT_XDSL = {
    "backend.errors",
    "backend.json_text",
    "backend.machine",
    "backend.formats",
    "backend.numerics",
    "backend.isa",
    "backend.timing",
    "backend.image",
    "backend.bounds",
    "backend.prediction",
    "backend.asm",
}
EVERYBODY = ("backend.errors", "backend.json_text")
"""Units that every other may import."""
FOUNDATION = {"backend.machine", "backend.formats", "backend.numerics", "backend.isa"}
MIDDLE = {"backend.timing", "backend.image", "backend.bounds"}

MAY_IMPORT: dict[str, set[str]] = {
    "backend": set(),
    "backend.errors": set(),
    "backend.json_text": set(),
    "backend.machine": set(),
    "backend.formats": {"backend.machine"},
    "backend.numerics": {"backend.machine", "backend.formats"},
    "backend.isa": {"backend.machine", "backend.formats", "backend.numerics"},
    "backend.timing": FOUNDATION | MIDDLE,
    "backend.image": FOUNDATION | MIDDLE,
    "backend.bounds": FOUNDATION | MIDDLE,
    "backend.prediction": {"backend.machine", "backend.timing"},
    "backend.asm": {"backend.isa"},
    "dialects": {"backend.machine", "backend.formats", "backend.isa"},
    "passes": {
        "dialects",
        "backend.machine",
        "backend.formats",
        "backend.isa",
        "backend.timing",
        "backend.prediction",
        "backend.image",
    },
    "runtime": WITHOUT_XDSL,
    "compiler.frontend": {"dialects", "backend.formats", "backend.numerics"},
    "compiler.interp": {"dialects", "backend.formats", "backend.numerics"},
    "compiler": WITHOUT_XDSL
    | {"dialects", "passes", "runtime", "compiler.frontend", "compiler.interp"},
}
"""Unit -> units it may import beside itself and those of EVERYBODY."""

THIRD_PARTY: dict[str, tuple[str, ...]] = {
    "numpy": ("backend", "compiler", "dialects", "passes", "runtime"),
    "ml_dtypes": ("backend", "compiler", "dialects", "passes", "runtime"),
    "xdsl": ("compiler", "dialects", "passes"),
    "gguf": ("compiler.frontend",),
    "lark": ("backend.asm",),
    "numba": ("runtime.functional", "runtime.kernels", "runtime.timing"),
    "llvmlite": ("runtime.functional",),
    "tokenizers": ("compiler.frontend", "runtime"),
    "jinja2": ("compiler.frontend", "runtime"),
    "typer": ("compiler.cli", "runtime"),
    "rich": ("compiler.cli", "runtime"),
    "perfetto": ("runtime.timing",),
    "protobuf": (),
    "matplotlib": ("compiler.sweep.plot",),
    "textual": ("compiler.opt.terminal",),
}
"""Dependency -> the modules (by prefix) that may import it; none: it is there for its version."""

EXTRAS = {"matplotlib": "plot", "textual": "gui"}
"""Dependency that is not installed by itself, and the extra that brings it."""

BEHIND_OTHERS = {"llvmlite": "numba"}
"""Dependency that comes with another one, which pins its version."""

PLAIN = {module_of(path) for path in FILES if path.name != "__init__.py"}
"""Modules that are no folders."""

INNER = {
    "compiler.cli": "a command is loaded when it is called",
    "compiler.opt": "a command, too; and its `watch` is what any pipeline is watched by",
}
"""Folder whose files others import one by one, and why."""

MODULES = pytest.mark.parametrize("path", FILES, ids=[module_of(path) for path in FILES])


def within(module: str, prefix: str) -> bool:
    """Whether a module is the named one or lies below it."""
    return module == prefix or module.startswith(prefix + ".")


def unit_of(module: str) -> str:
    """The unit with the longest name that holds a module."""
    units = [unit for unit in MAY_IMPORT if within(module, unit)]
    assert units, f"{module}: name its folder in MAY_IMPORT"
    return max(units, key=len)


def refused(path: Path, found: Import, why: str) -> str:
    return f"{path.relative_to(ROOT)}:{found.line}: {why}"


def third_party(path: Path) -> list[Import]:
    """What a file imports from neither the project nor the standard library."""
    return [
        found
        for found in sources.imports(path)
        if not found.own and found.module.split(".")[0] not in sys.stdlib_module_names
    ]


@MODULES
def test_units_import_in_one_direction(path: Path) -> None:
    here = unit_of(module_of(path))
    wrong = [
        refused(path, found, f"{here} may not import {there}")
        for found in sources.imports(path)
        if found.own
        and (there := unit_of(found.module)) not in (here, *EVERYBODY)
        and there not in MAY_IMPORT[here]
    ]
    assert not wrong, "\n".join(wrong)


@MODULES
def test_packages_import_each_other_relatively(path: Path) -> None:
    """An absolute `tilewright.x` or a bare `backend.x` would load a second copy of a module."""
    wrong = [
        refused(path, found, f"write the import of {found.module} relatively")
        for found in sources.imports(path)
        if found.own and not found.relative
    ]
    assert not wrong, "\n".join(wrong)


@MODULES
def test_folders_are_imported_by_their_public_names(path: Path) -> None:
    """`from ..isa import View`, never `from ..isa.view import View`: what is public stands in the
    folder's `__init__`, and files behind it may change.

    Late imports may name a file, to load no more; so do kernels, whose cache follows their files.
    """
    here = module_of(path)
    wrong = [
        refused(path, found, f"import {found.module.rsplit('.', 1)[1]} from {folder}")
        for found in sources.imports(path)
        if found.own and not found.late and not path.name.startswith("kernel_")
        for folder in [folder_of(found.module)]
        if folder and folder not in INNER and not within(here, folder)
    ]
    assert not wrong, "\n".join(wrong)


def folder_of(name: str) -> str:
    """The folder inside another that holds the file which a name is imported from, else ""."""
    file = name.rsplit(".", 1)[0]
    folder = file.rpartition(".")[0]
    return folder if "." in folder and file in PLAIN else ""


@MODULES
def test_each_dependency_stays_where_it_is_needed(path: Path) -> None:
    here = module_of(path)
    wrong = [
        refused(path, found, f"{here} may not import {name}")
        for found in third_party(path)
        for name in [found.module.split(".")[0]]
        if not any(within(here, prefix) for prefix in THIRD_PARTY.get(name, ()))
    ]
    assert not wrong, "\n".join(wrong)


def test_declared_dependencies_are_those_in_use() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    declared: list[str] = config["project"]["dependencies"]
    names = {re.split(r"[=><\[]", line)[0] for line in declared}
    assert names == THIRD_PARTY.keys() - BEHIND_OTHERS.keys() - EXTRAS.keys()
    extras: dict[str, list[str]] = config["project"]["optional-dependencies"]
    for name, extra in EXTRAS.items():
        assert name in {re.split(r"[=><\[]", line)[0] for line in extras[extra]}


def loaded_after(code: str) -> set[str]:
    """Top-level modules that are loaded once `code` has run in a new process."""
    command = f"{code}\nimport sys; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", command],
        env=os.environ | {"NUMBA_DISABLE_JIT": "1"},  # Kernels are imported, not compiled.
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_runtime_and_backend_need_no_xdsl() -> None:
    modules = [
        module_of(path)
        for path in FILES
        if path.name != "__main__.py" and path.relative_to(ROOT).parts[0] in ("backend", "runtime")
    ]
    code = "\n".join(f"import tilewright.{module}" for module in modules)
    assert "xdsl" not in loaded_after(code)


def test_numba_is_loaded_late() -> None:
    """Opening an image, or printing help, must not wait for a compiler."""
    code = "import tilewright.runtime, tilewright.compiler, tilewright.runtime.session"
    assert "numba" not in loaded_after(code)
