"""A launch of a language model, stopped before its first instruction."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend.image import Image
from .debugger import Debugger
from .functional import launch_words
from .launch import Launch, SessionError
from .session import Logits, Session


class _Ready(Exception):
    """The launch that is wanted has its inputs."""


class _Stopping(Session):
    """A session that goes no further than a launch of one entry."""

    stop = ""
    ready: Debugger

    def launch(self, entry: str, launch: Launch) -> Logits:
        """Run an entry, or put its inputs in place and leave."""
        if entry != self.stop:
            return super().launch(entry, launch)
        emulator = self._emulators[entry]
        self._give(emulator, launch)
        words = launch_words(emulator.program, launch.parameters()).tolist()
        emulator.memories.begin_launch(emulator.program)
        self.ready = Debugger(
            emulator.program,
            emulator.machine,
            emulator.memories,
            words,
            self._order,
            self.image.opcodes,
        )
        raise _Ready


def launch_of_prompt(
    image: Image, tokens: Sequence[int], entry: str, order: str, name: str = "the image"
) -> Debugger:
    """The first launch of a prompt (`prefill`), or that of its last token (`decode`).

    Raises SessionError for an entry or a prompt that the image does not have room for.
    """
    if entry not in ("prefill", "decode"):
        raise SessionError(f"entry '{entry}' takes no prompt: use prefill or decode")
    session = _Stopping(image, "reference", order, name=name)
    session.check([list(tokens)])
    session.stop = entry
    try:
        if entry == "decode":
            if len(tokens) > 1:
                session.prefill(list(tokens[:-1]))
            session.decode(tokens[-1])
        else:
            session.prefill(list(tokens))
    except _Ready:
        return session.ready
    raise AssertionError("a checked prompt takes a launch")
