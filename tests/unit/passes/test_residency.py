"""What stays on chip between kernels: homes by who reads, and plans by what fits."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from xdsl.dialects.builtin import ModuleOp

from tilewright.backend.machine import load_machine
from tilewright.compiler.check import PassChecker
from tilewright.compiler.driver import compile_entry
from tilewright.compiler.frontend.builder import EntryShape
from tilewright.compiler.frontend.model_config import Rope
from tilewright.passes.names import Names, symbols
from tilewright.passes.policy import policy_of
from tilewright.passes.symbols import entry_function
from tilewright.passes.tile.regions import assign_regions
from tilewright.passes.tile.residency import Home, Residency, find_homes, taken

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

GRAPH = """
builtin.module @m attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 4
  tg.scalar @logit_rows : 0 to 4
  tg.table @row_start : 1 x 0 to 4
  tg.table @q_len : 1 x 0 to 4
  tg.table @kv_len : 1 x 0 to 7
  tg.global input @tokens : memref<4xi32, #tw.hbm>
  tg.global input @index : memref<4xi32, #tw.hbm>
  tg.global input @logit_index : memref<4xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<32x50, q8_0, nk> from "'embd'"
  tg.global weight @w : !lowbit.packed<32x32, q4_0, kn> from "'w'"
  tg.global weight @wide : !lowbit.packed<32x64, q8_0, kn> from "'wide'"
  tg.global weight @back : !lowbit.packed<64x32, f32, kn> from "'back'"
  tg.global output @y : memref<4x32xf32, #tw.hbm>
  func.func @m() {
    %x = tg.embed @embd, @tokens : R loc("embd")
    %w = tg.weight @w : tensor<32x32xf32>
BODY
    func.return
  }
}
"""
TO_PANELS = TO_TILE[: TO_TILE.index("tile")]


def graph(body: str, rows: int = 4) -> ModuleOp:
    """A program with rows counted by @rows (R) and by @logit_rows (L), at most so many."""
    text = GRAPH.replace("BODY", body).replace("0 to 4", f"0 to {rows}")
    text = text.replace("memref<4x", f"memref<{rows}x")
    for letter, size in (("R", "rows"), ("L", "logit_rows")):
        text = text.replace(f" : {letter}", f" : tensor<?x32xf32, #tg.sizes<@{size}>>")
    return parse(text)


def homes(module: ModuleOp, residency: Residency) -> dict[str, str]:
    """Home of every region, those in main memory left out."""
    apply(module, *TO_PANELS)
    extents = {"rows": 4, "logit_rows": 4}
    block = entry_function(module).body.block
    regions = assign_regions(block, policy_of(module), extents, Names(symbols(module)))
    found = find_homes(regions, residency)
    return {name: home.value for name, home in found.items() if home is not Home.MEMORY}


def kept(module: ModuleOp) -> Residency:
    """How much stays on chip in a tiled model."""
    text = str(module)
    scratch = " ".join(re.findall(r"tg.global scratch @(\w+)", text))
    if 'ring "fresh"' in text:
        return Residency.ALL
    if "ffn_gate_up" in scratch:
        return Residency.NONE
    return Residency.ROWS if "attention" in scratch else Residency.HEADS


def check(module: ModuleOp) -> None:
    """All passes keep what the program computes, no engine races, every order gives its bits."""
    checker = PassChecker("tw-small", seed=1, launches=2)
    compile_entry(module, "tw-small", after_pass=[checker.after_pass])
    assert checker.passed[-1] == "select"


CHAIN = """
    %a = tg.matmul %x, %w : R loc("a")
    %b = tg.matmul %a, %w : R loc("b")
    %c = tg.binary add %b, %a : R
    %d = tg.matmul %c, %w : R loc("d")
    tg.output %d to @y
"""


def test_what_matmuls_alone_read_is_handed_to_them() -> None:
    assert homes(graph(CHAIN), Residency.ALL) == {"embd_out": "matrix", "a_out": "vector"}
    check(graph(CHAIN))


def test_nothing_stays_where_nothing_may() -> None:
    assert homes(graph(CHAIN), Residency.NONE) == {}


def test_a_slot_outlives_another_that_was_filled_later() -> None:
    """@a_out is read behind @b_out, which is made and read in between."""
    body = """
    %wide = tg.weight @wide : tensor<32x64xf32>
    %back = tg.weight @back : tensor<64x32xf32>
    %a = tg.matmul %x, %w : R loc("a")
    %s = tg.unary silu %a : R
    %b = tg.matmul %s, %wide : tensor<?x64xf32, #tg.sizes<@rows>> loc("b")
    %c = tg.matmul %s, %w : R loc("c")
    %d = tg.matmul %b, %back : R loc("d")
    %y = tg.binary add %d, %c : R
    tg.output %y to @y
    """
    assert homes(graph(body), Residency.ALL) == {
        "embd_out": "matrix",
        "a_out": "matrix",
        "b_out": "matrix",
        "d_out": "vector",
    }
    check(graph(body))


TAKEN = """
    %a = tg.matmul %x, %w : R loc("a")
    %z = tg.binary add %x, %a : R
    %p = tg.take %z, @index : L
    %y = tg.matmul %p, %w : L loc("y")
    %s = tg.matmul %y, %w : L loc("s")
    tg.output %s to @y
