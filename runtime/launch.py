"""A launch: which rows of which sequences one run of an entry works on.

An entry is a ragged step: sequence b owns the packed rows row_start[b] .. + q_len[b], and its
query i stands at position kv_len[b] + i. Everything here is plain arithmetic on lengths; the
numbers come from the entry's own parameter table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..backend.errors import TilewrightError
from ..backend.isa import Program

FLOAT_BYTES = 4


class SessionError(TilewrightError):
    """A request that the loaded image cannot serve: names what was asked and what is possible."""


@dataclass(frozen=True)
class StepShape:
    """Limits of one entry."""

    rows: int
    """Packed rows of all sequences in one launch."""
    sequences: int
    """Sequences of the batch."""
    chunk: int
    """New tokens of one sequence in one launch."""
    context: int
    """Positions of one sequence that the cache holds."""
    vocabulary: int
    """Tokens, and columns of the logits."""

    @staticmethod
    def of(program: Program) -> "StepShape":
        """Read the limits from the entry's parameter table and its output region.

        Raises SessionError where the logits are no rows.
        """
        rows, logits = program.parameter("rows").hi, program.region("logits").nbytes
        lengths = program.parameter("q_len")
        if rows < 1 or logits < 1 or logits % (rows * FLOAT_BYTES):
            raise SessionError(
                f"{logits} bytes of logits for {rows} rows of a launch: the image is malformed; "
                "compile it again"
            )
        return StepShape(
            rows=rows,
            sequences=lengths.count,
            chunk=lengths.hi,
            context=program.parameter("kv_len").hi + 1,
            vocabulary=logits // (rows * FLOAT_BYTES),
        )


@dataclass(frozen=True)
class Launch:
    """One run of an entry: new tokens of each sequence, and the rows whose logits are wanted."""

    tokens: tuple[tuple[int, ...], ...]
    """New token ids of each sequence; an empty one takes no part."""
    cached: tuple[int, ...]
    """Positions of each sequence that the cache holds before the run."""
    logit_rows: tuple[int, ...]
    """Packed rows that go through the head, in the order of the logits."""

    @property
    def row_start(self) -> list[int]:
        """First packed row of each sequence."""
        starts: list[int] = []
        row = 0
        for tokens in self.tokens:
            starts.append(row)
            row += len(tokens)
        return starts

    @property
    def packed(self) -> list[int]:
        """Token id of each packed row."""
        return [token for tokens in self.tokens for token in tokens]

    def parameters(self) -> dict[str, int | Sequence[int]]:
        """The launch-parameter table by name."""
        return {
            "rows": len(self.packed),
            "logit_rows": len(self.logit_rows),
            "row_start": self.row_start,
            "q_len": [len(tokens) for tokens in self.tokens],
            # One that rests may be full, and then has no position left to name.
            "kv_len": [n if new else 0 for n, new in zip(self.cached, self.tokens, strict=True)],
        }


def split_prompts(lengths: Sequence[int], shape: StepShape) -> list[list[int]]:
    """New tokens of each sequence in each launch, until all `lengths` are served.

    A sequence takes a whole chunk (or all it has left) or waits for the next launch, so its
    chunk borders, and with them its bits, do not depend on its neighbours.
    """
    left = list(lengths)
    launches: list[list[int]] = []
    while any(left):
        room = shape.rows
        taken: list[int] = []
        for length in left:
            wanted = min(length, shape.chunk)
            taken.append(wanted if wanted <= room else 0)
            room -= taken[-1]
        if not any(taken):
            raise SessionError(
                f"a chunk of {shape.chunk} tokens does not fit the {shape.rows} rows of a launch: "
                "the image is malformed; compile it again"
            )
        launches.append(taken)
        left = [length - took for length, took in zip(left, taken, strict=True)]
    return launches
