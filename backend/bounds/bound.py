"""Bounds of a step on a machine: bytes, matrix unit, vector unit, dependencies, and the largest."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from ..machine import Machine
from ..timing import ceil_div, cycles_to_ps, matmul_floor_cycles, transfer_ps
from .chain import Chain, chain_of
from .ops import FLOAT, Bytes, Formats, Op, Scores, ops_of
from .step import ModelSizes, Step, find_policy

PICOSECONDS = 10**12


@dataclass(frozen=True)
class OpBound:
    """One operation, all layers together. Times in picoseconds."""

    op: Op
    hbm_ps: int
    """Its bytes at full bandwidth."""
    matrix_ps: int
    """Its products in whole sub-tiles; scores at the peak or at the weight port's rate."""
    vector_ps: int
    """Its lane work, or the bytes of that through the vector port."""

    @property
    def binds(self) -> str:
        """The resource that needs longest."""
        times = {"hbm": self.hbm_ps, "matrix": self.matrix_ps, "vector": self.vector_ps}
        return max(times, key=lambda name: times[name])


@dataclass(frozen=True)
class Bound:
    """Floors of a step's time. No program of any compiler is faster than the largest."""

    ops: tuple[OpBound, ...]
    bytes: Bytes
    macs: int
    lane_work: int
    hbm_ps: int
    matrix_ps: int
    peak_ps: int
    """All multiply-adds with their phases at the arrays' peak, no column idle."""
    vector_ps: int
    chain: Chain

    @property
    def floors(self) -> dict[str, int]:
        """Picoseconds by what they prove."""
        return {
            "hbm": self.hbm_ps,
            "matrix": self.matrix_ps,
            "vector": self.vector_ps,
            "dependencies": self.chain.picoseconds,
        }

    @property
    def binds(self) -> str:
        """The largest floor's name."""
        floors = self.floors
        return max(floors, key=lambda name: floors[name])

    @property
    def picoseconds(self) -> int:
        """The largest floor."""
        return max(self.floors.values())

    @property
    def seconds(self) -> float:
        """The largest floor in seconds."""
        return self.picoseconds / PICOSECONDS

    def to_dict(self) -> dict[str, Any]:
        """As JSON values; times in seconds."""

        def seconds(picoseconds: int) -> float:
            return picoseconds / PICOSECONDS

        return {
            "seconds": self.seconds,
            "binds": self.binds,
            "floors": {name: seconds(ps) for name, ps in self.floors.items()},
            "peak_seconds": seconds(self.peak_ps),
            "chain": {
                "layer": seconds(self.chain.layer_picoseconds),
                "head": seconds(self.chain.head_picoseconds),
                "memory": seconds(self.chain.memory_picoseconds),
            },
            "bytes": {**asdict(self.bytes), "total": self.bytes.total},
            "macs": self.macs,
            "lane_work": self.lane_work,
            "ops": [
                {
                    "name": one.op.name,
                    "bytes": {**asdict(one.op.bytes), "total": one.op.bytes.total},
                    "macs": one.op.macs,
                    "lane_work": one.op.lane_work,
                    "hbm_seconds": seconds(one.hbm_ps),
                    "matrix_seconds": seconds(one.matrix_ps),
                    "vector_seconds": seconds(one.vector_ps),
                    "binds": one.binds,
                }
                for one in self.ops
            ],
        }


def bound_of(
    config: ModelSizes, step: Step, machine: Machine, policy: str, formats: Formats
) -> Bound:
    """The bounds of a step. Raises BoundError for an unknown policy, FormatError for a format."""
    sizes = find_policy(policy)
    ops = ops_of(config, step, sizes, formats)
    bounds = tuple(
        OpBound(
            op,
            _hbm_ps(machine, op.bytes),
            cycles_to_ps(machine, _matrix_cycles(machine, op)),
            cycles_to_ps(machine, _vector_cycles(machine, op.lane_work)),
        )
        for op in ops
    )
    total = sum((op.bytes for op in ops), Bytes())
    work = sum(op.lane_work for op in ops)
    return Bound(
        ops=bounds,
        bytes=total,
        macs=sum(op.macs for op in ops),
        lane_work=work,
        hbm_ps=_hbm_ps(machine, total),
        matrix_ps=cycles_to_ps(machine, sum(_matrix_cycles(machine, op) for op in ops)),
        peak_ps=cycles_to_ps(machine, sum(op.phased_macs for op in ops) // machine.multipliers),
        vector_ps=cycles_to_ps(machine, _vector_cycles(machine, work)),
        chain=chain_of(config, step, sizes, machine, ops),
    )


def _hbm_ps(machine: Machine, nbytes: Bytes) -> int:
    """The transfer at full bandwidth; without main memory the bytes are where they are needed."""
    return transfer_ps(machine, nbytes.total) if machine.has_hbm else 0


def _matrix_cycles(machine: Machine, op: Op) -> int:
    linear = sum(
        p.repeats * matmul_floor_cycles(machine, p.m, p.n, p.k, p.phases) for p in op.products
    )
    return linear + (_score_cycles(machine, op.scores) if op.scores else 0)


def _score_cycles(machine: Machine, scores: Scores) -> int:
    """The peak or the weight port: heads may share a pass of the arrays, so nothing is padded."""
    port = machine.arrays * machine.weight_rows * machine.array_columns
    return max(scores.phased_macs // machine.multipliers, scores.elements // port)


def _vector_cycles(machine: Machine, lane_work: int) -> int:
    """Each pass over an element is a lane's cycle, and reads at least a float32."""
    return max(lane_work // machine.lanes, ceil_div(lane_work * FLOAT, machine.vector_port_bytes))
