"""`programs_for_step`: an image in memory that fits a step, for `tilewright time MODEL`."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend.errors import TilewrightError
from ..backend.image import Image, sealed_image
from .driver import CompiledEntry, Progress, Watchers, compile_programs
from .frontend import Model


def programs_for_step(
    model: Model,
    phase: str,
    contexts: Sequence[int],
    machine: str = "tw-1",
    policy: str = "bf16",
    weights: str | None = None,
    chunk: int | None = None,
    progress: Progress | None = None,
    max_context: int | None = None,
    watchers: Watchers | None = None,
) -> tuple[Image, dict[str, CompiledEntry]]:
    """All entries of a model, for a batch of these contexts: programs alone, no weights.

    The image has one sequence for each context, and a cache as long as the longest, or
    `max_context`. A launch of `prefill` takes `chunk` tokens of a sequence: by default the longest
    prompt where prompts are timed, else what `compile_model` takes. `watchers` gives what is called
    after each pass of an entry. Beside the image stands what compiling each entry gave. Raises
    TilewrightError for whatever the user can mend.
    """
    longest = max(contexts)
    if model.config is None:
        raise TilewrightError(
            f"{model.path}: is a graph: a step needs a model; name its config.json, directory or "
            ".gguf file"
        )
    if longest > model.most_context:
        raise TilewrightError(
            f"{model.path}: a context of {longest} positions exceeds the {model.most_context} that "
            "the model has: ask for fewer"
        )
    if max_context is not None and max_context < longest:
        raise TilewrightError(
            f"--max-context {max_context}: the step has a context of {longest} positions; ask for "
            "as many, or for a shorter --context"
        )
    image, compiled = compile_programs(
        model,
        machine=machine,
        max_context=max_context or longest,
        policy=policy,
        batch=len(contexts),
        chunk=chunk or (longest if phase == "prefill" else None),
        weights=weights,
        progress=progress,
        watchers=watchers,
    )
    return sealed_image(image), compiled
