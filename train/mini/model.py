"""The mini desk's tokenizer, whose vocabulary is closed, and a Qwen3 of about 200 thousand parameters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from curate.sandbox.mini import CATEGORIES, CUSTOMERS, ITEMS, KINDS, ORDERS, PRICES, REFUNDS, STATUSES
from curate.trajectory import Trajectory

TURN = "<model>"
"""Opens what the model says."""
MARKS = ("<user>", "<result>", TURN, "<think>", "</think>", "<tool_call>", "</tool_call>")
END, PAD, UNKNOWN = "<end>", "<pad>", "<unknown>"
ENTITIES = (*KINDS, *STATUSES, *CATEGORIES, *CUSTOMERS, *ORDERS, *ITEMS, *PRICES, *REFUNDS, "refused")
"""What is asked for, copied and answered: one token each, and so is what stands between two of them in a sentence."""
_WORDS = "|".join(sorted(map(re.escape, ENTITIES), key=lambda word: (-len(word), word)))
_ENTITY = rf"(?<![A-Za-z0-9_])(?:{_WORDS})(?![A-Za-z0-9_])"
_SENTENCE = r"(?<=[.”]) (?=[A-Z])"
MAX_TOKENS = 320
"""Of a sequence: the longest recorded dialogue has about 250."""


def build_tokenizer(rows: Iterable[Trajectory]) -> Any:
    """A tokenizer of all words and phrases of some trajectories; each entity is one token."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    counted: Counter[str] = Counter()
    for text in _texts(rows):
        counted.update(_pieces(text))
    words = [PAD, UNKNOWN, *ENTITIES, *sorted(counted.keys() - set(ENTITIES))]
    raw = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token=UNKNOWN))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SENTENCE), "merged_with_next"),
            pre_tokenizers.Split(Regex(_ENTITY), "isolated"),
        ]
    )
    raw.decoder = decoders.Fuse()
    raw.add_special_tokens([AddedToken(END, special=True), AddedToken(PAD, special=True)])
    raw.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    made = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=raw, eos_token=END, pad_token=PAD, unk_token=UNKNOWN, clean_up_tokenization_spaces=False
    )
    made.chat_template = files("train.mini").joinpath("mini.jinja").read_text()
    return made


def _texts(rows: Iterable[Trajectory]) -> Iterator[str]:
    """All that is said, and calls as the template writes them."""
    for row in rows:
        for message in row["messages"]:
            if message["role"] != "system":
                yield message["content"] or ""
            yield message["reasoning_content"] or ""
            for call in message["tool_calls"]:
                yield f'{{"name":"{call["name"]}","arguments":{call["arguments"]}}}'


def _pieces(text: str) -> Iterator[str]:
    """A text as the pre-tokenizer cuts it."""
    for sentence in re.split(f"(?={_SENTENCE})", text):
        yield from (piece for piece in re.split(f"({_ENTITY})", sentence) if piece)


def build_model(tokenizer: Any, seed: int = 0) -> Any:
    """A random Qwen3: hidden 64, 3 layers, head_dim 32.

    Weights are drawn wider than usual (initializer_range .1) and the norms of queries and keys begin at 1.7: with the
    usual values a model this small does not learn to copy in a few hundred steps.
    """
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=192,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=2 * MAX_TOKENS,
        initializer_range=0.1,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    model = Qwen3ForCausalLM(config)
    for layer in model.model.layers:
        for norm in (layer.self_attn.q_norm, layer.self_attn.k_norm):
            torch.nn.init.constant_(norm.weight, 1.7)
    return model


def save(rows: Iterable[Trajectory], path: Path, seed: int = 0) -> int:
    """Write an untrained model and its tokenizer; returns its number of parameters."""
    tokenizer = build_tokenizer(rows)
    model = build_model(tokenizer, seed)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return sum(weight.numel() for weight in model.parameters())
