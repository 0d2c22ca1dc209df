"""A graph of one product, and bisect as the command line runs it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tilewright.compiler.cli import main

GRAPH = """
builtin.module @linear attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @x : memref<4x64xf32, #tw.hbm>
  tg.global weight @w : !lowbit.packed<64x64, bf16, kn> from "'w'"
  tg.global output @y : memref<4x64xf32, #tw.hbm>
  func.func @linear() {
    %x = tg.input @x : tensor<?x64xf32, #tg.sizes<@rows>> loc("x")
    %w = tg.weight @w : tensor<64x64xf32> loc("linear")
    %p = tg.matmul %x, %w : tensor<?x64xf32, #tg.sizes<@rows>> loc("linear")
    %a = tg.unary silu %p : tensor<?x64xf32, #tg.sizes<@rows>> loc("silu")
    tg.output %a to @y loc("y")
    func.return
  }
}
"""

Bisect = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    path = tmp_path / "linear.mlir"
    path.write_text(GRAPH)
    return path


@pytest.fixture
def bisect(capsys: pytest.CaptureFixture[str]) -> Bisect:
    """What `tilewright bisect ... --json` prints; its exit status must be `status`."""

    def run(*arguments: object, status: int = 1) -> list[dict[str, Any]]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main(["bisect", *map(str, arguments), "--json"])
        assert stop.value.code == status
        return json.loads(capsys.readouterr().out)

    return run
