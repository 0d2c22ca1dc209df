"""merge: matmuls of one left operand -> one matmul with their weights side by side, and a split.

    %q = tg.matmul %n, %wq      %k = tg.matmul %n, %wk      ->  %qk = tg.matmul %n, %wqk
                                                                %q, %k = tg.split %qk [..]

Biases merge with their weights. The merged parameter is a recipe: `concat` of the parts' recipes.
Only parameters of one format merge, with a bias on all or on none, that nothing else reads: not one
that two matmuls share.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import takewhile

from xdsl.context import Context
from xdsl.dialects.builtin import LocationAttr, MemRefType, ModuleOp, TensorType
from xdsl.ir import Attribute, Block, Operation, SSAValue
from xdsl.passes import ModulePass

from ..backend.formats import parse_recipe
from ..dialects.locations import derive, location_name, model_name, named
from ..dialects.lowbit import PackedType
from ..dialects.shaped import is_memref, memref_of, tensor_of
from ..dialects.tg import BinaryOp, GlobalOp, MatmulOp, SplitOp, WeightOp
from .symbols import globals_of


def joined_name(names: list[str]) -> str:
    """`attn_q, attn_k, attn_v` -> `attn_qkv`; `ffn_gate, ffn_up` -> `ffn_gate_up`."""
    words = [name.split("_") for name in names]
    front = _shared(words)
    rests = [w[front:] for w in words]
    back = _shared([r[::-1] for r in rests])
    parts = ["_".join(r[: len(r) - back]) for r in rests]
    middle = ("" if all(len(p) == 1 for p in parts) else "_").join(parts)
    return "_".join([*words[0][:front], middle, *rests[0][len(rests[0]) - back :]])


def _shared(lists: list[list[str]]) -> int:
    """How many words all lists begin with; each keeps one of its own."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*lists, strict=False))
    return min(sum(1 for _ in columns), min(map(len, lists)) - 1)


def joined_type(types: list[Attribute]) -> Attribute | None:
    """The type of parameters side by side along their last axis, or None if they do not match."""
    first = types[0]
    if isinstance(first, PackedType):
        packed = [t for t in types if isinstance(t, PackedType)]
        keys = {(t.get_shape()[:-1], t.format, t.order) for t in packed}
        if len(packed) < len(types) or len(keys) > 1:
            return None
        shape = (*first.get_shape()[:-1], sum(t.n for t in packed))
        return PackedType(shape, first.format.data, first.order.data)
    if len({type(t) for t in types}) > 1 or not isinstance(first, TensorType | MemRefType):
        return None
    shaped = [memref_of(t) if is_memref(t) else tensor_of(t) for t in types]
    if len({(t.element_type, tuple(t.get_shape()[:-1])) for t in shaped}) > 1:
        return None
    element = shaped[0].element_type
    shape = (*shaped[0].get_shape()[:-1], sum(t.get_shape()[-1] for t in shaped))
    if isinstance(shaped[0], MemRefType):
        return MemRefType(element, shape, memory_space=shaped[0].memory_space)
    return TensorType(element, shape)


def joined_location(ops: list[Operation]) -> LocationAttr:
    """The location of one op that stands for several."""
    names = [model_name(op) for op in ops]
    head = names[0].rsplit(".", 1)[0] + "." if "." in names[0] else ""
    if not all(name.startswith(head) for name in names) or not all(names):
        return ops[0].location
    return named(head + joined_name([name[len(head) :] for name in names]))


class MergePass(ModulePass):
    """One matmul where several read the same rows: q, k and v; gate and up."""

    name = "merge"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        known = globals_of(op)
        reads = (o for o in op.walk() if isinstance(o, WeightOp))
        readers = Counter(read.global_name for read in reads for _ in read.result.uses)
        for block in [b for o in op.walk() for r in o.regions for b in r.blocks]:
            for matmuls in _groups(block, known, readers):
                _merge(op, known, matmuls)


