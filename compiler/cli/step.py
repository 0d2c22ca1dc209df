"""`tilewright step`: a launch, one instruction at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...backend.errors import TilewrightError
from .options import MachineName, MaxContext, Order
from .output import note
from .text import image_of, refuse_compiler_options

if TYPE_CHECKING:
    from ...backend.image import Image
    from ...runtime.debugger import Debugger

PROMPT = "(step) "


def step(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="An image, or a model to compile first.")],
    prompt: Annotated[str, typer.Option(help="Text of the prompt.")] = "",
    ids: Annotated[str, typer.Option(help="Token ids of the prompt, as 1,2,3.")] = "",
    entry: Annotated[
        str,
        typer.Option(
            help="prefill: the first launch of the prompt. decode: that of its last token. Of an "
            "image that is no language model: its entry, with launch parameters at their smallest."
        ),
    ] = "prefill",
    script: Annotated[
        Path | None, typer.Option(help="Read commands from this file, not from standard input.")
    ] = None,
    order: Order = "sequential",
    machine: MachineName = "tw-1",
    max_context: MaxContext = None,
    policy: Annotated[str, typer.Option(help="Arithmetic: exact or bf16.")] = "exact",
) -> None:
    """Execute a launch one instruction at a time and look at slots, registers and values.

    Commands are lines of standard input; `help` lists them.

    \b
    Examples:
      echo "continue blk.2.attention" > look.txt
      tilewright step tiny.tw --prompt "A" --script look.txt
      tilewright step tiny.tw --ids 1,2,3 --entry decode --script look.txt
      echo "continue @weights" | tilewright step tiny.tw --ids 1,2,3
    """
    from ...backend.image import read_image
    from ...runtime.debugger import Restart

    refuse_compiler_options(model, context)
    with image_of(model, machine, max_context, policy) as path:
        image = read_image(path)
        lines = _lines(script)
        while True:
            try:
                _converse(_debugger(image, str(path), prompt, ids, entry, order), lines)
                return
            except Restart:
                print("the launch begins again")


def _debugger(image: Image, name: str, prompt: str, ids: str, entry: str, order: str) -> Debugger:
    """A launch at its beginning."""
    from ...backend.machine import Machine
    from ...runtime.debugger import Debugger
    from ...runtime.functional import Memories
    from ...runtime.functional.parameters import launch_words
    from ...runtime.stepped import launch_of_prompt
    from .tokens import parse_ids, tokenizer_of

    if "prefill" not in image.entries:
        chosen = entry if entry in image.entries else next(iter(image.entries))
        program = image.entries[chosen]
        memories = Memories.from_image(image)
        smallest = {p.name: p.lo if p.count == 1 else [p.lo] * p.count for p in program.parameters}
        memories.begin_launch(program)
        words = launch_words(program, smallest).tolist()
        machine = Machine.from_dict(image.machine)
        return Debugger(program, machine, memories, words, order, image.opcodes)
    if bool(prompt) == bool(ids):
        raise TilewrightError("a launch needs a prompt: give --prompt or --ids, one of them")
    tokens = tokenizer_of(image).encode(prompt) if prompt else parse_ids(ids)
    return launch_of_prompt(image, tokens, entry, order, name)


def _lines(script: Path | None) -> Iterator[str]:
    """Commands: of a file, of a pipe, or as they are typed, with the keys of readline."""
    if script is not None:
        yield from script.read_text(encoding="utf-8").splitlines()
        return
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    import readline  # noqa: F401  # pyright: ignore[reportUnusedImport]  # `input` has its keys.

    while True:
        try:
            yield input(PROMPT)
        except EOFError:
            return


def _converse(debugger: Debugger, lines: Iterator[str]) -> None:
    """Follow commands until there are no more."""
    from ...runtime.debugger import Quit

    print(debugger.where())
    for line in lines:
        if not sys.stdin.isatty() and line.strip():
            print(f"{PROMPT}{line.strip()}")
        try:
            for said in debugger.run(line):
                print(said)
        except Quit:
            return
        except TilewrightError as error:
            note(f"error: {error}")
