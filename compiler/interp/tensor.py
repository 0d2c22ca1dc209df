"""The tensor interpreter: what graph, fused and packed modules mean, in float32 numpy.

Whole tensors, one op after another, in program order. Sums are numpy's, so results agree with the
machine's to rounding, not to the bit. Under the policy `bf16` the operands of matmuls, queries and
probabilities are rounded to bfloat16, as the machine's vector unit stores them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from xdsl.dialects import arith, scf
from xdsl.dialects.builtin import IntegerAttr, MemRefType, ModuleOp, StringAttr
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Attribute, Block, Operation, SSAValue

from ...backend.errors import TilewrightError
from ...backend.formats import ELEMENTS
from ...backend.numerics import elementary
from ...dialects import tg
from ...dialects.locations import whereabouts
from ...dialects.lowbit import PackedType
from .tensor_attention import Sequences, append, attend, rotate
from .tensor_softmax import mix, scores, seen_softmax, softmax

Array = NDArray[Any]
Parameters = Mapping[str, int | Sequence[int]]

f32 = np.float32

Watch = Callable[[Operation, tuple[int, ...], Sequence[Any], Sequence[Any]], None]
"""Told of each op that makes or stores tensors: op, counters of the loops around it, what it was
given, what it made."""


class Weights(Protocol):
    """Where parameters come from; the front ends' `WeightStore` is one."""

    def values(self, declared: tg.GlobalOp, layer: int = 0) -> NDArray[np.float32]:
        """A parameter of one layer: float32 [K, N] of a matrix, [N] of a vector, a whole table."""
        ...

    def picked(self, declared: tg.GlobalOp, rows: Array) -> NDArray[np.float32]:
        """Rows of an embedding, float32 [len(rows), K]; zeros for a row outside of it."""
        ...


class TensorError(TilewrightError):
    """A module or its data that cannot run: names the op and what is wrong."""


UNARY: Final[Mapping[str, Callable[[Array], Array]]] = {
    "neg": np.negative,
    "abs": np.abs,
    "exp": elementary.exp,
    "tanh": elementary.tanh,
    "sigmoid": elementary.sigmoid,
    "relu": lambda x: np.maximum(x, f32(0)),
    "square": np.square,
    "rsqrt": lambda x: f32(1) / np.sqrt(x),
    "silu": lambda x: x * elementary.sigmoid(x),
    "gelu_erf": lambda x: f32(0.5) * x * (f32(1) + elementary.erf(x * f32(0.7071067811865476))),
    "gelu_tanh": lambda x: (
        f32(0.5)
        * x
        * (f32(1) + elementary.tanh(f32(0.7978845608028654) * (x + f32(0.044715) * x * x * x)))
    ),
}
"""Functions of `tg.unary`."""

BINARY: Final[Mapping[str, Callable[[Array, Array], Array]]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
}
"""Functions of `tg.binary`."""

INDEX: Final[Mapping[type[Operation], Callable[[int, int], int]]] = {
    arith.AddiOp: lambda a, b: a + b,
    arith.SubiOp: lambda a, b: a - b,
    arith.MuliOp: lambda a, b: a * b,
    arith.MinUIOp: min,
    arith.MaxUIOp: max,
}
"""Arithmetic on indices."""


def run_graph(
    module: ModuleOp,
    weights: Weights,
    data: Mapping[str, Array],
    parameters: Parameters,
    watch: Watch | None = None,
) -> dict[str, Array]:
    """Run a module's function and give its state and outputs by name, in full shape.

    Args:
        module: graph, fused or packed level, with one function.
        weights: what recipes read from.
        data: inputs, and state to start from (zeros where it is not given); never changed.
        parameters: a number for each tg.scalar, a list for each tg.table.
        watch: called after each op.

    Raises:
        TensorError: an input or parameter is missing or does not fit its declaration, or an op is
            not of these levels.
    """
    return _Run(module, weights, data, parameters, watch).run()