def _groups(
    block: Block, known: dict[str, GlobalOp], readers: Counter[str]
) -> list[list[MatmulOp]]:
    """Matmuls of a block that could be one: same left operand, layer and format of the parameter,
    which nothing else reads; a bias on all or on none."""
    found: defaultdict[tuple[SSAValue, SSAValue | None, str, bool], list[MatmulOp]]
    found = defaultdict(list)
    for op in block.ops:
        if isinstance(op, MatmulOp) and isinstance(weight := op.w.owner, WeightOp):
            bias = _bias(op)
            names = [weight.global_name, *([] if bias is None else [_read(bias.y).global_name])]
            type_ = known[weight.global_name].type
            format = type_.format.data if isinstance(type_, PackedType) else ""
            if all(readers[name] == 1 for name in names):
                found[op.a, weight.layer, format, bias is not None].append(op)
    return [group for group in found.values() if len(group) > 1]


def _read(value: SSAValue) -> WeightOp:
    """The op that reads a parameter."""
    assert isinstance(value.owner, WeightOp)
    return value.owner


def _bias(matmul: MatmulOp) -> BinaryOp | None:
    """The addition of a parameter that is the only user of a matmul."""
    use = matmul.result.get_user_of_unique_use()
    if isinstance(use, BinaryOp) and use.op.data == "add" and isinstance(use.y.owner, WeightOp):
        return use
    return None


def _merge(module: ModuleOp, known: dict[str, GlobalOp], matmuls: list[MatmulOp]) -> None:
    """Rewrite one group, if its parameters have one format."""
    reads = [matmul.w for matmul in matmuls]
    adds = [bias for matmul in matmuls if (bias := _bias(matmul)) is not None]
    added = [add.y for add in adds]
    if not _joinable(known, reads) or (adds and not _joinable(known, added)):
        return
    weight = _join(known, reads)
    first = matmuls[0]
    block = first.parent
    assert block is not None
    merged = MatmulOp(first.a, weight.result)
    merged.location = joined_location(list[Operation](matmuls))
    block.insert_ops_before([weight, merged], first)
    _note(module, merged, matmuls)
    value: SSAValue = merged.result
    olds: list[SSAValue] = [matmul.result for matmul in matmuls]
    if adds:
        bias = _join(known, added)
        add = BinaryOp("add", value, bias.result)
        add.location = joined_location(list[Operation](adds))
        _note(module, add, adds)
        block.insert_ops_before([bias, add], first)
        value = add.result
        olds = [add.result for add in adds]
    split = SplitOp(value, [_columns(matmul) for matmul in matmuls])
    split.location = merged.location
    block.insert_op_before(split, first)
    for old, part in zip(olds, split.parts, strict=True):
        part.name_hint = old.name_hint
        old.replace_all_uses_with(part)
    for old in (*adds, *matmuls, *(_read(value) for value in (*reads, *added))):
        old.detach()
        old.erase()


def _note(module: ModuleOp, merged: Operation, parts: Sequence[Operation]) -> None:
    """Keep the names that went into a merged op's."""
    derive(module, location_name(merged), [location_name(part) for part in parts])


def _columns(matmul: MatmulOp) -> int:
    """Columns of a matmul's result."""
    assert isinstance(matmul.result.type, TensorType)
    return matmul.result.type.get_shape()[1]


def _joinable(known: dict[str, GlobalOp], values: list[SSAValue]) -> bool:
    """Whether parameters can stand side by side: their types match, and their layer is one."""
    weights = [_read(value) for value in values]
    return (
        joined_type([known[weight.global_name].type for weight in weights]) is not None
        and joined_type([value.type for value in values]) is not None
        and len({weight.layer for weight in weights}) == 1
    )


def _join(known: dict[str, GlobalOp], values: list[SSAValue]) -> WeightOp:
    """Declare joinable parameters side by side; the op that reads them."""
    weights = [_read(value) for value in values]
    olds = [known[weight.global_name] for weight in weights]
    type_ = joined_type([old.type for old in olds])
    result = joined_type([value.type for value in values])
    assert type_ is not None
    assert result is not None
    recipes = [old.recipe.data for old in olds if old.recipe is not None]
    name = joined_name([old.global_name for old in olds])
    recipe = str(parse_recipe(f"concat({', '.join(recipes)})"))
    declared = GlobalOp(olds[0].role.data, name, type_, recipe)
    declared.location = joined_location(list[Operation](olds))
    parent = olds[0].parent
    assert parent is not None
    parent.insert_op_before(declared, olds[0])
    for old in olds:
        old.detach()
        old.erase()
    known[name] = declared
    weight = WeightOp(name, result, weights[0].layer)
    weight.location = joined_location(list[Operation](weights))
    weight.result.name_hint = name
    return weight
