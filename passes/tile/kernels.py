"""tg.fused -> the plain description of its kernel that search and emission work on."""

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import scf
from xdsl.dialects.builtin import AnyFloat, f32
from xdsl.ir import Operation, SSAValue

from ...dialects.lowbit import PackedType
from ...dialects.shaped import memref_of, tensor_of
from ...dialects.tg import (
    AttentionOp,
    BinaryOp,
    CacheOp,
    EmbedOp,
    FusedOp,
    GlobalOp,
    KvAppendOp,
    MatmulOp,
    OneCacheOp,
    OutputOp,
    RmsNormOp,
    RopeOp,
    SoftmaxOp,
    SplitOp,
    TakeOp,
    UnaryOp,
    WeightOp,
)
from ..located import PassError, located
from ..policy import Policy
from .activations import ACTIVATIONS
from .alone import ops_of
from .attention_kernel import Attention
from .describe_rows import describe_alone, describe_norm, output_of
from .heads import Heads, Part, Rope
from .linear_kernel import Linear, Step
from .regions import Regions, counted_by
from .rows import Embedding
from .rowwise import RowWise
from .steps import Mix, Scores, SeenSoftmax

CACHE_AXES = 5
"""Axes of a cache with layers: layer, sequence, KV head, position, head dimension."""

POSITIONED = "rows"
"""The launch parameter that counts rows that stand at positions of sequences."""

Description = Linear | Attention | Heads | Embedding | RowWise | Scores | SeenSoftmax | Mix


@dataclass(frozen=True)
class Surroundings:
    """What a kernel's meaning depends on beside its body."""

    globals: dict[str, GlobalOp]
    regions: Regions
    policy: Policy
    batch: int
    queries: int
    """The most new rows of a sequence."""

    def element(self, name: str) -> AnyFloat:
        """Element type of a region or global of rows."""
        inner = self.regions.types.get(name)
        element = memref_of(self.globals[name].type if inner is None else inner).element_type
        assert isinstance(element, AnyFloat), f"@{name} holds rows of floats"
        return element

    def region(self, value: SSAValue) -> str:
        """The region of a tensor that another kernel made."""
        if value not in self.regions.names:
            raise unsupported(value.owner if isinstance(value.owner, Operation) else None)
        return self.regions.names[value]

    def require_operand(self, name: str, op: Operation) -> None:
        """Rows that the matrix unit reads as they are have the policy's type, or PassError."""
        if self.element(name) != self.policy.operand:
            raise PassError(
                f"{located(op)}: @{name} holds {self.element(name)}; wanted "
                f"{self.policy.operand}, as rows have that matmuls and attention alone read",
                op,
            )

    def packed(self, weight: WeightOp | EmbedOp) -> PackedType:
        """The packed type of a parameter."""
        type_ = self.globals[weight.global_name].type
        bare = isinstance(type_, PackedType) and type_.order.data == "kn" and not type_.panel.data
        if not isinstance(type_, PackedType) or bare:
            raise PassError(
                f"{located(weight)}: @{weight.global_name} is {type_}; wanted a packed parameter "
                "with its panels: run choose-formats and choose-panels before tile",
                weight,
            )
        return type_


def describe(kernel: FusedOp, around: Surroundings) -> Description:
    """The kernel of a region. Raises PassError for a region no kernel exists for, naming the op."""
    _check_positions(kernel)
    _check_layers(kernel)
    if (alone := describe_alone(kernel, around)) is not None:
        return alone
    match ops := ops_of(kernel):
        case [EmbedOp() as embed, *_]:
            return Embedding(
                embed.global_name,
                around.packed(embed),
                embed.index_name,
                output_of(kernel, around),
                counted_by(embed.result),
            )
        case [AttentionOp() as attention, *_]:
            return _attention(kernel, attention, around)
        case _ if any(isinstance(op, MatmulOp) for op in ops):
            return _linear(kernel, ops, around)
        case _:
            return _heads(kernel, ops, around)


