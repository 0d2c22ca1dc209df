"""Graph-level text as a model: it runs with the arrays beside it, and its mistakes are named."""

import importlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilewright.backend.errors import TilewrightError
from tilewright.compiler.frontend import BuildError, EntryShape, load_model
from tilewright.compiler.interp.tensor import run_graph

save_file: Any = importlib.import_module("safetensors.numpy").save_file

TEXT = """builtin.module @step attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.global weight @w : !lowbit.packed<32x16, f32, kn> from "'w'"
  tg.global weight @table : memref<5x32xf32, #tw.hbm> from "'rows'"
  tg.global input @index : memref<4xi32, #tw.hbm>
  tg.global output @y : memref<4x16xf32, #tw.hbm>
  func.func @step() {
    %x = tg.embed @table, @index : tensor<?x32xf32, #tg.sizes<@rows>> loc("rows")
    %w = tg.weight @w : tensor<32x16xf32>
    %m = tg.matmul %x, %w : tensor<?x16xf32, #tg.sizes<@rows>> loc("w")
    %s = tg.unary relu %m : tensor<?x16xf32, #tg.sizes<@rows>>
    tg.output %s to @y loc("y")
    func.return
  }
}
"""


def write(folder: Path, text: str = TEXT, arrays: bool = True) -> Path:
    path = folder / "m.mlir"
    path.write_text(text)
    if arrays:
        random = np.random.default_rng(0)
        w = random.standard_normal((16, 32)).astype(np.float32)
        rows = random.standard_normal((5, 32)).astype(np.float32)
        save_file({"w": w, "rows": rows}, folder / "m.safetensors")
    return path


def test_text_runs(tmp_path: Path) -> None:
    model = load_model(write(tmp_path))
    assert model.notices == ()
    module = model.build(EntryShape("step", 1, 1, 1))
    index = np.array([3, 0, -1, 4], np.int32)
    out = run_graph(module, model.weights, {"index": index}, {"rows": 3})["y"]
    w = model.checkpoint.read("w").codes
    rows = model.checkpoint.read("rows").codes
    assert np.allclose(out[:2], np.maximum(rows[[3, 0]] @ w.T, 0), atol=1e-5)
    assert not out[2:].any()


def test_without_arrays_there_are_shapes(tmp_path: Path) -> None:
    model = load_model(write(tmp_path, arrays=False))
    assert not model.has_weights
    assert model.notices == (
        f"{tmp_path / 'm.safetensors'} does not exist: the program can be timed, not run",
    )


def test_several_entries(tmp_path: Path) -> None:
    second = TEXT.replace("@step", "@other")
    model = load_model(write(tmp_path, f"builtin.module {{\n{TEXT}\n{second}\n}}"))
    assert str(model.build(EntryShape("other", 1, 1, 1))).startswith("builtin.module @other")
    with pytest.raises(BuildError) as error:
        model.build(EntryShape("decode", 1, 1, 1))
    assert str(error.value) == f"{model.path}: has no module @decode, only @step, @other"
    with pytest.raises(BuildError) as error:
        model.build(EntryShape("step", 1, 1, 1), "bf16")
    assert str(error.value) == f"{model.path}: module @step has policy \"exact\", not 'bf16'"


MISTAKES: dict[str, tuple[tuple[str, str], str]] = {
    "syntax": (
        ("tg.unary relu %m", "tg.unary relu %q"),
        "{path}:11:24: SSA value used before assignment",
    ),
    "type": (
        ("tg.unary relu %m : tensor<?x16", "tg.unary relu %m : tensor<?x17"),
        "{path}:11:5: tg.unary: the result is ",
    ),
    "name": (("builtin.module @step", "builtin.module"), "{path}: a module has no name"),
    "policy": (
        ("tw.policy", "tw.other"),
        '{path}: module @step names no policy: attributes {{tw.policy = "exact"}}',
    ),
    "string without an end": (
        ("\"'w'\"", f"\"'w' {'x' * 200}"),
        "{path}:3:61: a string has no end in its line, or an unknown escape in it",
    ),
    "packed order": (
        ("f32, kn>", "f32, kk>"),
        "{path}:3:56: no packed order is named 'kk': kn, nk",
    ),
    "nested too deeply": (
        ("#tw.hbm>", "#tw.hbm<" + "[" * 5000),
        "{path}:4:{column}: nested too deeply to be read",
    ),
    "symbol": (
        ("to @y loc", "to @z loc"),
        "{path}: tg.output at y (m.mlir:12:5) names @z, which is not declared",
    ),
    "twice": (("output @y", "output @w"), '{path}:1:1: builtin.module: Redefinition of symbol "w"'),
    "tensor": (("\"'w'\"", "\"'v'\""), "{arrays}: there is no tensor 'v'"),
    "recipe": (("\"'w'\"", "\"turn('w')\""), "recipe \"turn('w')\", column 1: found turn"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(name: str, tmp_path: Path) -> None:
    (old, new), message = MISTAKES[name]
    assert old in TEXT
    path = write(tmp_path, TEXT.replace(old, new))
    with pytest.raises(TilewrightError) as error:
        load_model(path)
    # How deep the parser gets depends on the stack below it.
    column = re.search(r":4:(1\d\d):", str(error.value)) if "{column}" in message else None
    wanted = message.format(
        path=path, arrays=path.with_suffix(".safetensors"), column=column and column[1]
    )
    assert str(error.value).startswith(wanted)
    assert "\n" not in str(error.value)
