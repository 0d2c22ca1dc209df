"""Where chains come from: a model that is compiled, a folder of dumps, a file and passes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp
from xdsl.passes import PassPipeline
from xdsl.utils.exceptions import DiagnosticException

from ...backend.errors import TilewrightError
from ...backend.machine import load_machine
from ..check import level_of
from ..driver import compile_programs, entry_shapes, kv_block_of
from ..frontend import Model, load_model
from ..opt.known import Known, everything
from ..opt.selection import Wanted, check, select_passes
from ..opt.watch import first_line
from ..origin import INPUT, Origin, read_origin
from ..pipeline import AfterPass, Handed
from ..resume import common_origin, read_dump, read_module
from .chain import Chain, Link, foreign_op


def chains_of_model(
    model: str | Path, machine: str, passes: str = "", **options: Any
) -> list[Chain]:
    """Compile a model, and keep each entry's module behind each pass.

    `passes` stand in the place of the compiler's own (as `tilewright-opt -p` takes them); `options`
    are those of `compile_programs`. A pass that raises ends its chain; entries that were to come
    after it have none. Raises TilewrightError for a model that cannot be read.
    """
    loaded = load_model(model)
    known = everything()
    check(Wanted(passes), known)
    load_machine(machine)
    chains: dict[str, Chain] = {}

    def watchers(entry: str, handed: Handed) -> list[AfterPass]:
        chains[entry] = Chain(entry, machine)
        return [chains[entry].record]

    failed = ""
    try:
        if passes:
            _run_given(loaded, machine, Wanted(passes), known, chains, options)
        else:
            compile_programs(loaded, machine, watchers=watchers, **options)
    except Exception as error:  # A pass that is wrong may raise anything.
        if not chains:
            raise
        failed = first_line(error)
    for number, chain in enumerate(chains.values()):
        last = number + 1 == len(chains)
        _ended(chain, failed if last else "")
    return [chain for chain in chains.values() if chain.links]


def _run_given(
    model: Model,
    machine: str,
    wanted: Wanted,
    known: Known,
    chains: dict[str, Chain],
    options: Mapping[str, Any],
) -> None:
    """The passes of `-p` on each entry; the KV block goes from one to the next, as in `compile`."""
    sizes = options.get("batch", 1), options.get("chunk"), options.get("max_context")
    shapes = sorted(entry_shapes(model, *sizes), key=lambda shape: shape.rows)
    block = options.get("kv_block")
    for number, shape in enumerate(shapes):
        module = model.build(shape, options.get("policy", "exact"))
        own = {
            "machine": machine,
            "kv_block": block,
            "weights": options.get("weights"),
            "unfused": options.get("unfused") or None,
            "later_rows": max((one.chunk for one in shapes[number + 1 :]), default=0),
        }
        chosen = select_passes(Wanted(wanted.passes, options=own), known, module)
        chains[shape.name] = Chain(shape.name, machine)
        PassPipeline(tuple(chosen), chains[shape.name].record).apply(known.context(), module)
        block = block or kv_block_of(module) or None


def _ended(chain: Chain, failed: str) -> None:
    at = chain.refused[0] if chain.refused is not None else INPUT
    chain.refused = (at, failed) if failed else None


def chains_of_file(path: Path, wanted: Wanted) -> list[Chain]:
    """The chains of IR of any level: its own module, and that behind each pass that is asked for.

    Without passes, what is left of the compiler's pipeline. A file of several modules has a chain
    of each. Raises TilewrightError for what cannot be read, or not be run.
    """
    known = everything()
    check(wanted, known)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise TilewrightError(f"{path}: is no text: {error}") from None
    origin = read_origin(text, str(path))
    module = read_module(known.context(), text, path)
    inner = [op.clone() for op in module.ops if isinstance(op, ModuleOp)]
    return [_of_passes(one, path, origin, wanted, known) for one in inner or [module]]


def _of_passes(
    module: ModuleOp, path: Path, origin: Origin | None, wanted: Wanted, known: Known
) -> Chain:
    unknown = foreign_op(module)
    if unknown is not None:
        raise TilewrightError(f"{path}: no interpreter runs {unknown.name}: lower it first")
    whole = not (wanted.passes or wanted.to or wanted.start_after or wanted.stop_after)
    asked = Wanted(to="isa", options=wanted.options) if whole else wanted
    try:
        passes = select_passes(asked, known, module, origin)
    except TilewrightError as error:
        raise TilewrightError(f"{path}: {error}") from None
    machine = wanted.options.get("machine") or (origin.machine if origin is not None else None)
    begins = origin.after if origin is not None else INPUT
    chain = Chain(_entry(module, path), machine or "", path=path, begins=begins)
    failed = ""
    try:
        PassPipeline(tuple(passes), chain.record).apply(known.context(), module)
    except Exception as error:  # A pass that is wrong may raise anything.
        failed = first_line(error)
    _ended(chain, failed)
    if not chain.machine and any(level_of(one.module) == "isa" for one in chain.links):
        raise TilewrightError(f"{path}: instructions run on a machine: say which (--machine)")
    return chain


def _entry(module: ModuleOp, path: Path) -> str:
    """What a module computes is named by itself, else by its one function, else by the file."""
    named = [module, *(op for op in module.ops if isinstance(op, FuncOp))]
    name = next((one.sym_name for one in named if isinstance(one.sym_name, StringAttr)), None)
    return name.data if name is not None else path.stem


def chains_of_folder(folder: Path) -> list[Chain]:
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
    return Chain(entries.pop(), origin.machine, links, apart=True)
