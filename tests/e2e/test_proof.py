"""C1 to C7 proven, without running anything, of what is compiled for samples, configs and machines.

TILEWRIGHT_PROOF=1 pytest -s tests/e2e/test_proof.py      # every config, machine and batch
TILEWRIGHT_PROOF=7 pytest -s tests/e2e/test_proof.py      # every seventh of these
"""

import os
from dataclasses import replace
from itertools import product
from pathlib import Path
from time import perf_counter

import pytest

from tilewright.backend.asm import assemble, disassemble
from tilewright.backend.errors import TilewrightError
from tilewright.backend.isa import Program
from tilewright.backend.machine import load_machine
from tilewright.compiler.driver import compile_programs
from tilewright.compiler.frontend import load_model
from tilewright.runtime.proof import ProofError, check_shared, prove
from tilewright.runtime.proof.prove import LONG as LONG_WALK
from tilewright.runtime.proof.prove import QUICK

SAMPLES = Path(__file__).parents[2] / "samples"
CONFIGS = sorted(path.parent.name for path in SAMPLES.glob("configs/*/config.json"))
MACHINES = ("tw-small", "tw-1", "essay-3tbs", "h100-like", "tpu-v3-core", "tpu-v5e", "groq-like",
            "wafer-like", "ethos-u65-512-like")  # fmt: skip
EVERY = int(os.environ.get("TILEWRIGHT_PROOF", "0"))
Case = tuple[str, str, int, int, str | None]
"""Model, machine, batch, chunk, weights."""
SHORT: tuple[Case, ...] = (
    ("tiny-shakespeare", "tw-small", 1, 128, None),
    ("tiny-shakespeare", "tw-small", 3, 5, "q4_0"),
    ("tiny-shakespeare", "wafer-like", 2, 16, "int8"),
    ("llama-2-7b", "tw-1", 4, 128, "int4-g128"),
    ("llama-3-70b", "essay-3tbs", 1, 128, "int4-g128"),
    ("qwen3-0.6b", "tpu-v5e", 8, 7, None),
)
LONG: tuple[Case, ...] = (
    *product(["tiny-shakespeare"], MACHINES, [1, 3], [1, 16, 128], [None, "int8", "q4_0"]),
    *product(CONFIGS, MACHINES, [1, 8], [128], ["int4-g128"]),
)


def programs(case: Case) -> dict[str, Program]:
    """All entries. Raises TilewrightError where the model does not fit the machine."""
    name, machine, batch, chunk, weights = case
    place = SAMPLES / "configs" / name / "config.json"
    if not place.exists():
        place = SAMPLES / name
    model = load_model(place)
    context = min(2048, model.most_context)
    image, _ = compile_programs(
        model, machine, context, "bf16", batch, min(chunk, context), None, weights
    )
    return image.entries


@pytest.mark.parametrize("case", LONG[::EVERY] if EVERY else SHORT, ids=str)
def test_compiled_programs_are_proven(case: Case) -> None:
    begin = perf_counter()
    try:
        entries = programs(case)
    except ProofError:
        raise
    except TilewrightError as error:
        assert EVERY, "the short cases fit"
        pytest.skip(f"{case}: {str(error)[:200]}")
    check_shared(entries)
    for name, program in entries.items():
        middle = perf_counter()
        proof = prove(program, load_machine(case[1]), follow=LONG_WALK if EVERY else QUICK)
        end = perf_counter()
        assert len(proof.corners) == (1 if name == "load" else 3)
        assert set(proof.marks) == {channel.name for channel in program.channels}
        assert proof.notes == ()
        print(
            f"\n{case} {name}: compiled {middle - begin:.1f} s, proven {end - middle:.2f} s: "
            f"{proof.loops} loops and {len(proof.marks)} channels for every launch, "
            f"{proof.walked} instructions of {len(proof.corners)} launches, contents of "
            f"{len(proof.followed)}"
        )


@pytest.fixture(scope="module")
def decode() -> Program:
    return programs(SHORT[0])["decode"]


def said(text: str) -> ProofError:
    """What is said of an edited program."""
    with pytest.raises(ProofError) as caught:
        prove(assemble(text), load_machine("tw-small"))
    return caught.value


def test_a_wait_that_was_deleted_by_hand_is_named(decode: Program) -> None:
    text = disassemble(decode)
    line = next(line for line in text.splitlines() if "sync wait, @handed" in line)
    error = said(text.replace(line + "\n", ""))
    assert (error.rule, error.engine) == ("C4", "mxu")
    assert error.location == "blk.{l}.attn_output"
    assert "slot 0 of channel 'handed', this engine holds 0" in str(error)


def test_a_loop_that_runs_less_often_on_one_engine_is_named(decode: Program) -> None:
    text = disassemble(decode)
    at = text.index("engine ld ")
    error = said(text[:at] + text[at:].replace("trips=10", "trips=9", 1))
    assert error.rule == "C2"
    assert "channel 'weights' is out of balance: ld fills" in str(error)


def test_a_register_that_nothing_writes_is_named(decode: Program) -> None:
    text = disassemble(decode)
    first = next(line for line in text.splitlines() if line.strip().startswith("ldp "))
    assert "which nothing before it writes" in str(said(text.replace(first + "\n", "", 1)))


def test_bytes_that_nothing_writes_are_named(decode: Program) -> None:
    """Keys that are read one element further: the last one's end was not loaded."""
    text = disassemble(decode)
    at = text.index("engine mxu ")
    error = said(text[:at] + text[at:].replace("@kv[0]", "@kv[2]", 1))
    assert (error.rule, error.engine, error.location) == ("C4", "mxu", "blk.{l}.attention")
    assert "of a slot of channel 'kv', which nothing has written" in str(error)


def test_bytes_that_nothing_reads_are_noted(decode: Program) -> None:
    """The new values, taken one element further: as safe as before, and not what was meant."""
    moved = disassemble(decode).replace("a=@sums[1024]<1x2x32", "a=@sums[1020]<1x2x32", 1)
    (note, *_) = prove(assemble(moved), load_machine("tw-small")).notes
    assert "blk.{l}.attn_qkv writes bytes 1276..1280 of a slot of channel 'sums'" in note


def test_rings_on_the_same_bytes_are_named(decode: Program) -> None:
    rings = [replace(c, base=0) if c.name == "kv" else c for c in decode.channels]
    with pytest.raises(ProofError, match=r"addresses broken.*shares bytes of spm.*'kv' at 0"):
        prove(replace(decode, channels=tuple(rings)), load_machine("tw-small"))


def test_stored_rows_that_are_read_without_a_token_are_a_race() -> None:
    """Both ends of the token that orders prefill's reads of activations behind their stores."""
    text = disassemble(programs(SHORT[0])["prefill"])
    kept = [x for x in text.splitlines() if "sync" not in x or "@token_embd_out_ready" not in x]
    error = said("\n".join(kept) + "\n")
    assert error.rule == "C6"
    assert "a token from ld1 to st must lie between them" in str(error)
    assert "'token_embd_out_ready'" in str(error)


def test_entries_that_disagree_about_a_cache_are_named() -> None:
    entries = programs(SHORT[0])
    moved = [
        replace(r, base=r.base + 64) if r.name == "k_cache" else r
        for r in entries["decode"].regions
    ]
    with pytest.raises(ProofError, match=r"region 'k_cache'.* entries share it"):
        check_shared({**entries, "decode": replace(entries["decode"], regions=tuple(moved))})
