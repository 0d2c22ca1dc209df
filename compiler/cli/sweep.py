"""`tilewright sweep`: a step on many machines, by time, energy and area."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Contexts, Json, Phase, Policy, Sequences, Weights
from .output import note, print_columns, print_json, progress_bar
from .phases import DEFAULT_CONTEXT, check_phase, contexts_of

if TYPE_CHECKING:
    from ..sweep import Result, Sweep, Workload

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""
INTERNAL_ERROR = 1
"""Exit status when a point broke where nothing should."""
MILLI, MICRO = 1e3, 1e6


def sweep(
    model: Annotated[
        str, typer.Argument(help="A .gguf file, a Hugging Face directory, or a config.json alone.")
    ],
    machine: Annotated[
        list[str] | None,
        typer.Option(help="Name of a machine or a .toml file; may be repeated. tw-1 by default."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A number of the machine and its values: spm.bytes=1MiB,4MiB or "
            "hbm.bandwidth=1TB/s..8TB/s*2 or lanes=64..256+64. May be repeated: every combination.",
        ),
    ] = None,
    phase: Phase = "decode",
    context: Contexts = None,
    batch: Sequences = None,
    policy: Policy = "bf16",
    weights: Weights = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            help="Tokens of one sequence in one launch of prefill; the longest prompt by default.",
            min=1,
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(help="Processes; as many as processors by default.", min=1)
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Write a picture, .png or .svg; needs the extra tilewright[plot]."),
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Use results of earlier sweeps, and keep.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Compile and time a step on machines with every combination of some numbers.

    For each: time, its share of the bound, energy, area, and whether it is on the Pareto front of
    these three. Machines that contradict themselves or do not hold the model are listed with the
    reason. docs/sweep.md says how numbers are written and what results mean.

    \b
    Examples:
      tilewright sweep samples/tiny-shakespeare --machine tw-small --set spm.bytes=128KiB..1MiB*2
      tilewright sweep samples/tiny-shakespeare --machine tw-1 --machine tpu-v5e --json
      tilewright sweep samples/tiny-shakespeare --context 64 --set lanes=64..256*2 --plot lanes.svg
    """
    from ...backend.machine import load_machine
    from ..bound import bound_model
    from ..frontend import load_model
    from ..sweep import (
        Cache,
        Workload,
        default_folder,
        default_jobs,
        held_back,
        model_digest,
        points_of,
        read_settings,
        run_points,
    )
    from .engine import prepare_timing

    described = [load_machine(name) for name in machine or ["tw-1"]]
    values = read_settings(settings or [])
    points = points_of(described, values)
    check_phase(phase)
    opened = load_model(model)
    contexts = contexts_of(context, batch, min(DEFAULT_CONTEXT, opened.most_context))
    workload = Workload(model, phase, tuple(contexts), policy, weights, chunk)
    # What no machine could have is an error of the command, not of each point.
    bound_model(opened, workload.step, described[0], policy, weights)
    if plot is not None:
        from ..sweep.plot import check_plot

        check_plot(plot)
    store = Cache(default_folder()) if cache else None
    for text in held_back(list(values)):
        note(text)
    prepare_timing()
    done, count = 0, len(points)
    try:
        with progress_bar() as progress:

            def report(now: int, total: int) -> None:
                nonlocal done, count
                done, count = now, total
                progress("points", now, total)

            found = run_points(
                points, workload, model_digest(opened), store, jobs or default_jobs(), report
            )
    except KeyboardInterrupt:
        kept = "are kept: the same command goes on from there" if store else "are lost: --no-cache"
        note(f"interrupted; {done} of {count} points {kept}")
        sys.exit(INTERRUPTED)
    if as_json:
        print_json(to_json(found, workload, opened.name))
    else:
        print_sweep(found, workload, len(described) > 1)
    if found.kept:
        note(f"{found.kept} of {found.kept + found.computed} results are those of earlier sweeps")
    if plot is not None:
        from ..sweep.plot import write_plot

        write_plot(plot, found, f"{opened.name}, {phase} of {_tokens(workload.step.rows)}")
    if any(result.failed for result in found.results):
        sys.exit(INTERNAL_ERROR)


def _tokens(count: int) -> str:
    return f"{count:,} token{'s' * (count > 1)}"


