"""A function called in a process of its own: what it gives, a crash, a hang, or too much memory."""

from __future__ import annotations

import json
import os
import select
import signal
import traceback
from collections.abc import Callable
from time import monotonic
from typing import Any

from damage import limited


def called_apart(call: Callable[[], Any], seconds: float) -> Any:
    """What `call` gives (JSON values), from a fork of this process with the limits of a reader.

    Raises AssertionError for another exception than it may give, a crash, or more seconds.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:
        os.close(ours)
        _answer(call, theirs)
    os.close(theirs)
    parts: list[bytes] = []
    end = monotonic() + seconds
    try:
        while select.select([ours], [], [], max(0.0, end - monotonic()))[0]:
            if not (part := os.read(ours, 1 << 16)):
                break
            parts.append(part)
        else:
            os.kill(child, signal.SIGKILL)
            raise AssertionError(f"no end within {seconds} s")
    finally:
        os.close(ours)
        status = os.waitpid(child, 0)[1]
    text = b"".join(parts).decode()
    assert not os.WIFSIGNALED(status), f"died of {signal.Signals(os.WTERMSIG(status)).name}"
    kind, value = json.loads(text)
    assert kind == "gave", value
    return value


def _answer(call: Callable[[], Any], pipe: int) -> None:
    """Write what a call gives, or the traceback of what it raises, and end this process."""
    try:
        with limited():
            said = ["gave", call()]
    except BaseException:
        said = ["raised", traceback.format_exc()]
    with os.fdopen(pipe, "wb") as file:
        file.write(json.dumps(said).encode())
    os._exit(0)
