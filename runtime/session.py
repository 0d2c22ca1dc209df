"""Running a compiled language model: prompts in, logits out, on the emulated machine.

    session = Session.load("model.tw")
    logits = session.prefill([12, 7, 99])     # float32 [vocabulary]: after the last token
    logits = session.decode(int(logits.argmax()))

A session holds the state of a batch of sequences (their keys and values in emulated hbm). Prompts
longer than a chunk take several launches; sequences of different lengths share one. Nothing is
recompiled for any length up to the maximum context. The compiler is never imported.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from ..backend.image import LOAD_ENTRY, Image, read_image
from ..backend.machine import Machine
from .functional import ENGINES, Emulator, Memories, find_order, host_zeros
from .generate import generate_tokens
from .launch import Launch, SessionError, StepShape, split_prompts
from .sampling import Sampling

Logits = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with (tokens done, tokens in all)."""


def open_emulators(image: Image, engine: str, order: str, checks: bool) -> dict[str, Emulator]:
    """An emulator for each entry, all on the same memories.

    A machine without main memory has its scratchpad filled here, by the image's load entry.
    """
    machine = Machine.from_dict(image.machine)
    memories = Memories.from_image(image)
    emulators = {
        name: Emulator(program, machine, memories, engine, order, checks, image.opcodes)
        for name, program in image.entries.items()
    }
    if LOAD_ENTRY in emulators:
        emulators[LOAD_ENTRY].run()
    return emulators


