"""The lowbit dialect: packed low-bit weights as types. Bytes are those of
`backend.formats.Packing`.

`!lowbit.packed` is a whole parameter in hbm, `!lowbit.tile` the run of it that one slot holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from xdsl.dialects.builtin import ArrayAttr, IntAttr, StringAttr
from xdsl.ir import Attribute, Dialect, ParametrizedAttribute, TypeAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from ..backend.formats import COLUMN_STEP, FORMATS, Packing
from .text import dimensions

ORDERS = ("kn", "nk")


def check_format(name: str, order: str) -> None:
    """Refuse a format or an order that does not exist."""
    if name not in FORMATS:
        raise VerifyException(f"no format is named {name!r}: {', '.join(FORMATS)}")
    if order not in ORDERS:
        raise VerifyException(f"no packed order is named {order!r}: {', '.join(ORDERS)}")


def read_common(parser: AttrParser) -> tuple[ArrayAttr[IntAttr], StringAttr, StringAttr]:
    """`64x96, q4_1, kn`: shape, format, order."""
    shape = dimensions(parser)
    format = parser.parse_identifier()
    parser.parse_punctuation(",")
    return (
        ArrayAttr(IntAttr(n) for n in shape),
        StringAttr(format),
        StringAttr(parser.parse_identifier()),
    )


@irdl_attr_definition
class PackedType(ParametrizedAttribute, TypeAttribute):
    """A packed parameter: `!lowbit.packed<2x64x96, q4_1, kn 32>` is 2 layers of K=64 x N=96.

    The shape is logical, [layers,] K, N, in either order of bytes. `kn` panels state their
    width once it is chosen (`kn` alone before); `nk` rows have none. Layers follow each other
    without gaps.
    """

    name = "lowbit.packed"
    shape: ArrayAttr[IntAttr]
    format: StringAttr
    order: StringAttr
    panel: IntAttr

    def __init__(self, shape: Sequence[int], format: str, order: str, panel: int = 0):
        super().__init__(
            ArrayAttr(IntAttr(n) for n in shape),
            StringAttr(format),
            StringAttr(order),
            IntAttr(panel),
        )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            common = read_common(parser)
            panel = parser.parse_optional_integer(allow_boolean=False, allow_negative=False)
        return *common, IntAttr(panel or 0)

    def print_parameters(self, printer: Printer) -> None:
        panel = f" {self.panel.data}" if self.panel.data else ""
        shape = "x".join(map(str, self.get_shape()))
        printer.print_string(f"<{shape}, {self.format.data}, {self.order.data}{panel}>")

    def verify(self) -> None:
        check_format(self.format.data, self.order.data)
        if len(self.shape) not in (2, 3) or 0 in self.get_shape():
            raise VerifyException(
                f"a packed shape is [layers x] K x N, all positive, not {self.get_shape()}"
            )
        if self.order.data == "nk" and self.panel.data:
            raise VerifyException("nk rows have no panels")
        if self.panel.data % COLUMN_STEP:
            raise VerifyException(
                f"a panel of {self.panel.data} columns is no multiple of {COLUMN_STEP}"
            )

    def get_shape(self) -> tuple[int, ...]:
        """[layers,] K, N."""
        return tuple(n.data for n in self.shape)

    @property
    def layers(self) -> int:
        """Layers, 1 if the type has no such axis."""
        return self.shape.data[0].data if len(self.shape) == 3 else 1

    @property
    def k(self) -> int:
        """Input features."""
        return self.shape.data[-2].data

    @property
    def n(self) -> int:
        """Output features."""
        return self.shape.data[-1].data

    @property
    def packing(self) -> Packing:
        """The packing of one layer. The panel must be chosen."""
        if self.order.data == "kn" and not self.panel.data:
            raise VerifyException("the bytes of kn panels are known once their width is chosen")
        return Packing(self.format.data, self.order.data, self.n, self.k, self.panel.data)

    @property
    def nbytes(self) -> int:
        """Bytes of all layers."""
        return self.layers * self.packing.nbytes

    @property
    def index_rank(self) -> int:
        """Indices of a load: layer if there are layers, then panel and K block (kn) or row (nk)."""
        return len(self.shape) - 2 + (2 if self.order.data == "kn" else 1)


@irdl_attr_definition
class TileType(ParametrizedAttribute, TypeAttribute):
    """What a slot holds of a packed parameter, contiguous: the element of a memref without axes.

    `!lowbit.tile<64x32, q4_1, kn>`: K=64 (whole blocks) of one panel 32 columns wide.
    `!lowbit.tile<4x64, q4_1, nk>`: N=4 rows of K=64.
    """

    name = "lowbit.tile"
    shape: ArrayAttr[IntAttr]
    format: StringAttr
    order: StringAttr

    def __init__(self, shape: Sequence[int], format: str, order: str):
        super().__init__(
            ArrayAttr(IntAttr(n) for n in shape), StringAttr(format), StringAttr(order)
        )

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            return read_common(parser)

    def print_parameters(self, printer: Printer) -> None:
        shape = "x".join(map(str, self.get_shape()))
        printer.print_string(f"<{shape}, {self.format.data}, {self.order.data}>")

    def verify(self) -> None:
        check_format(self.format.data, self.order.data)
        if len(self.shape) != 2 or 0 in self.get_shape():
            raise VerifyException(f"a tile is K x W or N x K, all positive, not {self.get_shape()}")
        block = FORMATS[self.format.data].block
        if self.order.data == "kn" and self.k % block:
            raise VerifyException(
                f"K = {self.k} holds no whole blocks of {block} of {self.format.data}"
            )
        if self.order.data == "kn" and self.n % COLUMN_STEP:
            raise VerifyException(f"a panel of {self.n} columns is no multiple of {COLUMN_STEP}")

    @classmethod
    def of(cls, packed: PackedType, first: int, second: int) -> Self:
        """The tile of `first` x `second` (K x W or N x K) with the format and order of `packed`."""
        return cls((first, second), packed.format.data, packed.order.data)

    def get_shape(self) -> tuple[int, int]:
        """K, W of kn or N, K of nk."""
        first, second = (n.data for n in self.shape)
        return first, second

    @property
    def k(self) -> int:
        """Input features."""
        return self.get_shape()[0 if self.order.data == "kn" else 1]

    @property
    def n(self) -> int:
        """Columns of the panel (kn) or rows (nk)."""
        return self.get_shape()[1 if self.order.data == "kn" else 0]

    @property
    def block(self) -> int:
        """K values that share a scale."""
        return FORMATS[self.format.data].block

    @property
    def nbytes(self) -> int:
        """Bytes of the tile."""
        panel = self.n if self.order.data == "kn" else 0
        return Packing(self.format.data, self.order.data, self.n, self.k, panel).nbytes


Lowbit = Dialect("lowbit", [], [PackedType, TileType])
