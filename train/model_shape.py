"""The dimensions of a decoder and what follows from them: parameters, bytes a token, operations a token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from curate.errors import UsageError
from train.context import model_config

KNOWN: Mapping[str, Mapping[str, Any]] = {
    # https://huggingface.co/Qwen/Qwen3-4B-Thinking-2507/blob/main/config.json
    "Qwen/Qwen3-4B-Thinking-2507": {
        "hidden_size": 2560,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "intermediate_size": 9728,
        "vocab_size": 151_936,
        "tie_word_embeddings": True,
    },
}
"""Dimensions of models that need not be fetched."""


@dataclass(frozen=True)
class Shape:
    """A decoder with grouped attention and a gated MLP (Llama, Qwen); names as in config.json, shortened.

    Attributes:
        hidden: width.
        layers: how many.
        heads: of queries.
        kv_heads: of keys and values.
        head: width of a head.
        inner: width of the MLP.
        vocab: tokens.
        tied: the embedding is the output layer too.
    """

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head: int
    inner: int
    vocab: int
    tied: bool

    @property
    def linears(self) -> tuple[tuple[int, int], ...]:
        """(in, out) of each linear of a layer: q, k, v, o, gate, up, down."""
        queries, keys = self.heads * self.head, self.kv_heads * self.head
        attention = ((self.hidden, queries), (self.hidden, keys), (self.hidden, keys), (queries, self.hidden))
        return (*attention, (self.hidden, self.inner), (self.hidden, self.inner), (self.inner, self.hidden))

    @property
    def layer_parameters(self) -> int:
        """Of one layer, with two norms of its width and Qwen3's two of a head."""
        return sum(one * two for one, two in self.linears) + 2 * self.hidden + 2 * self.head

    @property
    def embedding(self) -> int:
        """Parameters of the embedding."""
        return self.vocab * self.hidden

    @property
    def parameters(self) -> int:
        """All."""
        return self.layers * self.layer_parameters + self.embedding * (1 if self.tied else 2) + self.hidden

    def adapters(self, rank: int) -> int:
        """Parameters of LoRA on all linears: rank x (in + out) each."""
        return self.layers * rank * sum(one + two for one, two in self.linears)

    @property
    def kv_bytes(self) -> int:
        """Bytes of keys and values a token, bfloat16."""
        return 2 * 2 * self.layers * self.kv_heads * self.head

    @property
    def layer_activations(self) -> int:
        """Bytes a token that one layer keeps for its backward pass, bfloat16, with flash attention.

        Two norms in and out (4 hidden), q, k, v before and after norm and rotation, attention out, four of the MLP.
        """
        heads = 2 * (self.heads + 2 * self.kv_heads) * self.head + self.heads * self.head
        return 2 * (4 * self.hidden + heads + 4 * self.inner)


def shape_of(model: str) -> Shape:
    """The dimensions of a model.

    Raises:
        UsageError: if they are not known and there is no config.json.
    """
    told = KNOWN.get(model) or model_config(model)
    if told is None:
        raise UsageError(f"--model {model} has no config.json here; name a folder, or one of {', '.join(KNOWN)}")
    try:
        heads = told["num_attention_heads"]
        return Shape(
            hidden=told["hidden_size"],
            layers=told["num_hidden_layers"],
            heads=heads,
            kv_heads=told.get("num_key_value_heads") or heads,
            head=told.get("head_dim") or told["hidden_size"] // heads,
            inner=told["intermediate_size"],
            vocab=told["vocab_size"],
            tied=bool(told.get("tie_word_embeddings", False)),
        )
    except KeyError as error:
        raise UsageError(f"config.json of {model} lacks {error}: only dense decoders can be estimated") from error
