"""`#tg.sizes`, the names of run-time sizes, and what the graph ops ask of their tensors."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import DYNAMIC_INDEX, ArrayAttr, NoneAttr, StringAttr, TensorType
from xdsl.ir import Attribute, ParametrizedAttribute, SSAValue
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..shaped import tensor_of


@irdl_attr_definition
class SizesAttr(ParametrizedAttribute):
    """The encoding of a tensor with `?` axes: which launch parameter each one is,
    `#tg.sizes<@rows>`.
    """

    name = "tg.sizes"
    names: ArrayAttr[StringAttr]

    def __init__(self, *names: str):
        super().__init__(ArrayAttr(StringAttr(name) for name in names))

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            names = parser.parse_comma_separated_list(
                parser.Delimiter.NONE, parser.parse_symbol_name
            )
        return (ArrayAttr(names),)

    def print_parameters(self, printer: Printer) -> None:
        printer.print_string("<" + ", ".join("@" + name.data for name in self.names) + ">")


def rows_type(columns: int, rows: int | str, element: Attribute) -> TensorType[Attribute]:
    """`tensor<rows x columns>`; `rows` is a number or the name of a launch parameter."""
    if isinstance(rows, int):
        return TensorType(element, (rows, columns))
    return TensorType(element, (DYNAMIC_INDEX, columns), SizesAttr(rows))


def with_columns(type_: TensorType[Attribute], columns: int) -> TensorType[Attribute]:
    """The same rows with another number of columns."""
    return TensorType(type_.element_type, (type_.get_shape()[0], columns), type_.encoding)


def check_sizes(type_: Attribute) -> None:
    """Each `?` of a tensor is named by `#tg.sizes`, and only those."""
    tensor = tensor_of(type_)
    unknown = tensor.get_shape().count(DYNAMIC_INDEX)
    encoding = tensor.encoding
    named = len(encoding.names) if isinstance(encoding, SizesAttr) else 0
    if unknown != named or not isinstance(encoding, SizesAttr | NoneAttr):
        raise VerifyException(f"each ? of a tensor is named by #tg.sizes, not {type_}")


def check_rank(role: str, value: SSAValue, rank: int) -> tuple[int, ...]:
    """The shape of a value that must have `rank` axes."""
    shape = tuple(tensor_of(value).get_shape())
    if len(shape) != rank:
        raise VerifyException(f"{role} has {rank} axes, not {value.type}")
    return shape


def check_same_rows(a: SSAValue, b: SSAValue) -> None:
    """Two tensors have the same rows: one number, or one launch parameter."""
    left, right = tensor_of(a), tensor_of(b)
    if left.get_shape()[0] != right.get_shape()[0] or left.encoding != right.encoding:
        raise VerifyException(f"rows differ: {left} and {right}")


def check_type(role: str, value: SSAValue, wanted: Attribute) -> None:
    """A value has the wanted type."""
    if value.type != wanted:
        raise VerifyException(f"{role} is {wanted}, not {value.type}")


def check_heads(columns: int, heads: int) -> int:
    """Columns of one head."""
    if heads < 1 or columns % heads:
        raise VerifyException(f"{columns} columns are not {heads} equal heads")
    return columns // heads


def check_shared_heads(heads: int, kv_heads: int) -> None:
    """Each KV head serves equally many query heads."""
    if kv_heads < 1 or heads % kv_heads:
        raise VerifyException(f"{heads} query heads do not share {kv_heads} KV heads evenly")
