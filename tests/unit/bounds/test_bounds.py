"""Bounds against counts made by hand, and what must hold for any model and machine."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilewright.backend.bounds import (
    POLICIES,
    Bound,
    BoundError,
    Ragged,
    Step,
    bound_of,
    decode_step,
    least_energy,
    least_work,
    prefill_step,
    uniform_formats,
)
from tilewright.backend.formats import FormatError
from tilewright.backend.machine import load_machine, machine_names
from tilewright.passes.policy import POLICIES as PASS_POLICIES

from .sizes import LLAMA_2_7B, LLAMA_2_70B, LLAMA_3_70B, Sizes, random_sizes

ESSAY = load_machine("essay-3tbs")
BF16 = uniform_formats("bf16")
FORMATS = st.sampled_from(["f32", "bf16", "i8", "q8_0", "q4_1", "i4_g128", "i4z_g64"])
CONTEXTS = st.lists(st.integers(1, 300), min_size=1, max_size=4)


def seven(contexts: list[int], policy: str = "bf16", weights: str = "bf16") -> Bound:
    return bound_of(LLAMA_2_7B, decode_step(contexts), ESSAY, policy, uniform_formats(weights))


def test_bytes_of_a_7b_step_are_those_counted_by_hand() -> None:
    """Every matrix but the embedding, 65 norms, one embedding row, a position's KV: 512 KiB."""
    layer = 4 * 4096 * 4096 + 3 * 4096 * 11008
    matrices = 2 * (32 * layer + 32000 * 4096)
    found = seven([1024]).bytes
    assert found.weights == matrices + 65 * 4096 * 4
    assert found.kv_read == 1023 * 512 * 1024
    assert found.kv_written == 512 * 1024
    assert found.rows == 4096 * 2 + 4 + 2 * 64 * 4
    assert found.logits == 32000 * 4


def test_times_of_a_7b_step() -> None:
    """13.2 GB at 3 TB/s without a cache; the parameters alone, embedding included, 13.48 GB."""
    assert seven([1]).hbm_ps == pytest.approx(4.405e9, rel=1e-3)
    assert seven([1024]).hbm_ps == pytest.approx(4.584e9, rel=1e-3)
    embedding = 32000 * 4096 * 2
    parameters = seven([1]).bytes.weights - 65 * 4096 * 4 + embedding + 65 * 4096 * 2
    assert parameters == 2 * 6_738_415_616


@pytest.mark.parametrize(
    ("sizes", "weights", "essay_ms", "rel"),
    [
        (LLAMA_2_7B, "bf16", 4.7, 0.03),
        (LLAMA_2_70B, "bf16", 46.7, 0.02),
        (LLAMA_3_70B, "bf16", 46.7, 0.01),
        (LLAMA_3_70B, "i4_g128", 11.7, 0.04),
    ],
)
def test_the_essays_times_are_near(sizes: Sizes, weights: str, essay_ms: float, rel: float) -> None:
    found = bound_of(sizes, decode_step([1024]), ESSAY, "bf16", uniform_formats(weights))
    assert found.binds == "hbm"
    assert found.seconds * 1e3 == pytest.approx(essay_ms, rel=rel)


def test_multiply_adds_are_those_counted_by_hand() -> None:
    """Prefill of 3 behind 2: rows attend 3, 4 and 5 positions."""
    step = Step((Ragged(2, 3),), logit_rows=1)
    found = bound_of(LLAMA_2_7B, step, ESSAY, "bf16", BF16)
    layer = 4 * 4096 * 4096 + 3 * 4096 * 11008
    scores = 2 * 32 * 4096 * (3 + 4 + 5)
    assert found.macs == 3 * 32 * layer + scores + 4096 * 32000


def test_prefill_of_7b_is_bound_by_the_arrays() -> None:
    found = bound_of(LLAMA_2_7B, prefill_step([2048]), ESSAY, "bf16", BF16)
    assert found.binds == "matrix"
    assert found.peak_ps <= found.matrix_ps <= 1.001 * found.peak_ps
    assert found.macs / 65536 * 1000 == pytest.approx(found.peak_ps, rel=1e-6)


