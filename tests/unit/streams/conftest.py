"""Programs A, B, C, D and S, parsed, and launches of them with random data."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.backend.formats import Packing, pack, quantise
from tilewright.dialects import context

Launch = tuple[dict[str, NDArray[Any]], dict[str, int]]
PROGRAMS = Path(__file__).parent / "programs"


def parse_module(text: str) -> ModuleOp:
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


@pytest.fixture
def text() -> Callable[[str], str]:
    """The text of a program: `text("b_streamed")`."""
    return lambda name: (PROGRAMS / f"{name}.mlir").read_text()


@pytest.fixture
def parse() -> Callable[[str], ModuleOp]:
    """A verified module from text."""
    return parse_module


@pytest.fixture
def module() -> Callable[[str], ModuleOp]:
    """A program as a module: `module("b_streamed")`."""
    return lambda name: parse_module((PROGRAMS / f"{name}.mlir").read_text())


@pytest.fixture
def launch() -> Callable[..., Launch]:
    """Data and parameters of a program: `launch("b", ctx=9, steps=3)`, seeded."""

    def make(name: str, **parameters: int) -> Launch:
        random = np.random.default_rng(7)

        def floats(*shape: int) -> NDArray[np.float32]:
            return random.standard_normal(shape).astype(np.float32)

        def weight(layers: int, k: int, n: int) -> NDArray[Any]:
            packing = Packing("q4_0", "kn", n, k, 32)
            parts = [pack(packing, quantise("q4_0", floats(n, k) * 0.2)) for _ in range(layers)]
            return np.concatenate(parts)

        data: dict[str, NDArray[Any]]
        match name:
            case "a":
                data = {"x": floats(4, 64), "ffn_gate_up": weight(1, 64, 64)}
            case "b" | "s":
                data = {"qkv": floats(3, 8, 32) * 0.4}
                data |= {"k_cache": floats(2, 40, 32), "v_cache": floats(2, 40, 32)}
            case "c":
                data = {"x": floats(3, 64), "qkv": weight(2, 64, 256)}
                data |= {"attn_out": weight(2, 128, 64), "ffn_gate_up": weight(2, 64, 64)}
                data |= {"ffn_down": weight(2, 32, 64)}
                data |= {"k_cache": floats(2, 2, 40, 32), "v_cache": floats(2, 2, 40, 32)}
            case _:
                lengths = random.integers(0, 7, (1, 4)).astype(np.int32)
                data = {"lens": lengths, "x": floats(4, 6, 8)}
        return data, parameters

    return make
