"""The modules between which a fault is searched, one behind each pass."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from xdsl.dialects import arith, builtin, func, memref, scf
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass

from ...dialects.context import DIALECTS
from ..opt.watch import Watch
from ..origin import INPUT

RUN = {
    op.name
    for dialect in (*DIALECTS, arith.Arith, builtin.Builtin, func.Func, memref.MemRef, scf.Scf)
    for op in dialect.operations
}
"""Ops of the dialects that interpreters read."""


@dataclass(frozen=True)
class Link:
    """A module, and the pass that it stands behind (`input`: none)."""

    name: str
    module: ModuleOp
    path: Path | None = None
    """The file that holds it."""
    spec: str = ""
    """The pass with its options, as `-p` takes it."""


@dataclass
class Chain:
    """The modules of one entry in order."""

    entry: str
    machine: str
    links: list[Link] = field(default_factory=list[Link])
    refused: tuple[str, str] | None = None
    """The pass that raised, and what it said; None where all ran."""
    apart: bool = False
    """Each module was read from a file: what stands behind an edited one was made before."""
    path: Path | None = None
    """The file that the first module was read from, where passes made the others."""
    begins: str = INPUT
    """The pass behind which the first module stands, or `input`."""
    texts: dict[int, str] = field(default_factory=dict[int, str])
    left_out: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Passes behind which no interpreter can run the module, each with the op that none knows."""

    def text(self, number: int) -> str:
        """A module's text without locations: modules of one text compute the same."""
        if number not in self.texts:
            self.texts[number] = str(self.links[number].module)
        return self.texts[number]

    def record(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Called before the first pass (`previous` None) and after each; verifies the module."""
        self.refused = (previous.name if previous is not None else INPUT, "")
        Watch().after_pass(previous, module, following)
        if previous is None:
            self.links, self.left_out = [], []
        name = self.begins if previous is None else previous.name
        unknown = foreign_op(module)
        if unknown is not None:
            self.left_out.append((name, unknown.name))
        else:
            spec = "" if previous is None else str(previous.pipeline_pass_spec())
            path = self.path if previous is None else None
            self.links.append(Link(name, module.clone(), path, spec))
        self.refused = (following.name if following is not None else "encode", "")


def foreign_op(module: ModuleOp) -> Operation | None:
    """The first op of a dialect that no interpreter reads, as those of other packages."""
    return next((op for op in module.walk() if op.name not in RUN), None)
