"""Names of a module: finding declarations and what refers to them."""

from xdsl.dialects.builtin import ModuleOp, SymbolRefAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Attribute

from ..dialects.tg import GlobalOp, ScalarOp, TableOp
from .located import PassError


def globals_of(module: ModuleOp) -> dict[str, GlobalOp]:
    """The globals by name, in their order."""
    return {op.global_name: op for op in module.ops if isinstance(op, GlobalOp)}


def scalars_of(module: ModuleOp) -> dict[str, ScalarOp]:
    """The launch parameters of one word by name."""
    return {op.scalar_name: op for op in module.ops if isinstance(op, ScalarOp)}


def tables_of(module: ModuleOp) -> dict[str, TableOp]:
    """The launch parameters of several words by name."""
    return {op.table_name: op for op in module.ops if isinstance(op, TableOp)}


def entry_function(module: ModuleOp) -> FuncOp:
    """The one function of a module that is not projected yet. Raises PassError."""
    functions = [op for op in module.ops if isinstance(op, FuncOp)]
    if len(functions) != 1:
        names = ", ".join(f.sym_name.data for f in functions) or "none"
        raise PassError(f"wanted a module with one function, its entry; found {names}", module)
    return functions[0]


def used_symbols(module: ModuleOp) -> set[str]:
    """Every name that some op refers to."""
    found: set[str] = set()

    def visit(attribute: Attribute) -> None:
        if isinstance(attribute, SymbolRefAttr):
            found.add(attribute.root_reference.data)

    for op in module.walk():
        for attribute in (*op.properties.values(), *op.attributes.values()):
            visit(attribute)
    return found
