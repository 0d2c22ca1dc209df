"""`tilewright machines`: the machine descriptions at hand, and their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .output import bytes_text, note, print_columns, print_json

if TYPE_CHECKING:
    from ...backend.machine import Machine


def machines(
    machine: Annotated[
        str, typer.Argument(help="Name of a machine, or a .toml file: print all its numbers.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the machine descriptions that come along, or print one and its area.

    \b
    Examples:
      tilewright machines
      tilewright machines tw-1
      tilewright machines tpu-v5e --json
    """
    from ...backend.machine import load_machine, machine_names
    from ...backend.timing.energy import area_of

    if machine:
        description = load_machine(machine)
        numbers = description.to_dict() | {"digest": description.digest()}
        area = area_of(description).to_dict()
        if as_json:
            print_json(numbers | {"area_mm2": area})
        else:
            rows = [(key, str(value)) for key, value in numbers.items()]
            rows += [(f"area_{name}", f"{square:.4g} mm2") for name, square in area.items()]
            print_columns(rows, indent="")
            for warning in description.warnings():
                note(f"warning: {warning}")
        return
    known = [load_machine(name) for name in machine_names()]
    if as_json:
        print_json([description.to_dict() for description in known])
        return
    for description in known:
        arrays = f"{description.arrays} x {description.array_rows} x {description.array_columns}"
        print(
            f"{description.name}: scratchpad {bytes_text(description.spm_bytes)}, "
            f"accumulators {bytes_text(description.acc_bytes)}, arrays {arrays}, "
            f"{description.lanes} lanes, {main_memory(description)}, "
            f"{description.clock_hz / 1e9:g} GHz"
            + (f"; {description.note}" if description.note else "")
        )


def main_memory(machine: Machine) -> str:
    """Size and bandwidth of the main memory, if there is one."""
    if not machine.has_hbm:
        return "no hbm"
    return f"hbm {bytes_text(machine.hbm_bytes)} at {machine.hbm_bytes_per_second / 1e9:g} GB/s"
