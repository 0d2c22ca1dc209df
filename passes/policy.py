"""Numeric policies: which element types a module's attribute `tw.policy` stands for."""

from collections.abc import Mapping
from dataclasses import dataclass

from xdsl.dialects.builtin import AnyFloat, ModuleOp, StringAttr, bf16, f32

from .located import PassError


@dataclass(frozen=True)
class Policy:
    """Rounding happens where the vector unit stores; these are the types it stores to."""

    name: str
    operand: AnyFloat
    """Left operands of matmuls: activations, queries, probabilities."""
    cache: AnyFloat
    """Keys and values."""
    significand: int
    """Bits of the operand's significand, the hidden one included."""
    weights: Mapping[str, str]
    """Formats that are stored as another."""


POLICIES = {
    policy.name: policy
    for policy in (
        Policy("exact", f32, f32, 24, {}),
        Policy("bf16", bf16, bf16, 8, {"f32": "bf16"}),
    )
}


def policy_of(module: ModuleOp) -> Policy:
    """The policy that the module names. Raises PassError if it names none or an unknown one."""
    attribute = module.attributes.get("tw.policy")
    name = attribute.data if isinstance(attribute, StringAttr) else None
    if name not in POLICIES:
        found = "nothing" if name is None else repr(name)
        raise PassError(
            f"module attribute tw.policy: found {found}, wanted {', '.join(POLICIES)}", module
        )
    return POLICIES[name]
