"""Models without bytes for the tests of passes: a config, a format for each parameter, an entry."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.backend.machine import Machine, load_machine
from tilewright.compiler.frontend.architectures import WEIGHTS
from tilewright.compiler.frontend.builder import EntryShape, build
from tilewright.compiler.frontend.model_config import ModelConfig, Rope
from tilewright.compiler.frontend.parameters import Parameter, Parameters
from tilewright.dialects import context
from tilewright.passes import PASSES
from tilewright.passes.tile.search import DoesNotFitError

CONFIG = ModelConfig(
    architecture="llama",
    layers=2,
    width=128,
    heads=4,
    kv_heads=2,
    head_dim=32,
    ffn=224,
    vocab=100,
    eps=1e-5,
    rope=Rope(10000.0, 32),
    activation="silu",
    max_positions=128,
    tied=False,
)
PREFILL = EntryShape("prefill", 2, 16, 64)
DECODE = EntryShape("decode", 2, 1, 64)

TO_TILE = ("canonicalise", "merge", "fuse", "choose-formats", "choose-panels", "tile")
TO_PLACES = (*TO_TILE, "assign-engines", "channels", "size-rings", "verify-streams", "allocate")


def model_module(
    entry: EntryShape = PREFILL,
    policy: str = "exact",
    formats: Mapping[str, str] | None = None,
    **changes: Any,
) -> ModuleOp:
    """One entry of CONFIG with `changes`; matrices are q4_0 unless `formats` says otherwise."""
    config = replace(CONFIG, **changes)

    def parameter(symbol: str) -> Parameter:
        weight = next(w for w in WEIGHTS if w.symbol == symbol)
        format = {"token_embd": "q8_0", **(formats or {})}.get(symbol, "q4_0")
        vector = weight.columns is None
        return Parameter(
            symbol=symbol,
            recipe=f"'{weight.huggingface}'",
            format="f32" if vector else format,
            layered=weight.layered,
            rows=config.size(weight.rows),
            columns=config.size(weight.columns) if weight.columns else None,
            order="nk" if symbol == "token_embd" else "kn",
        )

    known = [parameter(w.symbol) for w in WEIGHTS if config.has(w.feature)]
    return build(config, entry, policy, Parameters(tuple(known), ()))


def parse(text: str) -> ModuleOp:
    """A verified module from text."""
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


def apply(module: ModuleOp, *names: str, **options: Any) -> ModuleOp:
    """Run passes in place, verifying after each; `options` go to the passes that have them."""
    for name in names:
        pass_type = PASSES[name]()
        known = {k: v for k, v in options.items() if k in pass_type.__dataclass_fields__}
        pass_type(**known).apply(context(), module)
        module.verify()
    return module


def least_scratchpad(module: ModuleOp, machine: Machine, folder: Path, **options: Any) -> int:
    """Bytes that the error for a scratchpad much too small asks for, so that `tile` can go on."""
    tiny = machine_file(replace(machine, spm_bytes=1024), folder)
    with pytest.raises(DoesNotFitError, match="scratchpad of machine") as caught:
        apply(module.clone(), *TO_TILE, machine=tiny, **options)
    return int(str(caught.value).split()[-2])


def smallest_machine(module: ModuleOp, folder: Path, **options: Any) -> str:
    """tw-small with the least scratchpad for a program: of several rows none stay there."""
    small = replace(load_machine("tw-small"), name="smallest")
    least = least_scratchpad(module, small, folder, **options)
    return machine_file(replace(small, spm_bytes=least), folder)


def machine_file(machine: Machine, folder: Path) -> str:
    """The path of a description of `machine`, for passes that load it by name."""
    path = folder / f"{machine.name}.toml"
    path.write_text("".join(f"{k} = {v!r}\n" for k, v in machine.to_dict().items()))
    return str(path)
