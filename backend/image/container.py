"""A safetensors file's header: where tensors lie, laid out, written and checked by ourselves.

An image is a valid safetensors file. Its header is laid out before any byte of a tensor is known,
so that tensors stream to their places; the digests in it have a fixed length and are written last.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from ..errors import TilewrightError
from ..json_text import parse_json

ALIGNMENT = 64
"""The data section starts at a multiple of this, and so does the first tensor."""
FORMAT = "tilewright-image"
"""What the metadata of every image says under `format`."""
MAX_HEADER = 100_000_000
"""The safetensors library refuses longer headers."""
ITEM_BYTES = {"U8": 1, "F32": 4, "U64": 8}


class ImageError(TilewrightError):
    """An image that cannot be written, or a file that is no intact image."""


@dataclass(frozen=True)
class Tensor:
    """A tensor of the container."""

    name: str
    dtype: str
    """`U8`, `F32` or `U64`."""
    shape: tuple[int, ...]
    start: int
    """First byte, counted from the start of the data section."""

    @property
    def nbytes(self) -> int:
        """Bytes of the tensor."""
        count = ITEM_BYTES[self.dtype]
        for extent in self.shape:
            count *= extent
        return count

    @property
    def stop(self) -> int:
        """One past the last byte, counted from the start of the data section."""
        return self.start + self.nbytes


@dataclass(frozen=True)
class Header:
    """The parsed header of a container."""

    metadata: dict[str, str]
    tensors: dict[str, Tensor]
    data_start: int
    """Offset of the data section in the file."""


def lay_out(wanted: Iterable[tuple[str, str, tuple[int, ...]]]) -> dict[str, Tensor]:
    """Tensors (name, dtype, shape) one after the other, as safetensors demands: without gaps."""
    tensors, at = dict[str, Tensor](), 0
    for name, dtype, shape in wanted:
        assert name not in tensors, f"tensor {name} twice"
        tensors[name] = Tensor(name, dtype, shape, at)
        at = tensors[name].stop
    return tensors


def header_bytes(metadata: Mapping[str, str], tensors: Mapping[str, Tensor]) -> bytes:
    """The header with its length word, padded with spaces to a multiple of `ALIGNMENT`."""
    content: dict[str, Any] = {"__metadata__": dict(metadata)}
    for t in tensors.values():
        content[t.name] = {
            "dtype": t.dtype,
            "shape": list(t.shape),
            "data_offsets": [t.start, t.stop],
        }
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > MAX_HEADER:
        raise ImageError(
            f"the image's tables take {len(text)} bytes, readers accept {MAX_HEADER}: "
            "compile fewer entries into one image"
        )
    return len(text).to_bytes(8, "little") + text


def read_header(path: Path) -> Header:
    """Read and check the header of a container; ImageError says what is wrong with the file."""
    try:
        if path.is_fifo():
            raise ImageError(f"{path}: is a pipe; give an image file")
        size = path.stat().st_size
        with path.open("rb") as file:
            prefix = file.read(8)
            length = int.from_bytes(prefix, "little")
            if len(prefix) < 8 or length > MAX_HEADER or length + 8 > size:
                raise ImageError(
                    f"{path}: {size} bytes cannot hold a header; it is truncated or no image"
                )
            text = file.read(length)
    except OSError as error:
        raise ImageError(f"{path}: cannot be read ({error.strerror}); give an image file") from None
    try:
        parsed = parse_json(text)
        metadata = {str(k): str(v) for k, v in parsed.pop("__metadata__", {}).items()}
        if metadata.get("format") != FORMAT:
            raise ImageError(f"{path}: a safetensors file, but no image; compile one from it")
        tensors = {
            str(name): Tensor(
                str(name), str(t["dtype"]), tuple(map(int, t["shape"])), int(t["data_offsets"][0])
            )
            for name, t in cast(dict[str, Any], parsed).items()
        }
        sound = all(t.stop == parsed[t.name]["data_offsets"][1] for t in tensors.values())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise ImageError(f"{path}: the header is not that of an image; compile it again") from None
    at = 0
    for t in sorted(tensors.values(), key=lambda t: (t.start, t.stop)):
        sound = sound and t.start == at
        at = t.stop
    if not sound:
        raise ImageError(f"{path}: the header's tensors do not follow each other; damaged")
    if size != 8 + length + at:
        raise ImageError(
            f"{path}: {size} bytes, the header promises {8 + length + at}; it is truncated or "
            "has bytes appended"
        )
    return Header(metadata, tensors, 8 + length)
