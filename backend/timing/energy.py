"""Joules and square millimetres from a machine's description: pure functions of counts."""

from dataclasses import dataclass

from ..formats import FORMATS
from ..machine import Machine

FEMTO = 1e-15
FLOAT_CLASS = 16
CODE_CLASSES = (4, 8)
MULTIPLIER_BITS = 8 * 8
"""The matrix unit multiplies 8-bit significands."""
LANE_BITS = 24 * 24
"""A lane of the vector unit multiplies float32."""
MIB = 1 << 20
JOULE_PS_MILLIWATT = 1e-15


@dataclass(frozen=True)
class Work:
    """What is paid for. Bytes count each time a byte enters or leaves a memory."""

    hbm_bytes: int = 0
    spm_bytes: int = 0
    acc_bytes: int = 0
    macs4: int = 0
    """Multiply-adds times their phases, of the class of 4-bit codes (`mac_class`)."""
    macs8: int = 0
    macs16: int = 0
    lane_cycles: int = 0
    """Lanes that work, summed over cycles."""
    picoseconds: int = 0


@dataclass(frozen=True)
class Energy:
    """Joules by what took them."""

    hbm: float
    spm: float
    acc: float
    matrix: float
    vector: float
    idle: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.hbm + self.spm + self.acc + self.matrix + self.vector + self.idle

    def to_dict(self) -> dict[str, float]:
        """As JSON values, the total last."""
        return {**vars(self), "total": self.total}


@dataclass(frozen=True)
class Area:
    """Square millimetres of what dominates: no wires, no control, no accumulating adders."""

    multipliers: float
    """Of the matrix unit."""
    lanes: float
    """Multipliers of the vector unit."""
    sram: float
    phy: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.multipliers + self.lanes + self.sram + self.phy

    def to_dict(self) -> dict[str, float]:
        """As JSON values, the total last."""
        return {**vars(self), "total": self.total}


def mac_class(left: str, right: str) -> int:
    """4, 8 or 16: the narrower operand's code bits; plain floats of any width are 16.

    Operands are element types or packed formats, by name. The other operand is charged as a float
    even where it has codes, too: no numeric policy makes such a product.
    """
    return min(_class(left), _class(right))


def _class(name: str) -> int:
    bits = FORMATS[name].code_bits if name in FORMATS else FLOAT_CLASS
    return bits if bits in CODE_CLASSES else FLOAT_CLASS


def energy_of(machine: Machine, work: Work) -> Energy:
    """Joules that the work takes on the machine."""
    matrix = (
        work.macs4 * machine.energy_mac4_fj
        + work.macs8 * machine.energy_mac8_fj
        + work.macs16 * machine.energy_mac16_fj
    )
    return Energy(
        hbm=work.hbm_bytes * machine.energy_hbm_fj * FEMTO,
        spm=work.spm_bytes * machine.energy_spm_fj * FEMTO,
        acc=work.acc_bytes * machine.energy_acc_fj * FEMTO,
        matrix=matrix * FEMTO,
        vector=work.lane_cycles * machine.energy_vector_fj * FEMTO,
        idle=work.picoseconds * machine.idle_milliwatts * JOULE_PS_MILLIWATT,
    )


def area_of(machine: Machine) -> Area:
    """Square millimetres of the machine's multipliers, memories and memory interface."""
    square_nm = machine.area_multiplier_nm2
    return Area(
        multipliers=machine.multipliers * MULTIPLIER_BITS * square_nm * 1e-12,
        lanes=machine.lanes * LANE_BITS * square_nm * 1e-12,
        sram=(machine.spm_bytes + machine.acc_bytes) / MIB * machine.area_sram_um2 * 1e-6,
        phy=machine.area_phy_um2 * 1e-6,
    )
