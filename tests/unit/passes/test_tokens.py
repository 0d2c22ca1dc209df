"""Random programs of loads and stores of a few globals run by engine as they run in order."""

from __future__ import annotations

from typing import cast

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xdsl.dialects.builtin import ModuleOp
from xdsl.parser import Parser

from tilewright.compiler.interp.races import find_races
from tilewright.compiler.interp.tile import run_tile
from tilewright.dialects import context
from tilewright.passes.assign_engines import AssignEnginesPass
from tilewright.passes.channels import ChannelsPass
from tilewright.passes.size_rings import SizeRingsPass
from tilewright.passes.verify_streams import verify_streams

GLOBALS = ("p", "q")
ROWS, COLUMNS = 4, 8

Statement = tuple[str, str, object]
"""("load" | "store", global, row) or ("loop", trips, statements); row "i" is the counter's."""

ROW = st.sampled_from(("0", "1", "i"))
ACCESS = st.tuples(st.sampled_from(("load", "store")), st.sampled_from(GLOBALS), ROW)
BLOCK = st.recursive(
    st.lists(ACCESS, min_size=1, max_size=4),
    lambda inner: st.lists(
        ACCESS | st.tuples(st.just("loop"), st.sampled_from(("c2", "c3", "n", "m")), inner),
        min_size=1,
        max_size=4,
    ),
    max_leaves=8,
)


class Writer:
    """The text of a program. What is loaded is added to the vector unit's running sum, which is
    what a store stores: every load is seen in every later store."""

    def __init__(self) -> None:
        self.serial = 0
        self.lines: list[str] = []

    def block(self, statements: list[Statement], counter: str, indent: str) -> None:
        for kind, name, what in statements:
            self.serial += 1
            n = self.serial
            if kind == "loop":
                inner = cast(list[Statement], what)
                self.lines.append(f"{indent}scf.for %i{n} = %c0 to %{name} step %c1 {{")
                self.block(inner, f"%i{n}", indent + "  ")
                self.lines.append(indent + "}")
                continue
            row = counter if what == "i" else what
            buffer = f"%b{n} = tile.buffer : memref<1x{COLUMNS}xf32, #tw.spm>"
            self.lines.append(indent + buffer)
            if kind == "load":
                self.lines.append(f"{indent}tile.load @{name}[{row}, 0] [1, {COLUMNS}] to %b{n}")
                self.lines.append(f"{indent}tile.vec id(%sum * 0.5 + %b{n}) add 1.0 to %sum")
            else:
                self.lines.append(f"{indent}tile.vec id(%sum) add {n}.0 to %b{n}")
                self.lines.append(f"{indent}tile.store %b{n} to @{name}[{row}, 0] [1, {COLUMNS}]")


def program(statements: list[Statement]) -> str:
    writer = Writer()
    writer.block(statements, "0", "    ")
    declared = "".join(
        f"  tg.global state @{name} : memref<{ROWS}x{COLUMNS}xf32, #tw.hbm>\n" for name in GLOBALS
    )
    constants = "".join(f"    %c{n} = arith.constant {n} : index\n" for n in range(4))
    body = "\n".join(writer.lines)
    return (
        f"builtin.module {{\n{declared}  tg.scalar @n : 0 to 3\n  tg.scalar @m : 0 to 3\n"
        f"  func.func @entry() {{\n{constants}    %n = tg.get @n\n    %m = tg.get @m\n"
        f"    %sum = tile.buffer : memref<1x{COLUMNS}xf32, #tw.spm>\n"
        f"    tile.vec id(1.0) to %sum\n{body}\n    func.return\n  }}\n}}\n"
    )


def parse(text: str) -> ModuleOp:
    module = Parser(context(), text).parse_module()
    module.verify()
    return module


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(BLOCK, st.integers(0, 3), st.integers(0, 3), st.integers(0, 99))
def test_tokens_order_loads_behind_stores(
    statements: list[Statement], n: int, m: int, seed: int
) -> None:
    text = program(statements)
    data = {name: np.full((ROWS, COLUMNS), 1.0 + k, np.float32) for k, name in enumerate(GLOBALS)}
    parameters = {"n": n, "m": m}
    want = run_tile(parse(text), data, parameters)
    module = parse(text)
    for one in (AssignEnginesPass(), ChannelsPass(), SizeRingsPass()):
        one.apply(context(), module)
    verify_streams(module)
    assert find_races(module, data, parameters) == []
    got = run_tile(module, data, parameters, seed=seed)
    for name in GLOBALS:
        np.testing.assert_array_equal(got[name], want[name])
