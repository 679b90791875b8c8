"""A TRL trainer as what lets a model speak in rollouts.

One process samples from its model itself (`train.decoding`); with vLLM, or several ranks, TRL generates.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import torch
from trl.models.utils import unwrap_model_for_generation

from train.decoding import Sampler, Sampling, call_mark_of
from train.rollout import Generated


class TrainerGenerate:
    """`Generate` on a GRPOTrainer, for the rollouts of one step; used as a context.

    Before `min_new` tokens no turn ends and no call begins: if only the end were banned, a model that has called early
    would talk on behind its call.

    Args:
        trainer: a `trl.GRPOTrainer`, or `train.ranks.InStep` around it.
        alone: the run is this process alone.

    Attributes:
        seconds: spent in generating so far.
    """

    def __init__(self, trainer: Any, *, alone: bool = True) -> None:
        self._trainer = trainer
        self._own = alone and not trainer.use_vllm
        self._open = ExitStack()
        self._model: Any = None
        self.seconds = 0.0

    def __enter__(self) -> TrainerGenerate:
        """Unwrap the model, once for all turns."""
        trainer = self._trainer
        if self._own:
            self._model = self._open.enter_context(
                unwrap_model_for_generation(
                    trainer.model_wrapped,
                    trainer.accelerator,
                    gather_deepspeed3_params=trainer.args.ds3_gather_for_generation,
                    gradient_checkpointing_kwargs=trainer.args.gradient_checkpointing_kwargs,
                )
            )
            self._model.eval()
            self._sampler = Sampler(Sampling.of(trainer.processing_class, trainer.args.temperature))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the model back to training."""
        if self._model is not None:
            self._model.train()
            self._sampler.forget()  # the weights change, and training needs the room
        self._open.close()

    def __call__(self, prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
        """One turn for each prompt."""
        begin = time.perf_counter()
        turns = self._sampled if self._own else self._by_trl
        found = turns(prompts, min_new, max_new)
        self.seconds += time.perf_counter() - begin
        return found

    def _sampled(self, prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
        bf16 = bool(self._trainer.args.bf16)
        with torch.autocast(self._model.device.type, torch.bfloat16, enabled=bf16):
            return [Generated(ids) for ids in self._sampler.turns(self._model, prompts, min_new, max_new)]

    def _by_trl(self, prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
        if not min_new:
            return self._asked(prompts, 0, max_new)
        begun = self._asked(prompts, min_new, [min(min_new, most) for most in max_new])
        longer = [prompt + turn.ids for prompt, turn in zip(prompts, begun, strict=True)]
        ended = self._asked(longer, 0, [most - len(turn.ids) for most, turn in zip(max_new, begun, strict=True)])
        return [_joined(one, two) for one, two in zip(begun, ended, strict=True)]

    def _asked(self, prompts: list[list[int]], least: int, most: list[int]) -> list[Generated]:
        """The one place that knows how this version of TRL generates."""
        trainer, longest = self._trainer, max(1, *most)
        mark = call_mark_of(trainer.processing_class) if least else None
        banned = None if mark is None else [mark]
        if trainer.use_vllm:
            words = [trainer.processing_class.decode(banned)] if banned else None
            given = {"min_tokens": least, "max_tokens": longest, "bad_words": words}
            trainer.vllm_generation.generation_kwargs.update(given)
        else:
            trainer.generation_config.min_new_tokens = least or None
            trainer.generation_config.max_new_tokens = longest
            trainer.generation_config.suppress_tokens = banned
        ids, logprobs = trainer._generate_single_turn(prompts, None, {}, 1)
        found = []
        for at, limit in enumerate(most):
            known = None if logprobs is None else list(logprobs[at][:limit])
            found.append(Generated(list(ids[at][:limit]), known))
        return found


def _joined(one: Generated, two: Generated) -> Generated:
    logprobs = None if one.logprobs is None or two.logprobs is None else one.logprobs + two.logprobs
    return Generated(one.ids + two.ids, logprobs)
