"""`tilewright resume`: dumped IR to an image."""

from pathlib import Path
from typing import Annotated

import typer

from .models import report_image
from .options import CheckEachPass, DumpIr, Json, PrintIrAfterAll, Proof
from .output import progress_bar


def resume(
    files: Annotated[
        list[str],
        typer.Argument(help="Files that `compile --dump-ir` wrote, of each entry one at most."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="Where the model lies now, or a folder in which its weights are looked for by "
            "their digest; by default where the files say."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Image to write; MODEL.tw by default.")
    ] = None,
    check_each_pass: CheckEachPass = False,
    dump_ir: DumpIr = None,
    print_ir_after_all: PrintIrAfterAll = False,
    proof: Proof = True,
    as_json: Json = False,
) -> None:
    """Go on compiling from dumped IR, edited by hand or not, to an image.

    A file says at its head which pass it stands behind and what it was compiled from. Entries
    without a file are compiled from the model again.

    \b
    Examples:
      tilewright resume ir/decode/06-tile.mlir --model samples -o edited.tw
      tilewright resume ir/decode/13-allocate.mlir ir/prefill/13-allocate.mlir -o edited.tw
    """
    from ..resume import resume_model

    with progress_bar() as progress:
        report = resume_model(
            files,
            model=model,
            output=output,
            dump_ir=dump_ir,
            print_ir=print_ir_after_all,
            check_each_pass=check_each_pass,
            progress=progress,
            proof=proof,
        )
    report_image(report, as_json)
