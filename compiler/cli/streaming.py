"""Generating with a stopwatch: text goes out as it comes, the times of both phases are kept."""

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

from ...runtime.sampling import Sampling
from ...runtime.session import Session
from ...runtime.tokenizer import Tokenizer
from .engine import prepare_engine
from .output import progress_bar


@dataclass(frozen=True)
class Generated:
    """What one generation gave, and how long it took (seconds of wall time)."""

    prompt_tokens: int
    tokens: list[int]
    text: str
    prompt_seconds: float
    """From the request to the first token."""
    token_seconds: float
    """From the first token to the last."""

    @property
    def tokens_per_second(self) -> float:
        """Rate of the tokens after the first; 0 when there is none."""
        later = len(self.tokens) - 1
        return later / self.token_seconds if later > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"tokens_per_second": self.tokens_per_second}

    def summary(self) -> str:
        """One line for people."""
        return (
            f"{self.prompt_tokens} prompt tokens in {self.prompt_seconds:.2f} s, "
            f"{len(self.tokens)} new tokens at {self.tokens_per_second:.1f} a second"
        )


def stream(
    session: Session,
    tokenizer: Tokenizer,
    ids: Sequence[int],
    max_tokens: int,
    sampling: Sampling,
    write: Callable[[str], object],
) -> Generated:
    """Generate on sequence 0 and hand each piece of text to `write`; a bar shows the prompt."""
    session.check([ids])
    prepare_engine(session.engine)
    start = first = time.perf_counter()
    tokens: list[int] = []
    text: list[str] = []
    pieces = tokenizer.stream()

    def out(piece: str) -> None:
        text.append(piece)
        write(piece)

    with ExitStack() as stack:
        progress = stack.enter_context(progress_bar())
        stops = sorted(tokenizer.eos)
        for token in session.generate(
            ids, max_tokens, sampling, stops, lambda done, total: progress("prompt", done, total)
        ):
            if not tokens:
                first = time.perf_counter()
                stack.close()
            tokens.append(token)
            out(pieces.add(token))
    out(pieces.finish())
    end = time.perf_counter()
    return Generated(
        prompt_tokens=len(ids),
        tokens=tokens,
        text="".join(text),
        prompt_seconds=(first if tokens else end) - start,
        token_seconds=end - first if tokens else 0.0,
    )
