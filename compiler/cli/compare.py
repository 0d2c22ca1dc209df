"""`tilewright compare`: the same step of two images, op by op."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...backend.errors import TilewrightError
from .options import Json, Sequences
from .output import print_columns, print_json
from .phases import check_phase, contexts_of
from .timed_step import default_context, opened, timed
from .timing import op_text

if TYPE_CHECKING:  # they bring numpy, which would double the time of --help
    from ...backend.image import Image
    from ...runtime.timing.compare import Change, Comparison
    from ...runtime.timing.report import StepReport

Side = Annotated[str, typer.Argument(help="An image, or JSON that `time --json` printed.")]
REPORT_ENDING = ".json"


def compare_command(
    a: Side,
    b: Side,
    phase: Annotated[
        str | None, typer.Option(help="As for `time`; by default that of the JSON, else decode.")
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(help="As for `time`; by default that of the JSON, else what both allow."),
    ] = None,
    batch: Sequences = None,
    as_json: Json = False,
) -> None:
    """Compare a step of two images, or of two saved reports: which op changed, and why.

    The time of an op is the matrix unit's, waiting included, so that all add up to the step. Why:
    the cause that changed most, on the matrix unit and on the engine that spends most time on the
    op itself. A and B may differ in machine, policy, formats or program, not in the step.

    \b
    Examples:
      tilewright compare tiny.tw tiny8.tw --context 128
      tilewright compare tiny.tw tiny8.tw --phase prefill --context 64 --json
      tilewright compare a.json tiny8.tw
    """
    from ...runtime.timing.compare import compare

    if phase is not None:
        check_phase(phase)
    sides = [saved(path) if Path(path).suffix == REPORT_ENDING else opened(path) for path in (a, b)]
    reports = reports_of(sides, phase, context, batch)
    found = compare(*reports)
    if as_json:
        print_json(found.to_dict())
    else:
        print_comparison(found)


def saved(path: str) -> StepReport:
    """A report that `time --json` printed. Raises TilewrightError that names the file."""
    from ...backend.json_text import parse_json
    from ...runtime.timing.report import StepReport

    try:
        return StepReport.from_dict(parse_json(Path(path).read_bytes()))
    except (TilewrightError, ValueError) as error:
        raise TilewrightError(
            f"{path}: is no report that `tilewright time --json` printed: {error}"
        ) from None


def reports_of(
    sides: list[StepReport | Image], phase: str | None, context: str | None, batch: int | None
) -> list[StepReport]:
    """Both reports; images are timed, in the step of the report beside them if there is one.

    Raises TilewrightError where options ask for another step than a report's.
    """
    from ...backend.image import Image

    images = [side for side in sides if isinstance(side, Image)]
    known = [side for side in sides if not isinstance(side, Image)]
    wanted = phase or (known[0].phase if known else "decode")
    if known and context is None and batch is None:
        contexts = [sum(lengths) for lengths in known[0].sequences]
    else:
        default = min((default_context(image, wanted) for image in images), default=1)
        contexts = contexts_of(context, batch, default)
    asked = phase is not None or context is not None or batch is not None
    for side in known:
        if asked and (side.phase, [sum(s) for s in side.sequences]) != (wanted, contexts):
            raise TilewrightError(
                f"the report is of {side.step_text()}, and the options ask for another step: leave "
                "them away, or time that step"
            )
    return [timed(s, wanted, contexts) if isinstance(s, Image) else s for s in sides]


def print_comparison(found: Comparison) -> None:
    """The comparison for people: an op a line, then totals."""
    for name, side in (("A", found.a), ("B", found.b)):
        formats = ", ".join(dict.fromkeys(f for s, f in side.formats.items() if s != "token_embd"))
        share = f", {side.share:.2%} of its bound" if side.share is not None else ""
        print(
            f"{name}: {side.model or 'a graph'} {formats} on {side.machine}, policy {side.policy}, "
            f"{side.step_text()}: {side.picoseconds / 1e6:,.1f} us{share}"
        )
    rows = [("op", "A us", "B us", "B / A", "matrix unit", "engine that binds")]
    for op in found.ops:
        why = change_text(op.waited), change_text(op.binds, engine=True)
        rows.append((op_text(op.op), *pair(op.before / 1e6, op.after / 1e6), *why))
    a, b = found.a, found.b
    rows.append(("total", *pair(a.picoseconds / 1e6, b.picoseconds / 1e6), "", ""))
    print_columns(rows, indent="", right="lrrr")
    totals = [("", "A", "B", "B / A")]
    for name in a.bytes:
        totals.append((f"bytes, {name}", *pair(a.bytes[name], b.bytes[name], 0)))
    counts = sum(a.instructions.values()), sum(b.instructions.values())
    totals.append(("instructions", *pair(*counts, 0)))
    for name in dict.fromkeys((*a.joules, *b.joules)):
        joules = a.joules.get(name, 0.0) * 1e3, b.joules.get(name, 0.0) * 1e3
        totals.append((f"mJ, {name}", *pair(*joules, 3)))
    totals.append(("mJ, total", *pair(a.total_joules * 1e3, b.total_joules * 1e3, 3)))
    print()
    print_columns(totals, indent="", right="lrrr")


def pair(before: float, after: float, digits: int = 1) -> tuple[str, str, str]:
    """Two numbers and the second in units of the first."""
    share = f"{after / before:.3f}" if before else ""
    return f"{before:,.{digits}f}", f"{after:,.{digits}f}", share


def change_text(change: Change | None, engine: bool = False) -> str:
    """`wait @kv -1.20 us`, or nothing where nothing changed."""
    if change is None:
        return ""
    where = f"{change.engine}: " if engine else ""
    return f"{where}{change.cause} {change.picoseconds / 1e6:+,.2f} us"