def test_exact_doubles_the_cache_and_takes_phases() -> None:
    """float32 against bf16 is three phases, float32 keys and values are nine."""
    exact, bf16 = (
        bound_of(LLAMA_2_7B, prefill_step([512]), ESSAY, policy, BF16)
        for policy in ("exact", "bf16")
    )
    assert exact.bytes.kv_written == 2 * bf16.bytes.kv_written
    linear, scores = bf16.macs - 2 * 32 * 4096 * 512 * 513 // 2, 32 * 4096 * 512 * 513
    assert exact.peak_ps == pytest.approx((3 * linear + 9 * scores) / 65536 * 1000, rel=1e-6)


def test_columns_that_fill_no_array_are_seen() -> None:
    """576 rows of 4.5 sub-tiles: the matrix bound counts 5, the peak does not."""
    sizes = Sizes(30, 576, 9, 3, 64, 1536, 49152)
    found = bound_of(sizes, prefill_step([2048]), ESSAY, "bf16", BF16)
    assert 1.1 * found.peak_ps < found.matrix_ps < 1.4 * found.peak_ps


def test_a_small_model_on_a_large_machine_waits_for_its_own_results() -> None:
    sizes = Sizes(30, 576, 9, 3, 64, 1536, 49152)
    found = bound_of(sizes, decode_step([1024]), ESSAY, "bf16", uniform_formats("i4_g128"))
    assert found.binds == "dependencies"
    # Five products in a row a layer, none of which can hide the other's fill.
    assert found.chain.layer_picoseconds > 5 * 1000 * ESSAY.matrix_fill
    endless = replace(ESSAY, hbm_bytes_per_second=10**18)
    again = bound_of(sizes, decode_step([1024]), endless, "bf16", BF16)
    assert again.chain == found.chain


def test_different_formats_are_products_of_their_own() -> None:
    formats = {**BF16, "attn_v": "q8_0"}
    found = bound_of(LLAMA_2_7B, decode_step([1]), ESSAY, "bf16", formats)
    names = [one.op.name for one in found.ops]
    assert "attn_q+attn_k" in names
    assert "attn_v" in names
    assert found.chain.picoseconds == seven([1]).chain.picoseconds


def test_positions_that_sequences_share_are_read_once() -> None:
    assert decode_step([7, 7, 9]).positions == 2
    assert Step((Ragged(0, 4), Ragged(2, 4), Ragged(9, 0)), 0).positions == 6


def test_resting_sequences_and_empty_steps_need_nothing() -> None:
    resting = Step((Ragged(7, 1), Ragged(100, 0)), 1)
    assert bound_of(LLAMA_2_7B, resting, ESSAY, "bf16", BF16) == seven([8])
    empty = bound_of(LLAMA_2_7B, Step((Ragged(9, 0),), 0), ESSAY, "bf16", BF16)
    assert (empty.picoseconds, empty.bytes.total, empty.macs) == (0, 0, 0)


def test_without_main_memory_the_arrays_and_the_chain_are_left() -> None:
    groq = load_machine("groq-like")
    found = bound_of(LLAMA_2_7B, decode_step([1024]), groq, "bf16", uniform_formats("i8"))
    assert (found.hbm_ps, found.chain.memory_picoseconds) == (0, 0)
    assert found.binds in ("matrix", "dependencies")
    work = least_work(groq, found)
    assert (work.hbm_bytes, work.spm_bytes) == (0, found.bytes.total)
    assert work.macs8 == found.macs - 32 * 2 * 4096 * 1024


def test_the_least_work_by_hand() -> None:
    """One token behind 1,023: all that comes in passes the scratchpad, but for the token."""
    found = seven([1024])
    work = least_work(ESSAY, found)
    assert work.hbm_bytes == found.bytes.total
    assert work.spm_bytes == 2 * (found.bytes.total - found.bytes.written - 4)
    layer = (3 * 4096 + 4096 + 2 * 11008) * (2 * 32 + 1) + 4096 * (2 * 86 + 1)
    assert work.acc_bytes == 4 * (32 * layer + 32000 * (2 * 32 + 1))
    exact = least_work(ESSAY, seven([1024], policy="exact"))
    layer = (3 * 4096 + 4096 + 2 * 11008) * (6 * 32 + 1) + 4096 * (6 * 86 + 1)
    assert exact.acc_bytes == 4 * (32 * layer + 32000 * (6 * 32 + 1))
    assert exact.macs16 > work.macs16 == found.macs
    assert (work.lane_cycles, work.picoseconds) == (found.lane_work, found.picoseconds)


