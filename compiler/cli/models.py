"""`tilewright compile` and `tilewright run`: a model to an image, an image to logits."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...backend.errors import TilewrightError
from .options import (
    BatchSize,
    CheckEachPass,
    Checks,
    Chunk,
    DumpIr,
    Engine,
    Json,
    MachineName,
    MaxContext,
    Order,
    Policy,
    PrintIrAfterAll,
    Weights,
)
from .output import bytes_text, note, print_columns, print_json, progress_bar

if TYPE_CHECKING:
    from ..driver import Report


def compile_command(
    model: Annotated[
        str,
        typer.Argument(
            help="A .gguf file, a Hugging Face directory, a config.json alone, or graph .mlir."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Image to write; MODEL.tw by default.")
    ] = None,
    machine: MachineName = "tw-1",
    max_context: MaxContext = None,
    policy: Policy = "exact",
    batch: BatchSize = 1,
    chunk: Chunk = None,
    kv_block: Annotated[
        int | None,
        typer.Option(
            help="Positions that attention treats at once, a power of two; the fastest by default."
        ),
    ] = None,
    weights: Weights = None,
    unfused: Annotated[
        bool,
        typer.Option(
            help="Make each op of the graph a kernel of its own: what fusion is judged by."
        ),
    ] = False,
    check_each_pass: CheckEachPass = False,
    dump_ir: DumpIr = None,
    print_ir_after_all: PrintIrAfterAll = False,
    as_json: Json = False,
) -> None:
    """Compile a model to an image: programs and packed weights.

    \b
    Examples:
      tilewright compile samples/tiny-shakespeare --machine tw-small --dump-ir ir/ -o tiny.tw
      tilewright compile samples/tiny-shakespeare --weights int8 -o tiny8.tw
      tilewright compile samples/tiny-shakespeare/config.json --policy bf16 -o shape-only.tw
      tilewright compile smollm2.gguf --machine my-machine.toml --max-context 512
    """
    from .. import compile_model

    target = output or default_image(model)
    with progress_bar() as progress:
        report = compile_model(
            model,
            machine=machine,
            max_context=max_context,
            policy=policy,
            batch=batch,
            chunk=chunk,
            output=target,
            dump_ir=dump_ir,
            print_ir=print_ir_after_all,
            check_each_pass=check_each_pass,
            kv_block=kv_block,
            weights=weights,
            unfused=unfused,
            progress=progress,
        )
    report_image(report, as_json)


def report_image(report: "Report", as_json: bool) -> None:
    """Say which image was written, and what the user should know of it."""
    if as_json:
        print_json(report.to_dict())
        return
    for notice in report.notices:
        note(f"notice: {notice}")
    print(
        f"{report.image}: {bytes_text(Path(report.image).stat().st_size)} in {report.seconds:.1f} "
        f"s, of which the programs took {report.program_seconds:.1f} s"
    )


def default_image(model: str) -> Path:
    """The image's name where none is given: the model's with the ending .tw, in this folder."""
    path = Path(model).resolve()
    return Path((path.name if path.is_dir() else path.stem) + ".tw")


def run(
    image: Annotated[str, typer.Argument(help="An image that `compile` wrote.")],
    prompt: Annotated[str, typer.Option(help="Text of the prompt.")] = "",
    ids: Annotated[str, typer.Option(help="Token ids of the prompt, as 1,2,3.")] = "",
    all_logits: Annotated[
        bool, typer.Option(help="Logits of every position, not of the last alone.")
    ] = False,
    top: Annotated[int, typer.Option(help="Most likely tokens to print.", min=1)] = 5,
    save: Annotated[
        Path | None, typer.Option(help="Write the logits to this .npy file (float32).")
    ] = None,
    engine: Engine = "fast",
    order: Order = "sequential",
    checks: Checks = True,
    as_json: Json = False,
) -> None:
    """Run a prompt through an image: the most likely next tokens.

    \b
    Examples:
      tilewright run tiny.tw --prompt "ROMEO:"
      tilewright run tiny.tw --ids 1,2,3 --all-logits --save logits.npy
      tilewright run tiny.tw --ids 1,2,3 --engine reference --order random:7
    """
    import numpy as np

    from ...runtime.session import Session
    from .engine import prepare_engine
    from .tokens import parse_ids, tokenizer_of

    session = Session.load(image, engine=engine, order=order, checks=checks)
    if bool(prompt) and bool(ids):
        raise TilewrightError("--prompt and --ids are both given: give one of them")
    tokenizer = tokenizer_of(session.image) if prompt else None
    tokens = tokenizer.encode(prompt) if tokenizer else parse_ids(ids)
    session.check([tokens])
    prepare_engine(engine)
    with progress_bar() as progress:
        logits = session.prefill(
            tokens, all_logits, lambda done, total: progress("prompt", done, total)
        )
    if save:
        np.save(save, logits)
    last = logits[-1] if all_logits else logits
    best = np.argsort(-last, kind="stable")[:top].tolist()
    if as_json:
        likely = [{"token": token, "logit": float(last[token])} for token in best]
        print_json({"tokens": tokens, "top": likely})
        return
    text = {token: repr(tokenizer.decode([token])) if tokenizer else "" for token in best}
    print_columns(
        [("token", "logit", ""), *((str(t), f"{last[t]:.4f}", text[t]) for t in best)],
        right="rr",
    )
