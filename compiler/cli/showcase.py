"""`tilewright demo`: the embedded sample model, from its weights to its text."""

from pathlib import Path
from typing import Annotated

import typer

from .options import Json, MachineName


def demo(
    prompt: Annotated[str, typer.Argument(help="Text to go on from.")] = "ROMEO:",
    max_tokens: Annotated[int, typer.Option(help="Most tokens to add.", min=1)] = 120,
    temperature: Annotated[float, typer.Option(help="0 takes the most likely token.")] = 0.8,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 1,
    machine: MachineName = "tw-1",
    keep: Annotated[
        Path | None, typer.Option(help="Keep the image and the IR of each pass in this directory.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compile the embedded sample model and generate text with it.

    Says what happened at each level on the way.

    \b
    Examples:
      tilewright demo
      tilewright demo "JULIET:" --max-tokens 200 --seed 7
      tilewright demo --machine tw-small --keep demo/
    """
    from ..demo import run_demo
    from .output import print_json

    result = run_demo(prompt, max_tokens, temperature, seed, machine, keep, quiet=as_json)
    if as_json:
        print_json(result)
