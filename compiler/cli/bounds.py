"""`tilewright bound`: how fast a step could be at best, whatever the compiler does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ...backend.errors import TilewrightError
from .options import BatchSize, Json, MachineName
from .output import bytes_text, note, print_columns, print_json

if TYPE_CHECKING:  # they bring numpy, which would double the time of --help
    from ...backend.bounds import Bound, Step
    from ...backend.machine import Machine

PHASES = ("decode", "prefill")
NAMES = {"int8": "i8", "int4": "i4"}
"""Other words for the formats of the table: int8, int4-g128."""


def bound(
    model: Annotated[
        str, typer.Argument(help="A .gguf file, a Hugging Face directory, or a config.json alone.")
    ],
    machine: MachineName = "tw-1",
    phase: Annotated[
        str, typer.Option(help="decode: one new token a sequence. prefill: prompts of --context.")
    ] = "decode",
    context: Annotated[
        str,
        typer.Option(
            help="decode: positions with the new one; prefill: tokens of a prompt. One number, or "
            "one for each sequence: 1024,80,300."
        ),
    ] = "1024",
    batch: BatchSize = 1,
    policy: Annotated[
        str, typer.Option(help="Arithmetic: exact (float32 activations) or bf16.")
    ] = "bf16",
    weights: Annotated[
        str | None,
        typer.Option(
            help="Format that matmul weights are quantised to (bf16, int8, int4-g128, q4_0, ...); "
            "by default they stay as the checkpoint has them."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bounds of a step: bytes, multiply-adds, vector work and dependencies, by op and in total.

    They follow from the model's sizes and the machine's description alone. docs/bounds.md says what
    each of them proves.

    \b
    Examples:
      tilewright bound samples/configs/llama-2-7b/config.json --machine essay-3tbs
      tilewright bound model.gguf --phase prefill --context 512 --policy exact
      tilewright bound config.json --machine tpu-v5e --batch 8 --weights int4-g128 --json
    """
    from ...backend.bounds import least_energy
    from ...backend.machine import load_machine
    from ...backend.timing.energy import area_of
    from ..bound import bound_model
    from ..frontend import load_model

    description = load_machine(machine)
    step = step_of(phase, context, batch)
    opened = load_model(model)
    found = bound_model(opened, step, description, policy, weight_format(weights))
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
                "joules": {**vars(energy), "total": energy.total},
                "area_mm2": {**vars(area_of(description)), "total": area_of(description).total},
                "warnings": list(description.warnings()),
                "note": description.note,
            }
        )
        return
    for text in (description.note, *description.warnings()):
        if text:
            note(f"{description.name}: {text}")
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


def step_of(phase: str, context: str, batch: int) -> Step:
    """The step that the options describe. Raises TilewrightError."""
    from ...backend.bounds import decode_step, prefill_step

    if phase not in PHASES:
        raise TilewrightError(f"--phase '{phase}' is unknown; choose: {' or '.join(PHASES)}")
    try:
        numbers = [int(item) for item in context.split(",")]
    except ValueError:
        raise TilewrightError(
            f"--context '{context}': write one number, or one for each sequence as 1024,80,300"
        ) from None
    if len(numbers) == 1:
        numbers *= batch
    elif batch not in (1, len(numbers)):
        raise TilewrightError(
            f"--context has {len(numbers)} numbers and --batch is {batch}: leave --batch away"
        )
    return decode_step(numbers) if phase == "decode" else prefill_step(numbers)


def weight_format(name: str | None) -> str | None:
    """A format's name in the table, for `int8` and `int4-g128` too."""
    if name is None:
        return None
    text = name.replace("-", "_")
    for word, short in NAMES.items():
        if text == word or text.startswith(f"{word}_"):
            return short + text[len(word) :]
    return text


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
