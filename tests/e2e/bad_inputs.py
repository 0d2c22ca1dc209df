"""Bad input, made in an empty folder: each case returns the command line that meets it."""

import json
from pathlib import Path

import gguf
import numpy as np
from safetensors.numpy import save_file  # pyright: ignore[reportUnknownVariableType]

from tilewright.backend.machine import load_machine

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 32,
    "vocab_size": 80,
    "max_position_embeddings": 32,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
}


def weights(layers: int = 2) -> dict[str, np.ndarray]:
    """Random weights of CONFIG, under their Hugging Face names."""
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {"embed_tokens": (80, 64), "norm": (64,)}
    for layer in range(layers):
        parts = {
            "input_layernorm": (64,),
            "self_attn.q_proj": (64, 64),
            "self_attn.k_proj": (32, 64),
            "self_attn.v_proj": (32, 64),
            "self_attn.o_proj": (64, 64),
            "post_attention_layernorm": (64,),
            "mlp.gate_proj": (96, 64),
            "mlp.up_proj": (96, 64),
            "mlp.down_proj": (64, 96),
        }
        shapes |= {f"layers.{layer}.{name}": shape for name, shape in parts.items()}
    return {
        f"model.{name}.weight": (random.standard_normal(shape) / 8).astype(np.float32)
        for name, shape in shapes.items()
    }


def model(folder: Path, **changes: object) -> Path:
    """A Hugging Face directory of CONFIG with `changes` (None takes a key out)."""
    path = folder / "model"
    path.mkdir()
    config = {key: value for key, value in (CONFIG | changes).items() if value is not None}
    (path / "config.json").write_text(json.dumps(config))
    save_file(weights(), path / "model.safetensors")
    return path


def gguf_file(folder: Path, **changes: object) -> Path:
    """A GGUF file of CONFIG; `architecture` and `type` (of the embedding) may be changed."""
    path = folder / "model.gguf"
    writer = gguf.GGUFWriter(path, str(changes.get("architecture", "llama")))
    writer.add_block_count(2)
    writer.add_context_length(32)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(96)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(32)
    writer.add_value_length(32)
    writer.add_rope_dimension_count(32)
    writer.add_layer_norm_rms_eps(1e-5)
    if "key" in changes:
        writer.add_uint32(str(changes["key"]), 7)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, 2)
    for name, value in weights().items():
        known = str(names.get_name(name, (".weight",)))
        if name == "model.embed_tokens.weight" and "type" in changes:
            raw = np.zeros((80, 64), np.int8)
            writer.add_tensor(known, raw)
        else:
            writer.add_tensor(known, value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def patch(path: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes of a file; a negative offset counts from its end."""
    content = bytearray(path.read_bytes())
    start = offset % len(content)
    content[start : start + len(data)] = data
    path.write_bytes(content)


def machine(folder: Path, **changes: object) -> Path:
    """`tw-small` with `changes` (None takes a key out) as machine.toml."""
    numbers = load_machine("tw-small").to_dict() | changes
    lines = [f"{key} = {json.dumps(value)}" for key, value in numbers.items() if value is not None]
    path = folder / "machine.toml"
    path.write_text("\n".join(lines))
    return path


def compile_it(source: Path, on: Path | str = "tw-small") -> list[str]:
    """The command line that compiles a model beside itself."""
    return ["compile", str(source), "--machine", str(on), "-o", str(source.parent / "out.tw")]


def truncated_gguf(folder: Path) -> list[str]:
    path = gguf_file(folder)
    path.write_bytes(path.read_bytes()[:-1000])
    return compile_it(path)


def corrupt_gguf(folder: Path) -> list[str]:
    path = gguf_file(folder)
    patch(path, 8, b"\xff\xff\xff\xff")
    return compile_it(path)


def wrong_magic(folder: Path) -> list[str]:
    path = gguf_file(folder)
    patch(path, 0, b"GGML")
    return compile_it(path)


def wrong_version(folder: Path) -> list[str]:
    path = gguf_file(folder)
    patch(path, 4, b"\x09")
    return compile_it(path)


def truncated_safetensors(folder: Path) -> list[str]:
    path = model(folder)
    weights_file = path / "model.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:-1000])
    return compile_it(path)


def corrupt_safetensors(folder: Path) -> list[str]:
    path = model(folder)
    patch(path / "model.safetensors", 8, b"[")
    return compile_it(path)


def unsupported_architecture(folder: Path) -> list[str]:
    return compile_it(model(folder, model_type="mamba"))


def unsupported_gguf_architecture(folder: Path) -> list[str]:
    return compile_it(gguf_file(folder, architecture="mamba"))


def unsupported_key(folder: Path) -> list[str]:
    return compile_it(model(folder, logit_softcap=30.0))


def unsupported_gguf_key(folder: Path) -> list[str]:
    return compile_it(gguf_file(folder, key="llama.logit_scale"))


def unsupported_type(folder: Path) -> list[str]:
    return compile_it(gguf_file(folder, type="I8"))


def unsupported_tensor(folder: Path) -> list[str]:
    path = model(folder)
    extra = {"model.layers.0.mlp.experts.weight": np.zeros((4, 4), np.float32)}
    save_file(weights() | extra, path / "model.safetensors")
    return compile_it(path)


def unsupported_op(folder: Path) -> list[str]:
    path = folder / "graph.mlir"
    path.write_text("builtin.module @decode {\n  %x = tg.fourier @tokens : tensor<4xf32>\n}\n")
    return compile_it(path)


def mlir_syntax(folder: Path) -> list[str]:
    path = folder / "graph.mlir"
    path.write_text("builtin.module @decode {\n  tg.scalar @rows : 0 two 128\n}\n")
    return compile_it(path)


def mlir_syntax_in_opt(folder: Path) -> list[str]:
    return ["opt", mlir_syntax(folder)[1]]


def no_such_model(folder: Path) -> list[str]:
    return compile_it(folder / "nowhere.gguf")


def larger_than_hbm(folder: Path) -> list[str]:
    return compile_it(model(folder), machine(folder, hbm_bytes=64 * 1024))


def scratchpad_too_small(folder: Path) -> list[str]:
    return compile_it(model(folder), machine(folder, spm_bytes=1024))


def machine_without_a_number(folder: Path) -> list[str]:
    return compile_it(model(folder), machine(folder, lanes=None))


def machine_with_an_unknown_number(folder: Path) -> list[str]:
    return compile_it(model(folder), machine(folder, caches=2))


def machine_with_an_impossible_number(folder: Path) -> list[str]:
    return compile_it(model(folder), machine(folder, array_rows=0))


def machine_of_two_cores(folder: Path) -> list[str]:
    return compile_it(model(folder), machine(folder, cores=2))


def asm_syntax(folder: Path) -> list[str]:
    path = folder / "entry.s"
    path.write_text("engine ld {\n  hault\n}\n")
    return ["asm", str(path), "-o", str(folder / "out.tw"), "--machine", "tw-small"]


def asm_of_nothing(folder: Path) -> list[str]:
    path = folder / "entry.s"
    path.write_text("kv_block 8\n")
    return ["asm", str(path), "-o", str(folder / "out.tw"), "--machine", "tw-small"]
