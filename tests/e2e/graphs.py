"""Graphs of the workloads that others have measured, as graph-level text for any sizes.

Inputs and outputs are rows in main memory, float32 if not said otherwise. A graph is one sequence
that is new as a whole: `launch` gives its parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

HEAD = """builtin.module @step attributes {{tw.policy = "{policy}"}} {{
  tg.scalar @rows : 0 to {rows}
  tg.scalar @logit_rows : 0 to {rows}
  tg.table @row_start : 1 x 0 to {rows}
  tg.table @q_len : 1 x 0 to {rows}
  tg.table @kv_len : 1 x 0 to {last}
"""


OPERAND = {"exact": "f32", "bf16": "bf16"}
"""Element type of what the matrix unit reads, by policy."""


def launch(rows: int) -> dict[str, int | list[int]]:
    """Launch parameters for all rows of a graph."""
    return {"rows": rows, "logit_rows": 0, "row_start": [0], "q_len": [rows], "kv_len": [0]}


def rows_type(columns: int) -> str:
    """The type of a tensor of the graph."""
    return f"tensor<?x{columns}xf32, #tg.sizes<@rows>>"


def module(rows: int, declared: Sequence[str], body: Sequence[str], policy: str) -> str:
    """A whole module: the launch parameters, what is declared, and the function of `body`."""
    lines = [*(f"  {line}" for line in declared), "  func.func @step() {"]
    lines += [*(f"    {line}" for line in body), "    func.return", "  }", "}", ""]
    return HEAD.format(policy=policy, rows=rows, last=rows - 1) + "\n".join(lines)


def rows_global(role: str, name: str, rows: int, columns: int, element: str = "f32") -> str:
    """The declaration of an input or output."""
    return f"tg.global {role} @{name} : memref<{rows}x{columns}x{element}, #tw.hbm>"


def matrix(name: str, k: int, n: int, format: str = "f32") -> str:
    """The declaration of a matmul's parameter."""
    return f"tg.global weight @{name} : !lowbit.packed<{k}x{n}, {format}, kn> from \"'{name}'\""


def vector(name: str, n: int) -> str:
    """The declaration of a parameter with one value a column."""
    return f"tg.global weight @{name} : memref<{n}xf32, #tw.hbm> from \"'{name}'\""


def gemm(m: int, k: int, n: int, policy: str = "bf16", element: str = "f32") -> str:
    """y[m, n] = x[m, k] @ w[k, n]; x and y hold `element`."""
    declared = [
        rows_global("input", "x", m, k, element),
        matrix("w", k, n),
        rows_global("output", "y", m, n, element),
    ]
    body = [
        f'%x = tg.input @x : {rows_type(k)} loc("x")',
        f"%w = tg.weight @w : tensor<{k}x{n}xf32>",
        f'%y = tg.matmul %x, %w : {rows_type(n)} loc("gemm")',
        'tg.output %y to @y loc("gemm")',
    ]
    return module(m, declared, body, policy)


def gemm_twice(m: int, k: int, n: int, policy: str = "bf16") -> str:
    """y[m, n] = relu(x @ w) * (x @ w), w[k, n], the product asked for twice."""
    declared = [
        rows_global("input", "x", m, k),
        matrix("w", k, n),
        rows_global("output", "y", m, n),
    ]
    body = [
        f'%x = tg.input @x : {rows_type(k)} loc("x")',
        f"%w = tg.weight @w : tensor<{k}x{n}xf32>",
        f'%a = tg.matmul %x, %w : {rows_type(n)} loc("first")',
        f'%b = tg.matmul %x, %w : {rows_type(n)} loc("second")',
        f'%c = tg.unary relu %a : {rows_type(n)} loc("first")',
        f'%y = tg.binary mul %c, %b : {rows_type(n)} loc("second")',
        'tg.output %y to @y loc("second")',
    ]
    return module(m, declared, body, policy)


def layer_norm(rows: int, columns: int, policy: str = "bf16") -> str:
    """y = LayerNorm of x[rows, columns]."""
    declared = [
        rows_global("input", "x", rows, columns),
        vector("g", columns),
        vector("b", columns),
        rows_global("output", "y", rows, columns),
    ]
    body = [
        f'%x = tg.input @x : {rows_type(columns)} loc("x")',
        *_layer_norm("x", "g", "b", "y", columns),
        'tg.output %y to @y loc("norm")',
    ]
    return module(rows, declared, body, policy)


def _layer_norm(x: str, gamma: str, beta: str, y: str, columns: int) -> list[str]:
    return [
        f"%{y}_g = tg.weight @{gamma} : tensor<{columns}xf32>",
        f"%{y}_b = tg.weight @{beta} : tensor<{columns}xf32>",
        f'%{y} = tg.layernorm %{x}, %{y}_g, %{y}_b eps 1.0e-05 : {rows_type(columns)} loc("norm")',
    ]


def softmax(rows: int, columns: int, policy: str = "bf16") -> str:
    """y = softmax of x[rows, columns] along columns."""
    declared = [rows_global(role, name, rows, columns)
                for role, name in (("input", "x"), ("output", "y"))]  # fmt: skip
    body = [
        f'%x = tg.input @x : {rows_type(columns)} loc("x")',
        f'%y = tg.softmax %x : {rows_type(columns)} loc("softmax")',
        'tg.output %y to @y loc("softmax")',
    ]
    return module(rows, declared, body, policy)


def attention(heads: int, rows: int, head: int, policy: str = "bf16") -> str:
    """y = attention of q[rows, heads x head] over as many positions, each row sees all; keys and
    values lie in the caches."""
    cache = f"memref<1x{heads}x{rows}x{head}x{OPERAND[policy]}, #tw.hbm>"
    type_ = rows_type(heads * head)
    declared = [
        rows_global("input", "q", rows, heads * head, OPERAND[policy]),
        *(f"tg.global state @{name} : {cache}" for name in ("k_cache", "v_cache")),
        rows_global("output", "y", rows, heads * head),
    ]
    body = [
        f'%q = tg.input @q : {type_} loc("q")',
        f"%y = tg.attention %q cache @k_cache, @v_cache heads {heads} kv_heads {heads} "
        f'scale {head**-0.5!r} full : {type_} loc("attention")',
        'tg.output %y to @y loc("attention")',
    ]
    return module(rows, declared, body, policy)


def bert_layer(rows: int, width: int, heads: int, ffn: int, policy: str = "bf16") -> str:
    """y = one layer of a BERT on x[rows, width]: each row sees all, norms behind the sums, ReLU."""
    head = width // heads
    cache = f"memref<1x{heads}x{rows}x{head}x{OPERAND[policy]}, #tw.hbm>"
    narrow, wide = rows_type(width), rows_type(ffn)
    sizes = {"attn_q": (width, width), "attn_k": (width, width), "attn_v": (width, width),
             "attn_output": (width, width), "ffn_up": (width, ffn),
             "ffn_down": (ffn, width)}  # fmt: skip
    declared = [
        rows_global("input", "x", rows, width),
        *(matrix(name, k, n) for name, (k, n) in sizes.items()),
        *(vector(f"{name}_bias", n) for name, (_, n) in sizes.items()),
        *(vector(f"{name}_{part}", width)
          for name in ("attn_norm", "ffn_norm") for part in ("gamma", "beta")),
        *(f"tg.global state @{name} : {cache}" for name in ("k_cache", "v_cache")),
        rows_global("output", "y", rows, width),
    ]  # fmt: skip

    def linear(x: str, name: str, y: str) -> list[str]:
        k, n = sizes[name]
        return [
            f"%{y}_w = tg.weight @{name} : tensor<{k}x{n}xf32>",
            f'%{y}_m = tg.matmul %{x}, %{y}_w : {rows_type(n)} loc("{name}")',
            f"%{y}_b = tg.weight @{name}_bias : tensor<{n}xf32>",
            f'%{y} = tg.binary add %{y}_m, %{y}_b : {rows_type(n)} loc("{name}")',
        ]

    body = [
        f'%x = tg.input @x : {narrow} loc("x")',
        *(line for name in "qkv" for line in linear("x", f"attn_{name}", name)),
        'tg.kv_append %k, %v to @k_cache, @v_cache loc("kv_append")',
        f"%o = tg.attention %q cache @k_cache, @v_cache heads {heads} kv_heads {heads} "
        f'scale {head**-0.5!r} full : {narrow} loc("attention")',
        *linear("o", "attn_output", "p"),
        f'%r = tg.binary add %p, %x : {narrow} loc("attn_residual")',
        *_layer_norm("r", "attn_norm_gamma", "attn_norm_beta", "n", width),
        *linear("n", "ffn_up", "u"),
        f'%a = tg.unary relu %u : {wide} loc("ffn_up_relu")',
        *linear("a", "ffn_down", "d"),
        f'%s = tg.binary add %d, %n : {narrow} loc("ffn_residual")',
        *_layer_norm("s", "ffn_norm_gamma", "ffn_norm_beta", "y", width),
        'tg.output %y to @y loc("norm")',
    ]
    return module(rows, declared, body, policy)


def llama_layer(rows: int, width: int, heads: int, ffn: int, policy: str = "bf16") -> str:
    """y = one layer of a Llama (no grouped heads) on x[rows, width], causal, caches written."""
    head = width // heads
    cache = f"memref<1x{heads}x{rows}x{head}x{OPERAND[policy]}, #tw.hbm>"
    rope = f"memref<{rows}x{head // 2}xf32, #tw.hbm>"
    declared = [
        rows_global("input", "x", rows, width),
        *(vector(name, width) for name in ("attn_norm", "ffn_norm")),
        *(matrix(f"attn_{name}", width, width) for name in ("q", "k", "v", "output")),
        *(matrix(f"ffn_{name}", width, ffn) for name in ("gate", "up")),
        matrix("ffn_down", ffn, width),
        *(f'tg.global table @{f} : {rope} from "{f}(10000.0, {head}, {rows})"'
          for f in ("rope_cos", "rope_sin")),
        *(f"tg.global state @{name} : {cache}" for name in ("k_cache", "v_cache")),
        rows_global("output", "y", rows, width),
    ]  # fmt: skip
    narrow, wide = rows_type(width), rows_type(ffn)

    def norm(x: str, name: str, to: str) -> list[str]:
        weight = f"%g{to} = tg.weight @{name} : tensor<{width}xf32>"
        return [weight, f'%{to} = tg.rmsnorm %{x}, %g{to} eps 1.0e-05 : {narrow} loc("{name}")']

    def matmul(x: str, name: str, to: str, k: int, n: int) -> list[str]:
        weight = f"%w{to} = tg.weight @{name} : tensor<{k}x{n}xf32>"
        return [weight, f'%{to} = tg.matmul %{x}, %w{to} : {rows_type(n)} loc("{name}")']

    body = [
        f'%x = tg.input @x : {narrow} loc("x")',
        *norm("x", "attn_norm", "n"),
        *(line for name in "qkv" for line in matmul("n", f"attn_{name}", f"{name}0", width, width)),
        f'%q = tg.rope %q0, @rope_cos, @rope_sin heads {heads} : {narrow} loc("attn_q_rope")',
        f'%k = tg.rope %k0, @rope_cos, @rope_sin heads {heads} : {narrow} loc("attn_k_rope")',
        'tg.kv_append %k, %v0 to @k_cache, @v_cache loc("kv_append")',
        f"%o = tg.attention %q cache @k_cache, @v_cache heads {heads} kv_heads {heads} "
        f'scale {head**-0.5!r} : {narrow} loc("attention")',
        *matmul("o", "attn_output", "p", width, width),
        f'%r = tg.binary add %x, %p : {narrow} loc("attn_output")',
        *norm("r", "ffn_norm", "m"),
        *matmul("m", "ffn_gate", "g", width, ffn),
        *matmul("m", "ffn_up", "u", width, ffn),
        f'%a = tg.unary silu %g : {wide} loc("ffn_gate")',
        f'%h = tg.binary mul %a, %u : {wide} loc("ffn_gate")',
        *matmul("h", "ffn_down", "d", ffn, width),
        f'%y = tg.binary add %r, %d : {narrow} loc("ffn_down")',
        'tg.output %y to @y loc("ffn_down")',
    ]
    return module(rows, declared, body, policy)
