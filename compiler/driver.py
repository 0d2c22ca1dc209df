"""`compile_model`: a model on disk to an image, through every level.

report = compile_model("smollm2.gguf", machine="tw-1", max_context=512, output="smollm2.tw")
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

from xdsl.dialects.builtin import IntegerAttr, ModuleOp

from ..backend.bounds import ModelRecord, Sizes
from ..backend.errors import TilewrightError
from ..backend.image import LOAD_ENTRY, Image, write_image
from ..backend.isa import Program
from ..backend.machine import Machine, load_machine
from ..dialects.locations import location_name
from ..dialects.lowbit import PackedType
from ..dialects.tg import GlobalOp
from ..passes.encode import encode_module
from ..passes.load_entry import load_program
from ..passes.tile import DoesNotFitError, plan_of
from ..runtime.proof import prove
from .bound import formats_of
from .frontend import EntryShape, Model, load_model
from .opt.watch import EVERY, Shown, Watch
from .origin import Origin, origin_of
from .pipeline import AfterPass, Handed, PassRun, passes_behind, passes_for, run_passes
from .weights import layers_of, stored_globals, weight_pieces

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Watchers = Callable[[str, Handed], Sequence[AfterPass]]
"""Entry -> what is called after each of its passes."""

DEFAULT_CONTEXT = 2048
"""Positions of a sequence, if the model allows as many and the user names none."""
DEFAULT_CHUNK = 128
"""New positions of a sequence in one prefill launch, if the user names none."""


@dataclass(frozen=True)
class EntryReport:
    """What compiling one entry gave."""

    passes: tuple[PassRun, ...]
    instructions: dict[str, int]
    """Engine -> instructions in its stream."""
    kv_block: int


@dataclass(frozen=True)
class Report:
    """What `compile_model` did: seconds in all, notices for the user, each entry's passes."""

    image: str
    digest: str
    machine: str
    policy: str
    seconds: float
    program_seconds: float
    """Seconds until the programs stood, without packing and writing weights."""
    weight_bytes: int
    notices: tuple[str, ...]
    entries: dict[str, EntryReport] = field(default_factory=dict[str, EntryReport])

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Start:
    """IR of an entry from which compiling goes on."""

    module: ModuleOp
    after: str | None
    """The pass it stands behind; None for a graph."""


@dataclass(frozen=True)
class CompiledEntry:
    """One entry: the program, what its passes did, and the declarations of its globals."""

    program: Program
    report: EntryReport
    declared: tuple[GlobalOp, ...]
    plan: dict[str, Any]
    """What predictions read (`backend.prediction`); empty where a kernel has no closed form."""


def compile_entry(
    module: ModuleOp,
    machine: str,
    kv_block: int | None = None,
    weights: str | None = None,
    after_pass: Sequence[AfterPass] = (),
    unfused: bool = False,
    later_rows: int = 0,
    after: str | None = None,
    proof: bool = True,
) -> CompiledEntry:
    """Lower one graph-level module (in place) and encode it.

    `later_rows` are the most new rows of a sequence in entries that take over its KV block;
    `after` is the pass that a module of another level stands behind, `proof` whether channels are
    proven of the instructions.
    """
    options: dict[str, Any] = {
        "machine": machine,
        "kv_block": kv_block,
        "weights": weights,
        "unfused": unfused,
        "later_rows": later_rows,
    }
    runs = run_passes(module, passes_behind(passes_for(options), after), after_pass)
    description = load_machine(machine)
    program = encode_module(module, description)
    if proof:
        prove(program, description, launches=[])
    counts = {engine: len(words) for engine, words in program.engines.items()}
    declared = tuple(op for op in module.ops if isinstance(op, GlobalOp))
    plan = plan_of(module, program.channels)
    return CompiledEntry(
        program,
        EntryReport(tuple(runs), counts, kv_block_of(module)),
        declared,
        {} if plan is None else plan.to_dict(),
    )


