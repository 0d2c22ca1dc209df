"""Ways to damage a file: bytes, text by tokens, JSON by values; and a guard around its reader.

Every damage is drawn from one seed, so that a failing example is one number.
"""

from __future__ import annotations

import json
import random
import re
import signal
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

from tilewright.backend.errors import TilewrightError

SECONDS = 20
"""A reader that takes longer hangs."""
MEMORY = 1 << 30
"""Bytes that a reader may take beyond what the process has."""
LONGEST_MESSAGE = 4000
"""Characters of an error; more repeats the file."""

HOSTILE_WORDS = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 40,
                 (1 << 63) - 1, 1 << 63, (1 << 64) - 1)  # fmt: skip
HOSTILE_NUMBERS = ("0", "-1", "1", "3", "255", "65537", "2147483648", "4294967296",
                   "9223372036854775808", "1" * 400, "1e999", "-0.0", "nan", "1.5")  # fmt: skip
HOSTILE_TOKENS = (*HOSTILE_NUMBERS, "", "(", ")", "[", "]", "{", "}", "<", ">", ",", ":", "=", "@",
                  "%", '"', "x", "?", "->", "//", "\\", "\0", "é", "\u2028", "[" * 3000, "<" * 3000,
                  "@nowhere", "%nowhere", "f32", "bf16", "q4_0", "kn", "nk")  # fmt: skip
HOSTILE_VALUES: tuple[Any, ...] = (None, True, False, 0, 1, -1, 3, 255, 1 << 31, 1 << 40, 1 << 63,
                                   10**40, 0.0, 1e-300, 1e300, float("inf"), float("nan"), "", "x",
                                   "\0", "é" * 50, [], [1], ["x"], [None], {},
                                   {"x": 1})  # fmt: skip

TOKEN = re.compile(r"\w+(?:\.\w+)*|\s+|[^\w\s]")


class Hang(BaseException):
    """A reader did not come back in time."""


@contextmanager
def limited() -> Generator[None, None, None]:
    """At most SECONDS and, where the system can say so, MEMORY more bytes."""

    def stop(*_: object) -> None:
        raise Hang(f"no answer within {SECONDS} seconds")

    import resource

    before, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = Path("/proc/self/statm")
    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        if size.exists():
            now = int(size.read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, hard))
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


def refused(read: Callable[[], object]) -> str | None:
    """The error that a reader gives; None if it succeeds. Everything else is passed on: any other
    exception, too much time, too much memory."""
    with limited():
        try:
            read()
        except TilewrightError as error:
            text = str(error)
            assert text
            assert len(text) < LONGEST_MESSAGE, f"{len(text)} characters: {text[:300]}"
            return text
    return None


def damaged_bytes(data: bytes, seed: int, head: int = 0) -> bytes:
    """One to three of: truncated, a bit flipped, a hostile number, a span cut out or doubled.

    Most of it happens in the first `head` bytes, if given.
    """
    rng, out = random.Random(seed), bytearray(data)
    for _ in range(rng.randint(1, 3)):
        if not out:
            break
        end = min(head, len(out)) if head and rng.random() < 0.8 else len(out)
        at = rng.randrange(end)
        span = rng.choice((1, 2, 4, 8, 64, 1000))
        match rng.randrange(6):
            case 0:
                del out[at:]
            case 1 | 2:
                out[at] ^= 1 << rng.randrange(8)
            case 3:
                width = rng.choice((1, 2, 4, 8))
                word = rng.choice(HOSTILE_WORDS) & ((1 << 8 * width) - 1)
                out[at : at + width] = word.to_bytes(width, "little")
            case 4:
                del out[at : at + span]
            case _:
                out[at:at] = out[at : at + span]
    return bytes(out)


def damaged_numbers(data: bytes, places: Sequence[tuple[int, int]], seed: int) -> bytes:
    """One to three of the numbers at (offset, width in bytes) are others: near, or hostile."""
    rng, out = random.Random(seed), bytearray(data)
    for _ in range(rng.randint(1, 3)):
        at, width = rng.choice(places)
        value = int.from_bytes(out[at : at + width], "little")
        near = (value + 1, value - 1, 2 * value, value // 2, value ^ 32, rng.randrange(64))
        word = rng.choice((*near, *rng.choices(HOSTILE_WORDS, k=3))) & ((1 << 8 * width) - 1)
        out[at : at + width] = word.to_bytes(width, "little")
    return bytes(out)


def damaged_text(text: str, seed: int) -> str:
    """One to three tokens left out, doubled, exchanged, or replaced by another or a hostile one."""
    rng, tokens = random.Random(seed), TOKEN.findall(text)
    numbers = [i for i, token in enumerate(tokens) if token.isdigit()]
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(tokens))
        if numbers and rng.random() < 0.4:
            tokens[rng.choice(numbers)] = rng.choice(HOSTILE_NUMBERS)
            continue
        match rng.randrange(6):
            case 0:
                tokens[at] = ""
            case 1:
                tokens[at] *= 2
            case 2:
                other = rng.randrange(len(tokens))
                tokens[at], tokens[other] = tokens[other], tokens[at]
            case 3:
                tokens[at] = rng.choice(tokens)
            case 4:
                tokens[at] = rng.choice(HOSTILE_TOKENS)
            case _:
                if rng.random() < 0.2:
                    tokens = tokens[: at + 1]
                    numbers = [i for i in numbers if i <= at]
    return "".join(tokens)


def damaged_value(value: Any, seed: int) -> Any:
    """A JSON value with one to three of its parts replaced, removed, or added to."""
    rng, out = random.Random(seed), deepcopy(value)
    for _ in range(rng.randint(1, 3)):
        places = list(_places(out))
        if not places:
            break
        holder, key = rng.choice(places)
        match rng.randrange(5):
            case 0:
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[rng.choice(("unknown", "", "é"))] = deepcopy(cast(Any, holder)[key])
            case 2:
                other, name = rng.choice(places)
                found: Any = other[name] if name in _keys(other) else None
                holder[key] = deepcopy(found)
            case _:
                holder[key] = deepcopy(rng.choice(HOSTILE_VALUES))
    return out


def damaged_json(text: str, seed: int) -> str:
    """JSON text damaged in its values, its tokens, or its bytes."""
    kind = seed % 4
    if kind < 2:
        return json.dumps(damaged_value(json.loads(text), seed))
    if kind == 2:
        return damaged_text(text, seed)
    return damaged_bytes(text.encode(), seed).decode("utf-8", "replace")


def _places(value: Any) -> Generator[tuple[Any, Any], None, None]:
    """Every (dict or list, key or index) below a value; of long lists the first few."""
    for key in _keys(value):
        yield value, key
        yield from _places(value[key])


def _keys(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(cast(dict[str, Any], value))[:400]
    return list(range(min(len(cast(list[Any], value)), 40))) if isinstance(value, list) else []
