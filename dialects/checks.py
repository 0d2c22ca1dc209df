"""Checks of a whole module that no op can make alone: dominance, and parts of buffers."""

from __future__ import annotations

from xdsl.dialects.builtin import DYNAMIC_INDEX, MemRefType, ModuleOp
from xdsl.dialects.memref import SubviewOp
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.traits import IsolatedFromAbove
from xdsl.utils.exceptions import VerifyException

from .faults import OpError
from .shaped import memref_of
from .symbols import verify_symbols
from .text import static_values
from .tile import check_part, strides_of


def verify_module(module: ModuleOp) -> None:
    """Everything that holds between passes. Raises VerifyException naming the op."""
    _verify_ops(module)
    check_dominance(module)
    check_views(module)
    verify_symbols(module)


def _verify_ops(module: ModuleOp) -> None:
    """The ops' own verifiers; an error names the op and leaves out the picture of the module."""
    try:
        module.verify()
    except VerifyException as error:
        message = str(error)
    else:
        return
    for op in module.walk():
        try:
            op.verify(verify_nested_ops=False)
        except VerifyException as error:
            raise OpError(op, error) from None
    raise VerifyException(message)


def check_dominance(module: ModuleOp) -> None:
    """Each operand is defined before its use, in the same block or one around it."""
    _check_region(module.body, set())


def _check_region(region: Region, visible: set[SSAValue]) -> None:
    for block in region.blocks:
        _check_block(block, set(visible))


def _check_block(block: Block, visible: set[SSAValue]) -> None:
    visible.update(block.args)
    for op in block.ops:
        for number, operand in enumerate(op.operands):
            if operand not in visible:
                raise OpError(op, f"operand {number} is used before it is defined")
        inner = set[SSAValue]() if op.has_trait(IsolatedFromAbove) else visible
        for region in op.regions:
            _check_region(region, inner)
        visible.update(op.results)


def check_views(module: ModuleOp) -> None:
    """A memref.subview has static sizes and strides of 1, lies inside its source, says its own
    type.
    """
    for op in module.walk():
        if isinstance(op, SubviewOp):
            try:
                _check_view(op)
            except VerifyException as error:
                raise OpError(op, error) from None


def _check_view(op: SubviewOp) -> None:
    source, result = memref_of(op.source), memref_of(op.result)
    sizes, offsets = static_values(op.static_sizes), static_values(op.static_offsets)
    if DYNAMIC_INDEX in sizes or any(s != 1 for s in static_values(op.static_strides)):
        raise VerifyException("a part has static sizes and strides of 1; run-time sizes are bounds")
    dynamic = iter(op.offsets)
    starts = [next(dynamic) if n == DYNAMIC_INDEX else n for n in offsets]
    check_part(source, starts, sizes)
    if source.element_type != result.element_type or source.memory_space != result.memory_space:
        raise VerifyException(f"a part keeps element and memory space: {source} to {result}")
    strides = strides_of(source)
    axes = list(zip(sizes, strides, strict=True))
    kept = iter(zip(result.get_shape(), strides_of(result), strict=True))
    wanted = next(kept, None)
    for axis in axes:
        if axis == wanted:
            wanted = next(kept, None)
        elif axis[0] != 1:
            break
    else:
        if wanted is None:
            _check_offset(source, result, offsets, strides)
            return
    raise VerifyException(f"sizes and strides of {result} are not those of the part")


def _check_offset(
    source: MemRefType[Attribute],
    result: MemRefType[Attribute],
    offsets: tuple[int, ...],
    strides: tuple[int, ...],
) -> None:
    start = source.get_offset()
    if start is not None and DYNAMIC_INDEX not in offsets:
        start += sum(n * s for n, s in zip(offsets, strides, strict=True))
    else:
        start = None
    if result.get_offset() != start:
        text = "?" if start is None else str(start)
        raise VerifyException(f"the part starts at {text}, its type says {result.get_offset()}")
