"""`tilewright check`: what can be proven of an image without running it."""

from typing import Annotated

import typer

from .options import Json
from .output import print_json


def check(
    image: Annotated[str, typer.Argument(help="An image that `compile`, `resume` or `asm` wrote.")],
    entry: Annotated[str, typer.Option(help="Check this entry alone.")] = "",
    as_json: Json = False,
) -> None:
    """Prove the rules C1 to C7 of docs/design.md of an image's instructions, without running them.

    Says of each rule how it was proven and for which launches. Where one is broken it says which,
    with channel, engine, instruction and model op, and ends with status 2. A note is of something
    that is safe and looks wrong, as bytes of a slot that are written and that nothing reads.

    \b
    Examples:
      tilewright check tiny.tw
      tilewright check tiny.tw --entry decode
    """
    from ...backend.errors import TilewrightError
    from ...backend.image import read_image
    from ...backend.machine import Machine
    from ...runtime.proof import LONG, check_shared, prove

    opened = read_image(image)
    if entry and entry not in opened.entries:
        raise TilewrightError(f"{image}: no entry '{entry}'; it has {', '.join(opened.entries)}")
    machine = Machine.from_dict(opened.machine)
    check_shared(opened.entries)
    found = {
        name: prove(program, machine, opened.opcodes, follow=LONG)
        for name, program in opened.entries.items()
        if entry in ("", name)
    }
    if as_json:
        print_json({name: proof.to_dict() for name, proof in found.items()})
        return
    for name, proof in found.items():
        print(f"{name}: proven")
        for line in proof.lines():
            print(f"  {line}")
        for note in proof.notes:
            print(f"  note: {note}")