def _check_positions(kernel: FusedOp) -> None:
    """Refuse rows without positions where an op asks for them."""
    for op in ops_of(kernel):
        masked = isinstance(op, SoftmaxOp) and op.seen is not None
        if masked or isinstance(op, AttentionOp | KvAppendOp | OneCacheOp | RopeOp):
            if (count := counted_by(op.operands[0])) != POSITIONED:
                raise PassError(
                    f"{located(op)}: rows counted by @{count} have no positions; wanted rows "
                    f"counted by @{POSITIONED}",
                    op,
                )


def _check_layers(kernel: FusedOp) -> None:
    """Refuse an op of another layer than that of the loop around the kernel."""
    around = kernel.parent_op()
    counter = around.body.block.args[0] if isinstance(around, scf.ForOp) else None
    for op in kernel.body.block.ops:
        layer = op.layer if isinstance(op, WeightOp | CacheOp | OneCacheOp) else None
        if layer is not None and layer is not counter:
            raise PassError(
                f"{located(op)}: its layer is not the counter of the loop around its kernel", op
            )


def unsupported(op: Operation | None) -> PassError:
    """The error for an op that no kernel takes."""
    return PassError(
        f"{located(op)}: no kernel takes it; wanted a matmul with norm and elementwise epilogue, "
        "attention, an embedding, or head-wise norm, rope and KV append",
        op,
    )


def _attention(kernel: FusedOp, op: AttentionOp, around: Surroundings) -> Attention:
    columns = tensor_of(op.q).get_shape()[1]
    output = output_of(kernel, around)
    query = around.region(op.q)
    around.require_operand(query, op)
    return Attention(
        query=query,
        output=output,
        keys=op.k_cache_name,
        values=op.v_cache_name,
        layered=op.layer is not None,
        batch=around.batch,
        queries=around.queries,
        positions=around.globals[op.k_cache_name].shape[-2],
        heads=op.heads.data,
        kv_heads=op.kv_heads.data,
        head=columns // op.heads.data,
        scale=op.scale.value.data,
        full=op.full is not None,
        operand=around.element(query),
        cache=around.element(op.k_cache_name),
        result=around.element(output),
    )


def _linear(kernel: FusedOp, ops: Sequence[Operation], around: Surroundings) -> Linear:
    anchor = next(op for op in ops if isinstance(op, MatmulOp))
    weight = anchor.w.owner
    if not isinstance(weight, WeightOp):
        raise unsupported(anchor)
    norm, index, inside, source = None, None, False, anchor.a
    if isinstance(source.owner, RmsNormOp) and source.owner.heads is None:
        norm, source = describe_norm(source.owner), source.owner.x
    if isinstance(source.owner, TakeOp):
        index, inside = source.owner.index_name, source.owner.inside is not None
        source = source.owner.x
    output = output_of(kernel, around)
    region = around.region(source)
    return Linear(
        source=region,
        source_element=around.element(region),
        index=index,
        inside=inside,
        count=counted_by(anchor.result),
        norm=norm,
        operand=around.policy.operand,
        weight=weight.global_name,
        packed=around.packed(weight),
        steps=_steps(anchor, ops[ops.index(anchor) + 1 :], around),
        output=output,
        result=around.element(output),
    )


