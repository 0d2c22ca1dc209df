"""The GGUF container: what is read, and what each kind of damage is called."""

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

from tilewright.compiler.frontend.checkpoint import CheckpointError, UnsupportedModel
from tilewright.compiler.frontend.gguf import GgufCheckpoint
from tilewright.compiler.frontend.gguf_file import GgufFile


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def key(name: str, kind: int, data: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + data


def tensor(name: str, extents: Sequence[int], kind: int, offset: int) -> bytes:
    head = text(name) + struct.pack("<I", len(extents))
    return head + struct.pack(f"<{len(extents)}QIQ", *extents, kind, offset)


def container(
    path: Path,
    keys: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    data: bytes = b"",
    magic: bytes = b"GGUF",
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> Path:
    """A file made of raw parts; `counts` lies about their number."""
    head = magic + struct.pack("<IQQ", version, *(counts or (len(tensors), len(keys))))
    body = head + b"".join(keys) + b"".join(tensors)
    path.write_bytes(body + bytes(-len(body) % 32) + data)
    return path


U32 = struct.pack("<I", 7)
F32, Q4_1, I8 = 0, 3, 24

DAMAGES: dict[str, tuple[Any, str]] = {
    "empty": (b"", "cannot be mapped: cannot mmap an empty file"),
    "magic": ({"magic": b"GGML"}, "not a GGUF file: it starts with b'GGML', wanted b'GGUF'"),
    "version": ({"version": 1}, "GGUF version 1; versions 2 and 3 are read"),
    "big-endian": (
        {"version": 3 << 24},
        "GGUF version 50331648 (a big-endian file?); versions 2 and 3 are read",
    ),
    "counts": (
        {"counts": (1 << 60, 0)},
        "1152921504606846976 tensors and 0 keys are announced, too many for 8 bytes",
    ),
    "key length": (
        {"keys": [struct.pack("<Q", 1 << 40) + bytes(16)]},
        "truncated: the name of key 0 at byte 32 needs 1099511627776 bytes, 32 are left",
    ),
    "key twice": ({"keys": [key("a", 4, U32), key("a", 4, U32)]}, "key 'a' stands twice"),
    "key type": (
        {"keys": [key("a", 13, U32)]},
        "key 'a' has value type 13, which GGUF does not define",
    ),
    "key not text": (
        {"keys": [struct.pack("<Q", 1) + b"\xff" + struct.pack("<I", 4) + U32]},
        "the name of key 0 at byte 24 is not UTF-8",
    ),
    "nested array": (
        {"keys": [key("a", 9, struct.pack("<IQ", 9, 1))]},
        "key 'a' is an array of arrays, which no model key needs",
    ),
    "array too long": (
        {"keys": [key("a", 9, struct.pack("<IQ", 8, 1 << 50))]},
        "key 'a' announces 1125899906842624 strings, more than the file holds",
    ),
    "alignment": (
        {"keys": [key("general.alignment", 4, struct.pack("<I", 24))]},
        "general.alignment is 24, wanted a power of two from 8",
    ),
    "rank": (
        {"tensors": [tensor("w", [1] * 5, F32, 0)], "data": bytes(32)},
        "tensor 'w' has rank 5, wanted 1 to 4",
    ),
    "type": (
        {"tensors": [tensor("w", [8], 99, 0)], "data": bytes(32)},
        "tensor 'w' has type number 99, which is unknown",
    ),
    "blocks": (
        {"tensors": [tensor("w", [40, 2], Q4_1, 0)], "data": bytes(80)},
        "tensor 'w' has extents [40, 2]; Q4_1 wants the first a positive multiple of 32",
    ),
    "no values": (
        {"tensors": [tensor("w", [32, 0], Q4_1, 0)], "data": bytes(80)},
        "tensor 'w' has extents [32, 0]; Q4_1 wants the first a positive multiple of 32",
    ),
    "unaligned": (
        {"tensors": [tensor("w", [4], F32, 8)], "data": bytes(32)},
        "tensor 'w' at offset 8, not a multiple of 32",
    ),
    "past the end": (
        {"tensors": [tensor("w", [9], F32, 0)], "data": bytes(32)},
        "truncated: tensor 'w' ends at byte 100, the file at 96",
    ),
    "overlap": (
        {"tensors": [tensor("v", [9], F32, 0), tensor("w", [8], F32, 32)], "data": bytes(96)},
        "tensor 'w' at byte 128 overlaps 'v'",
    ),
    "name twice": (
        {"tensors": [tensor("w", [8], F32, 0), tensor("w", [8], F32, 32)], "data": bytes(96)},
        "a tensor name stands twice",
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(name: str, tmp_path: Path) -> None:
    parts, message = DAMAGES[name]
    path = tmp_path / "m.gguf"
    if isinstance(parts, bytes):
        path.write_bytes(parts)
    else:
        container(path, **parts)
    with pytest.raises(CheckpointError) as error:
        GgufFile(path)
    assert str(error.value) == f"{path}: {message}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "m.gguf")
    with pytest.raises(CheckpointError, match="it is a pipe; give a file"):
        GgufFile(path)


def test_any_cut_is_an_error_of_one_line(tmp_path: Path) -> None:
    """Wherever a file is cut, the reader says so and never reads past its end."""
    path = tmp_path / "m.gguf"
    keys = [key("a", 4, U32), key("b", 9, struct.pack("<IQ", 8, 2) + text("x") + text("y"))]
    tensors = [tensor("v", [8], F32, 0), tensor("w", [32, 2], Q4_1, 32)]
    data = container(path, keys, tensors, bytes(72)).read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError) as error:
            GgufFile(path)
        assert "\n" not in str(error.value)
    path.write_bytes(data)
    assert GgufFile(path).keys == {"a": 7, "b": ["x", "y"]}


def test_any_flipped_byte_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    keys = [key("a", 4, U32), key("b", 9, struct.pack("<IQ", 4, 2) + U32 + U32)]
    data = container(path, keys, [tensor("w", [32, 2], Q4_1, 0)], bytes(40)).read_bytes()
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF):
            path.write_bytes(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :])
            try:
                file = GgufFile(path)
            except CheckpointError:
                continue
            for place in file.tensors.values():
                assert file.data(place).size == place.nbytes


def test_values_are_those_of_the_gguf_package(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    random = np.random.default_rng(0)
    writer = gguf.GGUFWriter(path, "llama")
    values = {kind: random.standard_normal((6, 64)).astype(np.float32) for kind in ("Q4_1", "Q6_K")}
    values["Q6_K"] = random.standard_normal((2, 256)).astype(np.float32)
    for kind, value in values.items():
        known = gguf.GGMLQuantizationType[kind]
        try:
            raw = gguf.quantize(value, known)
        except NotImplementedError:
            raw = random.integers(0, 60, (2, 210), np.uint8)
        writer.add_tensor(kind, raw, raw_dtype=known)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    checkpoint = GgufCheckpoint(path)
    assert [checkpoint.info(kind).format for kind in values] == ["q4_1", "f32"]
    assert checkpoint.notices == (
        "1 tensors of type Q6_K are stored as float32: exact, 4.9 times the bytes",
    )
    with pytest.raises(CheckpointError, match="there is no tensor 'other'"):
        checkpoint.read("other")


REFUSED = {
    "axes": ([8, 2, 2], F32, 128, "tensor 'w' has 3 axes, wanted 1 or 2"),
    "integers": ([32, 2], I8, 64, "tensor 'w' has type I8, no type of a weight"),
    "unknown to gguf": (
        [256, 1],
        15,
        292,
        "tensor 'w' has type Q8_K, which the gguf package cannot dequantise: requantise the file, "
        "for example to Q4_1 or Q8_0",
    ),
    "vector": ([32], Q4_1, 20, "vector 'w' has type Q4_1, wanted F32, F16 or BF16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_tensors(name: str, tmp_path: Path) -> None:
    extents, kind, size, message = REFUSED[name]
    path = container(tmp_path / "m.gguf", tensors=[tensor("w", extents, kind, 0)], data=bytes(size))
    checkpoint = GgufCheckpoint(path)
    with pytest.raises(UnsupportedModel) as error:
        checkpoint.info("w")
    assert str(error.value) == f"{path}: {message}"
