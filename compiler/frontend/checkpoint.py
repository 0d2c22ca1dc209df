"""What every checkpoint reader offers: names, shapes, formats at once, bytes a tensor at a time.

A tensor is seen as rows: row n holds output feature n, its K values contiguous. A vector (a norm's
gamma, a bias) is N rows of K = 1. Readers never convert between float types; `read` gives the
format that `info` announced.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from ...backend.errors import TilewrightError
from ...backend.formats import Blocks

T = TypeVar("T")


class CheckpointError(TilewrightError):
    """A checkpoint that cannot be read: the message names file, place and what was found."""


class UnsupportedModel(TilewrightError):
    """A model with a key, tensor or feature outside the architecture table, which is named."""


@dataclass(frozen=True)
class TensorInfo:
    """Format, shape (N rows, K values a row) and the checkpoint's own word for the type."""

    format: str
    """A name in `backend.formats.FORMATS`: what `read` returns."""
    shape: tuple[int, int]
    """(N, K); a vector of N values is (N, 1)."""
    stored: str
    """The type as the file names it, such as `Q4_K` or `BF16`."""
    vector: bool = False
    """The file holds one axis, not two."""


@dataclass(frozen=True)
class TokenizerMaterial:
    """A tokenizer and what a chat needs, as it goes into an image (all fields are JSON values)."""

    json: str
    """The text of a `tokenizer.json` of the `tokenizers` library; its post-processor adds `bos`
    where the model wants one."""
    bos: int | None = None
    eos: tuple[int, ...] = ()
    chat_template: str | None = None
    special: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names that a chat template may use, such as `bos_token`, and their text."""

    def to_dict(self) -> dict[str, object]:
        """The JSON object that `tilewright.runtime` makes a tokenizer of."""
        return {
            "json": self.json,
            "bos": self.bos,
            "eos": list(self.eos),
            "chat_template": self.chat_template,
            "special": dict(self.special),
        }


class Checkpoint(Protocol):
    """A model on disk. `names`, `info`, `config` cost no tensor bytes; `read` maps one tensor."""

    @property
    def path(self) -> Path: ...

    @property
    def kind(self) -> str:
        """`gguf`, `huggingface`, `config` or `arrays`."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Tensor names in file order; empty for a config alone."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that hold the tensors' bytes, by name; none for a config alone."""
        ...

    @property
    def config(self) -> Mapping[str, object]:
        """The model's raw keys: `config.json`, or GGUF metadata without its token lists."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """Lines a user should see: what was converted, and what that costs."""
        ...

    def info(self, name: str) -> TensorInfo:
        """Shape and format; CheckpointError for an unknown name."""
        ...

    def read(self, name: str) -> Blocks:
        """All rows of one tensor; CheckpointError when there are no such bytes."""
        ...

    def tokenizer(self) -> TokenizerMaterial | None:
        """The tokenizer, or None when the checkpoint has none."""
        ...


def map_file(path: Path) -> mmap.mmap:
    """A file's bytes, read where they are touched. Raises CheckpointError."""
    try:
        if path.is_fifo():
            raise ValueError("it is a pipe; give a file")
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be mapped: {error}") from None


def tensor_named(path: Path, tensors: Mapping[str, T], name: str) -> T:
    """What a checkpoint knows of a tensor. Raises CheckpointError for one that it lacks."""
    if name not in tensors:
        raise CheckpointError(f"{path}: there is no tensor {name!r}")
    return tensors[name]
