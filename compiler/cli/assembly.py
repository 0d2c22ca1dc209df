"""`tilewright opt`, `asm` and `disasm`: the levels of IR and the words, as text."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ...backend.errors import TilewrightError


def opt(
    context: typer.Context,
) -> None:
    """Run passes on IR text, as `tilewright-opt` does.

    All arguments are passed on.

    \b
    Examples:
      tilewright opt --help
      tilewright opt program.mlir -p fuse,tile
    """
    from .. import opt as driver

    driver.main(list(context.args))


def asm(
    source: Annotated[str, typer.Argument(help="Assembly of one entry; `-` is standard input.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Image to write, with this entry and no weights.")
    ],
    machine: Annotated[
        str, typer.Option(help="Name of a machine (`tilewright machines`) or a .toml file.")
    ] = "tw-1",
    entry: Annotated[str, typer.Option(help="Name of the entry in the image.")] = "main",
) -> None:
    """Assemble one entry to an image without weights.

    \b
    Examples:
      tilewright asm decode.s -o decode.tw --machine tw-small
    """
    from ...backend.asm import assemble
    from ...backend.image import Image, write_image
    from ...backend.machine import load_machine

    name = "standard input" if source == "-" else source
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    program = assemble(text, name)
    image = Image(
        machine=load_machine(machine).to_dict(),
        policy="exact",
        entries={entry: program},
        kv_block=program.kv_block,
    )
    write_image(output, image)
    counts = ", ".join(f"{engine} {len(words)}" for engine, words in program.engines.items())
    print(f"{output}: entry {entry}, instructions {counts}")


def disasm(
    image: Annotated[str, typer.Argument(help="An image.")],
    entry: Annotated[str, typer.Option(help="Entry to print; the first by default.")] = "",
    engine: Annotated[str, typer.Option(help="Print the stream of this engine alone.")] = "",
) -> None:
    """Print an entry of an image as assembly, tables and streams.

    \b
    Examples:
      tilewright disasm model.tw --entry decode
      tilewright disasm model.tw --entry decode --engine mxu
    """
    from ...backend.asm import disassemble
    from ...backend.image import read_image

    entries = read_image(image).entries
    name = entry or next(iter(entries))
    if name not in entries:
        raise TilewrightError(f"{image}: no entry '{name}'; it has {', '.join(entries)}")
    program = entries[name]
    if engine and engine not in program.engines:
        raise TilewrightError(
            f"{image}: entry {name} has no engine '{engine}'; it has {', '.join(program.engines)}"
        )
    print(disassemble(program), end="")
