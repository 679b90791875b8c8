"""A run of several processes (`accelerate launch`), one rank each: what only the first does, and keeping in step.

All ranks see the same OUT: on several machines it stands on a shared file system.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

from curate.errors import CacheRLError

T = TypeVar("T")

DRAIN_S = 1.0
"""Seconds that the threads of a gloo group are given to drop what they hold before the group is ended."""


def world() -> int:
    """Number of processes."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def rank() -> int:
    """Number of this process, the first is 0."""
    return int(os.environ.get("RANK", "0"))


def first(action: Callable[[], T]) -> T | None:
    """What an action gives on the first rank, None on the others, which wait for it.

    Raises:
        SystemExit: on the others, with the exit code of what went wrong on the first, which alone says so.
    """
    if world() == 1:
        return action()
    if rank():
        code = _heard(None)
        if code is not None:
            part()
            raise SystemExit(code)
        return None
    try:
        given = action()
    except BaseException as error:
        _heard(error.exit_code if isinstance(error, CacheRLError) else 1)
        part()
        raise
    _heard(None)
    return given


def together() -> None:
    """Wait until all ranks are here."""
    if world() > 1:
        _heard(None)


def _heard(code: int | None) -> int | None:
    """What the first rank says, on every rank."""
    import torch
    from accelerate import PartialState  # type: ignore[import-untyped]
    from accelerate.utils import broadcast_object_list  # type: ignore[import-untyped]

    PartialState(cpu=not torch.cuda.is_available())
    told = [code]
    broadcast_object_list(told, from_process=0)
    return told[0]


def part() -> None:
    """Leave the others in order: a process that just ends may be aborted by the threads that still listen.

    The last holder of a gloo group joins its threads without giving up the interpreter's lock, and one of them may
    want that lock to drop the tensors of the last collective: both would wait for ever. So they get it before.
    """
    if world() > 1:
        import torch.distributed

        if torch.distributed.is_initialized():
            time.sleep(DRAIN_S)
            torch.distributed.destroy_process_group()


class InStep:
    """A GRPOTrainer whose ranks generate together.

    With a vLLM server, with tensor parallelism and with sharded weights every rank has to ask for as many turns as
    the others, as often, in the same way; rollouts are as long as they are. So each call adds prompts up to the most
    that a rank has, and a rank that has none left goes on asking (`rest`) until all are done.

    Args:
        trainer: a `trl.GRPOTrainer`.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)

    def _generate_single_turn(self, prompts: list[list[int]], *given: Any) -> tuple[list[Any], list[Any] | None]:
        """One turn a prompt, as the trainer gives it."""
        most = self._agreed(len(prompts))
        padded = prompts + [prompts[0]] * (most - len(prompts))
        ids, logprobs = self._trainer._generate_single_turn(padded, *given)
        return ids[: len(prompts)], None if logprobs is None else logprobs[: len(prompts)]

    def rest(self) -> None:
        """Ask as long as another rank does."""
        end = self._trainer.processing_class.eos_token_id
        while most := self._agreed(0):
            self._trainer._generate_single_turn([[end]] * most, None, {}, 1)

    def _agreed(self, prompts: int) -> int:
        """The most prompts of a rank; what vLLM is told is then the same on all, with the most tokens of any."""
        from accelerate.utils import gather_object

        told = dict(self._trainer.vllm_generation.generation_kwargs) if self._trainer.use_vllm else {}
        ranks = [(count, words) for count, words in gather_object([(prompts, told)]) if count]
        if ranks and self._trainer.use_vllm:
            longest = max(words.get("max_tokens", 1) for _, words in ranks)
            self._trainer.vllm_generation.generation_kwargs.update(ranks[0][1] | {"max_tokens": longest})
        return max((count for count, _ in ranks), default=0)
