"""`tilewright generate`: text from a model or an image."""

import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ...backend.errors import TilewrightError
from .options import Checks, Engine, Json, MachineName, MaxContext, Order, Policy
from .output import note, print_json, progress_bar

IMAGE_ENDING = ".tw"
COMPILER_OPTIONS = ("machine", "max_context", "policy")


def generate(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Argument(help="An image, or a model to compile first (the image is not kept)."),
    ],
    prompt: Annotated[str, typer.Argument(help="Text to go on from; `-` reads standard input.")],
    max_tokens: Annotated[int, typer.Option(help="Most tokens to add.", min=1)] = 128,
    temperature: Annotated[float, typer.Option(help="0 takes the most likely token.")] = 0.0,
    top_k: Annotated[int, typer.Option(help="Draw from so many tokens; 0 is all.")] = 0,
    top_p: Annotated[float, typer.Option(help="Draw from this share of the chance.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Start of the random numbers.")] = 0,
    chat: Annotated[
        bool, typer.Option("--chat", help="The prompt is a user's message to a chat model.")
    ] = False,
    system: Annotated[str, typer.Option(help="System message, with --chat.")] = "",
    machine: MachineName = "tw-1",
    max_context: MaxContext = None,
    policy: Policy = "exact",
    engine: Engine = "fast",
    order: Order = "sequential",
    checks: Checks = True,
    as_json: Json = False,
) -> None:
    """Go on from a prompt, token by token, on the emulated machine.

    \b
    Examples:
      tilewright generate tiny.tw "To be, or not" --max-tokens 16
      tilewright generate tiny.tw "ROMEO:" --max-tokens 16 --temperature 0.8 --top-p 0.95 --seed 7
      tilewright generate smollm2.gguf "What is a tile?" --chat --max-context 512
      cat prompt.txt | tilewright generate tiny.tw - --json
    """
    from ...runtime.sampling import Sampling
    from ...runtime.session import Session
    from .streaming import stream
    from .tokens import chat_prompt, tokenizer_of

    if system and not chat:
        raise TilewrightError("--system is for a chat model's prompt: add --chat")
    refuse_compiler_options(model, context)
    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    text = sys.stdin.read() if prompt == "-" else prompt
    with image_of(model, machine, max_context, policy) as image:
        session = Session.load(image, engine=engine, order=order, checks=checks)
        tokenizer = tokenizer_of(session.image)
        ids = chat_prompt(tokenizer, text, system) if chat else tokenizer.encode(text)
        write = discard if as_json else show
        result = stream(session, tokenizer, ids, max_tokens, sampling, write)
    if as_json:
        print_json(result.to_dict())
    else:
        print()
        note(result.summary())


def is_image(model: str) -> bool:
    """Whether a path names an image, which is not compiled first."""
    return Path(model).suffix == IMAGE_ENDING


def refuse_compiler_options(model: str, context: typer.Context) -> None:
    """TilewrightError for an option that an image, being compiled, can no longer follow."""
    if not is_image(model):
        return
    for name in COMPILER_OPTIONS:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise TilewrightError(
                f"--{name.replace('_', '-')} is for a model that is compiled first, and {model} is "
                "an image: leave it away, or give `tilewright compile` the option"
            )


def discard(piece: str) -> None:
    """Print nothing."""


def show(piece: str) -> None:
    """Print a piece of text at once."""
    print(piece, end="", flush=True)


@contextmanager
def image_of(
    model: str, machine: str, max_context: int | None, policy: str
) -> Generator[Path, None, None]:
    """The path of an image: `model` itself, or what it compiles to, deleted at the end."""
    if is_image(model):
        yield Path(model)
        return
    from .. import compile_model

    with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
        image = Path(folder) / f"model{IMAGE_ENDING}"
        start = time.perf_counter()
        with progress_bar() as progress:
            compile_model(
                model,
                machine=machine,
                max_context=max_context,
                policy=policy,
                output=image,
                progress=progress,
            )
        note(
            f"compiled {model} for {machine} in {time.perf_counter() - start:.1f} s; "
            "`tilewright compile` keeps the image"
        )
        yield image
