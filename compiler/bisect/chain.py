"""The modules between which a fault is searched: of a compilation, or of a folder of dumps."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import DiagnosticException

from ...backend.errors import TilewrightError
from ..driver import compile_programs
from ..frontend.loader import load_model
from ..opt.watch import Watch, first_line
from ..origin import INPUT
from ..pipeline import AfterPass
from ..resume import common_origin, read_dump


@dataclass(frozen=True)
class Link:
    """A module, and the pass that it stands behind (`input`: none)."""

    name: str
    module: ModuleOp
    path: Path | None = None


@dataclass
class Chain:
    """The modules of one entry in order."""

    entry: str
    machine: str
    links: list[Link] = field(default_factory=list[Link])
    refused: tuple[str, str] | None = None
    """The pass that raised, and what it said; None where all ran."""

    def record(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Called before the first pass (`previous` None) and after each."""
        if previous is None:
            self.links = []
        self.links.append(Link(INPUT if previous is None else previous.name, module.clone()))
        self.refused = (following.name if following is not None else "encode", "")


def chains_of_model(model: str | Path, machine: str, **options: Any) -> list[Chain]:
    """Compile a model, and keep each entry's module behind each pass.

    `options` are those of `compile_programs`. A pass that raises ends its chain; entries that were
    to come after it have none. Raises TilewrightError for a model that cannot be read.
    """
    loaded = load_model(model)
    chains: dict[str, Chain] = {}

    def watchers(entry: str) -> list[AfterPass]:
        chains[entry] = Chain(entry, machine)
        return [Watch().after_pass, chains[entry].record]

    failed = ""
    try:
        compile_programs(loaded, machine, watchers=watchers, **options)
    except Exception as error:  # A pass that is wrong may raise anything.
        if not chains:
            raise
        failed = first_line(error)
    for number, chain in enumerate(chains.values()):
        last = number + 1 == len(chains)
        at = chain.refused[0] if chain.refused is not None else INPUT
        chain.refused = (at, failed) if failed and last else None
    return list(chains.values())


def chain_of_dumps(folder: Path) -> list[Chain]:
    """The chains of a folder that `--dump-ir` wrote: of one entry, or of one folder an entry.

    Raises TilewrightError, with the file, for what cannot be read, is not verified, or does not
    belong together.
    """
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    folders = [folder] if any(folder.glob("*.mlir")) else inner
    chains = [_dumped(one) for one in folders if any(one.glob("*.mlir"))]
    if not chains:
        raise TilewrightError(
            f"{folder}: holds no IR: wanted the folder of `compile --dump-ir`, or of an entry in it"
        )
    return chains


def _dumped(folder: Path) -> Chain:
    paths = sorted(folder.glob("*.mlir"))
    if len(paths) < 2:
        raise TilewrightError(f"{folder}: holds {len(paths)} file: wanted two passes at least")
    try:
        dumps = [read_dump(path) for path in paths]
    except DiagnosticException as error:
        raise TilewrightError(f"{folder}: {first_line(error)}") from error
    origin = common_origin(dumps)
    entries = {one.entry for one in dumps}
    if len(entries) != 1:
        raise TilewrightError(f"{folder}: holds modules of {', '.join(sorted(entries))}: want one")
    assert origin.machine is not None, "checked by read_dump"
    links = [Link(one.origin.after, one.start.module, one.path) for one in dumps]
    return Chain(entries.pop(), origin.machine, links)
