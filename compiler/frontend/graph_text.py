"""Graph-level `.mlir` as a front end: verified modules, weights from a safetensors beside it.

One file holds one `builtin.module @entry`, or several inside an outer module. Names in recipes are
names of tensors in `NAME.safetensors` beside `NAME.mlir`; without that file the model has shapes
and no bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Operation
from xdsl.utils.exceptions import ParseError, VerifyException

from ...backend.errors import TilewrightError
from ...backend.formats import Blocks, parse_recipe
from ...dialects import context, tg
from ...dialects.checks import verify_module
from ...dialects.faults import OpError, place_of
from ...dialects.locations import whereabouts
from ...dialects.source import parse_source
from .checkpoint import CheckpointError, TensorInfo, TokenizerMaterial
from .safetensors_file import TYPES, SafetensorsFile
from .tables import is_table, table_shape

DUMP_TITLE = "// tilewright dump"
"""The first line of what `compile --dump-ir` writes."""


class GraphTextError(TilewrightError):
    """A `.mlir` file that is not a model: names file, line and what is wrong."""


class ArraysCheckpoint:
    """The safetensors file beside a `.mlir` file, or nothing."""

    kind = "arrays"
    config: Mapping[str, object] = {}

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = SafetensorsFile(path) if path.exists() else None
        missing = f"{path} does not exist: the program can be timed, not run"
        self.notices = () if self._file else (missing,)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._file.tensors) if self._file else ()

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.path,) if self._file else ()

    def info(self, name: str) -> TensorInfo:
        if self._file is None or name not in self._file.tensors:
            raise CheckpointError(f"{self.path}: there is no tensor {name!r}")
        tensor = self._file.tensors[name]
        if tensor.type not in TYPES or len(tensor.shape) > 2:
            raise CheckpointError(
                f"{self.path}: tensor {name!r} is {tensor.type} of {len(tensor.shape)} axes, "
                f"wanted 1 or 2 of {', '.join(TYPES)}"
            )
        n, k = (*tensor.shape, 1)[:2]
        return TensorInfo(TYPES[tensor.type], (n, k), tensor.type, len(tensor.shape) == 1)

    def read(self, name: str) -> Blocks:
        info = self.info(name)
        assert self._file is not None
        return Blocks(info.format, info.shape[1], self._file.values(name).reshape(info.shape))

    def tokenizer(self) -> TokenizerMaterial | None:
        """Text has no tokenizer."""
        return None


def read_graphs(path: Path, checkpoint: ArraysCheckpoint) -> tuple[ModuleOp, ...]:
    """The modules of a file, verified, with symbols and recipes resolved. Raises GraphTextError."""
    try:
        text = path.read_text("utf-8")
        if text.lstrip().startswith(DUMP_TITLE):
            raise GraphTextError(
                f"{path}: is dumped IR, no model: `tilewright resume` goes on from it"
            )
        outer = parse_source(context(), text, str(path), file=path.name)
    except (OSError, UnicodeDecodeError) as error:
        raise GraphTextError(f"{path}: cannot be read: {error}") from None
    except ParseError as error:
        place = str(error).splitlines()[0]
        raise GraphTextError(f"{place}: {_one_line(error.msg)}") from None
    for op in outer.walk():
        try:
            op.verify(verify_nested_ops=False)
        except VerifyException as error:
            raise _refused(path, OpError(op, error)) from None
    inner = [op for op in outer.ops if isinstance(op, ModuleOp)]
    if inner and len(inner) != len(list(outer.ops)):
        raise GraphTextError(f"{path}: an outer module holds modules only")
    modules = inner or [outer]
    for module in inner:
        module.detach()
    for module in modules:
        _check(path, module, checkpoint)
        try:
            verify_module(module)
        except VerifyException as error:
            raise _refused(path, error) from None
    return tuple(modules)


def _refused(path: Path, error: VerifyException) -> GraphTextError:
    """What verification says, behind the line that it is about."""
    place = place_of(error, {})
    at = f"{path}:{place.line}:{place.column}" if place is not None else str(path)
    return GraphTextError(f"{at}: {_one_line(str(error))}")


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]


def _name(module: ModuleOp) -> str | None:
    return module.sym_name.data if module.sym_name is not None else None


def _check(path: Path, module: ModuleOp, checkpoint: ArraysCheckpoint) -> None:
    """What verification does not see: the entry's name and policy, symbols, recipes."""
    if _name(module) is None:
        raise GraphTextError(f"{path}: a module has no name: builtin.module @decode ...")
    if not isinstance(module.attributes.get("tw.policy"), StringAttr):
        raise GraphTextError(
            f'{path}: module @{_name(module)} names no policy: attributes {{tw.policy = "exact"}}'
        )
    symbols: set[str] = set()
    for op in module.ops:
        if isinstance(op, tg.GlobalOp | tg.ScalarOp | tg.TableOp):
            symbols.add(op.sym_name.data)
            if isinstance(op, tg.GlobalOp) and op.recipe is not None:
                _check_recipe(op, op.recipe.data, checkpoint)
    for op in module.walk():
        for name in _references(op):
            if name not in symbols:
                raise GraphTextError(
                    f"{path}: {whereabouts(op)} names @{name}, which is not declared"
                )


def _references(op: Operation) -> list[str]:
    """Declarations that a graph op names."""
    match op:
        case tg.GetOp():
            return [op.parameter_name]
        case tg.WeightOp() | tg.InputOp() | tg.OutputOp():
            return [op.global_name]
        case tg.EmbedOp():
            return [op.global_name, op.index_name]
        case tg.TakeOp():
            return [op.index_name]
        case tg.RopeOp():
            return [op.cos.string_value(), op.sin.string_value(), "row_start", "q_len", "kv_len"]
        case tg.CacheOp():
            return [op.k_cache_name, op.v_cache_name, "row_start", "q_len", "kv_len"]
        case tg.OneCacheOp():
            return [op.cache_name, "row_start", "q_len", "kv_len"]
        case tg.SoftmaxOp() if op.seen is not None:
            return ["row_start", "q_len", "kv_len"]
        case _:
            return []


def _check_recipe(op: tg.GlobalOp, recipe: str, checkpoint: ArraysCheckpoint) -> None:
    """Raises FormatError, TableError, GraphTextError or CheckpointError for a recipe that does not
    make what is declared."""
    if is_table(recipe):
        made = table_shape(recipe)
        if op.shape != made:
            raise GraphTextError(
                f"{checkpoint.path.with_suffix('.mlir')}: @{op.global_name} is {op.shape}, "
                f"and its recipe makes {made}"
            )
        return
    for name in parse_recipe(recipe).sources(0):
        if checkpoint.names:
            checkpoint.info(name)
