"""The tables of one entry: channels, regions, launch parameters, and the program that uses them.

A `Program` is everything an engine needs beside the machine: its instruction words and the
read-only tables the words point into. All numbers are bytes unless said otherwise. Tables are
plain frozen dataclasses; `tables`/`from_tables` turn them into JSON and back, for the image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt

from ..errors import TilewrightError
from .view import View

Kind = TypeVar("Kind")
Words = npt.NDArray[np.uint64]
ChannelKind = Literal["slot", "token", "scalar"]
Space = Literal["spm", "acc", "none"]
Memory = Literal["hbm", "spm", "acc", "host"]
Role = Literal["weight", "table", "state", "scratch", "input", "output", "local"]

CHANNEL_KINDS: tuple[ChannelKind, ...] = ("slot", "token", "scalar")
SPACES: tuple[Space, ...] = ("spm", "acc", "none")
MEMORIES: tuple[Memory, ...] = ("hbm", "spm", "acc", "host")
ROLES: tuple[Role, ...] = ("weight", "table", "state", "scratch", "input", "output", "local")
PACKED_ROLES: tuple[Role, ...] = ("weight", "table")
"""Roles whose bytes an image holds; the others start empty at every session."""

TABLE_LIMITS = {"channels": 256, "regions": 256, "views": 1024, "constants": 1024}
"""Most entries of each table that an operand field can point at."""


class ProgramError(TilewrightError):
    """A table entry, or a reference to one, that no program may hold."""


def engine_kind(engine: str) -> str:
    """The kind of an engine: `ld` for `ld`, `ld1`, ...; `st`, `mxu`, `vpu` likewise."""
    kind = engine.rstrip("0123456789")
    if kind not in ("ld", "st", "mxu", "vpu"):
        raise ProgramError(
            f"engine '{engine}' is of no known kind: use ld, st, mxu or vpu, with a queue number"
        )
    return kind


@dataclass(frozen=True)
class Channel:
    """A ring of equal slots between one producer engine and its consumers."""

    name: str
    producer: str
    consumers: tuple[str, ...]
    kind: ChannelKind
    """`slot`: bytes; `token`: no bytes, only order; `scalar`: bytes whose words `pop` reads."""
    slots: int
    """Slots in the ring, or tokens that may be outstanding."""
    slot_bytes: int = 0
    """Bytes of one slot; 0 for a token."""
    space: Space = "none"
    """Memory of the ring: `spm` or `acc`; `none` for a token."""
    base: int = 0
    """Byte address of slot 0 in `space`; slot i lies at base + i * slot_bytes."""
    primed: int = 0
    """Tokens that are committed at launch, and again at the end."""
    max: int = 0
    """Largest word that `pop` accepts (scalar channels); the smallest is 0."""

    def __post_init__(self) -> None:
        where = f"channel '{self.name}'"
        if not self.consumers or len(set(self.consumers)) != len(self.consumers):
            raise ProgramError(f"{where}: consumers {self.consumers} must be distinct, at least 1")
        if self.kind not in CHANNEL_KINDS or self.space not in SPACES:
            raise ProgramError(f"{where}: kind '{self.kind}' in '{self.space}' is unknown")
        if self.slots < 1 or self.slot_bytes < 0 or self.base < 0 or self.max < 0:
            raise ProgramError(f"{where}: slots must be >= 1; bytes, base and max must be >= 0")
        if (self.kind == "token") != (self.space == "none") or (
            (self.slot_bytes == 0) != (self.kind == "token")
        ):
            raise ProgramError(f"{where}: a token has no bytes and no space, other kinds have both")
        if not 0 <= self.primed <= self.slots:
            raise ProgramError(f"{where}: primed {self.primed} is not in 0..{self.slots}")
        if self.primed and self.kind != "token":
            raise ProgramError(f"{where}: only a token channel may be primed")

    @property
    def nbytes(self) -> int:
        """Bytes of the whole ring."""
        return self.slots * self.slot_bytes


@dataclass(frozen=True)
class Region:
    """Named, addressed bytes that persist over a launch or belong to one engine.

    `host` is the window in which the host hands in what a load entry copies.
    """

    name: str
    memory: Memory
    base: int
    """Byte address in `memory`."""
    nbytes: int
    role: Role
    owner: str = ""
    """The only engine that may touch it (`local` buffers); empty for shared regions."""

    def __post_init__(self) -> None:
        where = f"region '{self.name}'"
        if self.memory not in MEMORIES or self.role not in ROLES:
            raise ProgramError(f"{where}: role '{self.role}' in '{self.memory}' is unknown")
        if self.base < 0 or self.nbytes < 0:
            raise ProgramError(f"{where}: base {self.base} and nbytes {self.nbytes} must be >= 0")


@dataclass(frozen=True)
class Parameter:
    """A run of words of the launch-parameter table, and the range each word may take."""

    name: str
    offset: int
    """Index of its first word in the table; compile-time words come first."""
    count: int
    """Words: 1 for a scalar."""
    lo: int
    hi: int
    """Smallest and largest value, both included."""

    def __post_init__(self) -> None:
        if self.offset < 0 or self.count < 1 or self.lo > self.hi:
            raise ProgramError(
                f"parameter '{self.name}': offset {self.offset} must be >= 0, count {self.count} "
                f">= 1, and {self.lo}..{self.hi} a range"
            )


Entry = TypeVar("Entry", Channel, Region, Parameter)


def no_words() -> npt.NDArray[np.int64]:
    """An empty table of compile-time words."""
    return np.zeros(0, dtype=np.int64)


def no_constants() -> npt.NDArray[np.float32]:
    """An empty constant table."""
    return np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class Program:
    """One entry: the words of each engine and the tables they index."""

    engines: dict[str, Words]
    """Engine name to its instruction words, uint64 [n, 4]."""
    views: tuple[View, ...] = ()
    constants: npt.NDArray[np.float32] = field(default_factory=no_constants)
    channels: tuple[Channel, ...] = ()
    regions: tuple[Region, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    words: npt.NDArray[np.int64] = field(default_factory=no_words)
    """Compile-time words of the launch-parameter table: words 0 .. len - 1."""
    locations: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Engine name to the model op of each of its instructions, for messages and profiles."""
    kv_block: int = 0
    """Positions that attention treats at once; 0 without attention. Part of the policy."""
    meta: dict[str, Any] = field(default_factory=dict[str, Any])
    """Anything else that JSON holds (shapes of inputs and outputs, notes)."""

    def __post_init__(self) -> None:
        for name, limit in TABLE_LIMITS.items():
            if len(getattr(self, name)) > limit:
                raise ProgramError(
                    f"{len(getattr(self, name))} {name}: an operand field names at most {limit}"
                )
        names = [x.name for x in (*self.channels, *self.regions)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ProgramError(f"{', '.join(twice)}: channels and regions share one name space")
        for engine, words in self.engines.items():
            engine_kind(engine)
            if words.dtype != np.uint64 or words.ndim != 2 or words.shape[1] != 4:
                raise ProgramError(f"engine '{engine}': words are {words.dtype}{words.shape}")
            if engine in self.locations and len(self.locations[engine]) != len(words):
                raise ProgramError(
                    f"engine '{engine}': {len(self.locations[engine])} locations "
                    f"for {len(words)} instructions"
                )

    @property
    def table_words(self) -> int:
        """Words of the launch-parameter table: compile-time ones and all parameters."""
        return max([len(self.words), *(p.offset + p.count for p in self.parameters)])

    def channel_number(self, name: str) -> int:
        """Index of a channel by name (ProgramError when there is none)."""
        return _index(self.channels, name, "channel")

    def region(self, name: str) -> Region:
        """A region by name (ProgramError when there is none)."""
        return self.regions[_index(self.regions, name, "region")]

    def parameter(self, name: str) -> Parameter:
        """A launch parameter by name (ProgramError when there is none)."""
        return self.parameters[_index(self.parameters, name, "parameter")]

    def tables(self) -> dict[str, Any]:
        """Everything but words, views and constants as JSON-ready values."""
        return {
            "engines": list(self.engines),
            "channels": [asdict(c) | {"consumers": list(c.consumers)} for c in self.channels],
            "regions": [asdict(r) for r in self.regions],
            "parameters": [asdict(p) for p in self.parameters],
            "words": [int(w) for w in self.words],
            "locations": self.locations,
            "kv_block": self.kv_block,
            "meta": self.meta,
        }

    @staticmethod
    def from_tables(
        tables: Mapping[str, Any],
        engines: dict[str, Words],
        views: Sequence[View],
        constants: npt.NDArray[np.float32],
    ) -> Program:
        """The inverse of `tables`, given the arrays that stand outside it.

        ProgramError names what is missing, unknown or of another type.
        """
        locations = typed_object(tables, "locations")
        return Program(
            engines=engines,
            views=tuple(views),
            constants=constants,
            channels=tuple(_entry(Channel, c) for c in _objects(tables, "channels")),
            regions=tuple(_entry(Region, r) for r in _objects(tables, "regions")),
            parameters=tuple(_entry(Parameter, p) for p in _objects(tables, "parameters")),
            words=np.array(typed_list(tables, "words", int), dtype=np.int64),
            locations={engine: typed_list(locations, engine, str) for engine in locations},
            kv_block=typed(tables, "kv_block", int),
            meta=typed_object(tables, "meta"),
        )


JSON_NAMES: dict[type[object], str] = {
    dict: "an object",
    list: "a list",
    int: "an integer",
    str: "a text",
    bool: "a bool",
}


def typed(values: Mapping[str, Any], key: str, kind: type[Kind]) -> Kind:
    """A value of a JSON object. ProgramError where it is missing or of another type."""
    value = values.get(key)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        found = repr(value)[:80] if key in values else "missing"
        raise ProgramError(f"{key} is {found}, wanted {JSON_NAMES[kind]}")
    return value


def typed_list(values: Mapping[str, Any], key: str, kind: type[Kind]) -> list[Kind]:
    """A list of a JSON object whose items are all of one type. Raises ProgramError."""
    items = cast(list[object], typed(values, key, list))
    return [typed({key: item}, key, kind) for item in items]


def typed_object(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    """An object inside a JSON object. Raises ProgramError."""
    return cast(dict[str, Any], typed(values, key, dict))


def _objects(values: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects. Raises ProgramError."""
    return cast(list[dict[str, Any]], typed_list(values, key, dict))


def _entry(row: type[Entry], given: Mapping[str, Any]) -> Entry:
    """A table entry from a JSON object, every field of its own type. Raises ProgramError."""
    name = row.__name__.lower()
    known = {field.name: str(field.type) for field in fields(row)}
    if set(given) != set(known):
        raise ProgramError(f"a {name} has {', '.join(given)[:200]}, wanted {', '.join(known)}")
    read: dict[str, Any] = {}
    for key, kind in known.items():
        if kind.startswith("tuple"):
            read[key] = tuple(typed_list(given, key, str))
        else:
            read[key] = typed(given, key, int if kind == "int" else str)
    return row(**read)


def _index(table: Sequence[Channel | Region | Parameter], name: str, kind: str) -> int:
    for index, entry in enumerate(table):
        if entry.name == name:
            return index
    known = ", ".join(entry.name for entry in table) or "none"
    raise ProgramError(f"no {kind} named '{name}'; this program has: {known}")
