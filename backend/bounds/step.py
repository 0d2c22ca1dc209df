"""What a bound is asked of: a model's sizes, a step of sequences, a numeric policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..errors import TilewrightError


class BoundError(TilewrightError):
    """A step or policy that has no bound: names what was found and what was wanted."""


class RopeSizes(Protocol):
    """What a bound reads of a rotary embedding."""

    @property
    def dim(self) -> int: ...


class ModelSizes(Protocol):
    """What a bound reads of a model; `compiler.frontend.ModelConfig` is one."""

    @property
    def layers(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def heads(self) -> int: ...
    @property
    def kv_heads(self) -> int: ...
    @property
    def head_dim(self) -> int: ...
    @property
    def ffn(self) -> int: ...
    @property
    def vocab(self) -> int: ...
    @property
    def rope(self) -> RopeSizes: ...
    @property
    def qkv_bias(self) -> bool: ...
    @property
    def output_bias(self) -> bool: ...
    @property
    def mlp_bias(self) -> bool: ...
    @property
    def qk_norm(self) -> bool: ...


@dataclass(frozen=True)
class PolicySizes:
    """What a numeric policy means for bytes and phases."""

    significand: int
    """Bits of the significand of activations, queries and probabilities, and of K and V."""
    cache_bytes: int
    """Bytes of an element of the KV cache."""


POLICIES = {"exact": PolicySizes(24, 4), "bf16": PolicySizes(8, 2)}


def find_policy(name: str) -> PolicySizes:
    """The policy's row. Raises BoundError with the known names."""
    if name not in POLICIES:
        raise BoundError(f"policy {name!r}: unknown; wanted one of {', '.join(POLICIES)}")
    return POLICIES[name]


@dataclass(frozen=True)
class Ragged:
    """One sequence of a step: positions in the cache before it, and new positions."""

    cached: int
    new: int

    @property
    def context(self) -> int:
        """Positions that the last row attends."""
        return self.cached + self.new

    @property
    def pairs(self) -> int:
        """Scores of one head: row i attends positions 0 .. cached + i."""
        return self.new * self.cached + self.new * (self.new + 1) // 2


@dataclass(frozen=True)
class Step:
    """A step: what one launch does, or several that share the reading of the weights."""

    sequences: tuple[Ragged, ...]
    logit_rows: int
    """Rows whose logits are wanted."""

    def __post_init__(self) -> None:
        for sequence in self.sequences:
            if sequence.cached < 0 or sequence.new < 0:
                raise BoundError(f"step: found {sequence}, wanted no negative number of positions")
        if not 0 <= self.logit_rows <= self.rows:
            raise BoundError(
                f"step: found {self.logit_rows} rows of logits, wanted 0 to {self.rows}"
            )

    @property
    def rows(self) -> int:
        """Rows that pass through the layers."""
        return sum(sequence.new for sequence in self.sequences)

    @property
    def cached(self) -> int:
        """Cached positions, all sequences together."""
        return sum(sequence.cached for sequence in self.sequences if sequence.new)

    @property
    def positions(self) -> int:
        """Different positions of the rows: as many rows of the rope tables."""
        spans = sorted((s.cached, s.context) for s in self.sequences if s.new)
        count, end = 0, 0
        for first, last in spans:
            count += max(0, last - max(first, end))
            end = max(end, last)
        return count


def step_of(phase: str, contexts: Sequence[int]) -> Step:
    """A decode step or prompts of an empty cache, by the phase's name. Raises BoundError."""
    if phase not in ("decode", "prefill"):
        raise BoundError(f"phase {phase!r}: unknown; wanted decode or prefill")
    return decode_step(contexts) if phase == "decode" else prefill_step(contexts)


def decode_step(contexts: Sequence[int]) -> Step:
    """One new token of each sequence; `contexts` counts positions, the new one included."""
    for context in contexts:
        if context < 1:
            raise BoundError(f"context: found {context}, wanted 1 or more")
    return Step(tuple(Ragged(context - 1, 1) for context in contexts), len(contexts))


def prefill_step(prompts: Sequence[int], cached: int = 0) -> Step:
    """Prompts of so many tokens behind `cached` positions each; logits of the last rows alone."""
    for prompt in prompts:
        if prompt < 1:
            raise BoundError(f"prompt: found {prompt} tokens, wanted 1 or more")
    return Step(tuple(Ragged(cached, prompt) for prompt in prompts), len(prompts))
