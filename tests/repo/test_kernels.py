"""Compiled functions are kept under a digest: it covers every file that they are compiled from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tilewright.runtime.functional.fast import kernel_sources as functional_sources
from tilewright.runtime.timing.fast import kernel_sources as timing_sources

from .sources import ROOT, imports, module_of

ENGINES = {"functional": functional_sources, "timing": timing_sources}
MODULES = {
    module_of(path): path for path in [*ROOT.glob("backend/**/*.py"), *ROOT.glob("runtime/**/*.py")]
}


def read_by(start: list[Path]) -> set[Path]:
    """Kernels, and the project's files that these import names from."""
    found, todo = set[Path](), start
    while todo:
        path = todo.pop()
        if path in found or path.name == "__init__.py":
            continue
        found.add(path)
        for one in imports(path) if path.name.startswith("kernel_") else ():
            if one.own:
                name = one.module if one.module in MODULES else one.module.rpartition(".")[0]
                todo.append(MODULES[name])
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_every_source_of_a_kernel_is_in_its_digest(engine: str) -> None:
    sources: Callable[[Path], list[Path]] = ENGINES[engine]
    folder = ROOT / "runtime" / engine
    listed = set(sources(folder))
    missing = read_by(sorted(folder.glob("kernel_*.py"))) - listed
    assert not missing, f"kernel_sources leaves out {sorted(map(module_of, missing))}"
