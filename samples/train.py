"""Train a small llama-style language model, with its own tokenizer, on any text file.

    pip install '.[train]'
    python samples/train.py TEXT -o samples/tiny-shakespeare --minutes 14

The result is a Hugging Face directory: `config.json`, `model.safetensors` (bf16),
`tokenizer.json` (byte-level BPE) and `README.md`, a card with the held-out losses beside those
of a bigram model over the same tokens. The last tenth of the text is held out.

The model is a function of a dictionary of tensors under their Hugging Face names, so what is
trained is what is written. Rotary embedding pairs column i with column i + head_dim / 2.
"""

import argparse
import importlib
import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

# torch is only in the extra `train` and tokenizers has no types: both are bound as Any.
torch: Any = importlib.import_module("torch")
functional: Any = importlib.import_module("torch.nn.functional")
tokenizers: Any = importlib.import_module("tokenizers")
save_file: Any = importlib.import_module("safetensors.torch").save_file

END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True)
class Config:
    """Sizes of the model, under the names of a Hugging Face llama config."""

    hidden_size: int = 192
    intermediate_size: int = 384
    num_hidden_layers: int = 4
    num_attention_heads: int = 6
    num_key_value_heads: int = 2
    head_dim: int = 32
    vocab_size: int = 768
    max_position_embeddings: int = 256
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0

    def to_json(self) -> dict[str, Any]:
        """The config.json of this model."""
        fixed = {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_act": "silu",
            "attention_bias": False,
            "mlp_bias": False,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "bos_token_id": 0,
            "eos_token_id": 0,
        }
        return fixed | vars(self)


