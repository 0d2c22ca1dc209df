"""Options that several commands share, each written once."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]
MachineName = Annotated[
    str, typer.Option(help="Name of a machine (`tilewright machines`) or a .toml file.")
]
Phase = Annotated[
    str, typer.Option(help="decode: one new token. prefill: a prompt of --context tokens.")
]
Context = Annotated[
    int | None,
    typer.Option(
        help="decode: positions with the new one; prefill: tokens. All that fit by default.", min=1
    ),
]
MaxContext = Annotated[
    int | None,
    typer.Option(
        help="Longest context in tokens; the model's own, at most 2048, by default.", min=1
    ),
]
Policy = Annotated[str, typer.Option(help="Arithmetic: exact (float32 activations) or bf16.")]
BatchSize = Annotated[int, typer.Option(help="Sequences that run together.", min=1)]
Chunk = Annotated[
    int | None,
    typer.Option(
        help="Tokens of one sequence in one launch of prefill; 128, or the context, by default.",
        min=1,
    ),
]
Engine = Annotated[str, typer.Option(help="Emulator: fast (compiled) or reference (numpy).")]
Order = Annotated[
    str,
    typer.Option(
        help="Order of the engines: sequential, loads-earliest, stores-latest or random:SEED."
    ),
]
Checks = Annotated[
    bool, typer.Option("--checks/--no-checks", help="The emulator's run-time checks.")
]
