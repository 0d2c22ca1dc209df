"""Names in the programs of engines: places, steps and pops agree with what is declared."""

from __future__ import annotations

from xdsl.ir import Operation
from xdsl.utils.exceptions import VerifyException

from ...backend.isa import OperandSpec
from ..channel import ChannelOp
from ..declared import Symbols
from ..spaces import ACC
from ..tg import GlobalOp
from .instruction import InstructionOp
from .program import ProgramOp, RegionOp
from .scalar import PopOp, SyncOp
from .types import Place

PRODUCER_STEPS = ("acquire", "commit")


def program_of(op: Operation) -> ProgramOp:
    """The program an instruction stands in."""
    parent = op.parent_op()
    while parent is not None and not isinstance(parent, ProgramOp):
        parent = parent.parent_op()
    if parent is None:
        raise VerifyException("an instruction stands in a tw.program")
    return parent


def check_instruction(op: InstructionOp, symbols: Symbols) -> None:
    """Each place of an instruction lies where its row allows, in reach of its engine, inside
    its bytes.
    """
    engine = program_of(op).engine.data
    specs = {spec.name: spec for spec in op.row().operands}
    for name, place in op.get_places().items():
        if isinstance(place, Place):
            check_place(f"{op.mnemonic()} {name}", specs[name], place, engine, symbols)


def check_place(
    where: str,
    spec: OperandSpec,
    place: Place,
    engine: str,
    symbols: Symbols,
) -> None:
    """One place of an instruction."""
    owner = symbols.by_name.get(place.symbol)
    if isinstance(owner, ChannelOp):
        if owner.slot_bytes is None:
            raise VerifyException(
                f"{where}: @{place.symbol} has no slots but is a {owner.kind.data}"
            )
        users = (owner.producer.data, *owner.consumer_names)
        space, size = "acc" if owner.space == ACC else "spm", owner.slot_bytes.data
    elif isinstance(owner, RegionOp):
        users = (owner.engine.data,)
        space, size = "acc" if owner.space == ACC else "spm", owner.nbytes.data
    elif isinstance(owner, GlobalOp):
        users, space, size = (engine,), owner.memory, owner.nbytes
    else:
        raise VerifyException(f"{where}: no channel or region is named @{place.symbol}")
    if engine not in users:
        raise VerifyException(
            f"{where}: @{place.symbol} is used by {', '.join(users)}, not {engine}"
        )
    if space not in spec.spaces:
        raise VerifyException(
            f"{where} lies in {' or '.join(spec.spaces)}, not in {space} as @{place.symbol}"
        )
    if not isinstance(owner, ChannelOp) and (place.age or place.begin or place.end):
        raise VerifyException(f"{where}: @{place.symbol} is a region: no age, begin or end")
    if place.register is None and not place.view.order:
        first, past = place.view.span
        if first < 0 or past > size:
            raise VerifyException(
                f"{where}: bytes {first} to {past} are not inside the {size} of @{place.symbol}"
            )


def check_sync(op: SyncOp, symbols: Symbols) -> None:
    """A producer acquires and commits, a consumer waits and releases."""
    channel = symbols.channel(op.channel_name)
    engine = program_of(op).engine.data
    produces = op.kind.data in PRODUCER_STEPS
    users = (channel.producer.data,) if produces else channel.consumer_names
    if engine not in users:
        raise VerifyException(
            f"{op.kind.data} of @{op.channel_name} is done by {', '.join(users)}, not {engine}"
        )


def check_pop(op: PopOp, symbols: Symbols) -> None:
    """A consumer pops scalars."""
    channel = symbols.channel(op.channel_name)
    engine = program_of(op).engine.data
    if channel.kind.data != "scalar" or engine not in channel.consumer_names:
        raise VerifyException(f"{engine} pops no scalars from @{op.channel_name}")
