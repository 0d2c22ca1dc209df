"""Images: write and read back, readable by the safetensors library, every way to be damaged."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tilewright.backend.image import (
    Image,
    ImageError,
    read_image,
    rewrite_digest,
    sealed_image,
    tensor_span,
    write_image,
)
from tilewright.backend.isa import Ins, Parameter, Program, Region, View, dense_view, encode_all

Bytes = npt.NDArray[np.uint8]


def a_program(engine: str) -> Program:
    """One engine that halts, and one entry in most tables."""
    return Program(
        engines={engine: encode_all([Ins("li", fields={"rd": 1, "imm": -1}), Ins("halt")])},
        views=(dense_view("f32", (4, 8)), View("q4_1", (32, 16), (320, 16), "kn", 64)),
        constants=np.array([0.125, -np.inf, np.nan], np.float32),
        regions=(
            Region("w1", "hbm", 1024, 100, "weight"),
            Region("w0", "hbm", 512, 500, "weight"),
            Region("rope", "hbm", 1152, 64, "table"),
            Region("cache", "hbm", 4096, 256, "state"),
        ),
        parameters=(Parameter("rows", 0, 1, 0, 4),),
        locations={engine: ["blk.{l}.attn", ""]},
        kv_block=8,
    )


def an_image() -> Image:
    """Two entries that share their weights."""
    return Image(
        machine={"name": "tw-small", "lanes": 64},
        policy="exact",
        entries={"decode": a_program("ld"), "prefill": a_program("mxu")},
        kv_block=8,
        meta={"model": "toy", "max_context": 32},
        files={"tokenizer.json": b'{"model": 1}', "chat_template": b""},
    )


def contents() -> dict[str, Bytes]:
    """Random bytes of each stored region."""
    rng = np.random.default_rng(0)
    sizes = {"w0": 500, "w1": 100, "rope": 64}
    return {name: rng.integers(0, 256, n, dtype=np.uint8) for name, n in sizes.items()}


def in_pieces() -> Iterator[tuple[str, Bytes]]:
    """The regions' bytes, interleaved in pieces of odd lengths."""
    data = contents()
    yield "w1", data["w1"][:33]
    yield "rope", data["rope"]
    yield "w0", data["w0"][:257]
    yield "w1", data["w1"][33:]
    yield "w0", data["w0"][257:].copy()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A written image."""
    write_image(tmp_path / "toy.tw", an_image(), in_pieces())
    return tmp_path / "toy.tw"


def test_round_trip(path: Path) -> None:
    image, read = an_image(), read_image(path)
    assert read.has_weights
    assert read.machine == image.machine
    assert (read.policy, read.kv_block, read.meta) == ("exact", 8, image.meta)
    assert read.files == image.files
    assert read.opcodes == image.opcodes
    for name, program in image.entries.items():
        found = read.entries[name]
        assert found.tables() == program.tables()
        assert found.views == program.views
        assert found.constants.tobytes() == program.constants.tobytes()
        assert list(found.engines) == list(program.engines)
        for engine, words in program.engines.items():
            assert np.array_equal(found.engines[engine], words)


def test_weights_are_mapped_at_their_addresses(path: Path) -> None:
    read = read_image(path)
    assert (read.stored_first, read.stored_end) == (512, 1216)
    assert read.weights is not None
    assert len(read.weights) == 1216 - 512
    assert not read.weights.flags.writeable
    assert read.weights.ctypes.data % 64 == 0
    for name, data in contents().items():
        base = read.packed_regions()[name].base
        assert np.array_equal(read.region_bytes(name), data)
        assert np.array_equal(read.weights[base - 512 : base - 512 + len(data)], data)
    assert not read.weights[500:512].any()  # the gap between w0 and w1
    with pytest.raises(ImageError, match="no weight or table named 'cache'"):
        read.region_bytes("cache")


def test_weights_of_a_machine_without_main_memory(path: Path, tmp_path: Path) -> None:
    """The same file, tensors named after the scratchpad; all weights lie in one memory."""
    near = tuple(
        replace(region, memory="spm") if region.memory == "hbm" else region
        for region in a_program("ld").regions
    )
    window = Region("host", "host", 512, 704, "input")
    image = replace(
        an_image(),
        entries={
            "load": replace(a_program("ld"), regions=(*near[:3], window)),
            "decode": replace(a_program("ld"), regions=near),
        },
    )
    write_image(tmp_path / "near.tw", image, in_pieces())
    read = read_image(tmp_path / "near.tw")
    assert set(read.packed_regions()) == set(contents())
    far = read_image(path).weights
    assert read.weights is not None
    assert far is not None
    assert np.array_equal(read.weights, far)
    with import_module("safetensors").safe_open(tmp_path / "near.tw", framework="numpy") as file:
        assert {"spm/w0", "spm/w1", "spm/rope"} <= set(file.keys())
    mixed = replace(image, entries={"decode": replace(a_program("ld"), regions=(
        near[0], *a_program("ld").regions[1:]
    ))})  # fmt: skip
    with pytest.raises(ImageError, match="weights lie in hbm, or all in spm"):
        write_image(tmp_path / "mixed.tw", mixed, ())


def test_the_safetensors_library_reads_it(path: Path) -> None:
    with import_module("safetensors").safe_open(path, framework="numpy") as file:
        names = set(file.keys())
        assert {"hbm/w0", "entry/decode/ld", "entry/prefill/views", "file/chat_template"} <= names
        assert np.array_equal(file.get_tensor("hbm/w0"), contents()["w0"])
        words = an_image().entries["decode"].engines["ld"]
        assert np.array_equal(file.get_tensor("entry/decode/ld"), words)
        assert file.get_tensor("hbm/w1").shape == (100,)
        assert json.loads(file.metadata()["image"])["policy"] == "exact"


def test_writing_twice_gives_equal_bytes(path: Path, tmp_path: Path) -> None:
    whole = contents()
    digest = write_image(tmp_path / "again.tw", an_image(), whole.items())
    assert (tmp_path / "again.tw").read_bytes() == path.read_bytes()
    assert digest == read_image(path).digest
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.tw", "toy.tw"]


def test_an_image_of_a_config_alone(tmp_path: Path) -> None:
    write_image(tmp_path / "shape.tw", an_image())
    read = read_image(tmp_path / "shape.tw")
    assert not read.has_weights
    assert read.weights is None
    with pytest.raises(ImageError, match="region w0: this image was compiled without weights"):
        read.region_bytes("w0")


def test_entries_without_weights(tmp_path: Path) -> None:
    image = replace(an_image(), entries={"decode": replace(a_program("ld"), regions=())})
    write_image(tmp_path / "none.tw", image, ())
    read = read_image(tmp_path / "none.tw")
    assert read.weights is not None
    assert read.weights.size == 0


def flip(path: Path, at: int) -> None:
    """Flip one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "name", ["hbm/w0", "hbm/w1", "hbm/rope", "entry/decode/ld", "entry/prefill/views",
             "entry/decode/constants", "file/tokenizer.json", "gap/1012"]
)  # fmt: skip
def test_one_flipped_bit_of_any_tensor_is_found_and_named(path: Path, name: str) -> None:
    start, stop = tensor_span(path, name)
    for at in (start, stop - 1):
        flip(path, at)
        with pytest.raises(ImageError, match=f"tensor {name} has digest .* the file is damaged"):
            read_image(path)
        flip(path, at)
    read_image(path)


