"""Machines without main memory: everything lies in the scratchpad, and units work on it there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from machines import MIB, NO_MAIN_MEMORY, varied, write_machine

from tilewright.backend.errors import TilewrightError
from tilewright.backend.image import LOAD_ENTRY, read_image
from tilewright.backend.isa import CHANNEL, REGION, Program, decode
from tilewright.backend.machine import load_machine
from tilewright.compiler import compile_model
from tilewright.compiler.check import PassChecker
from tilewright.compiler.driver import compile_programs
from tilewright.compiler.frontend import load_model
from tilewright.compiler.step_programs import programs_for_step
from tilewright.runtime import Session
from tilewright.runtime.functional import Emulator
from tilewright.runtime.timing import time_step
from tilewright.runtime.timing.report import report_of

ROOT = Path(__file__).parents[2]
SHAKESPEARE = ROOT / "samples" / "tiny-shakespeare"
SMOLLM2 = ROOT / "samples" / "configs" / "smollm2-135m" / "config.json"
GROQ = load_machine("groq-like")
KV_BLOCK = 32
PROMPT = [int(i) for i in np.random.default_rng(2).integers(0, 700, 75)]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sample model with and without main memory, in two policies."""
    root = tmp_path_factory.mktemp("images")
    near = write_machine(varied(NO_MAIN_MEMORY | {"spm_bytes": 8 * MIB}, "near"), root)
    found: dict[str, Path] = {}
    for name, machine in {"near": near, "groq": "groq-like", "far": "tw-small"}.items():
        for policy in ("exact", "bf16"):
            found[f"{name} {policy}"] = root / f"{name}-{policy}.tw"
            compile_model(
                SHAKESPEARE,
                machine=machine,
                policy=policy,
                chunk=32,
                kv_block=KV_BLOCK,
                output=found[f"{name} {policy}"],
            )
    return found


def logits_of(image: Path, engine: str) -> np.ndarray:
    """A prompt of three chunks and two steps."""
    session = Session.load(image, engine=engine, order="random:5")
    prompt = session.prefill(PROMPT, all_logits=True)
    return np.concatenate([prompt, [session.decode(5)], [session.decode(6)]])


@pytest.mark.parametrize("policy", ["exact", "bf16"])
def test_the_bits_are_those_with_main_memory(images: dict[str, Path], policy: str) -> None:
    far = logits_of(images[f"far {policy}"], "fast")
    np.testing.assert_array_equal(logits_of(images[f"near {policy}"], "fast"), far)
    np.testing.assert_array_equal(logits_of(images[f"groq {policy}"], "fast"), far)


def test_the_reference_engine_agrees(images: dict[str, Path]) -> None:
    session = Session.load(images["near exact"], engine="reference")
    fast = Session.load(images["near exact"])
    np.testing.assert_array_equal(session.prefill(PROMPT[:9]), fast.prefill(PROMPT[:9]))
    np.testing.assert_array_equal(session.decode(4), fast.decode(4))


def test_a_session_loads_once(images: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[bool] = []
    run = Emulator.run

    def counted(self: Emulator, *given: dict[str, int]) -> dict[str, int]:
        loads.append("rows" not in {p.name for p in self.program.parameters})
        return run(self, *given)

    monkeypatch.setattr(Emulator, "run", counted)
    session = Session.load(images["near exact"])
    session.prefill(PROMPT[:40])
    session.decode(1)
    session.reset()
    session.prefill(PROMPT[:3])
    assert loads == [True, False, False, False, False]
    assert LOAD_ENTRY not in session.shapes


def test_all_lies_in_the_scratchpad_and_weights_are_not_moved(images: dict[str, Path]) -> None:
    image = read_image(images["groq exact"])
    assert set(image.entries) == {LOAD_ENTRY, "prefill", "decode"}
    for name in ("prefill", "decode"):
        program = image.entries[name]
        assert {r.memory for r in program.regions if r.role != "local"} == {"spm"}
        packed = {r.name for r in program.regions if r.role == "weight"} - {"token_embd"}
        assert packed <= used(program, "mxu") | used(program, "vpu")
        for engine in program.engines:
            if engine.startswith(("ld", "st")):
                assert not used(program, engine) & packed
        assert {"k_cache", "v_cache"} <= used(program, "mxu")
        assert "logits" in used(program, "vpu")
        assert not {"weights", "kv", "vector"} & {channel.name for channel in program.channels}


def used(program: Program, engine: str) -> set[str]:
    """Regions and channels that an engine's instructions name."""
    found: set[str] = set()
    for ins in decode(program.engines[engine]):
        for operand in ins.operands.values():
            if operand.kind in (REGION, CHANNEL):
                table = program.regions if operand.kind == REGION else program.channels
                found.add(table[operand.id].name)
    return found


def test_every_pass_keeps_values_and_order(tmp_path: Path) -> None:
    """Each level against the one before, engines interleaved, races looked for."""
    machine = write_machine(varied(NO_MAIN_MEMORY | {"spm_bytes": 8 * MIB}, "near"), tmp_path)
    compile_programs(
        load_model(SHAKESPEARE),
        machine,
        max_context=24,
        batch=2,
        chunk=5,
        watchers=lambda _, handed: [PassChecker(machine).after_pass],
    )


def test_a_step_takes_no_main_memory_and_no_load() -> None:
    """SmolLM2 in 8 bits: time, energy and bound of a step on a chip that holds it."""
    image, _ = programs_for_step(load_model(SMOLLM2), "decode", [256], "groq-like", weights="int8")
    timed = time_step(image, GROQ, "decode", [256])
    report = report_of(image, timed)
    assert timed.work.hbm_bytes == 0
    assert report.joules["hbm"] == 0
    assert set(report.bytes.values()) == {0}
    assert report.bound is not None
    assert report.share is not None
    assert 0.7 < report.share <= 1
    moved = sum(timed.work.spm_bytes for _ in timed.launches)
    weights = sum(r.nbytes for r in image.packed_regions().values() if r.role == "weight")
    gathered = image.packed_regions()["token_embd"].nbytes
    assert weights - gathered < moved < 1.2 * weights  # Each weight is read once, and not copied.


@pytest.mark.parametrize(
    ("options", "chips"),
    [({"weights": "bf16"}, 2), ({"weights": "int8", "context": 2000, "batch": 4}, 3)],
)
def test_what_does_not_fit_is_refused_with_the_chips_it_takes(
    options: dict[str, str | int], chips: int
) -> None:
    contexts = [int(options.get("context", 256))] * int(options.get("batch", 1))
    weights = str(options["weights"])
    with pytest.raises(TilewrightError, match=rf"do not fit groq-like.*would take {chips} of"):
        programs_for_step(load_model(SMOLLM2), "decode", contexts, "groq-like", weights=weights)
