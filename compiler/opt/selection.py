"""Which passes run on a module: those of `-p`, or the stretch of the pipeline that is asked for.

Options that `-p` leaves out come from the command line, then from the head of a dumped file, then
from the pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import SequenceMatcher
from typing import Any

from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.utils.arg_spec import ArgSpec, parse_pipeline
from xdsl.utils.exceptions import ArgSpecParseError

from ...backend.errors import TilewrightError
from ...passes.stages import STAGES, UNFUSED
from ..origin import INPUT, Origin, pipeline_order
from .known import Known


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    passes: str = ""
    to: str | None = None
    start_after: str | None = None
    stop_after: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Options of passes by their fields' names, `machine` and the like; None is left out."""


def select_passes(
    wanted: Wanted, known: Known, module: ModuleOp, origin: Origin | None = None
) -> list[ModulePass]:
    """The passes to run, made. Raises TilewrightError for whatever cannot be."""
    check(wanted, known)
    options = {
        **(origin.options() if origin is not None else {}),
        **{name: value for name, value in wanted.options.items() if value is not None},
    }
    if wanted.passes:
        specs = parsed(wanted.passes)
        start, stop = wanted.start_after, wanted.stop_after
    elif wanted.to or wanted.start_after or wanted.stop_after:
        unfused = bool(options.get("unfused"))
        specs = [ArgSpec(name, {}) for name in pipeline_order(unfused)]
        start = wanted.start_after or _standing(module, origin)
        stop = wanted.stop_after
        if wanted.to:
            stop = (UNFUSED if unfused else STAGES)[wanted.to][-1]
    else:
        return []
    return [_made(spec, known, options) for spec in _stretch(specs, start, stop)]


def check(wanted: Wanted, known: Known) -> None:
    """Refuse what is wrong whatever the module is: unreadable lists, names that do not exist,
    options that exclude each other.
    """
    for spec in parsed(wanted.passes):
        _check_options(spec, find_pass(spec.name, known))
    for name in (wanted.start_after, wanted.stop_after):
        if name is not None:
            find_pass(name, known)
    if wanted.to and (wanted.passes or wanted.stop_after):
        other = "-p" if wanted.passes else "--stop-after"
        raise TilewrightError(f"--to and {other} both say where to stop: give one of them")


def parsed(passes: str) -> list[ArgSpec]:
    """The passes of a `-p` with their parameters, which `builtin.module(..)` may enclose."""
    text = passes.strip()
    if text.startswith("builtin.module(") and text.endswith(")"):
        text = text.removeprefix("builtin.module(").removesuffix(")")
    try:
        return list(parse_pipeline(text))
    except ArgSpecParseError as error:
        said = str(error).strip().splitlines()[-1].strip()
        raise TilewrightError(f"-p '{passes}' is no list of passes: {said}") from None


def find_pass(name: str, known: Known) -> type[ModulePass]:
    """A pass by its name. Raises TilewrightError with the names there are, the likeliest first."""
    if name not in known.passes:
        # The likeliest of all first, then the project's own.
        likely = sorted(known.passes, key=lambda one: -SequenceMatcher(None, name, one).ratio())
        own = [one for one in likely if known.owner_of_pass[one] == "tilewright"]
        shown = list(dict.fromkeys([*likely[:3], *own]))
        raise TilewrightError(
            f"no pass is named '{name}'; the passes are {', '.join(shown)}, and those that "
            "--list-passes names"
        )
    return known.load(name)


def _check_options(spec: ArgSpec, kind: type[ModulePass]) -> None:
    have = [one.name.replace("_", "-") for one in fields(kind) if one.init and one.name != "name"]
    for name in spec.parameters:
        if name.replace("_", "-") not in have:
            options = ", ".join(have)
            raise TilewrightError(
                f"pass {spec.name} has no option '{name}'; it has "
                f"{'the options ' + options if options else 'none'}"
            )


def _standing(module: ModuleOp, origin: Origin | None) -> str | None:
    """The pass behind which a module stands; None: before the first.

    Raises TilewrightError for one that does not say so and is no graph.
    """
    if origin is not None:
        return origin.after if origin.after != INPUT else None
    from ..check import level_of

    level = level_of(module)
    if level != "tensor":
        raise TilewrightError(
            f"the module is {level} and does not say which pass it stands behind: say --start-after"
        )
    return None


def _stretch(specs: Sequence[ArgSpec], start: str | None, stop: str | None) -> list[ArgSpec]:
    names = [spec.name for spec in specs]
    for option, name in (("--start-after", start), ("--stop-after", stop)):
        if name is not None and name not in names:
            raise TilewrightError(f"{option} {name}: it is none of {', '.join(names)}")
    first = names.index(start) + 1 if start is not None else 0
    last = names.index(stop) + 1 if stop is not None else len(names)
    if last < first:
        raise TilewrightError(
            f"the module stands behind {start}, and {stop} comes before it: there is no way back"
        )
    return list(specs[first:last])


def _made(spec: ArgSpec, known: Known, options: Mapping[str, Any]) -> ModulePass:
    kind = known.load(spec.name)
    given = spec.normalize_parameter_names().parameters
    own = {one.name for one in fields(kind)}
    for name, value in options.items():
        if name in own and name not in given:
            given = {**given, name: (value,)}
    try:
        return kind.from_spec(ArgSpec(spec.name, given))
    except ValueError as error:
        raise TilewrightError(f"pass {spec.name}: {error}") from None