def test_every_byte_counts(path: Path) -> None:
    good = path.read_bytes()
    rng = np.random.default_rng(3)
    for at in sorted({*range(12), *rng.integers(0, len(good), 300).tolist()}):
        bad = bytearray(good)
        bad[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bad)
        with pytest.raises(ImageError, match=r"toy\.tw"):
            read_image(path)


def test_a_changed_weight_with_a_new_digest_is_an_image_again(path: Path) -> None:
    before = read_image(path).digest
    start, _ = tensor_span(path, "hbm/w0")
    flip(path, start + 7)
    digest = rewrite_digest(path)
    read = read_image(path)
    assert read.digest == digest != before
    assert read.region_bytes("w0")[7] == contents()["w0"][7] ^ 1


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "m.tw")
    with pytest.raises(ImageError, match="is a pipe; give an image file"):
        read_image(path)


def test_a_sealed_image_has_the_digest_of_its_file(tmp_path: Path) -> None:
    sealed = sealed_image(an_image())
    assert sealed.digest == write_image(tmp_path / "toy.tw", an_image())
    assert sealed.digest == read_image(tmp_path / "toy.tw").digest
    assert not sealed.has_weights
    other = sealed_image(replace(an_image(), model={"sizes": {}}))
    assert other.digest != sealed.digest


def test_without_check_only_the_tables_are_verified(path: Path) -> None:
    flip(path, tensor_span(path, "hbm/w0")[0])
    assert read_image(path, check=False).has_weights
    flip(path, path.read_bytes().index(b'\\"policy\\":'))
    with pytest.raises(ImageError, match=r"toy\.tw"):
        read_image(path, check=False)


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_truncated_files(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ImageError, match="truncated"):
        read_image(path)


def test_appended_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ImageError, match="it is truncated or has bytes appended"):
        read_image(path)


