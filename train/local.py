"""A checkpoint in this process as what lets a model speak in rollouts; no trainer around it."""

from __future__ import annotations

from typing import Any

import torch

from train.rollout import Generated


class LocalGenerate:
    """`Generate` on a transformers model.

    Args:
        model: a causal language model.
        tokenizer: its tokenizer.
        temperature: of sampling; 0 takes the likeliest token.
        batch: rollouts at once.
    """

    def __init__(self, model: Any, tokenizer: Any, temperature: float = 1.0, batch: int = 64) -> None:
        self._model = model.eval()
        self._pad = tokenizer.pad_token_id
        self._end = tokenizer.eos_token_id
        self._batch = batch
        self._sampling = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        if not temperature:
            self._sampling = {"do_sample": False}

    def __call__(self, prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
        """One turn for each prompt, the longest prompts together."""
        order = sorted(range(len(prompts)), key=lambda at: -len(prompts[at]))
        found: list[Generated] = [Generated([])] * len(prompts)
        for start in range(0, len(order), self._batch):
            some = order[start : start + self._batch]
            turns = self._turns([prompts[at] for at in some], min_new, max(max_new[at] for at in some))
            for at, ids in zip(some, turns, strict=True):
                found[at] = Generated(ids[: max_new[at]])
        return found

    def _turns(self, prompts: list[list[int]], least: int, most: int) -> list[list[int]]:
        longest = max(map(len, prompts))
        ids = torch.tensor([[self._pad] * (longest - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        given: dict[str, Any] = dict(self._sampling)
        if least:
            given |= {"min_new_tokens": least}
        with torch.no_grad():
            made = self._model.generate(
                input_ids=ids.to(self._model.device),
                attention_mask=mask.to(self._model.device),
                max_new_tokens=most,
                pad_token_id=self._pad,
                eos_token_id=self._end,
                **given,
            )
        return [self._ended(row) for row in made[:, longest:].tolist()]

    def _ended(self, ids: list[int]) -> list[int]:
        """Up to and with the token that ends the turn."""
        return ids[: ids.index(self._end) + 1] if self._end in ids else ids
