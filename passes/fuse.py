"""fuse: graph ops -> one tg.fused region a kernel, each around an anchor.

A matmul takes in the norm (and the row selection) before it and the elementwise ops behind it;
attention and embedding stand alone; head-wise norms, rope and the KV append form one kernel; what
is left over (a norm that not only matmuls read, a softmax, an elementwise op) is one by itself.
Regions with one anchor and one result leave `tile` nothing to decide but sizes.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Block, Operation, Region, SSAValue
from xdsl.passes import ModulePass

from ..dialects.locations import derive, locate, location_name, model_name
from ..dialects.tg import (
    AttentionOp,
    BinaryOp,
    EmbedOp,
    FusedOp,
    KvAppendOp,
    LayerNormOp,
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
    YieldOp,
)
from .tile import ACTIVATIONS

ELEMENTWISE = (BinaryOp, UnaryOp, SplitOp)
HEADWISE = (SplitOp, RmsNormOp, RopeOp, KvAppendOp)
"""Ops of heads, in the order in which a kernel does them."""
ANCHORS = (AttentionOp, EmbedOp, OneCacheOp)
"""Ops that are a kernel by themselves, always."""
ROWWISE = (BinaryOp, UnaryOp, RmsNormOp, LayerNormOp, SoftmaxOp)
"""Ops that are a kernel by themselves where no other takes them."""


@dataclass(frozen=True)
class FusePass(ModulePass):
    """Group the ops of every block into kernels."""

    name = "fuse"

    unfused: bool = False
    """Each op a kernel of its own, with main memory between any two: what fusion is judged by."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for block in list(_graph_blocks(op)):
            if self.unfused:
                _each_alone(block, (*ANCHORS, *ROWWISE, MatmulOp, TakeOp, *HEADWISE))
                continue
            for matmul in [o for o in block.ops if isinstance(o, MatmulOp)]:
                _enclose(block, _around(matmul), matmul)
            for heads in _headwise(block):
                anchors = [o for o in heads if isinstance(o, KvAppendOp | RopeOp)]
                _enclose(block, heads, anchors[-1] if anchors else heads[-1])
            _each_alone(block, (*ANCHORS, *ROWWISE, TakeOp))
        for block in list(_graph_blocks(op)):
            for output in [o for o in block.ops if isinstance(o, OutputOp)]:
                _copy_to(block, output)


def _copy_to(block: Block, output: OutputOp) -> None:
    """A kernel that copies rows which are more than an output: the larger of themselves, twice."""
    copy = BinaryOp("max", output.x, output.x)
    copy.location = output.location
    block.insert_op_before(copy, output)
    output.operands[0] = copy.result
    _enclose(block, [copy, output], copy)


def _each_alone(block: Block, kinds: tuple[type[Operation], ...]) -> None:
    """Make a kernel of every op of some kinds, with the output that it becomes."""
    for op in [o for o in block.ops if isinstance(o, kinds)]:
        written = isinstance(op, HEADWISE) and not _is_row_norm(op)
        _enclose(block, [op, *([] if written else _output(op.results))], op)


def _graph_blocks(module: ModuleOp) -> Iterator[Block]:
    """The blocks that hold graph ops: functions and loops."""
    for op in module.walk():
        if not isinstance(op, FusedOp):
            for region in op.regions:
                yield from region.blocks


def _headwise(block: Block) -> list[list[Operation]]:
    """The head-wise ops of a block in groups that can be kernels; each attention ends one."""
    groups: list[list[Operation]] = [[]]
    for op in block.ops:
        if isinstance(op, HEADWISE) and not _is_row_norm(op):
            if not _joins(op, groups[-1]):
                groups.append([])
            groups[-1].append(op)
        elif isinstance(op, AttentionOp):
            groups.append([])
    return [group for group in groups if group]


def _joins(op: Operation, group: Sequence[Operation]) -> bool:
    """Whether a head-wise op can stand in one kernel with others, all where it stands itself.

    Nothing before it may read what they make, all turn by the same tables, and what a group makes
    is split, normed and turned in this order, each once at most.
    """
    readers = [
        block.find_ancestor_op_in_block(use.operation)
        for member in group
        if (block := member.parent) is not None
        for result in member.results
        for use in result.uses
    ]
    if any(o is not None and o not in group and o.is_before_in_block(op) for o in readers):
        return False
    turns = [(o.cos, o.sin, o.rotated) for o in (*group, op) if isinstance(o, RopeOp)]
    if len(set(turns)) > 1:
        return False
    return all(
        _stage(operand.owner) < _stage(op) for operand in op.operands if operand.owner in group
    )


def _stage(op: Operation | Block) -> int:
    """Where a head-wise op stands in the order of its kernel."""
    return next(stage for stage, kind in enumerate(HEADWISE) if isinstance(op, kind))


