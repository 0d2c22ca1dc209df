"""`resume_model`: dumped IR, edited by hand or not, to an image that runs.

    report = resume_model(["ir/decode/06-tile.mlir"], output="edited.tw")

A dumped file says at its head which pass it stands behind and what it was compiled from
(`origin.py`). Entries that no file is given for are compiled from the model again, so that an
image is whole; unedited files give the image that `compile` gave, to the byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import perf_counter

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.passes import ModulePass
from xdsl.utils.exceptions import DiagnosticException, ParseError

from ..backend.errors import TilewrightError
from ..backend.machine import load_machine
from ..dialects.checks import verify_module
from ..dialects.context import context
from ..dialects.faults import place_of
from ..dialects.source import Places, parse_source
from ..dialects.tg import STORED_ROLES
from ..passes.check_allocation import check_allocation
from ..passes.located import PassError
from ..passes.verify_streams import verify_streams
from ..runtime.proof import prove
from .driver import (
    CompiledEntry,
    Progress,
    Report,
    Start,
    compile_programs,
    finish,
    kv_block_of,
    silent,
    watch_entry,
)
from .frontend import Model, load_model
from .opt.watch import first_line
from .origin import INPUT, Origin, pipeline_order, read_origin, weights_digest
from .pipeline import AfterPass, Handed

OF_ENTRY = ("after", "taken_kv_block", "later_rows")
"""Fields of an origin in which the entries of one image differ."""
SHARED_ROLES = (*STORED_ROLES, "state")
"""Roles of globals that all entries of an image have in common."""


class ResumeError(TilewrightError):
    """A dumped file from which compiling cannot go on: names the file, and what to do."""


@dataclass(frozen=True)
class Dumped:
    """A dumped file that has been read."""

    path: Path
    origin: Origin
    entry: str
    start: Start


def resume_model(
    files: Sequence[str | Path],
    model: str | Path | None = None,
    output: str | Path | None = None,
    dump_ir: str | Path | None = None,
    print_ir: bool = False,
    check_each_pass: bool = False,
    progress: Progress | None = None,
    proof: bool = True,
) -> Report:
    """Go on from dumped files, one of each entry at most, and write the image to `output`.

    `model` is where the checkpoint lies now, or a folder with several, of which the one with the
    right weights is taken; by default where the files say. `proof`: whether C1 to C7 are proven of
    what comes out. Raises TilewrightError for whatever the user can mend.
    """
    began = perf_counter()
    tell = progress or silent
    dumps = [read_dump(Path(path)) for path in files]
    origin = common_origin(dumps)
    assert origin.machine is not None, "checked by read_dump"
    assert origin.policy is not None, "checked by read_dump"
    _check_machine(origin.machine, origin.machine_sha256, dumps[0].path)
    for one in dumps:
        _check_proofs(one, origin.machine)
    found = find_model(origin, Path(model) if model is not None else None)
    _check_entries(dumps, found)
    starts = {one.entry: one.start for one in dumps}
    machine, at = origin.machine, _At({one.entry: one for one in dumps})

    def watchers(entry: str, handed: Handed) -> list[AfterPass]:
        here = at.dumps[entry].origin if entry in at.dumps else origin
        watched = watch_entry(entry, machine, print_ir, dump_ir, here, check_each_pass, handed)
        return [at.note_of(entry), *watched]

    try:
        image, compiled = compile_programs(
            found,
            machine,
            origin.max_context,
            origin.policy,
            origin.batch or 1,
            origin.chunk,
            origin.kv_block or _stated_kv_block(dumps),
            origin.weights,
            tell,
            watchers,
            bool(origin.unfused),
            starts,
            proof,
        )
        if proof:
            _prove(compiled, machine, at)
    except Exception as error:  # Passes rely on more than verification sees: hands may break it.
        raise at.error(error) from error
    _check_shared(compiled, dumps)
    return finish(found, image, compiled, output, began, tell)


@dataclass
class _At:
    """Where compiling is: which entry, and which step of it."""

    dumps: dict[str, Dumped]
    entry: str = ""
    step: str = ""

    def note_of(self, entry: str) -> AfterPass:
        """What is called between the passes of an entry, to note the next one."""

        def note(
            previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
        ) -> None:
            self.entry = entry
            self.step = f"pass {following.name}" if following is not None else "encode"

        return note

    def error(self, error: Exception) -> ResumeError:
        """An error with the file and the step in front."""
        if not self.entry:
            return ResumeError(str(error))
        dump = self.dumps.get(self.entry)
        where = str(dump.path) if dump is not None else f"entry {self.entry} of the model"
        match error:
            case DiagnosticException():  # Says itself behind which pass.
                return ResumeError(f"{place_of(error, {}) or where}: {first_line(error)}")
            case TilewrightError():
                return ResumeError(f"{where}: {self.step}: {error}")
            case _:
                said = f"{type(error).__name__}: {first_line(error)}"
                return ResumeError(
                    f"{where}: {self.step} cannot go on from it ({said}): what it relies on is in "
                    "docs/levels.md; undo the edit, or go on from an earlier pass"
                )


def _prove(compiled: dict[str, CompiledEntry], machine: str, at: _At) -> None:
    """What an edit may have broken behind the level that the passes check. Raises ProofError."""
    for entry, one in compiled.items():
        at.entry, at.step = entry, "check"
        prove(one.program, load_machine(machine))


def read_module(ctx: Context, text: str, path: Path) -> ModuleOp:
    """The verified module of a file's text. Raises ResumeError with the place of what is wrong."""
    places: Places = {}
    try:
        module = parse_source(ctx, text, str(path), places=places)
        verify_module(module)
    except ParseError as error:
        raise ResumeError(first_line(error)) from None
    except DiagnosticException as error:
        place = place_of(error, places)
        raise ResumeError(f"{place or path}: {first_line(error)}") from None
    return module


