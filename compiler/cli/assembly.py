"""`tilewright opt`, `asm` and `disasm`: the levels of IR and the words, as text."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ...backend.errors import TilewrightError
from .options import MachineName, Proof
from .output import USER_ERROR, note


def opt(context: typer.Context) -> None:
    """Run passes on IR text, as `tilewright-opt` does.

    All arguments are passed on.

    \b
    Examples:
      tilewright opt --help
      tilewright opt ir/decode/00-input.mlir -p canonicalise,merge,fuse
    """
    from .. import opt as driver

    if driver.main(list(context.args)):
        raise typer.Exit(USER_ERROR)


def asm(
    source: Annotated[str, typer.Argument(help="Assembly of one entry; `-` is standard input.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Image to write, with this entry and no weights.")
    ],
    machine: MachineName = "tw-1",
    entry: Annotated[str, typer.Option(help="Name of the entry in the image.")] = "main",
    proof: Proof = True,
) -> None:
    """Assemble one entry to an image without weights.

    \b
    Examples:
      tilewright disasm tiny.tw --entry decode > decode.s
      tilewright asm decode.s -o decode.tw --machine tw-small
    """
    from ...backend.asm import AsmError, assemble, source_line
    from ...backend.image import Image, write_image
    from ...backend.machine import load_machine
    from ...runtime.functional.faults import Fault
    from ...runtime.proof import ProofError, prove

    description = load_machine(machine)
    name = "standard input" if source == "-" else source
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    try:
        program = assemble(text)
        notes = prove(program, description).notes if proof else ()
    except (Fault, ProofError) as error:
        line = f":{source_line(text, error.engine, error.pc)}" if error.pc >= 0 else ""
        raise TilewrightError(f"{name}{line}: {error}") from None
    except AsmError as error:
        raise TilewrightError(f"{name}: {error}") from None
    if not any(map(len, program.engines.values())):
        raise TilewrightError(f"{name}: no engine has an instruction: wanted `engine ld {{ ... }}`")
    for one in notes:
        note(f"note: {one}")
    image = Image(
        machine=description.to_dict(),
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
      tilewright disasm tiny.tw --entry decode
      tilewright disasm tiny.tw --entry decode --engine mxu
    """
    from ...backend.asm import disassemble
    from ...backend.image import read_image

    opened = read_image(image)
    entries = opened.entries
    name = entry or next(iter(entries))
    if name not in entries:
        raise TilewrightError(f"{image}: no entry '{name}'; it has {', '.join(entries)}")
    program = entries[name]
    if engine and engine not in program.engines:
        raise TilewrightError(
            f"{image}: entry {name} has no engine '{engine}'; it has {', '.join(program.engines)}"
        )
    if engine:
        located = {engine: program.locations[engine]} if engine in program.locations else {}
        program = replace(program, engines={engine: program.engines[engine]}, locations=located)
    print(disassemble(program, opened.opcodes), end="")
