"""The text of docs/machines.md: numbers and their sources, from the descriptions."""

import re
from importlib import resources

from .description import Machine, load_machine, machine_names
from .warnings import PORT_MARGIN

_PAGE = """\
# Machines

*This page is generated: `python -m tilewright.backend.machine > docs/machines.md`.*

A machine is a `.toml` file of numbers; `tilewright machines NAME` prints one, `--machine FILE.toml`
takes your own. All of them run the instruction set of [ISA.md](ISA.md) with the durations of
[timing.md](timing.md): a machine that is named after a product is TW with that product's numbers,
not a model of its instruction set. A machine whose name ends in `-like` differs from its model in
more than that, and has a note.

| machine | GHz | arrays | TFLOP/s | lanes | scratchpad | accumulators | hbm | GB/s | flop/byte |
|---|---|---|---|---|---|---|---|---|---|
{table}

TFLOP/s are those of bf16, with no column idle. A matmul of bf16 weights with fewer rows than
`flop/byte` is bound by bytes.

## What is refused, and what is warned of

Unknown, missing, wrongly typed and impossible keys are refused by name, and so are numbers that
contradict each other: more `weight_rows` than the array has rows, a burst longer than the
alignment (two regions would share one), a multiply of fewer bits that takes more energy, memories
that are not whole lines of the alignment, a capacity of hbm without bandwidth.

A machine without hbm keeps weights, cache, inputs and outputs in its scratchpad, where the units
work on them ([020](decisions/020-no-main-memory.md)). An entry `load` fills it once a session; its
time is not charged. A model that does not fit is refused with the number of chips that it would
take; `tilewright bound` says how many weights and cache alone take.

`warnings()` of a machine, printed by `tilewright machines NAME` and `tilewright bound`, says

- when the weight port takes in less than {margin} times the codes that hbm delivers: the port, not
  hbm, bounds decode;
- when the scratchpad holds less than twice what hbm delivers in a latency;
- when the vector port does not feed every lane with two operands and take one result.

## Energy and area

Energy is charged by bytes a memory, multiply-adds a phase, lane cycles of the vector unit, and idle
power for the whole time ([bounds.md](bounds.md#energy-and-area)). Figures are of the 7 nm class:
the table of TPUv4i (Jouppi et al. 2021) for arithmetic and SRAM, published energies a bit for DRAM.
They compare designs on one machine, and machines of one class; they do not predict a product's
power.

Some stand on less than others. The table of TPUv4i and the areas after Dally were quoted from
memory; HBM3's energy a bit and the area of a MiB of SRAM have no primary source; idle power is
measured for TPU v4 alone, elsewhere a quarter or so of the board's limit, or a choice. The adder's
share of a multiply-add is what is left of 0.35 pJ for bf16, and is taken to be the same for codes,
whose sums are float32, too. What depends on such a figure, a sweep says:
`--set energy.hbm=31.2pJ,40pJ,56pJ` ([sweep.md](sweep.md)).

{sources}"""

_LINE = re.compile(r"(\w+) = (.*?) +# (.*)")


def sources_of(name: str) -> dict[str, str]:
    """Key -> the comment beside it in the description of a shipped machine: where it comes from."""
    text = (resources.files(__package__ or __name__) / f"{name}.toml").read_text(encoding="utf-8")
    found = (_LINE.fullmatch(line) for line in text.splitlines())
    return {match[1]: match[3] for match in found if match}


def machines_page() -> str:
    """The whole page as Markdown."""
    machines = [load_machine(name) for name in machine_names()]
    return _PAGE.format(
        table="\n".join(_row(machine) for machine in machines),
        margin=PORT_MARGIN,
        sources="\n".join(_section(machine) for machine in machines),
    )


def _row(m: Machine) -> str:
    flops = 2 * m.multipliers * m.clock_hz
    cells = (
        f"[{m.name}](#{m.name})",
        f"{m.clock_hz / 1e9:g}",
        f"{m.arrays} x {m.array_rows} x {m.array_columns}",
        f"{flops / 1e12:.4g}",
        f"{m.lanes:,}",
        _size(m.spm_bytes),
        _size(m.acc_bytes),
        f"{m.hbm_bytes / 1e9:.4g} GB" if m.has_hbm else "none",
        f"{m.hbm_bytes_per_second / 1e9:,g}" if m.has_hbm else "",
        f"{flops / m.hbm_bytes_per_second:.0f}" if m.has_hbm else "",
    )
    return f"| {' | '.join(cells)} |"


def _size(nbytes: int) -> str:
    return f"{nbytes / 2**20:.4g} MiB" if nbytes >= 2**20 else f"{nbytes / 2**10:.4g} KiB"


def _section(machine: Machine) -> str:
    sources = sources_of(machine.name)
    head = f"## {machine.name}\n\n{_sentence(sources['name'])}"
    if machine.note:
        head += f" **Note: {machine.note}.**"
    rows = [
        f"| `{key}` | {value:,} | {sources[key]} |"
        for key, value in machine.to_dict().items()
        if isinstance(value, int)
    ]
    return "\n".join((head, "", "| key | value | source |", "|---|---|---|", *rows, ""))


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
