"""Opcode numbers are data: an image encoded with other numbers gives the same logits."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tilewright.backend.image import read_image, write_image
from tilewright.backend.isa import DEFAULT_OPCODES, decode, encode_all
from tilewright.compiler import compile_model
from tilewright.runtime import Session

SAMPLE = Path(__file__).parents[2] / "samples" / "tiny-shakespeare"
IDS = [5, 70, 301, 44, 9, 511, 3]


def test_shuffled_opcodes_give_equal_logits(tmp_path: Path) -> None:
    path, shuffled = tmp_path / "m.tw", tmp_path / "shuffled.tw"
    compile_model(SAMPLE, machine="tw-small", max_context=32, chunk=4, output=path)
    image = read_image(path)
    numbers = np.random.default_rng(4).permutation(255)[: len(DEFAULT_OPCODES)] + 1
    opcodes = dict(zip(DEFAULT_OPCODES, map(int, numbers), strict=True))
    entries = {
        name: replace(
            program,
            engines={
                engine: encode_all(decode(words, image.opcodes), opcodes)
                for engine, words in program.engines.items()
            },
        )
        for name, program in image.entries.items()
    }
    weights = [(name, image.region_bytes(name)) for name in image.packed_regions()]
    write_image(shuffled, replace(image, entries=entries, opcodes=opcodes), weights)
    assert read_image(shuffled).opcodes != image.opcodes
    first, second = (Session.load(p) for p in (path, shuffled))
    np.testing.assert_array_equal(second.prefill(IDS), first.prefill(IDS))
    np.testing.assert_array_equal(second.decode(7), first.decode(7))
    first, second = (Session.load(p, engine="reference") for p in (path, shuffled))
    np.testing.assert_array_equal(second.decode(7), first.decode(7))