def train_tokenizer(text: str, vocab_size: int) -> Any:
    """A byte-level BPE tokenizer of `vocab_size` tokens; token 0 is the end of text."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def initial_weights(config: Config) -> dict[str, Any]:
    """Normal(0, 0.02) matrices (what returns to the residual is scaled down) and unit gammas."""
    d, f = config.hidden_size, config.intermediate_size
    q = config.num_attention_heads * config.head_dim
    kv = config.num_key_value_heads * config.head_dim
    residual = 1 / math.sqrt(2 * config.num_hidden_layers)

    def matrix(rows: int, columns: int, scale: float = 1.0) -> Any:
        return torch.randn(rows, columns) * (0.02 * scale)

    weights = {"model.embed_tokens.weight": matrix(config.vocab_size, d)}
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        weights |= {
            prefix + "input_layernorm.weight": torch.ones(d),
            prefix + "self_attn.q_proj.weight": matrix(q, d),
            prefix + "self_attn.k_proj.weight": matrix(kv, d),
            prefix + "self_attn.v_proj.weight": matrix(kv, d),
            prefix + "self_attn.o_proj.weight": matrix(d, q, residual),
            prefix + "post_attention_layernorm.weight": torch.ones(d),
            prefix + "mlp.gate_proj.weight": matrix(f, d),
            prefix + "mlp.up_proj.weight": matrix(f, d),
            prefix + "mlp.down_proj.weight": matrix(d, f, residual),
        }
    weights["model.norm.weight"] = torch.ones(d)
    return weights


def rotate(x: Any, cosine: Any, sine: Any) -> Any:
    """Half-split rotary embedding of [batch, heads, positions, head_dim]."""
    low, high = x.chunk(2, dim=-1)
    return torch.cat([low * cosine - high * sine, high * cosine + low * sine], dim=-1)


def forward(weights: dict[str, Any], config: Config, tokens: Any, dropout: float = 0.0) -> Any:
    """Logits [batch, positions, vocab_size] of tokens [batch, positions]."""
    batch, positions = tokens.shape
    half = torch.arange(config.head_dim // 2) * (-2 / config.head_dim)
    angle = torch.arange(positions)[:, None] * config.rope_theta**half
    cosine, sine = angle.cos(), angle.sin()

    def norm(x: Any, name: str) -> Any:
        return functional.rms_norm(x, (config.hidden_size,), weights[name], config.rms_norm_eps)

    def split_heads(x: Any) -> Any:
        return x.view(batch, positions, -1, config.head_dim).transpose(1, 2)

    embedding = weights["model.embed_tokens.weight"]
    x = functional.dropout(embedding[tokens], dropout)
    for layer in range(config.num_hidden_layers):
        prefix = f"model.layers.{layer}."
        attention = {name: weights[f"{prefix}self_attn.{name}_proj.weight"] for name in "qkvo"}
        mlp = {name: weights[f"{prefix}mlp.{name}_proj.weight"] for name in ("gate", "up", "down")}
        h = norm(x, prefix + "input_layernorm.weight")
        q = rotate(split_heads(h @ attention["q"].T), cosine, sine)
        k = rotate(split_heads(h @ attention["k"].T), cosine, sine)
        v = split_heads(h @ attention["v"].T)
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        mixed = mixed.transpose(1, 2).reshape(batch, positions, -1) @ attention["o"].T
        x = x + functional.dropout(mixed, dropout)
        h = norm(x, prefix + "post_attention_layernorm.weight")
        h = functional.silu(h @ mlp["gate"].T) * (h @ mlp["up"].T)
        x = x + functional.dropout(h @ mlp["down"].T, dropout)
    return norm(x, "model.norm.weight") @ embedding.T


def held_out_loss(weights: dict[str, Any], config: Config, ids: Any) -> float:
    """Mean nats a token over windows that tile the held-out ids, each from an empty context."""
    window = config.max_position_embeddings
    count = (len(ids) - 1) // window
    inputs = ids[: count * window].view(count, window)
    targets = ids[1 : count * window + 1].view(count, window)
    total = 0.0
    with torch.no_grad():
        for part, wanted in zip(inputs.split(16), targets.split(16), strict=True):
            logits = forward(weights, config, part)
            total += float(
                functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), reduction="sum")
            )
    return total / (count * window)


def bigram_loss(train: np.ndarray, held_out: np.ndarray, vocab_size: int) -> float:
    """Mean nats a token of the best interpolation of bigram and unigram counts (add-one)."""
    unigram = (np.bincount(train, minlength=vocab_size) + 1.0) / (len(train) + vocab_size)
    pairs = np.zeros((vocab_size, vocab_size))
    np.add.at(pairs, (train[:-1], train[1:]), 1.0)
    bigram = pairs / np.maximum(pairs.sum(axis=1, keepdims=True), 1.0)
    seen, wanted = held_out[:-1], held_out[1:]
    return min(
        float(-np.log(share * bigram[seen, wanted] + (1 - share) * unigram[wanted]).mean())
        for share in np.linspace(0.05, 0.95, 19)
    )


def learning_rate(progress: float, peak: float) -> float:
    """Warm-up over the first 3 %, then half a cosine down to a twentieth of the peak."""
    if progress < 0.03:
        return peak * progress / 0.03
    return peak * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def train_model(config: Config, ids: Any, held_out: Any, options: argparse.Namespace) -> Any:
    """Train for `options.minutes`; the weights with the lowest held-out loss."""
    weights = initial_weights(config)
    for tensor in weights.values():
        tensor.requires_grad_(True)
    matrices = [tensor for tensor in weights.values() if tensor.dim() == 2]
    gammas = [tensor for tensor in weights.values() if tensor.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": gammas, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=options.peak, betas=(0.9, 0.95), fused=True)
    window = torch.arange(config.max_position_embeddings)
    best, best_loss, step = {}, math.inf, 0
    start = time.monotonic()
    next_check = 0.1
    while (progress := (time.monotonic() - start) / (60 * options.minutes)) < 1.0:
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(progress, options.peak)
        starts = torch.randint(0, len(ids) - len(window) - 1, (options.batch, 1))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = forward(weights, config, ids[starts + window], options.dropout)
        wanted = ids[starts + window + 1]
        loss = functional.cross_entropy(logits.float().flatten(0, 1), wanted.flatten())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        step += 1
        if progress < next_check:
            continue
        next_check += 0.05
        current = held_out_loss(weights, config, held_out)
        print(
            f"{progress:4.0%} step {step} train {loss.item():.3f} held out {current:.3f}",
            flush=True,
        )
        if current < best_loss:
            best_loss = current
            best = {name: tensor.detach().clone() for name, tensor in weights.items()}
    print(f"{step} steps of {options.batch} x {len(window)} tokens", flush=True)
    final = {name: tensor.detach() for name, tensor in weights.items()}
    return final if held_out_loss(final, config, held_out) < best_loss else best


def sample(weights: dict[str, Any], config: Config, ids: list[int], count: int) -> list[int]:
    """Continue `ids` by `count` tokens at temperature 0.8, within the model's context."""
    ids = list(ids)
    with torch.no_grad():
        for _ in range(count):
            context = torch.tensor([ids[-config.max_position_embeddings :]])
            chances = functional.softmax(forward(weights, config, context)[0, -1] / 0.8, dim=-1)
            ids.append(int(torch.multinomial(chances, 1)))
    return ids


