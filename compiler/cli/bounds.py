"""`tilewright bound`: how fast a step could be at best, whatever the compiler does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .options import Contexts, Json, MachineName, Phase, Policy, Sequences, Weights
from .output import bytes_text, note, note_machine, print_columns, print_json
from .phases import DEFAULT_CONTEXT, check_phase, contexts_of

if TYPE_CHECKING:  # they bring numpy, which would double the time of --help
    from ...backend.bounds import Bound, Step
    from ...backend.machine import Machine


def bound(
    model: Annotated[
        str, typer.Argument(help="A .gguf file, a Hugging Face directory, or a config.json alone.")
    ],
    machine: MachineName = "tw-1",
    phase: Phase = "decode",
    context: Contexts = None,
    batch: Sequences = None,
    policy: Policy = "bf16",
    weights: Weights = None,
    as_json: Json = False,
) -> None:
    """Bounds of a step: bytes, multiply-adds, vector work and dependencies, by op and in total.

    They follow from the model's sizes and the machine's description alone. docs/bounds.md says what
    each of them proves.

    \b
    Examples:
      tilewright bound samples/configs/llama-2-7b/config.json --machine essay-3tbs
      tilewright bound samples/tiny-shakespeare --phase prefill --context 64 --policy exact
      tilewright bound samples/configs/qwen3-8b/config.json --batch 8 --weights int4-g128 --json
    """
    from ...backend.bounds import least_energy, step_of
    from ...backend.machine import load_machine
    from ...backend.timing.energy import area_of
    from ..bound import bound_model
    from ..frontend import load_model

    description = load_machine(machine)
    check_phase(phase)
    opened = load_model(model)
    contexts = contexts_of(context, batch, min(DEFAULT_CONTEXT, opened.most_context))
    step = step_of(phase, contexts)
    found = bound_model(opened, step, description, policy, weights)
    energy = least_energy(description, found.bound)
    if as_json:
        print_json(
            {
                "model": opened.name,
                "machine": description.name,
                "phase": phase,
                "sequences": [[s.cached, s.new] for s in step.sequences],
                "policy": policy,
                "formats": dict(found.formats),
                "needed_bytes": found.needed_bytes,
                "chips": found.chips,
                "fits": found.chips == 1,
                **found.bound.to_dict(),
                "joules": energy.to_dict(),
                "area_mm2": area_of(description).to_dict(),
                "warnings": list(description.warnings()),
                "note": description.note,
            }
        )
        return
    note_machine(description)
    if found.chips > 1:
        held = description.hbm_bytes or description.spm_bytes
        note(
            f"{opened.name} and its cache need {bytes_text(found.needed_bytes)}; "
            f"{description.name} has {bytes_text(held)}: it does not fit, and would "
            f"take {found.chips} of them"
        )
    print_bound(found.bound, step, description)
    print(
        f"at least {energy.total:.3g} J: "
        + ", ".join(
            f"{name} {joules / (energy.total or 1):.0%}" for name, joules in vars(energy).items()
        )
    )


def print_bound(found: Bound, step: Step, machine: Machine) -> None:
    """The table for people: an op a line, then totals and floors."""
    rows: list[tuple[str, ...]] = [
        ("op", "bytes", "multiply-adds", "hbm us", "matrix us", "vector us", "binds")
    ]
    for one in found.ops:
        times = (one.hbm_ps, one.matrix_ps, one.vector_ps)
        rows.append(
            (
                one.op.name,
                f"{one.op.bytes.total:,}",
                f"{one.op.macs:,}",
                *(f"{ps / 1e6:,.2f}" for ps in times),
                one.binds if any(times) else "",
            )
        )
    totals = (found.hbm_ps, found.matrix_ps, found.vector_ps)
    total = (f"{ps / 1e6:,.2f}" for ps in totals)
    rows.append(("total", f"{found.bytes.total:,}", f"{found.macs:,}", *total, ""))
    print_columns(rows, indent="", right="lrrrrr")
    parts = {
        "weights": found.bytes.weights,
        "cache read": found.bytes.kv_read,
        "cache written": found.bytes.kv_written,
        "rows": found.bytes.rows,
        "logits": found.bytes.logits,
    }
    print("bytes: " + ", ".join(f"{name} {count:,}" for name, count in parts.items()))
    print(
        f"dependencies: {found.chain.picoseconds / 1e6:,.2f} us, a layer "
        f"{found.chain.layer_picoseconds / 1e6:,.2f}; multiply-adds at the arrays' peak: "
        f"{found.peak_ps / 1e6:,.2f} us"
    )
    print(
        f"bound: {found.picoseconds / 1e6:,.2f} us ({found.binds}) for {step.rows} "
        f"row{'s' * (step.rows != 1)} on {machine.name}"
    )
