"""`bound_model`: the floors of a step of a loaded model, with the formats it would be packed in."""

from __future__ import annotations

from dataclasses import dataclass

from ..backend.bounds import Bound, BoundError, Formats, Step, bound_of, find_policy
from ..backend.errors import TilewrightError
from ..backend.formats import find_format, format_name
from ..backend.machine import Machine
from ..passes.policy import POLICIES
from .frontend import Model, ModelConfig, Parameters


@dataclass(frozen=True)
class ModelBound:
    """The bound of a step, and whether the model fits the machine at all."""

    bound: Bound
    needed_bytes: int
    """What all weights and the caches of the step's sequences take up."""
    chips: int
    """How many of the machine hold that, at least: in main memory, or in scratchpad if none."""
    formats: Formats


def bound_model(
    model: Model, step: Step, machine: Machine, policy: str, weights: str | None = None
) -> ModelBound:
    """The floors of a step; `weights` is the format that matmuls' parameters are quantised to.

    Raises TilewrightError for a graph without a config, and for an unknown policy or format.
    """
    if model.config is None or model.parameters is None:
        raise TilewrightError(
            f"{model.path}: is a graph: a bound needs the sizes of a model; name its config.json, "
            "directory or .gguf file"
        )
    find_policy(policy)
    longest = max((s.context for s in step.sequences), default=0)
    if longest > model.most_context:
        raise BoundError(
            f"{model.path}: a context of {longest} positions exceeds the {model.most_context} that "
            "the model has: ask for fewer"
        )
    formats = formats_of(model.parameters, policy, weights)
    bound = bound_of(model.config, step, machine, policy, formats)
    needed = _needed(model.config, model.parameters, step, policy, formats)
    return ModelBound(bound, needed, machine.chips_for(needed), formats)


def formats_of(parameters: Parameters, policy: str, weights: str | None) -> Formats:
    """Symbol -> format of each matrix, as `choose-formats` decides. Raises FormatError."""
    changed = POLICIES[policy].weights
    wanted = None if weights is None else format_name(weights)
    return {
        p.symbol: p.format if p.order == "nk" else wanted or changed.get(p.format, p.format)
        for p in parameters.all
        if p.columns is not None
    }


def _needed(
    config: ModelConfig, parameters: Parameters, step: Step, policy: str, formats: Formats
) -> int:
    """Bytes of matrices and caches; vectors and tables are small beside them."""
    total = 0
    for p in parameters.all:
        if p.columns is not None:
            spec = find_format(formats[p.symbol])
            layers = config.layers if p.layered else 1
            total += layers * p.rows * spec.row_bytes(p.columns)
    positions = sum(s.context for s in step.sequences)
    element = find_policy(policy).cache_bytes
    return total + 2 * config.layers * config.kv_heads * config.head_dim * positions * element
