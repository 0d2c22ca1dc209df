"""Random graphs as graph-level text: what a model's graph is made of, in any order and any size.

A graph is a ragged step over some sequences. Values are tensors of `rows` or of `logit_rows` rows;
each op takes values that are there and makes another. Sizes are ones, primes, and one beside what
fills an array, a block, a panel or a lane.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from hypothesis import strategies as st

COLUMNS = (1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 48, 61, 64, 65, 97, 127, 128, 130, 191)
HEAD_SIZES = (2, 4, 6, 8, 10, 16, 24, 26, 32, 34, 64, 80, 96)
GROUPS = ((1, 1), (2, 1), (2, 2), (3, 1), (3, 3), (4, 2), (5, 1), (6, 2), (7, 7))
"""(query heads, key-value heads)."""
FORMATS = ("f32", "f16", "bf16", "i8", "q8_0", "q4_0", "q4_1",
           "i4_g32", "i4_g64", "i4_g128", "i4z_g32", "i4z_g64", "i4z_g128")  # fmt: skip
UNARY = ("neg", "abs", "tanh", "sigmoid", "relu", "square", "silu", "gelu_tanh", "gelu_erf", "exp",
         "rsqrt")  # fmt: skip
BINARY = ("add", "sub", "mul", "max", "min")
INPUTS = ("f32", "f32", "bf16", "f16")
MOST_ROWS = 40
ROWS, PICKED = "rows", "logit_rows"
OPS = ("matmul", "matmul", "matmul", "bias", "rmsnorm", "layernorm", "softmax", "unary", "unary",
       "binary", "binary", "gate", "split", "rope", "attention", "take")  # fmt: skip

RANGES = {
    "columns": str(COLUMNS),
    "head size, heads, kv heads": f"{HEAD_SIZES}, {GROUPS}",
    "weights": ", ".join(FORMATS),
    "inputs": "rows of f32, bf16, f16, or an embedding in any format",
    "ops": f"1 to 9 of {', '.join(dict.fromkeys(OPS))}; unary {', '.join(UNARY)}",
    "sequences": "1 to 3, 1 to 13 new positions each, contexts up to 40",
}


@dataclass(frozen=True)
class Graph:
    """A graph, what it reads, and one launch of it."""

    text: str
    """`{f32}` where the format of a matmul's parameter stands: see `written`."""
    formats: Mapping[str, str]
    """Of each packed parameter."""
    matrices: Mapping[str, tuple[int, int]]
    """Packed parameter -> N, K of its rows."""
    vectors: Mapping[str, int]
    inputs: Mapping[str, tuple[tuple[int, ...], str]]
    """Inputs and state: shape and element type; an index has `i32 below N`."""
    outputs: tuple[tuple[str, str], ...]
    """Output -> which launch parameter says how many of its rows are written."""
    states: tuple[str, ...]
    launch: Mapping[str, int | tuple[int, ...]]

    def written(self, formats: bool) -> str:
        """The text, parameters in their formats, or all in float32."""
        text = self.text
        for name, format in self.formats.items():
            text = text.replace(f"<{name}>", format if formats else "f32")
        return text

    def __repr__(self) -> str:
        return f"{dict(self.launch)}\n{self.written(True)}"


@dataclass
class _Value:
    name: str
    columns: int
    rows: str


