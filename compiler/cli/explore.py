"""`tilewright explore`: one HTML file to look at a compiled model in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import (
    Contexts,
    MaxContext,
    ModelOrImage,
    Phase,
    Sequences,
    TimedChunk,
    TimedMachine,
    TimedPolicy,
    Weights,
)
from .output import bytes_text
from .timed_step import AskedStep, find_step, timed

if TYPE_CHECKING:  # they bring xDSL, which would multiply the time of --help
    from ..explore import Compiled
    from ..pipeline import AfterPass, Handed


def explore_command(
    model: ModelOrImage,
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path(
        "explore.html"
    ),
    machine: TimedMachine = None,
    phase: Phase = "decode",
    context: Contexts = None,
    batch: Sequences = None,
    policy: TimedPolicy = None,
    weights: Weights = None,
    chunk: TimedChunk = None,
    max_context: MaxContext = None,
) -> None:
    """Write one HTML file that shows a compiled model at every level, and a timed step.

    What each pass changed, any two levels side by side, one op of the model from the graph to its
    instructions. The page needs no network. An image holds no IR: of it, instructions and times
    are shown. docs/explore.md says what each view answers.

    \b
    Examples:
      tilewright explore samples/tiny-shakespeare --machine tw-small --context 64 -o page.html
      tilewright explore tiny.tw --context 128 -o image.html
      tilewright explore samples/configs/llama-3-70b/config.json --weights int4-g128 -o 70b.html
    """
    from ..explore import document, render

    asked = AskedStep(model, machine, phase, context, batch, policy, weights, chunk, max_context)
    text = render(document(compiled(asked)))
    output.write_text(text, encoding="utf-8")
    print(f"{output}: {bytes_text(output.stat().st_size)}; open it in a browser")


def compiled(asked: AskedStep) -> Compiled:
    """What the page shows: the image of a step, its IR after each pass if it is compiled here, and
    the step, timed."""
    from ..explore import Compiled, Recorder

    recorders: dict[str, Recorder] = {}

    def watchers(entry: str, handed: Handed) -> list[AfterPass]:
        recorders[entry] = Recorder()
        return [recorders[entry].after_pass]

    found = find_step(asked, watchers=watchers)
    return Compiled(
        asked.model,
        found.image,
        timed(found.image, asked.phase, found.contexts),
        {entry: recorders[entry].dumps for entry in found.entries},
        {entry: one.report.passes for entry, one in found.entries.items()},
    )
