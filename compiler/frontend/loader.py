"""From a path to a model: which front end reads it is decided by what the path is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp, StringAttr

from .builder import BuildError, EntryShape, build
from .checkpoint import Checkpoint, CheckpointError, TokenizerMaterial
from .config_only import ConfigOnlyCheckpoint
from .gguf import GgufCheckpoint
from .graph_text import ArraysCheckpoint, read_graphs
from .huggingface import HuggingFaceCheckpoint
from .model_config import ModelConfig
from .parameters import Parameters, find_parameters
from .read_config import read_gguf, read_huggingface
from .weights import WeightStore

WANTED = "a .gguf file, a Hugging Face directory, a config.json, or graph-level .mlir text"


@dataclass(frozen=True)
class Model:
    """A loaded model, whatever it was read from."""

    path: Path
    checkpoint: Checkpoint
    config: ModelConfig | None
    """None for `.mlir` text, which is a graph already."""
    parameters: Parameters | None
    modules: tuple[ModuleOp, ...] = ()
    """The modules of `.mlir` text, in file order; their shapes are fixed."""

    @property
    def name(self) -> str:
        """The file's or folder's name without its ending."""
        path = self.path.resolve()
        if path.name == "config.json":
            return path.parent.name
        return path.name if path.is_dir() else path.stem

    @property
    def notices(self) -> tuple[str, ...]:
        """What the user should know: conversions, missing weights."""
        return (*self.checkpoint.notices, *(self.parameters.notices if self.parameters else ()))

    @property
    def has_weights(self) -> bool:
        """Whether the parameters have bytes."""
        if self.config is None:
            return bool(self.checkpoint.names)
        return self.checkpoint.kind != "config"

    @property
    def most_context(self) -> int:
        """Positions that a sequence may have: what the model was made for, or its window."""
        if self.config is None:
            return 1
        return min(self.config.max_positions, self.config.window or self.config.max_positions)

    @property
    def weights(self) -> WeightStore:
        """What recipes of the modules read from."""
        return WeightStore.of(self.checkpoint)

    def tokenizer(self) -> TokenizerMaterial | None:
        """The tokenizer and chat template, if the checkpoint has them."""
        return self.checkpoint.tokenizer()

    def build(self, entry: EntryShape, policy: str = "exact") -> ModuleOp:
        """The graph of one entry. Raises BuildError; `.mlir` text gives its own module of that
        name, whose policy must be the one asked for."""
        if self.config is not None and self.parameters is not None:
            return build(self.config, entry, policy, self.parameters)
        for module in self.modules:
            if module.sym_name is not None and module.sym_name.data == entry.name:
                stated = module.attributes["tw.policy"]
                if stated != StringAttr(policy):
                    raise BuildError(
                        f"{self.path}: module @{entry.name} has policy {stated}, not {policy!r}"
                    )
                return module.clone()
        names = ", ".join(f"@{m.sym_name.data}" for m in self.modules if m.sym_name is not None)
        raise BuildError(f"{self.path}: has no module @{entry.name}, only {names}")


def load_model(path: str | Path) -> Model:
    """Read a model's tables; no tensor's bytes yet. Raises CheckpointError, UnsupportedModel or
    GraphTextError with one line that names the file."""
    path = Path(path)
    if not path.exists():
        raise CheckpointError(f"{path}: does not exist; wanted {WANTED}")
    if path.is_dir():
        if not (path / "config.json").exists():
            raise CheckpointError(f"{path}: is a directory without config.json; wanted {WANTED}")
        return _huggingface(path)
    if path.suffix == ".gguf" or _magic(path) == b"GGUF":
        return _gguf(path)
    if path.suffix == ".json":
        return _config_only(path)
    if path.suffix == ".mlir":
        arrays = ArraysCheckpoint(path.with_suffix(".safetensors"))
        return Model(path, arrays, None, None, read_graphs(path, arrays))
    if path.suffix in (".safetensors", ".bin", ".pt", ".pth"):
        raise CheckpointError(
            f"{path}: is weights alone: name the directory with its config.json; {path.suffix} "
            "files are not read by themselves"
        )
    raise CheckpointError(f"{path}: is nothing that can be read; wanted {WANTED}")


def _magic(path: Path) -> bytes:
    if path.is_fifo():
        raise CheckpointError(f"{path}: is a pipe; give a file")
    try:
        with open(path, "rb") as file:
            return file.read(4)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from None


def _gguf(path: Path) -> Model:
    checkpoint = GgufCheckpoint(path)
    config = read_gguf(str(path), checkpoint.config, checkpoint)
    return Model(path, checkpoint, config, find_parameters(config, checkpoint))


def _huggingface(path: Path) -> Model:
    checkpoint = HuggingFaceCheckpoint(path)
    config = read_huggingface(str(path / "config.json"), checkpoint.config)
    return Model(path, checkpoint, config, find_parameters(config, checkpoint))


def _config_only(path: Path) -> Model:
    checkpoint = ConfigOnlyCheckpoint(path)
    config = read_huggingface(str(path), checkpoint.config)
    return Model(path, checkpoint, config, find_parameters(config, checkpoint))