@dataclass
class _Writer:
    """Writes a graph op by op; draws what it needs."""

    draw: st.DrawFn
    sequences: int
    chunk: int
    context: int
    declared: list[str] = field(default_factory=list[str])
    body: list[str] = field(default_factory=list[str])
    values: list[_Value] = field(default_factory=list[_Value])
    used: set[str] = field(default_factory=set[str])
    formats: dict[str, str] = field(default_factory=dict[str, str])
    matrices: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    vectors: dict[str, int] = field(default_factory=dict[str, int])
    inputs: dict[str, tuple[tuple[int, ...], str]] = field(
        default_factory=dict[str, tuple[tuple[int, ...], str]]
    )
    outputs: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    states: list[str] = field(default_factory=list[str])
    count: int = 0

    @property
    def rows(self) -> int:
        """Rows of a full step."""
        return self.sequences * self.chunk

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def type_of(self, columns: int, rows: str = ROWS) -> str:
        return f"tensor<?x{columns}xf32, #tg.sizes<@{rows}>>"

    def add(self, text: str, columns: int, rows: str) -> _Value:
        """One op of one result."""
        name = self.fresh("v")
        self.body.append(f'%{name} = {text} : {self.type_of(columns, rows)} loc("{name}")')
        self.values.append(_Value(name, columns, rows))
        return self.values[-1]

    def any(self, rows: str | None = None) -> _Value:
        found = [v for v in self.values if rows is None or v.rows == rows]
        value = self.draw(st.sampled_from(found))
        self.used.add(value.name)
        return value

    def width(self) -> int:
        return self.draw(st.sampled_from(COLUMNS))

    def matrix(self, k: int, n: int, order: str) -> str:
        name = self.fresh("w")
        self.formats[name] = self.draw(st.sampled_from(FORMATS))
        self.matrices[name] = (n, k)
        self.declared.append(
            f"tg.global weight @{name} : !lowbit.packed<{k}x{n}, <{name}>, {order}> "
            f"from \"'{name}'\""
        )
        return name

    def vector(self, n: int) -> str:
        name = self.fresh("g")
        self.vectors[name] = n
        self.declared.append(
            f"tg.global weight @{name} : memref<{n}xf32, #tw.hbm> from \"'{name}'\""
        )
        value = self.fresh("p")
        self.body.append(f"%{value} = tg.weight @{name} : tensor<{n}xf32>")
        return value

    def memref(self, role: str, name: str, shape: tuple[int, ...], element: str) -> None:
        sizes = "x".join(map(str, (*shape, element)))
        self.declared.append(f"tg.global {role} @{name} : memref<{sizes}, #tw.hbm>")

    def start(self) -> None:
        """A value from an input or an embedding."""
        columns = self.width()
        if self.draw(st.integers(0, 3)) == 0:
            table, index = self.matrix(columns, self.width(), "nk"), self.fresh("tokens")
            self.memref("input", index, (self.rows,), "i32")
            self.inputs[index] = ((self.rows,), f"i32 below {self.matrices[table][0]}")
            self.add(f"tg.embed @{table}, @{index}", columns, ROWS)
            return
        name, element = self.fresh("x"), self.draw(st.sampled_from(INPUTS))
        self.memref("input", name, (self.rows, columns), element)
        self.inputs[name] = ((self.rows, columns), element)
        self.add(f"tg.input @{name}", columns, ROWS)

    def step(self, kind: str) -> None:
        """One op of a kind, or what stands for it."""
        getattr(self, f"_{kind}")()

    def _matmul(self, x: _Value | None = None, n: int | None = None) -> _Value:
        x, n = x or self.any(), n or self.width()
        name, value = self.matrix(x.columns, n, "kn"), self.fresh("p")
        self.body.append(f"%{value} = tg.weight @{name} : tensor<{x.columns}x{n}xf32>")
        return self.add(f"tg.matmul %{x.name}, %{value}", n, x.rows)

    def _bias(self) -> None:
        x, op = self.any(), self.draw(st.sampled_from(BINARY))
        self.add(f"tg.binary {op} %{x.name}, %{self.vector(x.columns)}", x.columns, x.rows)

    def _parts_of(self, columns: int) -> int:
        found = [n for n in range(1, 9) if columns % n == 0]
        return self.draw(st.sampled_from(found))

    def _rmsnorm(self) -> None:
        x = self.any()
        heads = self._parts_of(x.columns)
        gamma = self.vector(x.columns // heads)
        many = f" heads {heads}" if heads > 1 else ""
        self.add(f"tg.rmsnorm %{x.name}, %{gamma} eps 1.0e-05{many}", x.columns, x.rows)

    def _layernorm(self) -> None:
        x = self.any()
        gamma, beta = self.vector(x.columns), self.vector(x.columns)
        self.add(f"tg.layernorm %{x.name}, %{gamma}, %{beta} eps 1.0e-05", x.columns, x.rows)

    def _softmax(self) -> None:
        x = self.any()
        heads = self._parts_of(x.columns)
        many = f" heads {heads}" if heads > 1 else ""
        self.add(f"tg.softmax %{x.name}{many}", x.columns, x.rows)

    def _unary(self) -> None:
        x, f = self.any(), self.draw(st.sampled_from(UNARY))
        if f in ("exp", "rsqrt"):  # Of what is neither large, nor 0, nor negative.
            x = self.add(f"tg.unary sigmoid %{x.name}", x.columns, x.rows)
        if f == "square":
            x = self.add(f"tg.unary tanh %{x.name}", x.columns, x.rows)
        self.add(f"tg.unary {f} %{x.name}", x.columns, x.rows)

    def _binary(self) -> None:
        x, op = self.any(), self.draw(st.sampled_from(BINARY))
        same = [v for v in self.values if (v.columns, v.rows) == (x.columns, x.rows)]
        y = self.draw(st.sampled_from(same))
        self.used.add(y.name)
        self.add(f"tg.binary {op} %{x.name}, %{y.name}", x.columns, x.rows)

    def _gate(self) -> None:
        x, n = self.any(), self.width()
        gate, up = self._matmul(x, n), self._matmul(x, n)
        f = self.draw(st.sampled_from(("silu", "gelu_tanh", "gelu_erf", "relu")))
        a = self.add(f"tg.unary {f} %{gate.name}", n, x.rows)
        self.add(f"tg.binary mul %{a.name}, %{up.name}", n, x.rows)

    def _split(self) -> None:
        x = self.any()
        if x.columns < 2:
            return
        x = self._matmul(x, 2 * self.width()) if self.draw(st.booleans()) else x
        cut = x.columns // 2 if self.draw(st.booleans()) else self.draw(
            st.integers(1, x.columns - 1))  # fmt: skip
        names = [self.fresh("v"), self.fresh("v")]
        sizes = [cut, x.columns - cut]
        self.used.add(x.name)
        self.body.append(f'%{names[0]}, %{names[1]} = tg.split %{x.name} {sizes} loc("{names[0]}")')
        self.values += [_Value(n, c, x.rows) for n, c in zip(names, sizes, strict=True)]

    def _tables(self, half: int) -> tuple[str, str]:
        names = (f"cos{half}", f"sin{half}")
        for name, made in zip(names, ("rope_cos", "rope_sin"), strict=True):
            line = (f"tg.global table @{name} : memref<{self.context}x{half}xf32, #tw.hbm> from "
                    f'"{made}(10000.0, {2 * half}, {self.context})"')  # fmt: skip
            if line not in self.declared:
                self.declared.append(line)
        return names

    def _rope(self, x: _Value | None = None, heads: int = 0) -> _Value | None:
        if x is None:
            found = [v for v in self.values if v.rows == ROWS and v.columns % 2 == 0]
            if not found:
                return None
            x = self.draw(st.sampled_from(found))
            self.used.add(x.name)
            heads = self.draw(
                st.sampled_from([n for n in range(1, 9) if x.columns % (2 * n) == 0])
            )
        head = x.columns // heads
        turned = head if self.draw(st.integers(0, 2)) else 2 * self.draw(st.integers(1, head // 2))
        cos, sin = self._tables(turned // 2)
        dim = f" dim {turned}" if turned < head else ""
        return self.add(f"tg.rope %{x.name}, @{cos}, @{sin} heads {heads}{dim}", x.columns, ROWS)

    def _attention(self) -> None:
        x = self.any(ROWS)
        heads, groups = self.draw(st.sampled_from(GROUPS))
        head = self.draw(st.sampled_from(HEAD_SIZES))
        q, k, v = (self._matmul(x, n * head) for n in (heads, groups, groups))
        if self.draw(st.booleans()):
            q, k = self._rope(q, heads) or q, self._rope(k, groups) or k
        caches = [self.fresh("kc"), self.fresh("vc")]
        shape = (self.sequences, groups, self.context, head)
        for name in caches:
            self.memref("state", name, shape, "f32")
            self.inputs[name] = (shape, "f32")
            self.states.append(name)
        place = f"@{caches[0]}, @{caches[1]}"
        self.used |= {q.name, k.name, v.name}
        self.body.append(f'tg.kv_append %{k.name}, %{v.name} to {place} loc("append")')
        full = " full" if self.draw(st.booleans()) else ""
        self.add(
            f"tg.attention %{q.name} cache {place} heads {heads} kv_heads {groups} "
            f"scale {1 / math.sqrt(head)!r}{full}",
            heads * head,
            ROWS,
        )

    def _take(self) -> None:
        x, index = self.any(ROWS), "logit_index"
        if index not in self.inputs:
            self.memref("input", index, (self.rows,), "i32")
            self.inputs[index] = ((self.rows,), "i32 of rows")
        inside = " inside" if self.draw(st.booleans()) else ""
        self.add(f"tg.take %{x.name}, @{index}{inside}", x.columns, PICKED)

    def finish(self) -> None:
        """What nothing used is an output; so may be what something did."""
        ends = [v for v in self.values if v.name not in self.used]
        more = self.draw(st.sampled_from(self.values))
        for value in {v.name: v for v in (*ends, more)}.values():
            name = self.fresh("y")
            self.memref("output", name, (self.rows, value.columns), "f32")
            self.outputs.append((name, value.rows))
            self.body.append(f'tg.output %{value.name} to @{name} loc("{name}")')


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A graph and a launch that fits it."""
    sequences = draw(st.integers(1, 3))
    chunk = draw(st.integers(1, min(13, MOST_ROWS // sequences)))
    context = draw(st.sampled_from((8, 16, 24, 32))) + draw(st.integers(-1, 1))
    context = max(context, chunk)
    writer = _Writer(draw, sequences, chunk, context)
    for _ in range(draw(st.integers(1, 2))):
        writer.start()
    for _ in range(draw(st.integers(1, 9))):
        writer.step(draw(st.sampled_from(OPS)))
    writer.finish()
    new = [draw(st.integers(0, chunk)) for _ in range(sequences)]
    cached = [draw(st.integers(0, min(context - n, context - 1))) for n in new]
    rows = sum(new)
    picked = draw(st.integers(0, rows))
    head = [
        'builtin.module @step attributes {tw.policy = "exact"} {',
        f"tg.scalar @rows : 0 to {writer.rows}",
        f"tg.scalar @logit_rows : 0 to {writer.rows}",
        f"tg.table @row_start : {sequences} x 0 to {writer.rows}",
        f"tg.table @q_len : {sequences} x 0 to {chunk}",
        f"tg.table @kv_len : {sequences} x 0 to {context - 1}",
    ]
    body = ["func.func @step() {", *writer.body, "func.return", "}", "}", ""]
    return Graph(
        text="\n".join([*head, *writer.declared, *body]),
        formats=writer.formats,
        matrices=writer.matrices,
        vectors=writer.vectors,
        inputs=writer.inputs,
        outputs=tuple(writer.outputs),
        states=tuple(writer.states),
        launch={
            "rows": rows,
            "logit_rows": picked,
            "row_start": tuple(sum(new[:b]) for b in range(sequences)),
            "q_len": tuple(new),
            "kv_len": tuple(cached),
        },
    )
