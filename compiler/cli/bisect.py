"""`tilewright bisect`: the first pass and op that made a result wrong."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...backend.errors import TilewrightError
from .options import BatchSize, Chunk, Json, MachineName, MaxContext, Policy, Weights
from .output import note, print_json

if TYPE_CHECKING:  # they bring xDSL, which would double the time of --help
    from ..bisect import Chain, Finding
    from ..opt.selection import Wanted

FOUND = 1
"""Exit status when something is wrong."""
COMPILING = ("max_context", "policy", "batch", "chunk")
"""Options of the graph, which a file or folder of IR has behind it."""
PASSES = ("machine", "kv_block", "weights", "unfused")
"""Options of passes."""
STRETCH = ("to", "start_after", "stop_after")
"""Options that say which of the compiler's own passes run on a file."""
SEEN = "--print-ir-after {pass} --print-ir-diff -o wrong.mlir"


def bisect(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A model as `compile` takes it; or a file of IR of any level (.mlir); or a folder "
            "that `compile --dump-ir` wrote, its files edited or not."
        ),
    ],
    machine: MachineName = "tw-1",
    max_context: MaxContext = None,
    policy: Policy = "exact",
    batch: BatchSize = 1,
    chunk: Chunk = None,
    kv_block: Annotated[
        int | None, typer.Option(help="Positions that attention treats at once; as for compile.")
    ] = None,
    weights: Weights = None,
    unfused: Annotated[
        bool, typer.Option(help="Make each op of the graph a kernel of its own.")
    ] = False,
    passes: Annotated[
        str,
        typer.Option(
            "-p",
            "--passes",
            help="Of a model or a file: the passes to search, as for `tilewright-opt -p`, those of "
            "other packages too; by default the compiler's own, from where the file stands.",
        ),
    ] = "",
    to: Annotated[
        str | None, typer.Option(help="Of a file: the level to which the compiler's passes run.")
    ] = None,
    start_after: Annotated[
        str | None, typer.Option(help="Of a file: the pass it stands behind, if its head is gone.")
    ] = None,
    stop_after: Annotated[
        str | None, typer.Option(help="Of a file: the last of the compiler's passes that runs.")
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            help="An image, or a folder or file of IR: find the first pass behind which this "
            "model differs from that one, instead of the first that is wrong."
        ),
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Largest error behind any pass, in units of max(1, standard deviation); for "
            "passes that add up in another order. By default the policy's down to the first tiled "
            "module, and equal bits from there.",
            min=0,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, launches and inputs.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Find the first pass, and in it the first op, that made a result wrong.

    Random launches, small ones first, run the module behind each pass; the first that differs is
    found by halving, and in it the first op that writes other values. Exit status 0: all agree; 1:
    something was found. IR that was dumped says itself what it was compiled with.

    \b
    Examples:
      tilewright bisect samples/tiny-shakespeare --machine tw-small --max-context 32 --chunk 8
      tilewright bisect ir
      tilewright bisect ir/decode/06-tile.mlir -p my-pass
      tilewright bisect ir --against last-release.tw
    """
    from ..bisect import bisect_chain

    values = dict(context.params)
    chains, command = chains_of(context, Path(model), values)
    if against is not None:
        found = differences(context, chains, against, command)
    else:
        every = [bisect_chain(chain, command, seed, tolerance) for chain in chains]
        found = [one for one in every if one is not None]
    for chain in chains:
        for name, op in chain.left_out:
            note(f"{chain.entry}: not run behind {name}: no interpreter knows {op}")
    if as_json:
        print_json([one.to_dict() for one in found])
    else:
        for chain in chains:
            if all(one.entry != chain.entry for one in found):
                print(f"{chain.entry}: {agreement(chain, against)}")
        for one in found:
            print(one.text())
    if found:
        raise typer.Exit(FOUND)


def differences(
    context: typer.Context, chains: list[Chain], path: Path, command: str
) -> list[Finding]:
    """What each chain that the other side has too differs in. Raises TilewrightError for none."""
    from ..bisect import against

    seed, tolerance = context.params["seed"], context.params["tolerance"]
    if not path.is_dir() and path.suffix != ".mlir":
        from ...backend.image import read_image

        image = read_image(path)
        every = [
            against.compare_with_image(
                chain, against.ImageEntry(path, image, chain), command, seed, tolerance
            )
            for chain in chains
        ]
        return [one for one in every if one is not None]
    others = {chain.entry: chain for chain in ir_of(context, path)}
    shared = [chain for chain in chains if chain.entry in others]
    if not shared:
        raise TilewrightError(
            f"{path} is of {', '.join(others)}, wanted {' or '.join(one.entry for one in chains)}"
        )
    chains[:] = shared
    every = [
        against.compare_with_chain(chain, others[chain.entry], str(path), command, seed, tolerance)
        for chain in chains
    ]
    return [one for one in every if one is not None]


def ir_of(context: typer.Context, path: Path) -> list[Chain]:
    """The chains of a file, by the passes that the user asks for, or of a folder."""
    from ..bisect import chains_of_file, chains_of_folder

    return chains_of_folder(path) if path.is_dir() else chains_of_file(path, wanted_of(context))


def wanted_of(context: typer.Context) -> Wanted:
    """The passes on a file, as `tilewright-opt` takes them."""
    from ..opt.selection import Wanted

    values = context.params
    options = {name: values[name] for name in PASSES if given(context, name)}
    return Wanted(values["passes"], *(values[name] for name in STRETCH), options=options)


def agreement(chain: Chain, against: Path | None) -> str:
    """What is said where nothing is wrong."""
    if against is not None:
        return f"behind all passes as {against}"
    if len(chain.links) > 1:
        return f"all {len(chain.links)} modules agree"
    return "it runs; no pass is asked for, or left, that it could be compared with"


def chains_of(
    context: typer.Context, path: Path, values: dict[str, Any]
) -> tuple[list[Chain], str]:
    """The chains of an argument, and the command that shows one pass of it alone.

    Raises TilewrightError for options that it cannot follow.
    """
    from ..bisect import chains_of_model

    if path.is_dir() and not (path / "config.json").exists():
        refuse(context, path, (*COMPILING, *PASSES, *STRETCH, "passes"), "the files say it")
        return ir_of(context, path), "tilewright-opt {before} --stop-after {pass} --print-ir-diff"
    if path.suffix == ".mlir":
        refuse(context, path, COMPILING, "a file of IR has its shapes already")
        wanted = wanted_of(context)
        words = ["tilewright-opt", str(path)]
        if wanted.passes:
            words += ["-p", wanted.passes]
        if wanted.start_after:
            words += ["--start-after", wanted.start_after]
        command = f"{shlex.join(words + spelled(wanted.options))} --stop-after {{pass}} {SEEN}"
        return ir_of(context, path), command
    refuse(context, path, STRETCH, "a model starts at its graph: dump it, and name a file")
    options = {name: values[name] for name in (*COMPILING, "kv_block", "weights", "unfused")}
    passes = values["passes"]
    chains = chains_of_model(path, values["machine"], passes, **options)
    machine = ["--machine", values["machine"]]
    dumped = shlex.join(["tilewright", "compile", str(path), *machine, *spelled(options)])
    one = "{before} --stop-after {pass} --print-ir-diff"
    if passes:
        own = {name: options[name] for name in ("kv_block", "weights", "unfused")}
        words = shlex.join(["-p", passes, *machine, *spelled(own)])
        one = f"ir/{{entry}}/00-input.mlir {words} --stop-after {{pass}} {SEEN}"
    return chains, f"{dumped} --dump-ir ir\n  tilewright-opt {one}"


def spelled(options: Mapping[str, Any]) -> list[str]:
    """Options as they are written; those that are off or missing are left out."""
    words: list[str] = []
    for name, value in options.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False:
            words += [f"--{name.replace('_', '-')}", str(value)]
    return words


def given(context: typer.Context, name: str) -> bool:
    """Whether the user wrote an option."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def refuse(context: typer.Context, path: Path, names: tuple[str, ...], reason: str) -> None:
    """TilewrightError for an option that means nothing for this argument."""
    for name in names:
        if given(context, name):
            raise TilewrightError(f"--{name.replace('_', '-')} is not for {path}: {reason}")