def print_sweep(found: Sweep, workload: Workload, several: bool) -> None:
    """The table for people, why some points have no numbers, and a plot."""
    from ..sweep import write_number

    keys = list(found.results[0].point.settings)
    head = ["", "", *(["machine"] if several else []), *keys]
    rows = [[*head, "us", "of bound", "binds", "mJ", "mJ/token", "mostly", "mm2"]]
    rows += [
        [
            str(number),
            "*" if on_front else "",
            *([result.point.base] if several else []),
            *(write_number(key, value) for key, value in result.point.settings.items()),
            *_figures(result, workload.step.rows),
        ]
        for number, result, on_front in _numbered(found)
    ]
    print_columns(rows, indent="", right="rl" + "l" * several + "r" * (len(keys) + 2) + "lrrlr")
    print("*: on the Pareto front of time, energy and area")
    for reason, numbers in _grouped(
        (result.failed or result.refused, number)
        for number, result, _ in _numbered(found)
        if result.measured is None
    ):
        print(f"{numbers}: {reason}")
    for warning, numbers in _grouped(
        (warning, number)
        for number, result, _ in _numbered(found)
        if result.measured is not None and result.point.machine is not None
        for warning in result.point.machine.warnings()
    ):
        note(f"{numbers}: {warning}")
    for line in plot_lines(found):
        print(line)


def _figures(result: Result, tokens: int) -> list[str]:
    """The last columns of a row."""
    if result.measured is None:
        return ["failed" if result.failed else "refused", *[""] * 6]
    energy = result.energy
    joules = vars(energy)
    most = max(joules, key=lambda name: joules[name])
    return [
        f"{result.measured.seconds * MICRO:,.1f}",
        f"{result.measured.share:.1%}",
        result.measured.binds,
        f"{energy.total * MILLI:.4g}",
        f"{energy.total * MILLI / tokens:.4g}",
        f"{most} {joules[most] / (energy.total or 1):.0%}",
        f"{result.area.total:.4g}",
    ]


def _grouped(pairs: Iterable[tuple[str, int]]) -> list[tuple[str, str]]:
    """(text, the numbers of the points that it is said of), each text once."""
    found: dict[str, list[str]] = {}
    for text, number in pairs:
        found.setdefault(text, []).append(str(number))
    return [(text, ", ".join(numbers)) for text, numbers in found.items()]


def plot_lines(found: Sweep) -> list[str]:
    """Energy, and area where it differs, over time; nothing where all times are equal."""
    from ..sweep.text_plot import Axis, text_plot

    shown = [(n, r, f) for n, r, f in _numbered(found) if r.measured is not None]
    names = [f"{number}{'*' if front else ''}" for number, _, front in shown]
    times = [r.measured.seconds * MICRO for _, r, _ in shown if r.measured is not None]
    lines: list[str] = []
    for title, values in (
        ("mJ", [result.energy.total * MILLI for _, result, _ in shown]),
        ("mm2", [result.area.total for _, result, _ in shown]),
    ):
        if len(set(times)) > 1 and len(set(values)) > 1:
            lines += ["", *text_plot(Axis("us", times), Axis(title, values), names)]
    return lines


def to_json(found: Sweep, workload: Workload, model: str) -> dict[str, Any]:
    """The sweep for another program; keys are those of machine descriptions."""
    return {
        "model": model,
        **workload.options(),
        "points": [
            {
                "machine": result.point.base,
                "settings": result.point.settings,
                **_point_json(result, workload.step.rows, on_front),
            }
            for _, result, on_front in _numbered(found)
        ],
    }


def _point_json(result: Result, tokens: int, on_front: bool) -> dict[str, Any]:
    measured, machine = result.measured, result.point.machine
    if measured is None or machine is None:
        return {"failed": result.failed} if result.failed else {"refused": result.refused}
    energy = result.energy
    return {
        "seconds": measured.seconds,
        "bound_seconds": measured.bound_seconds,
        "binds": measured.binds,
        "share": measured.share,
        "joules": energy.to_dict(),
        "joules_per_token": energy.total / tokens,
        "area_mm2": result.area.to_dict(),
        "read_bytes": measured.read_bytes,
        "written_bytes": measured.written_bytes,
        "instructions": measured.instructions,
        "front": on_front,
        "warnings": list(machine.warnings()),
    }


def _numbered(found: Sweep) -> list[tuple[int, Result, bool]]:
    """(number as people count, result, whether it is on the front)."""
    pairs = zip(found.results, found.front, strict=True)
    return [(number, result, front) for number, (result, front) in enumerate(pairs, start=1)]