def read_dump(path: Path) -> Dumped:
    """Read one dumped file and verify it. Raises ResumeError, or OSError."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ResumeError(f"{path}: is no text: {error}") from None
    origin = read_origin(text, str(path))
    if origin is None:
        raise ResumeError(
            f"{path}: no lines at its head say what it belongs to: wanted a file that `compile "
            "--dump-ir` wrote, or what tilewright-opt made of one"
        )
    for field in fields(Origin):
        needed = ("model", "machine", "policy", "max_context", "batch", "chunk")
        if field.name in needed and getattr(origin, field.name) is None:
            key = field.name.replace("_", "-")
            raise ResumeError(f"{path}: its head has no line '// {key}: ...'")
    module = read_module(context(), text, path)
    if module.sym_name is None:
        raise ResumeError(f"{path}: its module has no name: wanted builtin.module @decode or such")
    policy = module.attributes.get("tw.policy")
    if policy != StringAttr(origin.policy or ""):
        raise ResumeError(
            f"{path}: its head says policy {origin.policy}, its module {policy}: make them agree"
        )
    after = origin.after if origin.after != INPUT else None
    return Dumped(path, origin, module.sym_name.data, Start(module, after))


def common_origin(dumps: Sequence[Dumped]) -> Origin:
    """What all files belong to, as if no pass had run. Raises ResumeError where they differ."""
    if not dumps:
        raise ResumeError("no file is given to go on from")
    first = replace(dumps[0].origin, after=INPUT, taken_kv_block=None, later_rows=None)
    for one in dumps[1:]:
        for field in fields(Origin):
            mine, other = getattr(first, field.name), getattr(one.origin, field.name)
            if field.name not in OF_ENTRY and mine != other:
                raise ResumeError(
                    f"{one.path}: its head says {field.name.replace('_', '-')}: {other}, that of "
                    f"{dumps[0].path} says {mine}: files of one image agree"
                )
    return first


def _check_machine(machine: str, digest: str | None, path: Path) -> None:
    found = load_machine(machine).digest()
    if digest is not None and digest != found:
        raise ResumeError(
            f"{path}: machine {machine} is not the one that it was compiled for: SHA-256 {found}, "
            f"wanted {digest}; delete the line '// machine-sha256: ...' to take it all the same"
        )


def _check_proofs(dump: Dumped, machine: str) -> None:
    """What the passes behind which a file stands have proved of it, an edit may have broken.

    A streamed program keeps the rules of channels, a placed one its bytes apart. Behind `project`
    the instructions that come out are checked (`runtime.proof`).
    """
    order = pipeline_order()
    after, module = dump.start.after, dump.start.module
    if after not in order[order.index("verify-streams") : order.index("project")]:
        return
    try:
        verify_streams(module)
        if after == "allocate":
            check_allocation(module, load_machine(machine))
    except PassError as error:
        raise ResumeError(f"{dump.path}: {error}") from error


def _check_entries(dumps: Sequence[Dumped], model: Model) -> None:
    """One file an entry, of entries that the model has."""
    has = [one.sym_name.data for one in model.modules if one.sym_name is not None]
    if model.config is not None:
        has = ["prefill", "decode"]
    seen: dict[str, Path] = {}
    for one in dumps:
        if one.entry not in has:
            raise ResumeError(
                f"{one.path}: its module is @{one.entry}; the model has {', '.join(has)}"
            )
        if one.entry in seen:
            raise ResumeError(f"{seen[one.entry]} and {one.path} are both @{one.entry}: name one")
        seen[one.entry] = one.path


def _stated_kv_block(dumps: Sequence[Dumped]) -> int | None:
    """The KV block of the files that are tiled, which all entries must have."""
    stated = {one.path: kv_block_of(one.start.module) for one in dumps}
    blocks = {block: path for path, block in stated.items() if block}
    if len(blocks) > 1:
        said = ", ".join(f"{path} has {block}" for block, path in blocks.items())
        raise ResumeError(f"tw.kv_block is one for all entries of an image: {said}")
    return next(iter(blocks), None)


def _check_shared(compiled: dict[str, CompiledEntry], dumps: Sequence[Dumped]) -> None:
    """Entries declare what they share alike: weights, tables, state."""
    texts: dict[str, tuple[str, str]] = {}
    for entry, one in compiled.items():
        for op in one.declared:
            if op.role.data in SHARED_ROLES:
                other, text = texts.setdefault(op.global_name, (entry, str(op)))
                if text != str(op):
                    raise ResumeError(
                        f"{_names(dumps)}: entry {entry} declares `{op}`, entry {other} `{text}`: "
                        "entries share it, so edit and give a file of each"
                    )


def _names(dumps: Sequence[Dumped]) -> str:
    return ", ".join(str(one.path) for one in dumps)


def find_model(origin: Origin, given: Path | None) -> Model:
    """The model that dumped IR was compiled from, found by the digest of its weights.

    Looks at the path that is given, else at the one in `origin`; of a folder that is no model, at
    what lies in it. Raises ResumeError if the weights are not there.
    """
    assert origin.model is not None, "checked by read_dump"
    place = given if given is not None else Path(origin.model)
    wanted = origin.weights_sha256
    if not place.exists():
        of = f" with weights of SHA-256 {wanted}" if wanted else ""
        raise ResumeError(f"{place}: does not exist: say where the model{of} is now (--model)")
    single = place.is_file() or (place / "config.json").exists()
    seen: list[str] = []
    for path in [place] if single else _models_in(place):
        try:
            model = load_model(path)
        except TilewrightError:
            if single:
                raise
            continue  # A folder may hold what is no model of ours.
        digest = weights_digest(model)
        if wanted is None or digest == wanted:
            return model
        seen.append(f"{path} has {digest or 'none'}")
    raise ResumeError(_not_found(place, wanted, seen))


def _models_in(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".gguf" or (path / "config.json").exists():
            yield path


def _not_found(place: Path, wanted: str | None, seen: Sequence[str]) -> str:
    if not seen:
        return f"{place}: holds no model: wanted a .gguf file or a folder with config.json"
    return (
        f"{place}: wanted weights of SHA-256 {wanted}; {', '.join(seen)}: name the model that has "
        "them (--model), or delete the line '// weights-sha256: ...' to take others all the same"
    )