def test_missing_file_and_other_files(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be read"):
        read_image(tmp_path / "none.tw")
    import_module("safetensors.numpy").save_file(
        {"x": np.zeros(3, np.float32)}, tmp_path / "model.safetensors"
    )
    with pytest.raises(ImageError, match="a safetensors file, but no image"):
        read_image(tmp_path / "model.safetensors")
    (tmp_path / "text").write_text("func.func @main() {} // " * 10)
    with pytest.raises(ImageError, match="truncated or no image"):
        read_image(tmp_path / "text")
    (tmp_path / "json").write_bytes((16).to_bytes(8, "little") + b"[1, 2, 3, 4, 5 ]")
    with pytest.raises(ImageError, match="the header is not that of an image"):
        read_image(tmp_path / "json")


def rewrite_header(path: Path, old: bytes, new: bytes) -> None:
    """Replace bytes of the header by as many others, then seal the file again."""
    assert len(old) == len(new)
    data = path.read_bytes()
    assert data.count(old) >= 1
    path.write_bytes(data.replace(old, new))
    rewrite_digest(path)


def test_another_version(path: Path) -> None:
    rewrite_header(path, b'"version":"3"', b'"version":"1"')
    with pytest.raises(ImageError, match="image version 1, this tilewright reads 3"):
        read_image(path)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b'"entry/decode/ld"', b'"entry/decode/xx"', "tensor entry/decode/ld is missing"),
        (b'"hbm/w0"', b'"hbm/w9"', "region w0 is missing"),
        (b'"file/chat_template"', b'"file/chat_templatx"', "file/chat_template is missing"),
        (rb"\"base\":512", rb"\"base\":576", "apart in hbm"),
        (rb"\"nbytes\":64", rb"\"nbytes\":60", "region rope has 64 bytes at .* its entry says 60"),
        (
            rb"\"policy\":",
            rb"\"policx\":",
            "not those of an image: policy is missing, wanted a text",
        ),
        (rb"\"has_weights\":true", rb"\"has_weights\":1234", "has_weights is 1234, wanted a bool"),
        (rb"\"model\":{}", rb"\"model\":[]", r"model is \[\], wanted an object"),
        (rb"\"role\":\"weight\"", rb"\"role\":1234567890", "role is 1234567890, wanted a text"),
        (rb"\"halt\":", rb"\"hald\":", "opcodes of .*hald.*, wanted .*halt"),
    ],
)
def test_sealed_but_inconsistent(path: Path, old: bytes, new: bytes, text: str) -> None:
    rewrite_header(path, old, new)
    with pytest.raises(ImageError, match=text):
        read_image(path)


def test_header_keys_and_digest_names(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"digests"', b'"digestx"'))
    with pytest.raises(ImageError, match="the header has no 'digests'"):
        read_image(path)
    path.write_bytes(data.replace(b'"hbm/w0"', b'"hbm/w8"'))
    with pytest.raises(ImageError, match="its tables have digest"):
        read_image(path)


def regions(*entries: tuple[str, int, int]) -> Image:
    """An image whose one entry has these weights (name, base, bytes)."""
    table = tuple(Region(n, "hbm", base, size, "weight") for n, base, size in entries)
    return replace(an_image(), entries={"decode": replace(a_program("ld"), regions=table)})


@pytest.mark.parametrize(
    ("image", "weights", "text"),
    [
        (regions(("a", 0, 4)), [], "region a: 0 bytes came, it is declared with 4"),
        (regions(("a", 0, 4)), [("a", b"12345")], "region a: 5 bytes came"),
        (regions(("a", 0, 4)), [("b", b"1")], "bytes for 'b', which no entry declares"),
        (regions(("a", 1, 4)), [], "weights lie in hbm, or all in spm, at multiples of 64"),
        (regions(("a", 0, 65), ("b", 64, 4)), [], "regions a and b are -1 bytes apart"),
        (regions(("a", 0, 64), ("b", 1 << 21, 4)), [], "bytes apart in hbm"),
        (replace(an_image(), meta={"x": object()}), [], "hold what JSON cannot"),
        (replace(an_image(), meta={"x": float("nan")}), [], "hold what JSON cannot"),
    ],
)
def test_images_that_cannot_be_written(
    tmp_path: Path, image: Image, weights: list[Any], text: str
) -> None:
    with pytest.raises(ImageError, match=text):
        write_image(tmp_path / "bad.tw", image, weights)
    assert not list(tmp_path.iterdir())


def test_entries_that_disagree_about_a_weight(tmp_path: Path) -> None:
    other = replace(a_program("ld"), regions=(Region("w0", "hbm", 576, 500, "weight"),))
    image = replace(an_image(), entries={"decode": a_program("ld"), "prefill": other})
    with pytest.raises(ImageError, match=r"entry prefill: region w0 is .* share weights at one"):
        write_image(tmp_path / "bad.tw", image, ())


def test_a_failed_write_leaves_the_old_image(path: Path) -> None:
    before = path.read_bytes()

    def broken() -> Iterator[tuple[str, bytes]]:
        yield "w0", b"x"
        raise RuntimeError("the checkpoint went away")

    with pytest.raises(RuntimeError, match="went away"):
        write_image(path, an_image(), broken())
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["toy.tw"]


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="cannot be written"):
        write_image(tmp_path / "no" / "toy.tw", an_image(), in_pieces())
