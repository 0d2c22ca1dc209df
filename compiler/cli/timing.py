"""`tilewright time`: how long a step takes on the machine, and what the engines waited for."""

from collections import Counter
from typing import Annotated, Any

import typer

from ...backend.errors import TilewrightError
from .options import Context, Json, Phase
from .output import bytes_text, print_columns, print_json

PHASES = ("decode", "prefill")


def time_command(
    image: Annotated[str, typer.Argument(help="An image; it needs no weights.")],
    phase: Phase = "decode",
    context: Context = None,
    ops: Annotated[bool, typer.Option(help="Time of the matrix unit by model op, too.")] = False,
    as_json: Json = False,
) -> None:
    """Time a step of an image and say what engines wait for.

    Seconds, bytes of main memory, and the time of every engine by cause. The first sequence of the
    batch takes part, the others rest. Times follow from the instructions and the machine's
    description alone; values play no part.

    \b
    Examples:
      tilewright time model.tw --context 1024
      tilewright time model.tw --phase prefill --context 512 --ops
      tilewright time shape-only.tw --json
    """
    from ...backend.image import read_image
    from ...backend.machine import Machine
    from ...runtime.timing.steps import time_step
    from .engine import prepare_timing

    check_phase(phase)
    found = read_image(image)
    machine = Machine.from_dict(found.machine)
    prepare_timing()
    result = time_step(found, machine, phase, context)
    if as_json:
        print_json(result.to_dict())
        return
    print(
        f"{phase} of {result.tokens} token{'s' * (result.tokens > 1)} behind {result.cached} on "
        f"{machine.name}: {result.seconds * 1e6:,.1f} us in {len(result.launches)} "
        f"launch{'es' * (len(result.launches) > 1)}"
    )
    print(
        f"main memory: {bytes_text(result.read_bytes)} read, "
        f"{bytes_text(result.written_bytes)} written, busy {result.memory_share:.1%}"
    )
    rows = [("engine", "instructions", "share of its time")]
    for engine, causes in result.causes().items():
        total = sum(causes.values()) or 1
        text = ", ".join(f"{cause} {time / total:.1%}" for cause, time in causes.items()
                         if time * 200 >= total)  # fmt: skip
        rows.append((engine, f"{result.instructions[engine]:,}", text))
    print_columns(rows, right="lr")
    if ops:
        print("\nmatrix unit by model op")
        print_columns(_op_rows(result.ops("mxu"), result.picoseconds), right="lr")


def check_phase(phase: str) -> None:
    """Raises TilewrightError for a phase that is none."""
    if phase not in PHASES:
        raise TilewrightError(f"--phase '{phase}' is unknown; choose: {' or '.join(PHASES)}")


def _op_rows(ops: dict[str, int], total: int) -> list[tuple[Any, ...]]:
    named: Counter[str] = Counter()
    for op, time in ops.items():
        named[op or "(between ops)"] += time
    return [(op, f"{time / (total or 1):.1%}") for op, time in named.items()]
