"""Who plays an evaluation: a checkpoint in this process, or a model behind an OpenAI-compatible server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Never, Protocol

from curate.errors import UsageError
from train.chat_format import ChatFormat, chat_format
from train.dialogue import Run
from train.rollout import CacheAgentLoop, Generate, Generated, Rollout, Sessions
from train.tokens import Renderer

if TYPE_CHECKING:
    from train.evaluate_settings import EvaluateSettings
    from train.served import ServedLoop

_THOUGHT = "It has to be looked up."


class Speaker(Protocol):
    """A model that plays episodes.

    Attributes:
        at_once: episodes that are best played together.
    """

    at_once: int

    def run(self, cache: Sessions | None, *, kept: bool, count: Callable[[int], None]) -> Run:
        """What runs rollouts.

        Args:
            cache: answers the calls of tasks without an episode of their own.
            kept: thoughts of earlier user turns stand in the prompt.
            count: is told how many more turns were spoken.
        """
        ...

    def tokens(self, text: str) -> int | None:
        """Tokens of a text; None if they are not known."""
        ...


class LocalSpeaker:
    """A checkpoint in this process; same seed, same turns."""

    def __init__(self, settings: EvaluateSettings) -> None:
        from train.context import context_of
        from train.local import LocalGenerate
        from train.models import check_checkpoint, load_model, load_tokenizer

        self._settings = settings
        self.at_once = settings.speech.batch
        check_checkpoint(str(settings.model))
        tokenizer = load_tokenizer(str(settings.model))
        self._formats = {
            each == "kept": format_with(tokenizer, settings, kept=each == "kept") for each in settings.modes
        }
        self._context = context_of(str(settings.model))
        self._generate = LocalGenerate(
            load_model(str(settings.model)), tokenizer, settings.speech.temperature, settings.speech.batch
        )

    def run(self, cache: Sessions | None, *, kept: bool, count: Callable[[int], None]) -> Run:
        """What runs rollouts, seeded anew."""
        import torch

        torch.manual_seed(self._settings.seed)
        loop = CacheAgentLoop(Renderer(self._formats[kept]), cache or NoSessions(), self._settings.rollout)

        def generate(prompts: list[list[int]], min_new: int, max_new: list[int]) -> list[Generated]:
            said = within(self._context, self._generate, prompts, min_new, max_new)
            count(len(said))
            return said

        return lambda tasks: loop.run(tasks, generate)

    def tokens(self, text: str) -> int | None:
        """Tokens of a text."""
        return len(next(iter(self._formats.values())).encode(text)) if text else 0


def within(
    context: int | None, generate: Generate, prompts: list[list[int]], min_new: int, max_new: list[int]
) -> list[Generated]:
    """Turns for prompts, cut off where the model's positions end; nothing for a prompt that fills them all."""
    if context is None:
        return generate(prompts, min_new, max_new)
    most = [min(limit, context - len(prompt)) for prompt, limit in zip(prompts, max_new, strict=True)]
    fits = [at for at, limit in enumerate(most) if limit > 0]
    found = [Generated([]) for _ in prompts]
    if fits:
        said = generate([prompts[at] for at in fits], min_new, [most[at] for at in fits])
        for at, turn in zip(fits, said, strict=True):
            found[at] = turn
    return found


def format_with(tokenizer: object, settings: EvaluateSettings, *, kept: bool) -> ChatFormat:
    """The chat format of prompts with or without the thoughts of earlier user turns.

    Raises:
        UsageError: if they are to be kept and the template leaves them out.
    """
    found = chat_format(tokenizer, settings.speech.template, whole_dialogues=kept)  # type: ignore[arg-type]
    said = {"role": "assistant", "content": "It is late.", "reasoning_content": _THOUGHT}
    asked = {"role": "user", "content": "What is the time?"}
    if kept and _THOUGHT not in found.prompt([asked, said, asked], []):
        raise UsageError(
            "--thinking kept: the model's own chat template leaves out what was thought before the last user message; "
            "choose --template qwen3 or chatml if the model was trained with it, or --thinking dropped"
        )
    return found


class ServedSpeaker:
    """A model behind a server, which has its own template and its own chance."""

    def __init__(self, settings: EvaluateSettings) -> None:
        self._settings = settings
        self.at_once = settings.tasks * settings.samples  # the server batches; --concurrency limits it
        self._loop(None)  # a wrong address or key is told before anything is done

    def run(self, cache: Sessions | None, *, kept: bool, count: Callable[[int], None]) -> Run:
        """What runs rollouts; thoughts that are kept are sent, and shown if the server's template does so."""
        loop = self._loop(cache)

        def done(number: int, rollout: Rollout) -> None:
            count(len(rollout.turn_lengths))

        return lambda tasks: loop.run(tasks, done)

    def _loop(self, cache: Sessions | None) -> ServedLoop:
        from train.served import ServedLoop

        settings = self._settings
        return ServedLoop(
            settings.server, cache or NoSessions(), settings.rollout, temperature=settings.speech.temperature
        )

    def tokens(self, text: str) -> int | None:
        """The server's tokenizer is not known."""
        return None


class NoSessions:
    """Stands for a cache where every task brings its episode."""

    def session(self, *_: object, **__: object) -> Never:
        """There is none to give."""
        raise LookupError("the task has no episode, and there is no cache")
