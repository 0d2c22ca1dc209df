"""Front ends: a checkpoint, a config or graph-level text becomes one module for each entry."""

from .builder import BuildError, EntryShape, build
from .checkpoint import (
    Checkpoint,
    CheckpointError,
    TensorInfo,
    TokenizerMaterial,
    UnsupportedModel,
)
from .graph_text import DUMP_TITLE
from .loader import Model, load_model
from .model_config import ModelConfig, Rope
from .parameters import Parameter, Parameters, find_parameters
from .tables import is_table, table_values
from .weights import WeightStore, convert

__all__ = [
    "DUMP_TITLE",
    "BuildError",
    "Checkpoint",
    "CheckpointError",
    "EntryShape",
    "Model",
    "ModelConfig",
    "Parameter",
    "Parameters",
    "Rope",
    "TensorInfo",
    "TokenizerMaterial",
    "UnsupportedModel",
    "WeightStore",
    "build",
    "convert",
    "find_parameters",
    "is_table",
    "load_model",
    "table_values",
]
