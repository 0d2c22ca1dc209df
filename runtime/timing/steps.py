"""Steps of a language model, timed: a decode of a batch, or the launches of its prompts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from ...backend.bounds import Step, step_of
from ...backend.image import Image
from ...backend.machine import Machine
from ...backend.timing import Work
from ..functional import Parameters
from ..launch import Launch, SessionError, StepShape, split_prompts
from .launch import time_program
from .result import PICOSECONDS, TimingResult

OpCauses = dict[str, dict[str, int]]
"""Model op -> picoseconds by cause."""


@dataclass(frozen=True)
class TimedStep:
    """A step of a batch of sequences. Launches follow each other and do not overlap."""

    phase: str
    step: Step
    """Positions before the step and new ones, of each sequence."""
    digest: str
    """Of the image, which is the one that runs."""
    launches: tuple[TimingResult, ...]
    parameters: tuple[Parameters, ...]
    """Of each launch."""

    @property
    def tokens(self) -> int:
        """New tokens, all sequences together."""
        return self.step.rows

    @property
    def cached(self) -> int:
        """Positions before the step, all sequences together."""
        return self.step.cached

    @property
    def picoseconds(self) -> int:
        """Time of all launches."""
        return sum(launch.picoseconds for launch in self.launches)

    @property
    def seconds(self) -> float:
        """Time of all launches."""
        return self.picoseconds / PICOSECONDS

    @property
    def read_bytes(self) -> int:
        """Bytes out of main memory."""
        return sum(launch.read_bytes for launch in self.launches)

    @property
    def written_bytes(self) -> int:
        """Bytes into main memory."""
        return sum(launch.written_bytes for launch in self.launches)

    @property
    def instructions(self) -> dict[str, int]:
        """Instructions executed, by engine."""
        total: Counter[str] = Counter()
        for launch in self.launches:
            total.update(launch.instructions)
        return dict(total)

    @property
    def burst_bytes(self) -> int:
        """Bytes that main memory was busy with: whole bursts."""
        return sum(launch.burst_bytes for launch in self.launches)

    @property
    def work(self) -> Work:
        """What all launches cost in energy."""
        names = [f.name for f in fields(Work)]
        return Work(**{n: sum(getattr(one.work, n) for one in self.launches) for n in names})

    def op_causes(self) -> dict[str, OpCauses]:
        """Engine -> model op, in the order of the program -> picoseconds by cause."""
        found: dict[str, dict[str, Counter[str]]] = {}
        for launch in self.launches:
            for engine in launch.engines:
                ops = found.setdefault(engine, {})
                for op, causes in launch.op_causes(engine).items():
                    ops.setdefault(op, Counter()).update(causes)
        return {e: {op: dict(c.most_common()) for op, c in ops.items()} for e, ops in found.items()}


def time_step(
    image: Image, machine: Machine, phase: str, contexts: Sequence[int] | None = None
) -> TimedStep:
    """Time a step of the first sequences of an image; the others rest.

    `decode` adds one token to each sequence, so that sequence i has `contexts[i]` positions;
    `prefill` takes a prompt of `contexts[i]` tokens into each, chunk by chunk. None: one sequence,
    as long as the image allows. Launches are those of `Session.decode` and `Session.prefill`.
    Raises SessionError for an entry, a batch or a context that the image does not have.
    """
    if phase not in image.entries:
        entries = ", ".join(image.entries)
        raise SessionError(f"the image has no entry {phase}, only {entries}: it cannot be timed")
    program = image.entries[phase]
    shape = StepShape.of(program)
    step = step_of(phase, [shape.context] if contexts is None else contexts)
    _check(step, shape)
    parameters = tuple(launch.parameters() for launch in launches_of(step, shape))
    launches = tuple(time_program(program, machine, one, image.opcodes) for one in parameters)
    return TimedStep(phase, step, image.digest, launches, parameters)


def launches_of(step: Step, shape: StepShape) -> list[Launch]:
    """The launches of a step: prompts in chunks, logits of the last row of each sequence alone."""
    rest = shape.sequences - len(step.sequences)
    lengths = [s.new for s in step.sequences] + [0] * rest
    cached = [s.cached for s in step.sequences] + [0] * rest
    done = [0] * shape.sequences
    launches: list[Launch] = []
    for taken in split_prompts(lengths, shape):
        before = tuple(c + d for c, d in zip(cached, done, strict=True))
        done = [d + new for d, new in zip(done, taken, strict=True)]
        last: list[int] = []
        row = 0
        for sequence, new in enumerate(taken):
            row += new
            if new and done[sequence] == lengths[sequence]:
                last.append(row - 1)
        launches.append(Launch(tuple((0,) * new for new in taken), before, tuple(last)))
    return launches


def _check(step: Step, shape: StepShape) -> None:
    """Whether the sequences fit the image."""
    if not step.sequences:
        raise SessionError("a step of no sequences: give the context of at least one")
    if len(step.sequences) > shape.sequences:
        raise SessionError(
            f"{len(step.sequences)} sequences exceed the batch of {shape.sequences} that the image "
            "was compiled for: compile it with a larger --batch"
        )
    wanted = max(s.context for s in step.sequences)
    if wanted > shape.context:
        raise SessionError(
            f"a context of {wanted} positions exceeds the {shape.context} that the image was "
            "compiled for: compile it with a larger --max-context"
        )
