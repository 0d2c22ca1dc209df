"""The tables of a program while its text is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import TilewrightError
from ..isa import Channel, Parameter, Program, Region, View
from .text import AsmError


@dataclass
class Tables:
    """Tables of the program being read; inline views and constants are numbered at first use."""

    channels: dict[str, tuple[int, Channel]] = field(default_factory=dict[str, tuple[int, Channel]])
    regions: dict[str, tuple[int, Region]] = field(default_factory=dict[str, tuple[int, Region]])
    parameters: dict[str, Parameter] = field(default_factory=dict[str, Parameter])
    views: list[View] = field(default_factory=list[View])
    constants: list[int] = field(default_factory=list[int])
    """Bits of each float32."""
    view_numbers: dict[View, int] = field(default_factory=dict[View, int])
    constant_numbers: dict[int, int] = field(default_factory=dict[int, int])

    def add_channel(self, channel: Channel) -> None:
        """Declare a channel; its number is the order of declaration."""
        self._is_new(channel.name)
        self.channels[channel.name] = (len(self.channels), channel)

    def add_region(self, region: Region) -> None:
        """Declare a region; its number is the order of declaration."""
        self._is_new(region.name)
        self.regions[region.name] = (len(self.regions), region)

    def add_parameter(self, parameter: Parameter) -> None:
        """Declare a launch parameter."""
        if parameter.name in self.parameters:
            raise ValueError(f"{parameter.name} is declared twice")
        self.parameters[parameter.name] = parameter

    def view(self, view: View) -> int:
        """The number of a view: its first entry's, or a new one."""
        if not self.view_numbers:
            self.view_numbers = {v: i for i, v in reversed(list(enumerate(self.views)))}
        if view not in self.view_numbers:
            self.view_numbers[view] = len(self.views)
            self.views.append(view)
        return self.view_numbers[view]

    def constant(self, bits: int) -> int:
        """The number of a constant, by its bits: its first entry's, or a new one."""
        if not self.constant_numbers:
            self.constant_numbers = {b: i for i, b in reversed(list(enumerate(self.constants)))}
        if bits not in self.constant_numbers:
            self.constant_numbers[bits] = len(self.constants)
            self.constants.append(bits)
        return self.constant_numbers[bits]

    def program(
        self, fields: dict[str, Any], engines: dict[str, list[bytes]],
        locations: dict[str, list[str]],
    ) -> Program:  # fmt: skip
        """The program of these tables and words."""
        try:
            return Program(
                engines={
                    name: np.frombuffer(b"".join(words), np.uint64).reshape(-1, 4)
                    for name, words in engines.items()
                },
                views=tuple(self.views),
                constants=np.array(self.constants, np.uint32).view(np.float32),
                channels=tuple(c for _, c in self.channels.values()),
                regions=tuple(r for _, r in self.regions.values()),
                parameters=tuple(self.parameters.values()),
                locations=locations,
                **fields,
            )
        except TilewrightError as error:
            raise AsmError(1, 1, str(error)) from None

    def _is_new(self, name: str) -> None:
        if name in self.channels or name in self.regions:
            raise ValueError(f"{name} is declared twice")