def _steps(anchor: MatmulOp, ops: Sequence[Operation], around: Surroundings) -> list[Step]:
    """The epilogue. Values are numbered as `Step` says."""
    numbers: dict[SSAValue, int] = {anchor.result: 0}
    steps: list[Step] = []

    def add(step: Step, value: SSAValue) -> None:
        steps.append(step)
        numbers[value] = len(steps)

    for op in ops:
        match op:
            case OutputOp():
                continue
            case UnaryOp() if op.x in numbers and op.f.data in ACTIVATIONS:
                add(Step("unary", numbers[op.x], op.f.data), op.result)
            case SplitOp() if op.x in numbers and len(op.parts) == 2 and op.group is not None:
                for number, part in enumerate(op.parts):
                    add(Step("half", numbers[op.x], other=number), part)
            case BinaryOp():
                x, y = (op.y, op.x) if op.x not in numbers and op.op.data != "sub" else (op.x, op.y)
                if x not in numbers:
                    raise unsupported(op)
                fn, value = op.op.data, numbers[x]
                if y in numbers:
                    add(Step("binary", value, fn, other=numbers[y]), op.result)
                elif isinstance(y.owner, WeightOp):
                    weight = y.owner
                    layered = weight.layer is not None
                    add(Step("vector", value, fn, weight.global_name, layered), op.result)
                elif y in around.regions.names:
                    name = around.regions.names[y]
                    if around.element(name) != f32:
                        raise PassError(
                            f"{located(op)}: @{name} holds {around.element(name)}; wanted f32 "
                            "behind a matmul",
                            op,
                        )
                    add(Step("tensor", value, fn, name), op.result)
                else:
                    raise unsupported(op)
            case _:
                raise unsupported(op)
    return steps


def _heads(kernel: FusedOp, ops: Sequence[Operation], around: Surroundings) -> Heads:
    """Follow each value that leaves the kernel back to the rows it comes from."""
    columns: dict[SSAValue, tuple[SSAValue, int]] = {}
    for op in ops:
        match op:
            case SplitOp() if op.group is None:
                start = 0
                for part, width in zip(op.parts, op.columns, strict=True):
                    columns[part] = (op.x, start)
                    start += width
            case RmsNormOp() | RopeOp() | KvAppendOp():
                pass
            case _:
                raise unsupported(op)
    parts: list[Part] = []
    appends = [op for op in ops if isinstance(op, KvAppendOp)]
    heads = max((op.heads.data for op in ops if isinstance(op, RopeOp)), default=1)
    ends: list[tuple[SSAValue, str | None, str | None]] = [
        (inner, around.regions.names[outer], None)
        for inner, outer in zip(kernel.yielded, kernel.parts, strict=True)
    ]
    for append in appends:
        ends.append((append.k, None, append.k_cache_name))
        ends.append((append.v, None, append.v_cache_name))
    for value, output, cache in ends:
        parts.append(_part(value, output, cache, columns, heads, around))
    count = counted_by(kernel.parts[0] if kernel.parts else appends[0].k)
    return Heads(parts, count, around.batch, around.queries)


def _part(
    value: SSAValue,
    output: str | None,
    cache: str | None,
    columns: dict[SSAValue, tuple[SSAValue, int]],
    heads: int,
    around: Surroundings,
) -> Part:
    norm, rope = None, None
    width = tensor_of(value).get_shape()[1]
    if cache is not None:
        heads = around.globals[cache].shape[-3]
    elif width % heads:
        heads = 1  # Columns beside those that are turned by head.
    if isinstance(op := value.owner, RopeOp):
        rope, heads, value = (
            Rope(op.cos.string_value(), op.sin.string_value(), op.rotated),
            op.heads.data,
            op.x,
        )
    if isinstance(op := value.owner, RmsNormOp):
        if op.heads is None or (rope is not None and op.heads.data != heads):
            raise unsupported(op)
        norm, heads, value = describe_norm(op), op.heads.data, op.x
    source, column = columns.get(value, (value, 0))
    region = around.region(source)
    if around.element(region) != f32:
        raise PassError(
            f"@{region} holds {around.element(region)}; head-wise kernels read f32",
            source.owner if isinstance(source.owner, Operation) else None,
        )
    name = output if output is not None else cache
    assert name is not None
    layered = cache is not None and len(around.globals[cache].shape) == CACHE_AXES
    return Part(
        source=region,
        column=column,
        heads=heads,
        head=width // heads,
        norm=norm,
        rope=rope,
        output=output,
        cache=cache,
        layered=layered,
        element=around.element(name),
    )
