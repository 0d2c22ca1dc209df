"""Read an image: check what the file says of itself, map its weights, rebuild its programs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from ..isa import (
    DEFAULT_OPCODES,
    Program,
    ProgramError,
    ViewError,
    typed,
    typed_list,
    typed_object,
    unpack_views,
)
from ..json_text import parse_json
from .container import Header, ImageError, read_header
from .image import Bytes, Image
from .write import VERSION, sha256, tensor_name, whole_digest


def read_image(path: str | Path, check: bool = True) -> Image:
    """Read the image at `path`; its weights are mapped, not loaded.

    With `check` every tensor is read once and compared with its digest. The tables' digest is
    compared always. ImageError says what is wrong with the file.
    """
    path = Path(path)
    header = read_header(path)
    _check_identity(path, header)
    digests = _table(path, header, "digests")
    if sorted(digests) != sorted(header.tensors):
        raise ImageError(f"{path}: digests and tensors differ in names; compile it again")
    data = np.memmap(path, np.uint8, "r")[header.data_start :]
    if check:
        for tensor in header.tensors.values():
            found = sha256(data[tensor.start : tensor.stop])
            if found != digests[tensor.name]:
                raise ImageError(
                    f"{path}: tensor {tensor.name} has digest {found[:12]}, its image was written "
                    f"with {digests[tensor.name][:12]}; the file is damaged, compile it again"
                )
    tables = _table(path, header, "image")
    try:
        entries = typed_object(tables, "entries")
        image = Image(
            machine=typed_object(tables, "machine"),
            policy=typed(tables, "policy", str),
            entries={
                name: _program(path, header, data, name, typed_object(entries, name))
                for name in entries
            },
            opcodes=_opcodes(typed_object(tables, "opcodes")),
            kv_block=typed(tables, "kv_block", int),
            meta=typed_object(tables, "meta"),
            model=typed_object(tables, "model"),
            plans=typed_object(tables, "plans"),
            files={
                name: _tensor(path, header, data, f"file/{name}", np.dtype(np.uint8)).tobytes()
                for name in typed_list(tables, "files", str)
            },
            has_weights=typed(tables, "has_weights", bool),
            weights=None,
            digest=header.metadata["digest"],
        )
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise _not_ours(path, error) from None
    except (ProgramError, ViewError) as error:
        raise _not_ours(path, error) from None
    if not image.has_weights:
        return image
    return _with_weights(path, header, data, image)


def tensor_span(path: str | Path, name: str) -> tuple[int, int]:
    """First byte and one past the last byte of a stored tensor, as offsets in the file."""
    header = read_header(Path(path))
    if name not in header.tensors:
        raise ImageError(f"{path}: no tensor {name}; it has {', '.join(header.tensors)}")
    tensor = header.tensors[name]
    return (header.data_start + tensor.start, header.data_start + tensor.stop)


def _table(path: Path, header: Header, key: str) -> dict[str, Any]:
    """A JSON object of the header."""
    try:
        value = parse_json(header.metadata[key])
    except ValueError as error:
        raise _not_ours(path, error) from None
    if not isinstance(value, dict):
        raise _not_ours(path, f"{key} is no object")
    return cast(dict[str, Any], value)


def _opcodes(found: dict[str, Any]) -> dict[str, int]:
    """An opcode for every instruction, and for nothing else."""
    if set(found) != set(DEFAULT_OPCODES):
        raise ProgramError(f"opcodes of {', '.join(found)}, wanted {', '.join(DEFAULT_OPCODES)}")
    return {mnemonic: typed(found, mnemonic, int) for mnemonic in found}


def _not_ours(path: Path, error: object) -> ImageError:
    text = " ".join(str(error).split())[:300]
    return ImageError(f"{path}: its tables are not those of an image: {text}")


def _check_identity(path: Path, header: Header) -> None:
    """Refuse other versions and changed tables."""
    found = header.metadata
    if found.get("version") != str(VERSION):
        raise ImageError(
            f"{path}: image version {found.get('version')}, this tilewright reads {VERSION}; "
            "compile it again"
        )
    for key in ("digest", "digests", "image"):
        if key not in found:
            raise ImageError(f"{path}: the header has no '{key}'; compile it again")
    digest = whole_digest(found, header.tensors)
    if digest != found["digest"]:
        raise ImageError(
            f"{path}: its tables have digest {digest[:12]}, it was written with "
            f"{found['digest'][:12]}; the file is damaged, compile it again"
        )


def _tensor(
    path: Path, header: Header, data: Bytes, name: str, dtype: np.dtype[Any]
) -> npt.NDArray[Any]:
    """A copy of a small tensor."""
    tensor = header.tensors.get(name)
    if tensor is None:
        raise ImageError(f"{path}: tensor {name} is missing; compile it again")
    raw = data[tensor.start : tensor.stop].tobytes()
    return np.frombuffer(raw, dtype.newbyteorder("<")).astype(dtype).reshape(tensor.shape)


def _program(path: Path, header: Header, data: Bytes, name: str, tables: dict[str, Any]) -> Program:
    def tensor(part: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        return _tensor(path, header, data, f"entry/{name}/{part}", np.dtype(dtype))

    return Program.from_tables(
        tables,
        {engine: tensor(engine, np.uint64) for engine in typed_list(tables, "engines", str)},
        unpack_views(tensor("views", np.uint8)),
        tensor("constants", np.float32),
    )


def _with_weights(path: Path, header: Header, data: Bytes, image: Image) -> Image:
    """The image with its stored bytes mapped; every region is where its address says."""
    first = None
    for region in image.packed_regions().values():
        tensor = header.tensors.get(tensor_name(region))
        if tensor is None:
            raise ImageError(f"{path}: region {region.name} is missing; compile it again")
        first = tensor.start - region.base if first is None else first
        if tensor.nbytes != region.nbytes or tensor.start - region.base != first:
            raise ImageError(
                f"{path}: region {region.name} has {tensor.nbytes} bytes at {tensor.start}, "
                f"its entry says {region.nbytes} at {region.base}; compile it again"
            )
    start = (first or 0) + image.stored_first
    mapped = data[start : start + image.stored_end - image.stored_first]
    return replace(image, weights=np.asarray(mapped))
