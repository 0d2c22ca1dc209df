"""The demo: the embedded sample model through every level, and a few lines of its text."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from importlib import resources
from pathlib import Path
from typing import Any

from ..backend.image import Image
from ..runtime.sampling import Sampling
from ..runtime.session import Session
from .cli.output import bytes_text, print_columns, progress_bar
from .cli.streaming import stream
from .cli.tokens import tokenizer_of
from .driver import Report, compile_model

SAMPLE = "tiny-shakespeare"

Say = Callable[[str], object]


def run_demo(
    prompt: str,
    max_tokens: int,
    temperature: float,
    seed: int,
    machine: str,
    keep: Path | None,
    quiet: bool = False,
) -> dict[str, Any]:
    """Compile, generate, and print what happened (nothing if `quiet`); all of it as JSON values.

    The image, and the IR after each pass, go to the directory `keep`, or are deleted at the end.
    """

    def say(text: str = "") -> None:
        if not quiet:
            print(text, flush=True)

    def write(piece: str) -> None:
        if not quiet:
            print(piece, end="", flush=True)

    with ExitStack() as stack:
        model = stack.enter_context(
            resources.as_file(resources.files("tilewright.samples") / SAMPLE)
        )
        folder = keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="tilewright-"))
        )
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / f"{SAMPLE}.tw"
        with progress_bar(show=False if quiet else None) as progress:
            report = compile_model(
                model,
                machine=machine,
                output=target,
                dump_ir=keep / "ir" if keep else None,
                progress=progress,
            )
        session = Session.load(target)
        if not quiet:
            print_compilation(report)
            print_image(report, session.image, target.stat().st_size)
        tokenizer = tokenizer_of(session.image)
        say(f"3. The image on the emulated machine, from {prompt!r} at temperature {temperature:g}")
        say()
        write(prompt)
        result = stream(
            session,
            tokenizer,
            tokenizer.encode(prompt),
            max_tokens,
            Sampling(temperature=temperature, seed=seed),
            write,
        )
        say("\n")
        say(f"  {result.summary()}")
        executed = ", ".join(f"{name} {count:,}" for name, count in session.executed.items())
        say(f"  instructions executed: {executed}")
        if keep:
            say(f"  kept: {target}, and the IR after each pass in {keep / 'ir'}")
    return {"compile": report.to_dict(), "generate": result.to_dict()}


def print_compilation(report: Report) -> None:
    """Each pass on a line: operations in the module after it, for each entry, and its time."""
    print(
        f"1. {SAMPLE} compiled for {report.machine}, policy {report.policy}: {report.seconds:.1f} s"
    )
    entries = list(report.entries)
    rows = [("level", "pass", *(f"{entry} ops" for entry in entries), "ms")]
    for runs in zip(*(entry.passes for entry in report.entries.values()), strict=True):
        counts = [str(run.operations) for run in runs]
        milliseconds = 1000 * sum(run.seconds for run in runs)
        rows.append((runs[0].level, runs[0].name, *counts, f"{milliseconds:.0f}"))
    print_columns(rows, right="ll" + "r" * (len(entries) + 1))
    print()


def print_image(report: Report, image: Image, size: int) -> None:
    """Instructions of each engine, and the bytes that the image holds."""
    print(f"2. The image: {bytes_text(size)}, digest {report.digest[:16]}")
    engines = list(dict.fromkeys(e for one in report.entries.values() for e in one.instructions))
    rows = [("instructions", *engines)]
    for name, entry in report.entries.items():
        rows.append((name, *(str(entry.instructions.get(engine, 0)) for engine in engines)))
    print_columns(rows, right="l" + "r" * len(engines))
    weights, cache = bytes_of_a_step(image)
    microseconds = 1e6 * weights / image.machine["hbm_bytes_per_second"]
    print(
        f"  weights and tables, packed: {bytes_text(report.weight_bytes)}; a decode step must move "
        f"{bytes_text(weights)}\n  of them and {bytes_text(cache)} of keys and values for each "
        f"position held: at least {microseconds:.3g} us on {report.machine}"
    )
    print()


def bytes_of_a_step(image: Image) -> tuple[int, int]:
    """What a decode step of one sequence must read: bytes of weights, bytes a cached position.

    Embedding rows, gathered one at a time, and tables are left out.
    """
    symbols: dict[str, dict[str, Any]] = image.meta["symbols"]
    gathered = {name for name, symbol in symbols.items() if symbol.get("order") == "nk"}
    weights = sum(
        region.nbytes
        for region in image.packed_regions().values()
        if region.role == "weight" and region.name not in gathered
    )
    state = sum(r.nbytes for r in image.entries["decode"].regions if r.role == "state")
    return weights, state // (image.meta["batch"] * image.meta["max_context"])
