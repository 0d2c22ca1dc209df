"""Where the tensors between kernels live: a scratch region each, updated in place where safe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from re import sub

from xdsl.dialects import scf
from xdsl.dialects.builtin import AnyFloat, MemRefType, f32
from xdsl.ir import Block, Operation, SSAValue

from ...dialects.shaped import tensor_of
from ...dialects.spaces import HBM
from ...dialects.tg import (
    AttentionOp,
    BinaryOp,
    FusedOp,
    InputOp,
    MatmulOp,
    OneCacheOp,
    OutputOp,
    SizesAttr,
    TakeOp,
)
from ..located import PassError, located
from ..names import Names
from ..policy import Policy

ROW_COUNTS = ("rows", "logit_rows")
"""Launch parameters that count the rows of a tensor."""


@dataclass
class Regions:
    """Name of the region of every tensor that leaves a kernel, or of the input that it is, and
    the types of the regions."""

    symbols: Names
    names: dict[SSAValue, str] = field(default_factory=lambda: dict[SSAValue, str]())
    types: dict[str, MemRefType] = field(default_factory=lambda: dict[str, MemRefType]())


def assign_regions(
    block: Block, policy: Policy, rows: Mapping[str, int], symbols: Names
) -> Regions:
    """Regions of all tensors of a function's body; `rows` gives the most rows by parameter name,
    `symbols` the names that are free.

    A loop's tensor stays in one region: the yielded tensor must come from an update in place.
    """
    regions = Regions(symbols)
    _assign(block, policy, rows, regions)
    return regions


def _assign(block: Block, policy: Policy, rows: Mapping[str, int], regions: Regions) -> None:
    for op in block.ops:
        match op:
            case FusedOp():
                for output in [o for o in op.body.block.ops if isinstance(o, OutputOp)]:
                    _row_count(output.x, op)
                updated = _updated(op, policy, regions)
                for value in op.parts:
                    if updated is not None:
                        regions.names[value] = regions.names[updated]
                    else:
                        regions.names[value] = _new(value, op, policy, rows, regions)
            case InputOp():
                regions.names[op.result] = op.global_name
            case scf.ForOp():
                _assign_loop(op, policy, rows, regions)
            case _:
                pass


def _assign_loop(
    loop: scf.ForOp, policy: Policy, rows: Mapping[str, int], regions: Regions
) -> None:
    body = loop.body.block
    inits = list(loop.iter_args)
    for argument, init in zip(body.args[1:], inits, strict=True):
        if any(use.operation is not loop for use in init.uses):
            raise PassError(
                f"{located(loop)}: a tensor that a loop of layers updates is read elsewhere; "
                "give the loop a tensor of its own",
                loop,
            )
        if regions.names.get(init) not in regions.types:
            raise PassError(
                f"{located(loop)}: it begins with a tensor made by `{located(_owner(init))}`; "
                "wanted one that a kernel makes: run fuse before tile",
                loop,
            )
        regions.names[argument] = regions.names[init]
    _assign(body, policy, rows, regions)
    last = body.last_op
    assert isinstance(last, scf.YieldOp), "a verified loop ends with scf.yield"
    for argument, value, result in zip(body.args[1:], last.operands, loop.results, strict=True):
        if regions.names.get(value) != regions.names[argument]:
            raise PassError(
                f"{located(loop)}: the loop's next tensor is made by `{located(_owner(value))}`, "
                "not by an update of the tensor it began with; end the layer with an addition to "
                "it",
                loop,
            )
        regions.names[result] = regions.names[argument]


def _owner(value: SSAValue) -> Operation | None:
    return value.owner if isinstance(value.owner, Operation) else None


def _updated(kernel: FusedOp, policy: Policy, regions: Regions) -> SSAValue | None:
    """The tensor from outside that the kernel's last op adds to, if nothing reads it later and the
    result is of the same type."""
    if len(kernel.parts) != 1 or not isinstance(last := kernel.yielded[0].owner, BinaryOp):
        return None
    if any(isinstance(op, TakeOp) for op in kernel.body.block.ops):
        # Rows in another order: a block of rows would be overwritten before it is read.
        return None
    for operand in (last.x, last.y):
        # What is not in `types` is an input, which is never written.
        region = regions.types.get(regions.names.get(operand, ""))
        outside = (
            region is not None
            and operand.type == kernel.parts[0].type
            and region.element_type == element_of(kernel.parts[0], policy)
        )
        if outside and all(_done(use.operation, kernel) for use in operand.uses):
            return operand
    return None


def _done(user: Operation, kernel: FusedOp) -> bool:
    """Whether a user is the kernel or stands before it in its block."""
    block = kernel.parent
    top: Operation | None = user
    while top is not None and top.parent is not block:
        top = top.parent_op()
    return top is not None and (top is kernel or top.is_before_in_block(kernel))


def _new(
    value: SSAValue, kernel: FusedOp, policy: Policy, rows: Mapping[str, int], regions: Regions
) -> str:
    size = _row_count(value, kernel)
    label = kernel.label.data.rpartition(".")[2].replace("{l}", "layer")
    name = regions.symbols.fresh(sub(r"\W", "_", label) + "_out")
    regions.types[name] = MemRefType(
        element_of(value, policy), (rows[size], tensor_of(value).get_shape()[1]), memory_space=HBM
    )
    return name


def _row_count(value: SSAValue, kernel: FusedOp) -> str:
    """The launch parameter that counts a tensor's rows. Raises PassError if there is none."""
    type_ = tensor_of(value)
    if not isinstance(type_.encoding, SizesAttr):
        raise PassError(
            f"{located(kernel)}: makes {type_}; wanted rows counted by a launch parameter, "
            "#tg.sizes<@rows>",
            kernel,
        )
    size = type_.encoding.names.data[0].data
    if size not in ROW_COUNTS:
        raise PassError(
            f"{located(kernel)}: rows are counted by @{size}, wanted {' or '.join(ROW_COUNTS)}",
            kernel,
        )
    return size


def readers(regions: Regions, name: str) -> int:
    """How many kernels, or loops that go on with a tensor, read a region."""
    users = {
        use.operation.parent_op() if not isinstance(use.operation, scf.ForOp) else use.operation
        for value, region in regions.names.items()
        if region == name
        for use in value.uses
    }
    return len(users)


def counted_by(value: SSAValue) -> str:
    """The launch parameter that counts the rows of a tensor."""
    encoding = getattr(value.type, "encoding", None)
    assert isinstance(encoding, SizesAttr), "kernels take tensors with counted rows"
    return encoding.names.data[0].data


def element_of(value: SSAValue, policy: Policy) -> AnyFloat:
    """The element type of a region: the policy's, if matmuls and attention alone read the rows."""
    kinds = {policy.operand if is_operand(use.operation, value) else f32 for use in value.uses}
    return kinds.pop() if len(kinds) == 1 else f32


def is_operand(user: Operation, value: SSAValue) -> bool:
    """Whether an op reads a tensor as it is into the matrix unit."""
    if isinstance(user, MatmulOp):
        return user.a is value
    return isinstance(user, AttentionOp | OneCacheOp)
