"""canonicalise: pure ops whose results nobody uses go -> only what the step needs is left."""

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.passes import ModulePass
from xdsl.traits import is_side_effect_free

from ..dialects.tg import STORED_ROLES, GlobalOp
from .symbols import used_symbols


class CanonicalisePass(ModulePass):
    """Erase unused pure ops, then weights and tables that nothing names."""

    name = "canonicalise"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for inner in reversed(list(op.walk())):
            unused = bool(inner.results) and all(r.first_use is None for r in inner.results)
            if unused and inner.parent is not None and is_side_effect_free(inner):
                inner.detach()
                inner.erase()
        used = used_symbols(op)
        for inner in list(op.ops):
            if not isinstance(inner, GlobalOp) or inner.role.data not in STORED_ROLES:
                continue
            if inner.global_name not in used:
                inner.detach()
                inner.erase()
