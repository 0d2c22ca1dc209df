"""All passes and dialects there are: the project's, xDSL's, and those of other packages.

A package brings its own by an entry point of xDSL's group, which `xdsl-opt` reads too:

    [project.entry-points."xdsl.universe"]
    mine = "my_package:UNIVERSE"

where `UNIVERSE` is an `xdsl.universe.Universe` of passes and dialects. Names are listed without
loading what they name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from xdsl.context import Context
from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.universe import Universe

from ...backend.errors import TilewrightError
from ...dialects.context import DIALECTS
from ...passes import PASSES

GROUP = "xdsl.universe"
OWN = "tilewright"
UPSTREAM = "xdsl"

T = TypeVar("T")


@dataclass
class Known:
    """Factories by name, and whose each is: `tilewright`, `xdsl` or an entry point's name."""

    passes: dict[str, Callable[[], type[ModulePass]]] = field(
        default_factory=dict[str, Callable[[], type[ModulePass]]]
    )
    dialects: dict[str, Callable[[], Dialect]] = field(
        default_factory=dict[str, Callable[[], Dialect]]
    )
    owner_of_pass: dict[str, str] = field(default_factory=dict[str, str])
    owner_of_dialect: dict[str, str] = field(default_factory=dict[str, str])

    def load(self, name: str) -> type[ModulePass]:
        """A pass. Raises TilewrightError where its own package cannot be imported."""
        try:
            return self.passes[name]()
        except ImportError as error:
            raise TilewrightError(
                f"pass '{name}' of {self.owner_of_pass[name]} cannot be loaded: {error}"
            ) from error

    def context(self) -> Context:
        """A context that knows all dialects and loads one when its name is met."""
        made = Context()
        for name, factory in self.dialects.items():
            made.register_dialect(name, factory)
        for name, owner in self.owner_of_dialect.items():
            if owner == OWN:
                made.load_registered_dialect(name)
        return made


def everything() -> Known:
    """The project's, then xDSL's, then other packages' by name.

    Raises TilewrightError for an entry point that cannot be loaded, and for a name that is taken.
    """
    found = Known()
    own = Universe(
        all_dialects={one.name: _returning(one) for one in DIALECTS}, all_passes=dict(PASSES)
    )
    _add(found, OWN, own)
    points = sorted(entry_points(group=GROUP), key=lambda one: (one.name != UPSTREAM, one.name))
    for point in points:
        _add(found, point.name, _universe(point))
    return found


def _returning(dialect: Dialect) -> Callable[[], Dialect]:
    return lambda: dialect


def _universe(point: EntryPoint) -> Universe:
    where = f"entry point '{point.name} = {point.value}' of group {GROUP}"
    try:
        loaded: object = point.load()
    except Exception as error:  # Whatever a stranger's module raises when it is imported.
        said = f"{type(error).__name__}: {error}"
        raise TilewrightError(
            f"{where} cannot be loaded ({said}): mend or uninstall that package"
        ) from error
    if not isinstance(loaded, Universe):
        raise TilewrightError(f"{where} is {loaded!r}, wanted an xdsl.universe.Universe")
    return loaded


def _add(found: Known, owner: str, universe: Universe) -> None:
    _add_names("pass", found.passes, found.owner_of_pass, universe.all_passes, owner)
    _add_names("dialect", found.dialects, found.owner_of_dialect, universe.all_dialects, owner)


def _add_names(
    kind: str, known: dict[str, T], owners: dict[str, str], new: dict[str, T], owner: str
) -> None:
    for name, factory in new.items():
        if name in known:
            raise TilewrightError(
                f"{kind} '{name}' of '{owner}' (entry point of group {GROUP}) has the name of one "
                f"of '{owners[name]}': rename it, or uninstall its package"
            )
        known[name], owners[name] = factory, owner