class Session:
    """The state of a batch of sequences, and the entries of one image that extend them."""

    def __init__(
        self,
        image: Image,
        engine: str = "fast",
        order: str = "sequential",
        checks: bool = True,
        name: str = "the image",
    ) -> None:
        """Prepare the entries of an image, called `name` in errors.

        Raises SessionError when it has no weights or lacks an entry that a language model needs,
        and for an unknown engine; OrderError for an unknown order.
        """
        if not image.has_weights:
            raise SessionError(
                f"{name} holds no weights (it was compiled from a config alone): it can be "
                "inspected, not run; compile a checkpoint with weights instead"
            )
        missing = [entry for entry in ("prefill", "decode") if entry not in image.entries]
        if missing:
            raise SessionError(
                f"{name} has no entry {missing[0]} (it has {', '.join(image.entries)}): it is "
                "no language model; compile one"
            )
        self.image = image
        if engine not in ENGINES:
            raise SessionError(f"engine '{engine}' is unknown; use {' or '.join(ENGINES)}")
        find_order(order)
        self.engine, self._order, self._checks = engine, order, checks
        steps = {name: one for name, one in image.entries.items() if name != LOAD_ENTRY}
        self.shapes = {entry: StepShape.of(program) for entry, program in steps.items()}
        self.executed: dict[str, int] = {}
        """Instructions that each engine has executed in all launches of this session."""
        self._lengths = host_zeros(self.batch, np.int64, "a batch's lengths").tolist()

    @staticmethod
    def load(
        path: str | Path, engine: str = "fast", order: str = "sequential", checks: bool = True
    ) -> "Session":
        """Open an image file. `engine`: `fast` or `reference`; `order`: a named engine order."""
        return Session(read_image(path), engine, order, checks, name=str(path))

    @property
    def batch(self) -> int:
        """Sequences that the image was compiled for."""
        return self._largest.sequences

    @property
    def max_context(self) -> int:
        """Positions a sequence may reach."""
        return self._largest.context

    @property
    def vocabulary(self) -> int:
        """Number of token ids."""
        return self._largest.vocabulary

    @property
    def lengths(self) -> tuple[int, ...]:
        """Positions that the cache holds, of each sequence."""
        return tuple(self._lengths)

    def truncate(self, length: int, sequence: int = 0) -> None:
        """Forget what a sequence holds from position `length` on (0 forgets all)."""
        self._check_sequence(sequence)
        if not 0 <= length <= self._lengths[sequence]:
            raise SessionError(
                f"cannot truncate sequence {sequence} to {length} positions: it holds "
                f"{self._lengths[sequence]}"
            )
        self._lengths[sequence] = length

    def reset(self) -> None:
        """Forget all sequences."""
        self._lengths = [0] * self.batch

    def check(self, prompts: Sequence[Sequence[int]]) -> None:
        """SessionError for prompts (one a sequence) that do not fit or make no sense."""
        self._check_sequence(max(0, len(prompts) - 1))
        if not any(prompts):
            raise SessionError("the prompt is empty: give at least one token")
        for sequence, prompt in enumerate(prompts):
            for position, token in enumerate(prompt):
                if not 0 <= token < self.vocabulary:
                    raise SessionError(
                        f"token id {token} at position {position} of sequence {sequence}: the "
                        f"model has {self.vocabulary} tokens (0 to {self.vocabulary - 1})"
                    )
            held = self._lengths[sequence]
            if held + len(prompt) > self.max_context:
                after = f" after {held} that are cached" if held else ""
                raise SessionError(
                    f"{len(prompt)} tokens{after} do not fit sequence {sequence}: the image was "
                    f"compiled for a context of {self.max_context}; compile with a larger "
                    "--max-context or shorten the prompt"
                )

    @overload
    def prefill(
        self, ids: Sequence[int], all_logits: bool = False, progress: Progress | None = None
    ) -> Logits: ...
    @overload
    def prefill(
        self,
        ids: Sequence[Sequence[int]],
        all_logits: bool = False,
        progress: Progress | None = None,
    ) -> list[Logits | None]: ...
    def prefill(
        self,
        ids: Sequence[int] | Sequence[Sequence[int]],
        all_logits: bool = False,
        progress: Progress | None = None,
    ) -> Logits | list[Logits | None]:
        """Append a prompt to sequence 0, or a list of prompts to the sequences in order.

        Prompts come after what the sequences hold; an empty one in a list leaves its sequence
        alone and gives None. The logits are those after the last token, float32 [vocabulary], or
        of every new position with `all_logits`, float32 [tokens, vocabulary].
        """
        prompts, single = _prompts(ids)
        self.check(prompts)
        results = self._extend(prompts, "prefill", all_logits, progress)
        if not single:
            return results
        assert results[0] is not None
        return results[0]

    @overload
    def decode(self, ids: int) -> Logits: ...
    @overload
    def decode(self, ids: Sequence[int | None]) -> list[Logits | None]: ...
    def decode(self, ids: int | Sequence[int | None]) -> Logits | list[Logits | None]:
        """Append one token to sequence 0, or one (None for none) to each sequence in order.

        The logits that follow it: float32 [vocabulary], in a list for a list.
        """
        if isinstance(ids, int | np.integer):
            return self.decode([int(ids)])[0]  # pyright: ignore[reportReturnType]
        prompts = [[] if token is None else [token] for token in ids]
        self.check(prompts)
        return self._extend(prompts, "decode", False, None)

    def generate(
        self,
        ids: Sequence[int],
        max_tokens: int,
        sampling: Sampling | None = None,
        stop: Sequence[int] = (),
        progress: Progress | None = None,
    ) -> Iterator[int]:
        """Append a prompt to sequence 0 and yield the tokens that follow, each as it is chosen.

        Ends after `max_tokens`, before a token in `stop`, or when the context is full.
        """
        self.check([list(ids)])
        return generate_tokens(self, ids, max_tokens, sampling or Sampling(), stop, progress)

    def launch(self, entry: str, launch: Launch) -> Logits:
        """Run one entry once; its logits, float32 [logit rows, vocabulary]. No state is checked."""
        emulator = self._emulators[entry]
        self._give(emulator, launch)
        for engine, count in emulator.run(launch.parameters()).items():
            self.executed[engine] = self.executed.get(engine, 0) + count
        rows = emulator.read("logits", np.float32).reshape(-1, self.shapes[entry].vocabulary)
        return rows[: len(launch.logit_rows)].copy()

    def _give(self, emulator: Emulator, launch: Launch) -> None:
        """Put a launch's inputs in place."""
        emulator.write("tokens", np.array(launch.packed, dtype=np.int32))
        emulator.write("logit_index", np.array(launch.logit_rows, dtype=np.int32))

    @cached_property
    def _emulators(self) -> dict[str, Emulator]:
        """Made by the first launch: what is refused before it need not wait for a compiler."""
        return open_emulators(self.image, self.engine, self._order, self._checks)

    @property
    def _largest(self) -> StepShape:
        """The shape of the entry with the most rows (batch and context are those of all)."""
        return max(self.shapes.values(), key=lambda shape: shape.rows)

    def _extend(
        self,
        prompts: list[list[int]],
        entry: str,
        all_logits: bool,
        progress: Progress | None,
    ) -> list[Logits | None]:
        """Append prompts (one a sequence, checked) by as many launches as they take."""
        prompts = prompts + [[]] * (self.batch - len(prompts))
        parts: list[list[Logits]] = [[] for _ in prompts]
        done = [0] * len(prompts)
        total = sum(len(prompt) for prompt in prompts)
        for taken in split_prompts([len(prompt) for prompt in prompts], self.shapes[entry]):
            rows = range(sum(taken))
            tokens = [p[d : d + n] for p, d, n in zip(prompts, done, taken, strict=True)]
            ends = [d + n == len(p) for p, d, n in zip(prompts, done, taken, strict=True)]
            starts = np.cumsum([0, *taken]).tolist()
            owners = [b for b, n in enumerate(taken) if n and (all_logits or ends[b])]
            wanted = rows if all_logits else [starts[b] + taken[b] - 1 for b in owners]
            launch = Launch(
                tokens=tuple(tuple(part) for part in tokens),
                cached=tuple(self._lengths),
                logit_rows=tuple(wanted),
            )
            logits = self.launch(entry, launch)
            row = 0
            for b in owners:
                count = taken[b] if all_logits else 1
                parts[b].append(logits[row : row + count])
                row += count
            for b, count in enumerate(taken):
                done[b] += count
                self._lengths[b] += count
            if progress is not None:
                progress(sum(done), total)
        joined = [np.concatenate(part) if part else None for part in parts]
        return [x if x is None or all_logits else x[0] for x in joined]

    def _check_sequence(self, sequence: int) -> None:
        if not 0 <= sequence < self.batch:
            raise SessionError(
                f"sequence {sequence}: the image was compiled for a batch of {self.batch} "
                f"(0 to {self.batch - 1}); compile with a larger --batch"
            )


def _prompts(
    ids: Sequence[int] | Sequence[Sequence[int]],
) -> tuple[list[list[int]], bool]:
    """One list of ids a sequence, and whether a single prompt was given."""
    nested = [item for item in ids if not isinstance(item, int | np.integer)]
    if not nested:
        return [[int(token) for token in ids if isinstance(token, int | np.integer)]], True
    if len(nested) != len(ids):
        raise SessionError("prompts must be one list of token ids, or a list of such lists")
    return [[int(token) for token in prompt] for prompt in nested], False
