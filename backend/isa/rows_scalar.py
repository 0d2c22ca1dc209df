"""Rows of the instructions that every engine executes: registers, loops, channels."""

from __future__ import annotations

from .field import FUNCTION_LOW, NO_REGISTER, OPERAND_LOW, Field
from .row import ALL_ENGINES, Instruction, immediate

ALU_FUNCTIONS = ("add", "sub", "mul", "min", "max", "shl", "shr", "and")
SYNC_KINDS = ("acquire", "wait", "commit", "release")


def _rd(doc: str = "destination") -> Field:
    return Field("rd", FUNCTION_LOW, 5, "destination", doc)


def _channel() -> Field:
    return Field("channel", OPERAND_LOW, 8, "channel", "channel number")


SCALAR_INSTRUCTIONS: tuple[Instruction, ...] = (
    Instruction(
        mnemonic="li",
        summary="Load a 64-bit integer into a register.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(_rd(), immediate("imm", 64, "signed", "value")),
        meaning="`rd = imm`.",
        limits=(),
        duration="`scalar_cycles`",
    ),
    Instruction(
        mnemonic="alu",
        summary="Integer arithmetic on 64-bit registers.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(
            Field("fn", FUNCTION_LOW + 10, 3, "enum", "function", ALU_FUNCTIONS),
            _rd(),
            Field("ra", FUNCTION_LOW + 5, 5, "source", "first argument"),
            Field(
                "rb",
                FUNCTION_LOW + 13,
                5,
                "optional",
                "second argument; none: `imm`",
                default=NO_REGISTER,
            ),
            immediate("imm", 32, "signed", "second argument where `rb` is none", default=0),
        ),
        meaning="""\
`b = R[rb]` or, where `rb` is none, `b = imm` sign-extended to 64 bits. `rd = fn(R[ra], b)` in
64-bit two's complement; add, sub, mul and shl keep the low 64 bits. `min` and `max` compare signed.
`shl` and `shr` shift by `b mod 64`; `shr` is arithmetic: it rounds toward minus infinity. `and` is
bitwise.""",
        limits=("Where `rb` is given, `imm` is 0.",),
        duration="`scalar_cycles`",
    ),
    Instruction(
        mnemonic="ldp",
        summary="Read a word of the launch-parameter table.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(
            _rd(),
            Field(
                "ra", FUNCTION_LOW + 5, 5, "optional", "word index; none: 0", default=NO_REGISTER
            ),
            immediate("word", 32, "signed", "added to the word index", default=0),
        ),
        meaning="""\
`rd = P[i]` with `i = (R[ra] or 0) + word`; `P` is the table of int64 words of this launch:
compile-time words first, then the launch parameters. It is the same for every engine and does not
change during a launch.""",
        limits=("`0 <= i < ` words of the table.",),
        duration="2 x `scalar_cycles`",
    ),
    Instruction(
        mnemonic="pop",
        summary="Take a word out of a scalar channel.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(
            _rd(),
            _channel(),
            immediate("offset", 16, "unsigned", "bytes into the slot", 0, OPERAND_LOW + 8),
        ),
        meaning="""\
Waits for the channel's next slot, reads the 4 bytes at `offset` of the engine's oldest held slot as
a little-endian signed integer, `rd` = that integer sign-extended to 64 bits, and releases the slot.
Where the engine already holds a slot of the channel, the next one is still waited for and the
oldest is read and released.""",
        limits=(
            "The channel is of kind `scalar` and this engine is one of its consumers.",
            "`offset` is a multiple of 4 and `offset + 4 <= slot bytes`.",
            "`0 <= word <= max` of the channel.",
        ),
        duration="2 x `scalar_cycles`, after the time blocked",
    ),
    Instruction(
        mnemonic="loop",
        summary="Begin a counted loop; a count of 0 skips it.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(
            Field("counter", FUNCTION_LOW, 3, "counter", "loop counter"),
            Field(
                "count",
                FUNCTION_LOW + 3,
                5,
                "optional",
                "register of the count; none: `trips`",
                default=NO_REGISTER,
            ),
            immediate("trips", 31, "unsigned", "the count where `count` is none", 0),
        ),
        meaning="""\
`n = R[count]`, or `trips` where `count` is none. The counter becomes 0. If `n <= 0` execution
continues after the matching `next`; otherwise the body runs with the counter 0, 1, ..., n - 1. The
count is read once, here. The matching `next` is found by nesting: loops and nexts of an engine are
balanced like brackets, and a pair names the same counter. After the loop its counter holds
`max(n, 0)`.""",
        limits=(
            "Where `count` is given, `trips` is 0.",
            "A loop does not use the counter of a loop around it.",
        ),
        duration="0",
    ),
    Instruction(
        mnemonic="next",
        summary="End of a loop's body.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(Field("counter", FUNCTION_LOW, 3, "counter", "loop counter"),),
        meaning="""\
The counter grows by 1. If it is then below the count read by the matching `loop`, execution
continues after that `loop`, else after this instruction.""",
        limits=("There is a matching `loop` of the same counter.",),
        duration="0",
    ),
    Instruction(
        mnemonic="sync",
        summary="A channel step by itself: acquire, wait, commit or release slots, or tokens.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(
            Field("kind", FUNCTION_LOW, 2, "enum", "step", SYNC_KINDS),
            _channel(),
            Field("n", OPERAND_LOW + 8, 8, "unsigned", "slots or tokens", default=1, minimum=1),
        ),
        meaning="""\
Does the step `n` times, as chapter 7 defines it. `acquire` and `wait` block until each
can be done. `commit` and `release` take effect when all earlier instructions of this engine are
complete, in order, and never block.""",
        limits=(
            "`acquire`, `commit`: this engine is the producer; `wait`, `release`: a consumer.",
            "A commit or release ends a slot that this engine holds.",
        ),
        duration="0, plus the time blocked",
    ),
    Instruction(
        mnemonic="halt",
        summary="The engine is done.",
        engines=ALL_ENGINES,
        operands=(),
        fields=(),
        meaning="""\
The engine's launch ends. It is the last word of every engine and stands outside all loops. When all
engines have halted the launch is complete: every channel is as it began (no slot held, nothing
committed and unread, `primed` tokens present).""",
        limits=("The engine holds no slot.",),
        duration="0",
    ),
)