def compile_model(
    model_path: str | Path,
    machine: str = "tw-1",
    max_context: int | None = None,
    policy: str = "exact",
    batch: int = 1,
    chunk: int | None = None,
    output: str | Path | None = None,
    dump_ir: str | Path | None = None,
    print_ir: bool = False,
    check_each_pass: bool = False,
    kv_block: int | None = None,
    weights: str | None = None,
    unfused: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Compile all entries of a model for a machine and write its image to `output`.

    `machine` is a name or a path; `max_context` counts positions of a sequence, `chunk` new
    positions of a sequence in one prefill launch. `dump_ir` is a folder that gets one of each
    entry. `weights` is a format that the parameters of matmuls are quantised to. `unfused` makes
    each op of the graph a kernel of its own. A config alone gives an image without weights. Raises
    TilewrightError for whatever the user can mend.
    """
    start = perf_counter()
    tell = progress or silent
    model = load_model(model_path)

    origin = None
    if dump_ir is not None:
        shape = entry_shapes(model, batch, chunk, max_context)[0]
        sizes = shape.max_context, shape.batch, shape.chunk
        origin = origin_of(model, machine, policy, *sizes, kv_block, weights, unfused)

    def watchers(entry: str, handed: Handed) -> list[AfterPass]:
        return watch_entry(entry, machine, print_ir, dump_ir, origin, check_each_pass, handed)

    options = max_context, policy, batch, chunk, kv_block, weights
    image, compiled = compile_programs(model, machine, *options, tell, watchers, unfused)
    return finish(model, image, compiled, output, start, tell)


def watch_entry(
    entry: str,
    machine: str,
    print_ir: bool,
    dump_ir: str | Path | None,
    origin: Origin | None,
    check_each_pass: bool,
    handed: Handed,
) -> list[AfterPass]:
    """What is called after each pass of an entry; `origin` heads the files of `dump_ir`."""
    if origin is not None:
        origin = origin.of_entry(handed.kv_block, handed.later_rows)
    folder = Path(dump_ir) / entry if dump_ir is not None else None
    shown = Shown(after=EVERY) if print_ir else Shown()

    def head(name: str) -> str:
        return origin.behind(name).text() if origin is not None else ""

    found: list[AfterPass] = [Watch(shown, folder, head=head).after_pass]
    if check_each_pass:
        from .check import PassChecker

        found.append(PassChecker(machine).after_pass)
    return found


def finish(
    model: Model,
    image: Image,
    compiled: dict[str, CompiledEntry],
    output: str | Path | None,
    start: float,
    tell: Progress,
) -> Report:
    """Write an image with the model's weights; `start` is `perf_counter()` when it all began."""
    program_seconds = perf_counter() - start
    declared = next(iter(compiled.values())).declared
    total = sum(r.nbytes for r in image.packed_regions().values())
    target = Path(output) if output is not None else Path(model.name + ".tw")

    def pieces() -> Any:
        done = 0
        for name, piece in weight_pieces(declared, model.weights):
            yield name, piece
            done += piece.nbytes
            tell("packing weights", done, total)

    digest = write_image(target, image, pieces() if model.has_weights else None)
    return Report(
        image=str(target),
        digest=digest,
        machine=image.machine["name"],
        policy=image.policy,
        seconds=perf_counter() - start,
        program_seconds=program_seconds,
        weight_bytes=total,
        notices=model.notices,
        entries={name: one.report for name, one in compiled.items()},
    )


def compile_programs(
    model: Model,
    machine: str = "tw-1",
    max_context: int | None = None,
    policy: str = "exact",
    batch: int = 1,
    chunk: int | None = None,
    kv_block: int | None = None,
    weights: str | None = None,
    progress: Progress | None = None,
    watchers: Watchers | None = None,
    unfused: bool = False,
    starts: Mapping[str, Start] | None = None,
    proof: bool = True,
) -> tuple[Image, dict[str, CompiledEntry]]:
    """All entries of a loaded model, compiled in memory; the image is the one that is written.

    Arguments are those of `compile_model`; `watchers` gives what is called after each pass of an
    entry, by default what verifies it. `starts` are the entries that go on from other IR than the
    model's graph.
    """
    tell = progress or silent
    watch = watchers or _verify
    description = load_machine(machine)
    shapes = entry_shapes(model, batch, chunk, max_context)

    def compiled_in(order: Sequence[EntryShape]) -> dict[str, CompiledEntry]:
        """All entries add up attention as the first does, so that chunks do not change the bits."""
        found: dict[str, CompiledEntry] = {}
        block = kv_block
        for number, shape in enumerate(order):
            tell(f"compiling {shape.name}", number, len(order))
            begun = (starts or {}).get(shape.name)
            module = begun.module.clone() if begun is not None else model.build(shape, policy)
            after = begun.after if begun is not None else None
            later = max((s.chunk for s in order[number + 1 :]), default=0)
            calls = watch(shape.name, Handed(block, later))
            one = compile_entry(
                module, machine, block, weights, calls, unfused, later, after, proof
            )
            found[shape.name] = one
            block = block or one.report.kv_block or None
        return {shape.name: found[shape.name] for shape in shapes}

    try:  # The entry with fewest rows waits for memory most, so it chooses.
        compiled = compiled_in(sorted(shapes, key=lambda shape: shape.rows))
    except DoesNotFitError:
        compiled = compiled_in(shapes)
    return _image(model, description, policy, weights, compiled, shapes), compiled


def _verify(entry: str, handed: Handed) -> list[AfterPass]:
    """Whatever the entry, its module is verified after each pass."""
    return [Watch().after_pass]


def silent(what: str, done: int, total: int) -> None:
    """Progress nobody wants to hear of."""


def entry_shapes(
    model: Model, batch: int, chunk: int | None, max_context: int | None
) -> list[EntryShape]:
    """The entries of a language model: prefill in chunks, and decode of one token a sequence."""
    if model.config is None:
        names = [m.sym_name.data for m in model.modules if m.sym_name is not None]
        return [EntryShape(name, 1, 1, 1) for name in names]
    context = max_context if max_context is not None else min(model.most_context, DEFAULT_CONTEXT)
    rows = chunk if chunk is not None else min(DEFAULT_CHUNK, context)
    return [
        EntryShape("prefill", batch, rows, context),
        EntryShape("decode", batch, 1, context),
    ]


def kv_block_of(module: ModuleOp) -> int:
    """The KV block that a module was tiled with; 0 for one without attention, or not yet tiled."""
    attribute = module.attributes.get("tw.kv_block")
    return attribute.value.data if isinstance(attribute, IntegerAttr) else 0


def _image(
    model: Model,
    machine: Machine,
    policy: str,
    weights: str | None,
    compiled: dict[str, CompiledEntry],
    shapes: Sequence[EntryShape],
) -> Image:
    blocks = {one.report.kv_block for one in compiled.values()} - {0}
    material = model.tokenizer()
    files: dict[str, bytes] = {}
    if material is not None:
        files["tokenizer.json"] = json.dumps(material.to_dict()).encode()
    first = next(iter(compiled.values()))
    meta: dict[str, Any] = {
        "model": model.name,
        "architecture": model.config.architecture if model.config is not None else "graph",
        "symbols": {one.global_name: _symbol(one) for one in first.declared},
        "eos": list(material.eos) if material is not None else [],
        "max_context": shapes[0].max_context,
        "batch": shapes[0].batch,
        "chunk": max(shape.chunk for shape in shapes),
    }
    entries = {name: one.program for name, one in compiled.items()}
    needed = max(
        (r.base + r.nbytes for program in entries.values() for r in program.regions
         if r.memory == "hbm"),
        default=0,
    )  # fmt: skip
    if not machine.has_hbm:
        stored = stored_globals(first.declared)
        layers = {g.global_name: layers_of(g) for g in stored}
        locations = {g.global_name: location_name(g) for g in stored}
        loaded = load_program(first.program.regions, layers, machine, locations)
        entries = {LOAD_ENTRY: loaded, **entries}
    if needed > machine.hbm_bytes:
        raise TilewrightError(
            f"the model needs {needed} bytes of hbm and machine {machine.name} has "
            f"{machine.hbm_bytes}: use fewer positions (--max-context), a smaller batch or "
            "--chunk, or a machine with more hbm"
        )
    return Image(
        machine=machine.to_dict(),
        policy=policy,
        entries=entries,
        kv_block=max(blocks, default=0),
        meta=meta,
        model=_record(model, policy, weights),
        plans={name: one.plan for name, one in compiled.items()},
        files=files,
        has_weights=model.has_weights,
    )


def _record(model: Model, policy: str, weights: str | None) -> dict[str, Any]:
    """What bounds read of a model; nothing of a graph."""
    if model.config is None or model.parameters is None:
        return {}
    formats = formats_of(model.parameters, policy, weights)
    return ModelRecord(Sizes.of(model.config), formats).to_dict()


def _symbol(declared: GlobalOp) -> dict[str, Any]:
    """What `inspect` says of a global."""
    found: dict[str, Any] = {
        "role": declared.role.data,
        "type": str(declared.type),
        "shape": list(declared.shape),
    }
    if declared in stored_globals([declared]):
        assert declared.recipe is not None
        found |= {"from": declared.recipe.data, "layers": layers_of(declared)}
    if isinstance(declared.type, PackedType):
        found |= {"format": declared.type.format.data, "order": declared.type.order.data}
    return found
