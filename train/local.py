"""A checkpoint in this process as what lets a model speak in rollouts; no trainer around it."""

from __future__ import annotations

from typing import Any

from train.decoding import Sampler, Sampling
from train.rollout import Generated


class LocalGenerate:
    """`Generate` on a transformers model.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        temperature: of sampling; 0 takes the likeliest token.
        batch: rollouts at once; of more than these, none is remembered from turn to turn.
    """

    def __init__(self, model: Any, tokenizer: Any, temperature: float = 1.0, batch: int = 128) -> None:
        self._model = model.eval()
        self._batch = batch
        self._sampler = Sampler(Sampling.of(tokenizer, temperature))

    def __call__(self, prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
        """One turn for each prompt."""
        found = []
        for start in range(0, len(prompts), self._batch):
            end = start + self._batch
            turns = self._sampler.turns(self._model, prompts[start:end], min_new, max_new[start:end])
            found += [Generated(ids) for ids in turns]
        return found