"""


def test_rows_are_picked_out_of_a_copy_in_memory() -> None:
    """Only main memory can be gathered from; rows that it gives are no rows of the step."""
    assert homes(graph(TAKEN), Residency.ALL) == {"embd_out": "vector"}
    text = str(apply(graph(TAKEN), *TO_TILE, machine="tw-small"))
    assert re.findall(r"tg.global scratch @(\w+)", text) == ["embd_out", "y_out"]
    assert text.count("to @embd_out") == 1
    assert text.index("to @embd_out") < text.index("tile.gather @embd_out")
    check(graph(TAKEN))


def test_picked_rows_may_stay_on_chip_themselves() -> None:
    """Where a gather's rows are counted as the step's, all that it makes is kept, and stored."""
    body = TAKEN.replace(" : L", " : R")
    assert homes(graph(body), Residency.ALL) == {"embd_out": "vector", "y_out": "matrix"}
    text = str(apply(graph(body), *TO_TILE, machine="tw-small"))
    assert text.count("to @embd_out") == 1
    assert text.index("to @embd_out") < text.index("tile.gather @embd_out")


def test_taken_regions() -> None:
    module = apply(graph(TAKEN), *TO_PANELS)
    block = entry_function(module).body.block
    rows = {"rows": 4, "logit_rows": 4}
    regions = assign_regions(block, policy_of(module), rows, Names(symbols(module)))
    assert taken(regions) == {"embd_out"}


def test_the_one_row_of_a_step_is_not_picked() -> None:
    """It lies on chip, and no index names another, if whoever launches says so."""
    body = TAKEN.replace("@index", "@logit_index inside")
    found = graph(body, rows=1)
    text = str(apply(found, *TO_TILE, machine="tw-small"))
    assert "tile.gather @embd_out" not in text
    assert "to @embd_out" not in text
    check(graph(body, rows=1))
    unsure = str(apply(graph(TAKEN, rows=1), *TO_TILE, machine="tw-small"))
    assert "tile.gather @embd_out" in unsure


STREAM = {"token_embd_out": "vector"}
FFN = {"ffn_gate_up_out": "matrix"}
HEADS = {"attn_qkv_out": "vector", "attention_out": "matrix"}
QUERIES = {"kv_append_out": "matrix"}


@pytest.mark.parametrize(
    ("residency", "expected"),
    [
        (Residency.ALL, STREAM | FFN | HEADS | QUERIES),
        (Residency.HEADS, STREAM | FFN | HEADS),
        (Residency.ROWS, STREAM | FFN),
        (Residency.NONE, {}),
    ],
)
def test_homes_of_a_model(residency: Residency, expected: dict[str, str]) -> None:
    assert homes(model_module(DECODE), residency) == expected


def test_the_residual_stream_of_all_layers_is_one_buffer() -> None:
    text = str(apply(model_module(DECODE), *TO_TILE, machine="tw-small"))
    buffers = re.findall(r"^( *)%token_embd_out = tile.buffer : memref<2x128xf32", text, re.M)
    assert buffers == ["    "], "it stands once, outside of the loop over layers"
    assert "iter_args" not in text


def test_keys_and_values_are_stored_behind_the_attention_that_reads_them() -> None:
    text = str(apply(model_module(DECODE), *TO_TILE, machine="tw-small"))
    assert text.count("to @k_cache") == text.count("to @v_cache") == 1
    assert text.index("tile.load @v_cache") < text.index("to @k_cache")


ATTENTION = """
builtin.module @m attributes {tw.policy = "exact"} {
  tg.scalar @rows : 0 to 2
  tg.scalar @logit_rows : 0 to 2
  tg.table @row_start : 2 x 0 to 2
  tg.table @q_len : 2 x 0 to 1
  tg.table @kv_len : 2 x 0 to 15
  tg.global input @tokens : memref<2xi32, #tw.hbm>
  tg.global weight @embd : !lowbit.packed<64x50, q8_0, nk> from "'embd'"
  tg.global table @rope_cos : memref<16x16xf32, #tw.hbm> from "rope_cos(10000.0, 32, 16)"
  tg.global table @rope_sin : memref<16x16xf32, #tw.hbm> from "rope_sin(10000.0, 32, 16)"
  tg.global state @k_cache : memref<2x1x16x32xf32, #tw.hbm>
  tg.global state @v_cache : memref<2x1x16x32xf32, #tw.hbm>
  tg.global weight @qkv : !lowbit.packed<64x128, q8_0, kn> from "'qkv'"
  tg.global weight @o : !lowbit.packed<64x64, q8_0, kn> from "'o'"
  tg.global output @y : memref<2x64xf32, #tw.hbm>
  func.func @m() {
    %x = tg.embed @embd, @tokens : R64 loc("embd")
    %qkv = tg.weight @qkv : tensor<64x128xf32>
    %p = tg.matmul %x, %qkv : R128 loc("qkv")
    %q0, %k0, %v = tg.split %p [64, 32, 32]
    %q = tg.rope %q0, @rope_cos, @rope_sin heads 2 : R64 loc("turn")
    %k = tg.rope %k0, @rope_cos, @rope_sin heads 1 : R32 loc("turn")
    tg.kv_append %k, %v to @k_cache, @v_cache loc("append")
    %a = tg.attention %q cache @k_cache, @v_cache heads 2 kv_heads 1 scale 0.25 : R64 loc("attend")
    %wo = tg.weight @o : tensor<64x64xf32>
    %o = tg.matmul %a, %wo : R64 loc("o")
    %s = tg.binary add %o, OTHER : R64
    tg.output %s to @y
    func.return
  }
}
"""


def attention(other: str) -> ModuleOp:
    """A decode step of two sequences that adds `other` to what attention gives."""
    text = ATTENTION.replace("OTHER", other)
    return parse(re.sub(r" : R(\d+)", r" : tensor<?x\1xf32, #tg.sizes<@rows>>", text))


@pytest.mark.parametrize(("other", "most"), [("%x", Residency.ALL), ("%q", Residency.HEADS)])
def test_queries_that_something_else_reads_are_not_handed(other: str, most: Residency) -> None:
    """Then attention finds its queries and the whole cache in memory."""
    found = homes(attention(other), Residency.ALL)
    assert found == homes(attention(other), most)
    assert ("append_out" in found) == (most is Residency.ALL)
    tiled = apply(attention(other), *TO_TILE, machine="tw-small")
    assert ('ring "fresh"' in str(tiled)) == (most is Residency.ALL)
    check(attention(other))


@pytest.mark.parametrize(("heads", "head"), [(1, 80), (1, 24), (5, 20)])
@pytest.mark.parametrize("chunk", [1, 4])
def test_heads_that_do_not_fill_what_they_are_padded_to(heads: int, head: int, chunk: int) -> None:
    """A buffer of 80 columns, padded to 96 for the matmul, holds no whole number of heads; one of
    5 x 20, padded to 128, neither."""
    entry = EntryShape("step", 2, chunk, 64)
    rope = Rope(10000.0, head)
    module = model_module(entry, heads=heads, kv_heads=heads, head_dim=head, rope=rope)
    apply(module, *TO_TILE, machine="tw-small")
    assert kept(module) is Residency.ROWS


@pytest.mark.parametrize("policy", ["exact", "bf16"])
@pytest.mark.parametrize(
    ("entry", "most"),
    [
        (EntryShape("decode", 1, 1, 64), Residency.ALL),
        (DECODE, Residency.ALL),
        (EntryShape("decode", 8, 1, 64), Residency.ALL),
        (PREFILL, Residency.HEADS),
    ],
    ids=["single", "decode", "decode 8", "prefill"],
)
def test_what_stays_fits(entry: EntryShape, most: Residency, policy: str, tmp_path: Path) -> None:
    """From the least scratchpad upwards: every plan is placed, and the largest keeps the most."""
    module = model_module(entry, policy, qk_norm=True)
    small = replace(load_machine("tw-small"), name="small")
    least = least_scratchpad(module, small, tmp_path)
    found: list[Residency] = []
    for factor in (1, 2, 4, 8, 32, 128):
        machine = machine_file(replace(small, spm_bytes=least * factor), tmp_path)
        tiled = apply(module.clone(), *TO_TILE, machine=machine)
        found.append(kept(tiled))
        apply(tiled, *TO_PLACES[len(TO_TILE) :], machine=machine)
    assert found[0] is not most
    assert found[-1] is most
