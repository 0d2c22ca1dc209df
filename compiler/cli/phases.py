"""What `time`, `compare` and `bound` are asked: a phase, and the context of each sequence."""

from ...backend.errors import TilewrightError

PHASES = ("decode", "prefill")
DEFAULT_CONTEXT = 1024
"""Positions of each sequence, if the model allows as many and the user names none."""


def check_phase(phase: str) -> None:
    """Raises TilewrightError for a phase that there is not."""
    if phase not in PHASES:
        raise TilewrightError(f"--phase '{phase}' is unknown; choose: {' or '.join(PHASES)}")


def contexts_of(context: str | None, batch: int | None, default: int) -> list[int]:
    """Positions of each sequence, from `1024` or `1024,80,300` and the number of sequences.

    Without a context every sequence has `default`. Raises TilewrightError.
    """
    if context is None:
        return [default] * (batch or 1)
    try:
        numbers = [int(item) for item in context.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 1:
        raise TilewrightError(
            f"--context '{context}': write one number above 0, or one for each sequence as "
            "1024,80,300"
        )
    if len(numbers) == 1:
        return numbers * (batch or 1)
    if batch not in (None, len(numbers)):
        raise TilewrightError(
            f"--context has {len(numbers)} numbers and --batch is {batch}: leave --batch away"
        )
    return numbers