def test_the_policies_are_those_of_the_passes() -> None:
    sizes = {
        name: (policy.significand, policy.cache.bitwidth // 8)
        for name, policy in PASS_POLICIES.items()
    }
    assert sizes == {name: (p.significand, p.cache_bytes) for name, p in POLICIES.items()}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: seven([0]), "context: found 0, wanted 1 or more"),
        (lambda: prefill_step([0]), "prompt: found 0 tokens, wanted 1 or more"),
        (lambda: Step((Ragged(-1, 1),), 1), "step: found Ragged(cached=-1, new=1), wanted no"),
        (lambda: Step((Ragged(1, 1),), 2), "step: found 2 rows of logits, wanted 0 to 1"),
        (lambda: seven([1], policy="f8"), "policy 'f8': unknown; wanted one of exact, bf16"),
    ],
)
def test_what_has_no_bound_says_so(call: Any, message: str) -> None:
    with pytest.raises(BoundError, match=re.escape(message)):
        call()


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(FormatError, match="format f7: unknown"):
        seven([1], weights="f7")


@given(random_sizes(), CONTEXTS, FORMATS, st.sampled_from(sorted(POLICIES)),
       st.sampled_from(machine_names()))  # fmt: skip
def test_totals_are_sums_and_nothing_is_negative(
    sizes: Sizes, contexts: list[int], weights: str, policy: str, name: str
) -> None:
    machine = load_machine(name)
    found = bound_of(sizes, decode_step(contexts), machine, policy, uniform_formats(weights))
    assert found.bytes.total == sum(one.op.bytes.total for one in found.ops)
    assert found.macs == sum(one.op.macs for one in found.ops)
    assert 0 < found.peak_ps <= found.matrix_ps or found.peak_ps == 0
    assert 0 < found.picoseconds == max(found.floors.values()) == found.floors[found.binds]
    assert all(min(o.hbm_ps, o.matrix_ps, o.vector_ps) >= 0 for o in found.ops)
    assert least_energy(machine, found).total > 0
    assert least_work(machine, found).picoseconds == found.picoseconds
    assert found.to_dict()["seconds"] == found.seconds


@given(random_sizes(), CONTEXTS, FORMATS, st.integers(0, 200), st.sampled_from(sorted(POLICIES)))
def test_more_of_anything_never_takes_less(
    sizes: Sizes, contexts: list[int], weights: str, more: int, policy: str
) -> None:
    def floors(step: Step, machine: Any = ESSAY) -> dict[str, int]:
        return bound_of(sizes, step, machine, policy, uniform_formats(weights)).floors

    base = floors(decode_step(contexts))
    longer = floors(decode_step([contexts[0] + more, *contexts[1:]]))
    wider = floors(decode_step([*contexts, 1 + more]))
    chunk = floors(Step((Ragged(contexts[0] - 1, 1 + more), *decode_step(contexts[1:]).sequences),
                        len(contexts)))  # fmt: skip
    slower = floors(decode_step(contexts), replace(ESSAY, clock_hz=ESSAY.clock_hz // 2))
    for other in (longer, wider, chunk, slower):
        assert all(other[name] >= base[name] for name in base)


ROWS = {
    "Llama-2-7B bf16": (LLAMA_2_7B, "bf16"),
    "Llama-2-70B bf16": (LLAMA_2_70B, "bf16"),
    "Llama-3-70B bf16": (LLAMA_3_70B, "bf16"),
    "Llama-3-70B int4, groups of 128": (LLAMA_3_70B, "i4_g128"),
}


@pytest.mark.parametrize("row", ROWS)
def test_the_pages_table_is_current(row: str) -> None:
    sizes, weights = ROWS[row]
    bits = {"bf16": 16, "i4_g128": 4.125}[weights]
    formats = uniform_formats(weights)
    one, thousand = (
        bound_of(sizes, decode_step([context]), ESSAY, "bf16", formats).hbm_ps / 1e9
        for context in (1, 1024)
    )
    layer = sizes.width * (2 * sizes.width + 2 * sizes.kv_heads * 128 + 3 * sizes.ffn)
    parameters = sizes.layers * layer + 2 * sizes.vocab * sizes.width
    parameters += (2 * sizes.layers + 1) * sizes.width
    nominal = parameters * bits / 8 / 3e9
    page = (Path(__file__).parents[3] / "docs" / "bounds.md").read_text()
    (line,) = [line for line in page.splitlines() if line.startswith(f"| {row} |")]
    assert line.endswith(f"| {nominal:.2f} | {one:.2f} | {thousand:.2f} |")