def _around(matmul: MatmulOp) -> list[Operation]:
    """The matmul with its prologue and epilogue, in program order."""
    kernel: list[Operation] = [matmul]
    before = matmul.a.owner
    if _is_row_norm(before) and _feeds_matmuls(before):
        kernel.insert(0, before)
        before = before.x.owner
    if isinstance(before, TakeOp):
        kernel.insert(0, before)
    front = len(kernel)
    following = matmul.next_op
    while following is not None:
        if _continues(following, kernel[front - 1 :]):
            kernel.append(following)
        following = following.next_op
    while len(_leaving(kernel)) > 1:
        kernel.pop()
    return [*kernel, *_output(_leaving(kernel))]


def _output(values: Sequence[SSAValue]) -> list[OutputOp]:
    """The output that a kernel's one result becomes, if it is used for nothing else."""
    use = values[0].get_user_of_unique_use() if values else None
    return [use] if isinstance(use, OutputOp) else []


def _is_row_norm(op: Operation | Block) -> TypeGuard[RmsNormOp]:
    """Whether an op norms whole rows."""
    return isinstance(op, RmsNormOp) and op.heads is None


def _feeds_matmuls(norm: RmsNormOp) -> bool:
    """Whether a norm's rows are read by matmuls alone, which then norm them on their way in."""
    return all(
        isinstance(use.operation, MatmulOp) and use.operation.a is norm.result
        for use in norm.result.uses
    )


def _continues(op: Operation, kernel: Sequence[Operation]) -> bool:
    """Whether an elementwise op reads the kernel, and nothing that others made from it."""
    if not isinstance(op, ELEMENTWISE) or (
        isinstance(op, UnaryOp) and op.f.data not in ACTIVATIONS
    ):
        return False
    if isinstance(op, SplitOp) and (len(op.columns) != 2 or len(set(op.columns)) > 1):
        return False
    inside = {result for member in kernel for result in member.results}
    if isinstance(op, BinaryOp) and op.op.data == "sub" and op.x not in inside:
        return False
    others = [operand for operand in op.operands if operand not in inside]
    return len(others) < len(op.operands) and not any(_depends(o, inside) for o in others)


def _depends(value: SSAValue, made: Collection[SSAValue]) -> bool:
    """Whether a value is computed from one of `made`, which are results of ops of its block."""
    if value in made:
        return True
    if isinstance(value.owner, Block):
        return False
    return any(_depends(read, made) for op in value.owner.walk() for read in op.operands)


def _leaving(kernel: Sequence[Operation]) -> list[SSAValue]:
    """Values made from the last anchor on that are used outside."""
    members = set(kernel)
    anchor = next(i for i, op in enumerate(kernel) if isinstance(op, MatmulOp))
    return [
        result
        for op in kernel[anchor:]
        for result in op.results
        if any(use.operation not in members for use in result.uses)
    ]


def _module(block: Block) -> ModuleOp:
    """The module around a block."""
    op = block.parent_op()
    while not isinstance(op, ModuleOp):
        assert op is not None, "a pass is given a module"
        op = op.parent_op()
    return op


def _enclose(block: Block, kernel: Sequence[Operation], named: Operation) -> None:
    """Put the ops into one tg.fused where the last of them stood.

    Ops before the anchor that others read too (a norm of several matmuls) are copied; parameters
    always are.
    """
    members = list(kernel)
    inside = set(members)
    last = members[-1]
    body = Block()
    copies: dict[SSAValue, SSAValue] = {}
    leaving = [
        result
        for op in members
        for result in op.results
        if not isinstance(op, RmsNormOp | TakeOp) or op is named or isinstance(named, HEADWISE)
        if any(use.operation not in inside for use in result.uses)
    ]
    for op in members:
        for operand in op.operands:
            if isinstance(operand.owner, WeightOp) and operand not in copies:
                weight = operand.owner.clone()
                weight.location = operand.owner.location
                body.add_op(weight)
                copies[operand] = weight.result
                weight.result.name_hint = operand.name_hint
        copy = op.clone(copies)
        copy.location = op.location
        body.add_op(copy)
        for old, new in zip(op.results, copy.results, strict=True):
            copies[old] = new
            new.name_hint = old.name_hint
    body.add_op(YieldOp(*(copies[value] for value in leaving)))
    label = model_name(named) or named.name
    fused = FusedOp(label, [value.type for value in leaving], Region(body))
    locate(fused, named.location)
    names = list(dict.fromkeys(location_name(op) for op in members if not isinstance(op, SplitOp)))
    if len(names) > 1:
        derive(_module(block), location_name(fused), names)
    block.insert_op_before(fused, last)
    for old, new in zip(leaving, fused.parts, strict=True):
        new.name_hint = old.name_hint
        old.replace_uses_with_if(new, lambda use: use.operation not in inside)
    for op in reversed(members):
        weights = [o.owner for o in op.operands if isinstance(o.owner, WeightOp)]
        if all(result.first_use is None for result in op.results):
            op.detach()
            op.erase()
            for weight in weights:
                if weight.result.first_use is None and weight.parent is not None:
                    weight.detach()
                    weight.erase()
