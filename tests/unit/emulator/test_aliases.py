"""Rings of weights that the compiled engine reads where the weights are; same results."""

import numpy as np
import pytest

from tilewright.backend.machine import load_machine
from tilewright.runtime.functional import Emulator, Fault, Memories
from tilewright.runtime.functional.aliases import aliased_channels
from tilewright.runtime.functional.builder import Builder
from tilewright.runtime.functional.loader import load

MACHINE = load_machine("tw-small")
WEIGHTS = np.random.default_rng(0).normal(size=256).astype(np.float32)


def _ring(spoil: str = "") -> Builder:
    """ld fills a ring from weights three times, vpu doubles what it finds, st stores it."""
    b = Builder()
    w = b.region("w", "hbm", 4096, 1024, "weight")
    x = b.region("x", "hbm", 0, 64, "input")
    y = b.region("y", "hbm", 1024, 1024, "output")
    ring = b.channel("ring", "ld", ["vpu"], 2, 256)
    back = b.channel("back", "vpu", ["st"], 1, 256, base=512)
    if spoil == "region":
        b.region("over", "spm", 256, 64, "local")
    for i in range(3):
        source = b.dense(w, "f32", 64, offset=256 * i)
        whole = b.dense(ring, "f32", 64).beginning().ending()
        if spoil == "sync" and i == 1:
            b.sync("ld", "acquire", ring)
            b.emit("ld", "copy", dst=b.dense(ring, "f32", 64).ending(), src=source)
        elif spoil == "parts" and i == 1:
            b.emit("ld", "copy", dst=b.dense(ring, "f32", 16).beginning(), 
                   src=b.dense(w, "f32", 16, offset=256))  # fmt: skip
            b.emit("ld", "copy", dst=b.dense(ring, "f32", 48, offset=64).ending(),
                   src=b.dense(w, "f32", 48, offset=320))  # fmt: skip
        elif spoil == "fill" and i == 2:
            b.emit("ld", "fill", dst=whole, value=b.constant(3.0))
        elif spoil == "strided" and i == 1:
            b.emit("ld", "copy", dst=b.dense(ring, "f32", 16, 4).beginning().ending(),
                   src=b.dense(w, "f32", 16, 3, offset=256))  # fmt: skip
        elif spoil == "state" and i == 1:
            b.emit("ld", "copy", dst=b.dense(ring, "f32", 64).beginning().ending(),
                   src=b.dense(x, "f32", 16))  # fmt: skip
        else:
            b.emit("ld", "copy", dst=whole, src=source)
        b.emit("vpu", "vec", dst=b.dense(back, "f32", 64).beginning().ending(),
               a=b.dense(ring, "f32", 64).beginning().ending(), b=b.constant(2.0))  # fmt: skip
        b.emit("st", "copy", dst=b.dense(y, "f32", 64, offset=256 * i),
               src=b.dense(back, "f32", 64).beginning().ending())  # fmt: skip
    return b


@pytest.mark.parametrize("spoil", ["", "region", "sync", "parts", "fill", "strided", "state"])
@pytest.mark.parametrize("checks", [True, False])
def test_same_results(spoil: str, checks: bool) -> None:
    program = _ring(spoil).program()
    aliased = aliased_channels(load(program, MACHINE))
    assert aliased == ({0} if spoil in ("", "strided") else set())
    results: list[bytes] = []
    for engine in ("reference", "fast", "fast"):
        memories = Memories(MACHINE, [program], WEIGHTS.view(np.uint8), 4096)
        emulator = Emulator(program, MACHINE, memories, engine, checks=checks)
        emulator.write("x", np.arange(16, dtype=np.float32))
        emulator.run()
        results.append(emulator.read("y")[:768].tobytes())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_bytes_that_the_copy_left_out_are_unwritten(engine: str) -> None:
    b = Builder()
    w = b.region("w", "hbm", 4096, 1024, "weight")
    ring = b.channel("ring", "ld", ["vpu"], 1, 256)
    out = b.region("out", "spm", 256, 256, "local", "vpu")
    b.emit("ld", "copy", dst=b.dense(ring, "f32", 63, offset=4).beginning().ending(),
           src=b.dense(w, "f32", 63))  # fmt: skip
    b.emit("vpu", "vec", dst=b.dense(out, "f32", 63),
           a=b.dense(ring, "f32", 63, offset=4).beginning())  # fmt: skip
    b.emit("vpu", "vec", dst=b.dense(out, "f32", 64), a=b.dense(ring, "f32", 64).ending())
    program = b.program()
    memories = Memories(MACHINE, [program], WEIGHTS.view(np.uint8), 4096)
    with pytest.raises(Fault, match="vpu instruction 1: vec a reads byte 0 of a slot of channel"):
        Emulator(program, MACHINE, memories, engine).run()
    np.testing.assert_array_equal(
        memories.read(program.region("out"), np.float32)[:63], WEIGHTS[:63]
    )
