"""A TRL trainer as what lets a model speak in rollouts: transformers, or vLLM in its server or beside the trainer."""

from __future__ import annotations

import time
from typing import Any

from train.rollout import Generated


class TrainerGenerate:
    """`Generate` on a GRPOTrainer.

    Before `min_new` tokens no turn ends and no call begins: only the end would be banned else, and a model that has
    called early would talk on behind its call.

    Args:
        trainer: a `trl.GRPOTrainer`.
        call_mark: id of the token that begins a call.

    Attributes:
        seconds: spent in generating so far.
    """

    def __init__(self, trainer: Any, call_mark: int | None) -> None:
        self._trainer = trainer
        self._call_mark = call_mark
        self.seconds = 0.0

    def __call__(self, prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
        """One turn for each prompt."""
        if not min_new:
            return self._turns(prompts, 0, max_new)
        begun = self._turns(prompts, min_new, [min(min_new, most) for most in max_new])
        longer = [prompt + turn.ids for prompt, turn in zip(prompts, begun, strict=True)]
        ended = self._turns(longer, 0, [most - len(turn.ids) for most, turn in zip(max_new, begun, strict=True)])
        return [_joined(one, two) for one, two in zip(begun, ended, strict=True)]

    def _turns(self, prompts: list[list[int]], least: int, most: list[int]) -> list[Generated]:
        """The one place that knows how this version of TRL generates."""
        trainer, longest = self._trainer, max(1, *most)
        banned = [self._call_mark] if least and self._call_mark is not None else None
        if trainer.use_vllm:
            words = [trainer.processing_class.decode(banned)] if banned else None
            given = {"min_tokens": least, "max_tokens": longest, "bad_words": words}
            trainer.vllm_generation.generation_kwargs.update(given)
        else:
            trainer.generation_config.min_new_tokens = least or None
            trainer.generation_config.max_new_tokens = longest
            trainer.generation_config.suppress_tokens = banned
        begin = time.perf_counter()
        ids, logprobs = trainer._generate_single_turn(prompts, None, {}, 1)
        self.seconds += time.perf_counter() - begin
        found = []
        for at, limit in enumerate(most):
            known = None if logprobs is None else list(logprobs[at][:limit])
            found.append(Generated(list(ids[at][:limit]), known))
        return found


def _joined(one: Generated, two: Generated) -> Generated:
    logprobs = None if one.logprobs is None or two.logprobs is None else one.logprobs + two.logprobs
    return Generated(one.ids + two.ids, logprobs)
