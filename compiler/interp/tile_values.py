"""What an actor knows: its SSA values, who it is, and where its observer is."""

from xdsl.ir import Operation, SSAValue

from .tile_channels import Ring
from .tile_machine import TileMachine
from .tile_memory import Mistake, Place
from .tile_transfers import Region


class Values:
    """SSA values of one engine, or of the sequential program (`engine` None)."""

    def __init__(self, machine: TileMachine, engine: str | None) -> None:
        self.machine = machine
        self.engine = engine
        self.known: dict[SSAValue, int | Place] = {}
        self.trips: list[tuple[str, int]] = []
        """Counters of the loops around, outermost first."""
        self.at: Operation | None = None
        """The op that is being done."""

    def has(self, value: SSAValue) -> bool:
        """Whether the value is known to this actor."""
        return value in self.known

    def set(self, value: SSAValue, meaning: int | Place) -> None:
        """Bind a value."""
        self.known[value] = meaning

    def index(self, value: SSAValue | int) -> int:
        """A number. Raises Mistake if this engine never got it."""
        if isinstance(value, int):
            return value
        found = self.known.get(value)
        if not isinstance(found, int):
            raise Mistake(self._unknown(value))
        return found

    def place(self, value: SSAValue) -> Place:
        """A buffer, slot or part. Raises Mistake if this engine never got it."""
        found = self.known.get(value)
        if not isinstance(found, Place):
            raise Mistake(self._unknown(value))
        return found

    def region(self, name: str) -> Region:
        """A global. Raises Mistake if there is none of that name."""
        region = self.machine.regions.get(name)
        if region is None:
            raise Mistake(f"names @{name}, which is not declared")
        return region

    def reads(self, op: Operation, *places: Place) -> None:
        """Tell the observer that `op` reads these places."""
        self._touch(op, places, write=False)

    def writes(self, op: Operation, *places: Place) -> None:
        """Tell the observer that `op` writes these places."""
        self._touch(op, places, write=True)

    def note(self, event: str, engine: str, ring: Ring) -> None:
        """Tell the observer of a channel event."""
        if self.machine.observer is not None:
            self.machine.running = self
            self.machine.observer.channel(event, engine, ring)

    def _touch(self, op: Operation, places: tuple[Place, ...], *, write: bool) -> None:
        observer = self.machine.observer
        if observer is None:
            return
        self.machine.running = self
        engine = self.engine or getattr(getattr(op, "engine", None), "data", "")
        for place in places:
            observer.touch(op, engine, place, write=write)

    def _unknown(self, value: SSAValue) -> str:
        who = f"engine {self.engine}" if self.engine is not None else "the program"
        return (
            f"{who} uses %{value.name_hint or 'value'}, which it never received or made; a count "
            "from a channel must go to every engine that holds the loop"
        )