class _Run:
    """The memory of one run: globals, launch parameters, SSA values."""

    def __init__(
        self,
        module: ModuleOp,
        weights: Weights,
        data: Mapping[str, Array],
        parameters: Parameters,
        watch: Watch | None = None,
    ) -> None:
        self.watch = watch
        self.trips: list[int] = []
        policy = module.attributes.get("tw.policy")
        self.bf16 = isinstance(policy, StringAttr) and policy.data == "bf16"
        self.weights = weights
        self.declared: dict[str, tg.GlobalOp] = {}
        self.memory: dict[str, Array] = {}
        self.parameters: dict[str, tuple[int, ...]] = {}
        functions: list[FuncOp] = []
        for op in module.ops:
            if isinstance(op, tg.GlobalOp):
                self.declared[op.global_name] = op
                self._allocate(op, data)
            elif isinstance(op, tg.ScalarOp | tg.TableOp):
                self.parameters[op.sym_name.data] = _words(op, parameters)
            elif isinstance(op, FuncOp):
                functions.append(op)
            else:
                raise TensorError(f"{whereabouts(op)} does not stand in a module of tensors")
        if len(functions) != 1:
            raise TensorError(f"the module has {len(functions)} functions, wanted one")
        self.body = functions[0].body.block
        self.values: dict[SSAValue, Any] = {}

    def run(self) -> dict[str, Array]:
        """Run the function; state and outputs."""
        self._block(self.body)
        return {
            name: self.memory[name]
            for name, op in self.declared.items()
            if op.role.data in ("state", "output")
        }

    def _allocate(self, op: tg.GlobalOp, data: Mapping[str, Array]) -> None:
        name, type_ = op.global_name, op.type
        if op.role.data in tg.STORED_ROLES:
            return
        assert isinstance(type_, MemRefType), "other roles are memrefs"
        dtype = ELEMENTS[str(cast(MemRefType[Attribute], type_).element_type)]
        if name not in data:
            if op.role.data == "input":
                raise TensorError(f"@{name}: the input is missing")
            self.memory[name] = np.zeros(op.shape, dtype)
            return
        given = np.array(data[name])
        if given.shape != op.shape or given.dtype != dtype:
            raise TensorError(
                f"@{name}: found {given.dtype} {list(given.shape)}, wanted {dtype} {list(op.shape)}"
            )
        self.memory[name] = given

    def _block(self, block: Block) -> Sequence[Any]:
        """Run a block's ops; the values its terminator hands on."""
        for op in block.ops:
            if isinstance(op, scf.YieldOp | tg.YieldOp | ReturnOp):
                return [self.values[operand] for operand in op.operands]
            self._step(op)
            if self.watch is not None and not isinstance(op, scf.ForOp):
                given = [self.values[operand] for operand in op.operands]
                made = [self.values[result] for result in op.results]
                self.watch(op, tuple(self.trips), given, made)
        return []

    def _step(self, op: Operation) -> None:
        match op:
            case scf.ForOp():
                self._loop(op)
            case tg.FusedOp():
                self._give(op, self._block(op.body.block))
            case tg.SplitOp():
                self._give(op, _split(self.values[op.x], op))
            case tg.OutputOp():
                x = self.values[op.x]
                self.memory[op.global_name][: len(x)] = x
            case tg.KvAppendOp():
                caches = [self._cache(op, name) for name in (op.k_cache_name, op.v_cache_name)]
                for rows, cache in zip((op.k, op.v), caches, strict=True):
                    append(self.values[rows], cache, self._sequences())
            case _:
                self._give(op, [self._value(op)])

    def _value(self, op: Operation) -> Any:
        """The one result of an op."""
        get = self.values.__getitem__
        match op:
            case arith.ConstantOp():
                return cast(IntegerAttr, op.value).value.data
            case tg.GetOp():
                words = self.parameters[op.parameter_name]
                return words[get(op.index) if op.index is not None else 0]
            case tg.WeightOp():
                declared = self.declared[op.global_name]
                values = self.weights.values(declared, get(op.layer) if op.layer else 0)
                packed = isinstance(declared.type, PackedType)
                return self._operand(values) if packed and values.ndim == 2 else values
            case tg.EmbedOp():
                return self.weights.picked(
                    self.declared[op.global_name], self._rows(op.index_name, op.result)
                )
            case tg.InputOp():
                return self._rows(op.global_name, op.result).astype(f32)
            case tg.TakeOp():
                x, index = get(op.x), self._rows(op.index_name, op.result)
                inside = (index >= 0) & (index < len(x))
                found = x[np.where(inside, index, 0)] if len(x) else np.zeros((0, x.shape[1]), f32)
                return np.where(inside[:, None], found, f32(0))
            case tg.MatmulOp():
                return self._operand(get(op.a)) @ get(op.w)
            case tg.RmsNormOp():
                return _rms_norm(get(op.x), get(op.gamma), op)
            case tg.LayerNormOp():
                centred = get(op.x) - get(op.x).mean(-1, keepdims=True, dtype=f32)
                mean = np.square(centred).mean(-1, keepdims=True, dtype=f32)
                scaled = centred / np.sqrt(mean + f32(op.eps.value.data))
                return scaled * get(op.gamma) + get(op.beta)
            case tg.SoftmaxOp():
                heads = 1 if op.heads is None else op.heads.data
                if op.seen is None:
                    return softmax(get(op.x), heads)
                return seen_softmax(get(op.x), heads, op.seen.data, self._sequences())
            case tg.UnaryOp():
                return UNARY[op.f.data](get(op.x)).astype(f32)
            case tg.BinaryOp():
                return BINARY[op.op.data](get(op.x), get(op.y))
            case tg.RopeOp():
                cos, sin = (
                    self.weights.values(self.declared[s.string_value()]) for s in (op.cos, op.sin)
                )
                return rotate(get(op.x), cos, sin, op.heads.data, op.rotated, self._sequences())
            case tg.AttentionOp():
                return attend(
                    self._operand(get(op.q)),
                    self._cache(op, op.k_cache_name),
                    self._cache(op, op.v_cache_name),
                    op.heads.data,
                    f32(op.scale.value.data),
                    self._sequences(),
                    self._operand,
                    op.full is not None,
                )
            case tg.ScoresOp():
                return scores(
                    self._operand(get(op.q)),
                    self._cache(op, op.cache_name),
                    op.heads.data,
                    f32(op.scale.value.data),
                    self._sequences(),
                )
            case tg.MixOp():
                cache = self._cache(op, op.cache_name)
                return mix(self._operand(get(op.p)), cache, op.heads.data, self._sequences())
            case _ if type(op) in INDEX:
                a, b = (get(operand) for operand in op.operands)
                return INDEX[type(op)](a, b)
            case _:
                raise TensorError(f"{whereabouts(op)} has no meaning on tensors")

    def _loop(self, op: scf.ForOp) -> None:
        carried = [self.values[argument] for argument in op.iter_args]
        bounds = (self.values[bound] for bound in (op.lb, op.ub, op.step))
        for counter in range(*bounds):
            self._set(op.body.block.args, [counter, *carried])
            self.trips.append(counter)
            carried = list(self._block(op.body.block))
            self.trips.pop()
        self._give(op, carried)

    def _give(self, op: Operation, values: Sequence[Any]) -> None:
        self._set(op.results, values)

    def _set(self, names: Iterable[SSAValue], values: Sequence[Any]) -> None:
        for name, value in zip(names, values, strict=True):
            self.values[name] = value

    def _operand(self, x: Array) -> Array:
        """What the matrix unit sees of float32 values under the policy."""
        return x.astype(ELEMENTS["bf16"]).astype(f32) if self.bf16 else x

    def _rows(self, name: str, result: SSAValue) -> Array:
        """The first rows of an input, or the first indices: as many as the result has rows."""
        encoding = cast(Any, result.type).encoding
        rows = cast(Any, result.type).get_shape()[0]
        if isinstance(encoding, tg.SizesAttr):
            (rows,) = self.parameters[encoding.names.data[0].data]
        return self.memory[name][:rows]

    def _cache(self, op: tg.CacheOp | tg.OneCacheOp, name: str) -> Array:
        """[sequences, KV heads, positions, head dimension], a view."""
        cache = self.memory[name]
        return cache if op.layer is None else cache[self.values[op.layer]]

    def _sequences(self) -> Sequences:
        names = ("row_start", "q_len", "kv_len")
        missing = [name for name in names if name not in self.parameters]
        if missing:
            raise TensorError(f"positions need the table @{missing[0]}, which the module lacks")
        return list(zip(*(self.parameters[name] for name in names), strict=True))


