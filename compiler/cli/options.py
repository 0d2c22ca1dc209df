"""Options that several commands share, each written once."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for another program to read.")]
MachineName = Annotated[
    str, typer.Option(help="Name of a machine (`tilewright machines`) or a .toml file.")
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
Phase = Annotated[
    str,
    typer.Option(help="decode: one new token of each sequence. prefill: prompts of --context."),
]
Contexts = Annotated[
    str | None,
    typer.Option(
        help="decode: positions with the new one; prefill: tokens of a prompt. One number, or one "
        "for each sequence: 1024,80,300. 1024 by default, or what the model or image has."
    ),
]
Sequences = Annotated[
    int | None, typer.Option(help="Sequences of a step: 1, or as many as --context names.", min=1)
]
Weights = Annotated[
    str | None,
    typer.Option(
        help="Format that matmul weights are quantised to (bf16, int8, int4-g128, q4_0, ...); by "
        "default they stay as the checkpoint has them."
    ),
]
CheckEachPass = Annotated[
    bool, typer.Option(help="Run the program before and after each pass and compare.")
]
Proof = Annotated[
    bool,
    typer.Option(
        "--proof/--no-proof", help="Prove C1 to C7 of the instructions, as `tilewright check` does."
    ),
]
DumpIr = Annotated[
    Path | None, typer.Option(help="Directory for the IR after each pass, one file each.")
]
PrintIrAfterAll = Annotated[bool, typer.Option(help="Print the IR after each pass.")]
ModelOrImage = Annotated[
    str,
    typer.Argument(
        help="An image, or a .gguf file, a Hugging Face directory or a config.json alone, "
        "whose programs are compiled in memory. Weights are not needed."
    ),
]
TimedMachine = Annotated[
    str | None,
    typer.Option("--machine", help="Name of a machine or a .toml file; an image's own, else tw-1."),
]
TimedPolicy = Annotated[
    str | None,
    typer.Option("--policy", help="Arithmetic: exact or bf16; an image's own, else bf16."),
]
TimedChunk = Annotated[
    int | None,
    typer.Option(
        "--chunk",
        help="Tokens of one sequence in one launch of prefill; an image's own, else the longest "
        "prompt.",
        min=1,
    ),
]
