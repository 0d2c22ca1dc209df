"""`tilewright check`: what can be proven of an image without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import Json
from .output import print_json

if TYPE_CHECKING:
    from ...backend.image import Image


def check(
    image: Annotated[str, typer.Argument(help="An image that `compile`, `resume` or `asm` wrote.")],
    entry: Annotated[str, typer.Option(help="Check this entry alone.")] = "",
    against: Annotated[
        str,
        typer.Option(
            help="Another image, as it was before an edit: run both on random values, and name the "
            "first instruction that writes something else."
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Prove the rules C1 to C7 of docs/design.md of an image's instructions, without running them.

    Says of each rule how it was proven and for which launches. Where one is broken it says which,
    with channel, engine, instruction and model op, and ends with status 2. A note is of something
    that is safe and looks wrong, as bytes of a slot that are written and that nothing reads.

    With --against, both images run on random values: the first instruction is named that writes
    something else than in the other image, with channel and model op; the status is 1 then.

    \b
    Examples:
      tilewright check tiny.tw
      tilewright check tiny.tw --entry decode
    """
    from ...backend.errors import TilewrightError
    from ...backend.image import read_image
    from ...backend.machine import Machine
    from ...runtime.functional.faults import Fault
    from ...runtime.proof import LONG, Proof, ProofError, check_shared, prove

    opened = read_image(image)
    if entry and entry not in opened.entries:
        raise TilewrightError(f"{image}: no entry '{entry}'; it has {', '.join(opened.entries)}")
    machine = Machine.from_dict(opened.machine)
    found = dict[str, Proof]()
    place = image
    try:
        check_shared(opened.entries)
        for name, program in opened.entries.items():
            place = f"{image}, entry {name}"
            if entry in ("", name):
                found[name] = prove(program, machine, opened.opcodes, follow=LONG)
    except (Fault, ProofError) as error:
        raise TilewrightError(f"{place}: {error}") from None
    compared = _compared(opened, against, list(found)) if against else {}
    differs = any(text for text in compared.values())
    if as_json:
        print_json(
            {
                name: proof.to_dict() | ({"difference": compared[name]} if name in compared else {})
                for name, proof in found.items()
            }
        )
        raise typer.Exit(int(differs))
    for name, proof in found.items():
        print(f"{name}: proven")
        for line in proof.lines():
            print(f"  {line}")
        for note in proof.notes:
            print(f"  note: {note}")
        if name in compared:
            print(f"  {compared[name] or f'every instruction writes what that of {against} does'}")
    raise typer.Exit(int(differs))


def _compared(opened: Image, against: str, entries: list[str]) -> dict[str, str]:
    """Of entries that both images have: the first difference, empty where there is none."""
    from ...backend.errors import TilewrightError
    from ...backend.image import LOAD_ENTRY, read_image
    from ...runtime.functional.side_by_side import compare_entries
    from ...runtime.proof import corners

    original = read_image(against)
    both = [name for name in entries if name in original.entries and name != LOAD_ENTRY]
    if not both:
        raise TilewrightError(
            f"{against} has entries {', '.join(original.entries)}, wanted one of "
            f"{', '.join(entries)}"
        )
    out: dict[str, str] = {}
    for name in both:
        launches = [corner.parameters for corner in reversed(corners(opened.entries[name]))]
        found = compare_entries(opened, original, name, launches)
        out[name] = found.text if found else ""
    return out
