"""`tilewright bisect`: the first pass and op that made a result wrong."""

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ...backend.errors import TilewrightError
from .options import BatchSize, Chunk, Json, MachineName, MaxContext, Policy, Weights
from .output import print_json

FOUND = 1
"""Exit status when something is wrong."""


def bisect(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            help="A model as `compile` takes it, or a folder that `compile --dump-ir` wrote, its "
            "files edited or not."
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
    seed: Annotated[int, typer.Option(help="Of weights, launches and inputs.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """Find the first pass, and in it the first op, that made a result wrong.

    Random launches, small ones first, run the module behind each pass; the first that differs is
    found by halving, and in it the first op that writes other values. Exit status 0: all agree; 1:
    something was found. A folder of IR says itself what it was compiled with.

    \b
    Examples:
      tilewright bisect samples/tiny-shakespeare --machine tw-small --max-context 32 --chunk 8
      tilewright bisect ir
      tilewright bisect ir/decode --json
    """
    from ..bisect import bisect_chain, chain_of_dumps, chains_of_model

    path = Path(model)
    dumped = path.is_dir() and not (path / "config.json").exists()
    if dumped:
        refuse_options(context, model)
        chains = chain_of_dumps(path)
        command = "tilewright-opt {before} --stop-after {pass} --print-ir-diff"
    else:
        options: dict[str, Any] = {
            "max_context": max_context,
            "policy": policy,
            "batch": batch,
            "chunk": chunk,
            "kv_block": kv_block,
            "weights": weights,
            "unfused": unfused,
        }
        chains = chains_of_model(model, machine, **options)
        words = ["tilewright", "compile", model, "--machine", machine]
        for name, value in options.items():
            if value is True:
                words.append(f"--{name}")
            elif value is not None and value is not False:
                words += [f"--{name.replace('_', '-')}", str(value)]
        command = (
            f"{shlex.join([*words, '--dump-ir', 'ir'])}\n"
            "  tilewright-opt {before} --stop-after {pass} --print-ir-diff"
        )
    found = [
        one
        for chain in chains
        if (one := bisect_chain(chain, command.replace("{entry}", chain.entry), seed)) is not None
    ]
    if as_json:
        print_json([one.to_dict() for one in found])
    else:
        for chain in chains:
            if all(one.entry != chain.entry for one in found):
                print(f"{chain.entry}: all {len(chain.links)} modules agree")
        for one in found:
            print(one.text().replace("{entry}", one.entry))
    if found:
        raise typer.Exit(FOUND)


def refuse_options(context: typer.Context, folder: str) -> None:
    """TilewrightError for an option that dumped IR can no longer follow."""
    for name in ("machine", "max_context", "policy", "batch", "chunk", "kv_block", "weights",
                 "unfused"):  # fmt: skip
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise TilewrightError(
                f"--{name.replace('_', '-')} is for a model that is compiled first, and {folder} "
                "holds IR, whose head says it: leave it away"
            )
