"""Channel counters of one launch, for the reference engine."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...backend.isa import Channel


@dataclass
class ChannelState:
    """How often each step of a channel has been done since the launch began."""

    channel: Channel
    acquired: int
    committed: int
    waited: dict[str, int] = field(default_factory=dict[str, int])
    released: dict[str, int] = field(default_factory=dict[str, int])

    @staticmethod
    def fresh(channel: Channel) -> ChannelState:
        """At launch: empty, but for primed tokens, which are committed."""
        none = dict.fromkeys(channel.consumers, 0)
        return ChannelState(channel, channel.primed, channel.primed, dict(none), dict(none))

    def can_acquire(self) -> bool:
        """Whether every consumer has released the slot that comes next."""
        return self.acquired - min(self.released.values()) < self.channel.slots

    def can_wait(self, engine: str) -> bool:
        """Whether a committed slot is there that this consumer has not waited for."""
        return self.committed > self.waited[engine]

    def held(self, engine: str) -> int:
        """Slots that an engine holds."""
        if engine == self.channel.producer:
            return self.acquired - self.committed
        return self.waited[engine] - self.released[engine]

    def oldest(self, engine: str) -> int:
        """Running number of the oldest slot that an engine holds."""
        return self.committed if engine == self.channel.producer else self.released[engine]

    def address(self, number: int) -> int:
        """Byte address of the slot with a running number."""
        return self.channel.base + number % self.channel.slots * self.channel.slot_bytes

    def end(self, engine: str) -> None:
        """Commit or release the oldest held slot."""
        if engine == self.channel.producer:
            self.committed += 1
        else:
            self.released[engine] += 1

    def left(self) -> int:
        """Slots that are committed and that some consumer has not released."""
        return self.committed - min(self.released.values())
