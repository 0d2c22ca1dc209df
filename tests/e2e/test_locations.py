"""Every op behind every pass, and every instruction, has a location, and it is one of the graph's.

A name that a pass made stands in the module's table of sources, `tw.sources`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import graphs
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from models import Tiny, write_huggingface
from xdsl.dialects.builtin import ModuleOp, UnknownLoc
from xdsl.passes import ModulePass

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import Image
from tilewright.compiler import compile_model
from tilewright.compiler.driver import compile_programs
from tilewright.compiler.frontend.loader import load_model
from tilewright.compiler.pipeline import AfterPass, Handed
from tilewright.dialects.locations import location_name, sources_of

ROOT = Path(__file__).parents[2]
SMALL = {"max_context": 64, "chunk": 16}
CASES: dict[str, tuple[Tiny | str, dict[str, Any]]] = {
    "sample": ("tiny-shakespeare", {"machine": "tw-small", **SMALL}),
    "unfused": ("tiny-shakespeare", {"machine": "tw-small", "unfused": True, **SMALL}),
    "biases, a batch": (Tiny("qwen2"), {"machine": "tw-1", "batch": 3, **SMALL}),
    "norms of heads, no main memory": (Tiny("qwen3"), {"machine": "groq-like", **SMALL}),
    "scales of codes": (Tiny("llama"), {"machine": "tw-small", "weights": "i8", **SMALL}),
    "long rows": (Tiny("mistral"), {"machine": "essay-3tbs", "max_context": 128, "chunk": 128}),
}


class _Checked:
    """Looks at the modules of an entry, pass by pass."""

    def __init__(self) -> None:
        self.graph: set[str] = set()
        self.passes: list[str] = []

    def after_pass(
        self, previous: ModulePass | None, module: ModuleOp, following: ModulePass | None
    ) -> None:
        """Behind each pass no op is without a location, and none has a made-up one."""
        ops = list(module.walk())
        bare = [op.name for op in ops if isinstance(op.location, UnknownLoc)]
        assert not bare, f"{len(bare)} of {len(ops)} behind {previous}: {sorted(set(bare))}"
        names = {location_name(op) for op in ops}
        if previous is None:
            self.graph = names
            return
        self.passes.append(previous.name)
        sources = sources_of(module)
        assert names <= self.graph | set(sources), f"behind {previous}"
        assert {one for made in sources.values() for one in made} <= self.graph
        assert all(sources.values())


def compile_checked(path: Path, **options: Any) -> tuple[Image, dict[str, _Checked]]:
    """An image whose entries were looked at behind each pass."""
    checked: dict[str, _Checked] = {}

    def watchers(entry: str, handed: Handed) -> list[AfterPass]:
        return [checked.setdefault(entry, _Checked()).after_pass]

    image, _ = compile_programs(load_model(path), watchers=watchers, **options)
    graph = {name for found in checked.values() for name in found.graph}
    made = {name for p in image.entries.values() for name in p.meta.get("sources", {})}
    for entry, program in image.entries.items():
        for engine, words in program.engines.items():
            assert len(program.locations[engine]) == len(words)
            assert set(program.locations[engine]) <= graph | made | {entry}, f"{entry} {engine}"
    return image, checked


@pytest.mark.parametrize("case", CASES)
def test_ops_and_instructions_without_a_location_are_none(case: str, tmp_path: Path) -> None:
    model, options = CASES[case]
    path = ROOT / "samples" / model if isinstance(model, str) else tmp_path / "model"
    if isinstance(model, Tiny):
        write_huggingface(path, model, tokenizer=False)
    image, checked = compile_checked(path, **options)
    assert set(checked) == {"prefill", "decode"}
    assert all(found.passes[-1] == "select" for found in checked.values())
    assert ("load" in image.entries) == (options["machine"] == "groq-like")


@pytest.mark.parametrize("unfused", [False, True])
def test_text_without_locations_is_located_at_its_lines(unfused: bool, tmp_path: Path) -> None:
    path = tmp_path / "step.mlir"
    path.write_text(re.sub(r' loc\("\w+"\)', "", graphs.gemm(4, 64, 96, "exact")))
    image, checked = compile_checked(path, machine="tw-small", unfused=unfused)
    assert all(name.startswith("step.mlir:") for name in checked["step"].graph)
    lines = path.read_text().splitlines()
    product = next(n for n, line in enumerate(lines, 1) if "tg.matmul" in line)
    column = lines[product - 1].index("%") + 1
    assert f"step.mlir:{product}:{column}" in image.entries["step"].locations["mxu"]


def test_a_pass_quotes_the_line_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "step.mlir"
    text = graphs.gemm(4, 64, 96, "exact")
    path.write_text(
        text.replace("@rows>", "@many>").replace(
            "  tg.table", "  tg.scalar @many : 0 to 4\n  tg.table", 1
        )
    )
    line = next(n for n, line in enumerate(path.read_text().splitlines(), 1) if "tg.matmul" in line)
    with pytest.raises(
        TilewrightError,
        match=rf"tg.fused at gemm \(step.mlir:{line}:\d+\): rows are counted by @many",
    ):
        compile_model(path, machine="tw-small", output=tmp_path / "x.tw")


def test_verification_quotes_the_line_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "step.mlir"
    path.write_text(graphs.gemm(4, 64, 96, "exact").replace("@rows>", "@nobody>"))
    with pytest.raises(TilewrightError, match=rf"^{path}:\d+:\d+: tg.input at x: no launch scalar"):
        load_model(path)


def test_what_was_merged_is_kept(tmp_path: Path) -> None:
    path = write_huggingface(tmp_path / "model", Tiny("qwen2"), tokenizer=False)
    image, _ = compile_checked(path, machine="tw-1", **SMALL)
    sources = image.entries["decode"].meta["sources"]
    parts = [f"blk.{{l}}.attn_{one}" for one in ("q", "k", "v")]
    assert set(parts) <= set(sources["blk.{l}.attn_qkv"])
    assert {f"{part}_bias" for part in parts} <= set(sources["blk.{l}.attn_qkv"])
    assert sources["blk.{l}.ffn_gate_up"] == [
        "blk.{l}.ffn_norm", "blk.{l}.ffn_gate", "blk.{l}.ffn_up",
    ]  # fmt: skip


@seed(20)
@settings(max_examples=6, deadline=None, database=None)
@given(
    family=st.sampled_from(("llama", "mistral", "qwen2", "qwen3")),
    heads=st.sampled_from(((1, 1), (4, 2), (3, 1), (6, 3))),
    sizes=st.tuples(st.sampled_from((24, 50, 64)), st.sampled_from((1, 37, 96))),
    machine=st.sampled_from(("tw-small", "tw-1", "tpu-v5e", "groq-like")),
    batch=st.integers(1, 3),
    chunk=st.integers(1, 9),
    unfused=st.booleans(),
    weights=st.sampled_from((None, "i8", "q4_0")),
)
def test_random_models_keep_locations(
    tmp_path_factory: pytest.TempPathFactory,
    family: str,
    heads: tuple[int, int],
    sizes: tuple[int, int],
    machine: str,
    batch: int,
    chunk: int,
    unfused: bool,
    weights: str | None,
) -> None:
    tiny = Tiny(family, 2, sizes[0], *heads, 16, sizes[1], 97, tied=batch == 1)
    path = write_huggingface(tmp_path_factory.mktemp("model"), tiny, tokenizer=False)
    compile_checked(
        path,
        machine=machine,
        max_context=33,
        batch=batch,
        chunk=chunk,
        unfused=unfused,
        weights=weights,
    )