def _words(op: tg.ScalarOp | tg.TableOp, parameters: Parameters) -> tuple[int, ...]:
    name = op.sym_name.data
    count = op.count.data if isinstance(op, tg.TableOp) else 1
    if name not in parameters:
        raise TensorError(f"launch parameter {name} is missing")
    value = parameters[name]
    words = (value,) if isinstance(value, int) else tuple(value)
    if len(words) != count or not all(op.lo.data <= word <= op.hi.data for word in words):
        raise TensorError(
            f"launch parameter {name} is {list(words)}, wanted {count} from {op.lo.data} to "
            f"{op.hi.data}"
        )
    return words


def _rms_norm(x: Array, gamma: Array, op: tg.RmsNormOp) -> Array:
    heads = 1 if op.heads is None else op.heads.data
    groups = x.reshape(len(x), heads, gamma.size)
    mean = np.square(groups).sum(-1, keepdims=True) / f32(gamma.size)
    return (groups / np.sqrt(mean + f32(op.eps.value.data)) * gamma).reshape(x.shape)


def _split(x: Array, op: tg.SplitOp) -> list[Array]:
    """Slices of columns; with a group, equal parts whose columns alternate group by group."""
    columns = op.columns
    if op.group is None:
        return np.split(x, np.cumsum(columns)[:-1], axis=1)
    parts: list[list[Array]] = [[] for _ in columns]
    at = 0
    for first in range(0, columns[0], op.group.data):
        size = min(op.group.data, columns[0] - first)
        for part in parts:
            part.append(x[:, at : at + size])
            at += size
    return [np.concatenate(part, axis=1) for part in parts]
