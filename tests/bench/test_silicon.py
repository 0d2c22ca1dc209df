"""Emulated cycles beside those of real silicon, and beside another group's best mapping.

`data/silicon_public.csv` holds cycles of a TPU v3 core. One number is fitted, the overhead of a
launch, on the smallest GEMM; all others are those of the machine's description.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import graphs
import pytest
from figures import Report

from tilewright.backend.image import read_image
from tilewright.backend.machine import Machine
from tilewright.compiler import compile_model
from tilewright.runtime.timing import TimingResult, time_program

DATA = Path(__file__).parent / "data"
CORE = "tpu-v3-core"
GEMM_ERROR = 0.08
"""Of the larger GEMM, with the overhead that the smaller one gives."""
FAR = 5.0
"""Rows whose code on the silicon is not known agree within this factor, or something is broken."""

ZIGZAG_CYCLES, LAYER_CYCLES = 6.62e6, 6.52e6
"""Of a Llama-7B layer, 512 tokens, int8: ZigZag's best mapping, which has no dependences; ours."""
TOKENS, WIDTH, HEADS, FFN = 512, 4096, 32, 11008


@dataclass(frozen=True)
class Timed:
    """A launch and the machine it ran on."""

    result: TimingResult
    machine: Machine

    def cycles(self, picoseconds: int | None = None) -> float:
        """A time in cycles of the machine; by default the whole launch."""
        time = self.result.picoseconds if picoseconds is None else picoseconds
        return time * self.machine.clock_hz / 1e12


def timed(
    text: str,
    rows: int,
    folder: Path,
    machine: str = CORE,
    unfused: bool = False,
    weights: str | None = None,
) -> Timed:
    """Compile a graph through the whole pipeline and time its image with all rows."""
    path, image = folder / "graph.mlir", folder / "graph.tw"
    path.write_text(text)
    compile_model(path, machine, policy="bf16", output=image, unfused=unfused, weights=weights)
    found = read_image(image)
    description = Machine.from_dict(found.machine)
    parameters = graphs.launch(rows)
    return Timed(
        time_program(found.entries["step"], description, parameters, found.opcodes), description
    )


@pytest.fixture(scope="module")
def silicon() -> dict[str, int]:
    """Cycles by workload."""
    with (DATA / "silicon_public.csv").open() as file:
        lines = [line for line in file if not line.startswith("#")]
    return {row["workload"]: int(row["tpuv3_cycles"]) for row in csv.DictReader(lines)}


def test_gemm(silicon: dict[str, int], tmp_path: Path, report: Report) -> None:
    """Rows in float32 as on the silicon, weights bf16 by the policy; 256 cubed is fitted."""
    small, large = (f"gemm_{n}x{n}x{n}" for n in (256, 1024))
    table: list[list[str]] = []
    errors: dict[str, float] = {}
    for element in ("f32", "bf16"):
        found = {
            n: timed(graphs.gemm(n, n, n, element=element), n, tmp_path).cycles()
            for n in (256, 1024)
        }
        overhead = silicon[small] - found[256]
        for name, n in ((small, 256), (large, 1024)):
            sum_ = found[n] + overhead
            table.append(
                [f"{name}, rows {element}", f"{found[n]:,.0f}", f"{overhead:,.0f}", f"{sum_:,.0f}",
                 f"{silicon[name]:,}", f"{sum_ / silicon[name]:.3f}"]
            )  # fmt: skip
        errors[element] = abs((found[1024] + overhead) / silicon[large] - 1)
    report.table(["", "emulated", "overhead", "sum", "silicon", "ratio"], table)
    report.figure(f"{large}, error", errors["f32"], "", GEMM_ERROR, "rows f32")
    assert errors["f32"] <= GEMM_ERROR


VECTOR_ROWS: dict[str, tuple[str, int]] = {
    "layernorm_512x768": (graphs.layer_norm(512, 768), 512),
    "layernorm_8192x768": (graphs.layer_norm(8192, 768), 8192),
    "softmax_2048x2048": (graphs.softmax(2048, 2048), 2048),
    "attention_16x512x64": (graphs.attention(16, 512, 64), 512),
    "bert_base": (graphs.bert_layer(512, 768, 12, 3072), 512),
}
"""Graph and rows of each workload; `bert_base` is one layer."""


def test_vector_rows(silicon: dict[str, int], tmp_path: Path, report: Report) -> None:
    """Each op a kernel of its own, as an eager framework runs them, beside the normal pipeline."""
    table: list[list[str]] = []
    for name, (text, rows) in VECTOR_ROWS.items():
        apart, fused = (timed(text, rows, tmp_path, unfused=u).cycles() for u in (True, False))
        table.append(
            [name, f"{silicon[name]:,}", f"{apart:,.0f}", f"{apart / silicon[name]:.2f}",
             f"{fused:,.0f}", f"{fused / silicon[name]:.2f}"]
        )  # fmt: skip
        assert fused <= apart, f"{name}: fusion costs {fused - apart:,.0f} cycles"
        assert 1 / FAR < apart / silicon[name] < FAR, f"{name}: {apart:,.0f} cycles unfused"
    report.table(["", "silicon", "unfused", "ratio", "fused", "ratio"], table)


def test_layer_on_one_array(tmp_path: Path, report: Report) -> None:
    """A layer of Llama-2-7B on the machine of ZigZag's case study, and where its cycles go."""
    text = graphs.llama_layer(TOKENS, WIDTH, HEADS, FFN)
    layer = timed(text, TOKENS, tmp_path, str(DATA / "one-array.toml"), weights="i8")
    machine, cycles = layer.machine, layer.cycles()
    peak = machine.arrays * machine.array_rows * machine.array_columns
    linear = TOKENS * (4 * WIDTH * WIDTH + 3 * WIDTH * FFN) / peak
    causal = 2 * WIDTH * TOKENS * (TOKENS + 1) / 2 / peak
    report.line(
        f"multiply-adds at the array's peak: {linear:,.0f} cycles of products by weights, "
        f"{causal:,.0f} of causal attention"
    )
    million = 1e6
    note = f"ZigZag's best {ZIGZAG_CYCLES / million:g}; the peak allows "
    report.figure(
        "Llama-7B layer, 512 tokens, int8, one array",
        cycles / million,
        "M",
        LAYER_CYCLES / million,
        f"{note}{(linear + causal) / million:.3f}",
    )
    table = [
        [op or "(behind the last)", *_shares(layer, causes)]
        for op, causes in layer.result.op_causes("mxu").items()
    ]
    report.table(["matrix unit, cycles", "multiplies", "waits", "largest wait"], table)
    assert cycles >= linear + causal
    assert layer.cycles(layer.result.causes("mxu")["matmul"]) >= linear + causal


def _shares(layer: Timed, causes: dict[str, int]) -> list[str]:
    """Cycles of multiplying, of all else, and the largest part of that."""
    waits = {cause: time for cause, time in causes.items() if cause != "matmul"}
    largest = max(waits, key=lambda cause: waits[cause], default="")
    text = f"{largest} {layer.cycles(waits[largest]):,.0f}" if largest else ""
    return [
        f"{layer.cycles(causes.get('matmul', 0)):,.0f}",
        f"{layer.cycles(sum(waits.values())):,.0f}",
        text,
    ]
