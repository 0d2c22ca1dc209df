"""tile on whole programs: the machine that an error names would do, the KV block is recorded."""

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from xdsl.dialects.builtin import IntegerAttr

from tilewright.backend.isa import Channel
from tilewright.backend.machine import load_machine
from tilewright.backend.prediction import AttentionKernel
from tilewright.compiler.driver import compile_entry, compile_model
from tilewright.compiler.frontend.builder import EntryShape
from tilewright.compiler.frontend.loader import load_model
from tilewright.passes.located import PassError
from tilewright.passes.tile.record import PLAN, plan_of
from tilewright.passes.tile.search import DoesNotFitError

from .models import (
    DECODE,
    PREFILL,
    TO_PLACES,
    TO_TILE,
    apply,
    least_scratchpad,
    machine_file,
    model_module,
    parse,
)

CONFIGS = Path(__file__).parents[3] / "samples" / "configs"


SINGLE = EntryShape("decode", 1, 1, 64)


@pytest.mark.parametrize("policy", ["exact", "bf16"])
@pytest.mark.parametrize("entry", [PREFILL, DECODE, SINGLE], ids=["prefill", "decode", "single"])
def test_the_smallest_machine_is_told_and_does(
    tmp_path: Path, entry: EntryShape, policy: str
) -> None:
    """The scratchpad that the error asks for is enough for all passes; a little less is not."""
    module = model_module(entry, policy, qk_norm=True)
    tiny = replace(load_machine("tw-small"), name="tiny")
    least = least_scratchpad(module, tiny, tmp_path)
    enough = machine_file(replace(tiny, spm_bytes=least), tmp_path)
    apply(module.clone(), *TO_PLACES, machine=enough)
    too_small = machine_file(replace(tiny, spm_bytes=least - tiny.alignment), tmp_path)
    with pytest.raises(DoesNotFitError, match="scratchpad of machine tiny too small"):
        apply(module, *TO_TILE, machine=too_small)


@pytest.mark.parametrize("entry", [PREFILL, DECODE])
def test_the_kv_block_is_kept_and_recorded(entry: EntryShape) -> None:
    module = apply(model_module(entry), *TO_TILE, machine="tw-small", kv_block=8)
    assert module.attributes["tw.kv_block"] == IntegerAttr(8, 64)
    slots = re.findall(r'ring "kv" : memref<\d+x(\d+)x32xf32', str(module))
    assert set(slots) == {"8"}


@pytest.mark.parametrize("entry", [PREFILL, DECODE], ids=["prefill", "decode"])
def test_the_plan_is_recorded_and_text_keeps_it(entry: EntryShape) -> None:
    module = apply(model_module(entry, "bf16", qk_norm=True), *TO_TILE, machine="tw-small")
    weights = Channel("weights_1", "ld", ("mxu",), "slot", 7, 640, "spm")
    plan = plan_of(module, [weights, replace(weights, name="weights", slots=9)])
    assert plan is not None
    assert plan == plan_of(parse(str(module)), [weights])
    assert plan.slots == {"weights": 7}, "the fewest of a role"
    ops = [kernel.op.rpartition(".")[2] for kernel in plan.kernels]
    assert ops[:4] == ["token_embd", "attn_qkv", "kv_append", "attention"]
    assert ops[4:] == ["attn_output", "ffn_gate_up", "ffn_down", "output"]
    assert {k.op: k.repeats for k in plan.kernels}["output"] == 1
    attention = next(k for k in plan.kernels if isinstance(k, AttentionKernel))
    assert (attention.repeats, attention.heads, attention.kv_heads) == (2, 4, 2)
    assert module.attributes["tw.kv_block"] == IntegerAttr(attention.depth, 64)
    far = attention.query == "memory"
    assert far == ('ring "query"' in str(module)), "queries are loaded where they are far"


def test_a_kernel_without_a_closed_form_leaves_no_plan() -> None:
    module = apply(
        model_module(DECODE), "canonicalise", "expand-attention", "fuse", *TO_TILE[3:],
        machine="tw-small", unfused=True,
    )  # fmt: skip
    assert PLAN not in module.attributes
    assert plan_of(module, []) is None


def test_a_kv_block_is_a_power_of_two() -> None:
    with pytest.raises(PassError, match="kv-block: found 6, wanted a power of two"):
        apply(model_module(), *TO_TILE, machine="tw-small", kv_block=6)


def test_more_scratchpad_changes_the_tiles(tmp_path: Path) -> None:
    small = replace(load_machine("tw-small"), name="half", spm_bytes=1 << 15)
    texts = [
        str(apply(model_module(), *TO_TILE, machine=machine_file(machine, tmp_path)))
        for machine in (small, replace(small, spm_bytes=1 << 16))
    ]
    assert texts[0] != texts[1]


def test_kernels_of_one_label_have_tiles_of_their_own() -> None:
    """Without locations kernels are labelled by their anchor, and several share a label."""
    module = model_module(DECODE)
    located = str(apply(module.clone(), *TO_TILE, machine="tw-small"))
    for op in module.walk():
        op.location = module.location
    bare = str(apply(module, *TO_TILE, machine="tw-small"))

    def shapes(text: str) -> list[str]:
        return re.findall(r"tile\.buffer.*", text)

    assert shapes(bare) == shapes(located)


def test_all_entries_of_an_image_have_one_kv_block(tmp_path: Path) -> None:
    """Decode chooses: by itself, prefill would take another here."""
    report = compile_model(
        CONFIGS / "smollm2-135m" / "config.json",
        "tw-1",
        max_context=512,
        policy="bf16",
        output=tmp_path / "image.tw",
    )
    blocks = {name: entry.kv_block for name, entry in report.entries.items()}
    model = load_model(CONFIGS / "smollm2-135m" / "config.json")
    alone = compile_entry(model.build(EntryShape("prefill", 1, 128, 512), "bf16"), "tw-1")
    assert set(blocks) == {"prefill", "decode"}
    assert blocks["prefill"] == blocks["decode"] != alone.report.kv_block


def test_70b_is_tiled_in_time() -> None:
    """All passes to tile, both entries, within a second; the slowest is the search."""
    model = load_model(CONFIGS / "llama-3-70b" / "config.json")
    start = time.process_time()
    for entry in (EntryShape("prefill", 1, 128, 2048), EntryShape("decode", 1, 1, 2048)):
        apply(model.build(entry, "bf16"), *TO_TILE, machine="tw-1")
    assert time.process_time() - start < 3.0
