"""`tilewright explore`: one HTML file to look at a compiled model in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...backend.errors import TilewrightError
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
from .output import bytes_text, progress_bar
from .phases import DEFAULT_CONTEXT, check_phase, contexts_of
from .text import is_image
from .timing import DEFAULT_MACHINE, DEFAULT_POLICY, image_and_contexts, timed

if TYPE_CHECKING:  # they bring xDSL, which would multiply the time of --help
    from ..explore.document import Compiled


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
    from ..explore.document import Compiled

    check_phase(phase)
    if is_image(model):
        if max_context is not None:
            raise TilewrightError(
                f"--max-context {max_context}: {model} is an image; leave the option away, or name "
                "the model instead of the image"
            )
        image, contexts = image_and_contexts(
            model, machine, phase, context, batch, policy, weights, chunk
        )
        found = Compiled(model, image, timed(image, phase, contexts))
    else:
        found = of_model(model, machine, phase, context, batch, policy, weights, chunk, max_context)
    text = render(document(found))
    output.write_text(text, encoding="utf-8")
    print(f"{output}: {bytes_text(output.stat().st_size)}; open it in a browser")


def of_model(
    path: str,
    machine: str | None,
    phase: str,
    context: str | None,
    batch: int | None,
    policy: str | None,
    weights: str | None,
    chunk: int | None,
    max_context: int | None,
) -> Compiled:
    """A model, compiled in memory with the IR after each pass kept, and a timed step of it."""
    from ..explore.document import Compiled
    from ..explore.record import Recorder
    from ..frontend import load_model
    from ..pipeline import AfterPass
    from ..timing import programs_for_step

    loaded = load_model(path)
    contexts = contexts_of(context, batch, min(DEFAULT_CONTEXT, loaded.most_context))
    recorders: dict[str, Recorder] = {}

    def watchers(entry: str) -> list[AfterPass]:
        recorders[entry] = Recorder()
        return [recorders[entry].after_pass]

    with progress_bar() as progress:
        image, compiled = programs_for_step(
            loaded,
            phase,
            contexts,
            machine or DEFAULT_MACHINE,
            policy or DEFAULT_POLICY,
            weights,
            chunk,
            progress,
            max_context,
            watchers,
        )
    return Compiled(
        path,
        image,
        timed(image, phase, contexts),
        {entry: recorders[entry].dumps for entry in compiled},
        {entry: one.report.passes for entry, one in compiled.items()},
    )