CARD = """# {name}

A llama-style model of {parameters:,} parameters (bf16, {bytes:,} bytes), trained on `{text}`
by `samples/train.py` in {minutes:g} minutes on one CPU thread. Its tokenizer is a byte-level BPE of
{vocab} tokens; head and embedding are tied. It is here to be compiled, not to be useful.

| held out: the last tenth of the text | nats a token | bits a character |
|---|---|---|
| this model | {loss:.3f} | {bits:.3f} |
| bigram model of the same tokens, interpolated | {bigram:.3f} | {bigram_bits:.3f} |

A sample at temperature 0.8:

```
{sample}
```
"""


def main() -> None:
    """Train on the text given, print the losses, and write the directory."""
    parser = argparse.ArgumentParser(description="Train the sample model on a text file.")
    parser.add_argument("text", type=Path, help="the text, in UTF-8")
    parser.add_argument("-o", "--output", type=Path, required=True, help="directory to write")
    parser.add_argument("--minutes", type=float, default=14.0)
    parser.add_argument("--batch", type=int, default=4, help="windows a step")
    parser.add_argument("--peak", type=float, default=3e-3, help="peak learning rate")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--prompt", default="\nROMEO:\n", help="start of the card's sample")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)

    config = Config()
    text = options.text.read_text(encoding="utf-8")
    border = len(text) * 9 // 10
    tokenizer = train_tokenizer(text[:border], config.vocab_size)
    train = torch.tensor(tokenizer.encode(text[:border]).ids)
    held_out = torch.tensor(tokenizer.encode(text[border:]).ids)
    print(f"{len(train)} tokens to train on, {len(held_out)} held out", flush=True)

    weights = train_model(config, train, held_out, options)
    stored = {name: tensor.to(torch.bfloat16) for name, tensor in weights.items()}
    weights = {name: tensor.float() for name, tensor in stored.items()}
    loss = held_out_loss(weights, config, held_out)
    bigram = bigram_loss(train.numpy(), held_out.numpy(), config.vocab_size)
    bits = len(held_out) / (len(text) - border) / math.log(2)
    ids = sample(weights, config, tokenizer.encode(options.prompt).ids, 160)
    output: Path = options.output
    output.mkdir(parents=True, exist_ok=True)
    save_file(stored, output / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(str(output / "tokenizer.json"))
    (output / "config.json").write_text(json.dumps(config.to_json(), indent=2) + "\n")
    card = CARD.format(
        name=output.name,
        text=options.text.name,
        parameters=sum(tensor.numel() for tensor in stored.values()),
        bytes=(output / "model.safetensors").stat().st_size,
        minutes=options.minutes,
        vocab=config.vocab_size,
        loss=loss,
        bits=loss * bits,
        bigram=bigram,
        bigram_bits=bigram * bits,
        sample=tokenizer.decode(ids).strip(),
    )
    (output / "README.md").write_text(card)
    print(card)


if __name__ == "__main__":
    main()
