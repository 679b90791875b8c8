"""OpenAI's chat completions, which vLLM, Ollama, DeepSeek and many others speak too."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from synth.teachers.answering import Answer, count, judged, not_an_answer, usage
from synth.teachers.asks import Prompt, Reply, Usage
from synth.teachers.sdk import Access, SdkApi, answer_tokens, quiet

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from synth.settings import ModelSettings

VENDOR = "https://api.openai.com/v1"
_ENDINGS = {
    "stop": "ok",
    "length": "cut_off",
    "max_tokens": "cut_off",
    "content_filter": "refused",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
}


class OpenAIApi(SdkApi):
    """One model behind chat completions.

    Args:
        model: the model's name, as the server knows it.
        settings: what is asked of it.
        access: where the server is, and the key.
        extra: merged into each body.
    """

    path = "/chat/completions"

    def __init__(self, model: str, settings: ModelSettings, access: Access, extra: dict[str, Any]) -> None:
        super().__init__(f"openai:{model}", access)
        self._model = model
        self._settings = settings
        self._extra = extra
        self._limit = settings.max_tokens_field
        if self._limit == "auto":
            self._limit = "max_completion_tokens" if _is_vendor(access.base_url) else "max_tokens"

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request body for a prompt."""
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": "\n\n".join(prompt.parts)},
            ],
            self._limit: answer_tokens(self._settings, prompt),
        }
        if self._settings.temperature is not None:
            body["temperature"] = self._settings.temperature
        if self._settings.effort is not None:
            body["reasoning_effort"] = self._settings.effort
        return {**body, **deepcopy(self._extra)}

    def parse(self, raw: Any) -> Reply:
        """The reply in a decoded chat completion."""
        choice = first_choice(raw.get("choices")) if isinstance(raw, dict) else None
        message = choice.get("message") if isinstance(choice, dict) else None
        if choice is None or not isinstance(message, dict):
            return not_an_answer(raw, self.hider)
        finish = choice.get("finish_reason")
        return judged(
            Answer(
                text=content_text(message.get("content")),
                finish=finish,
                ending=_ending(finish, message),
                model=raw.get("model"),
                usage=token_usage(raw.get("usage")),
            ),
            self.hider,
        )

    def make_client(self) -> AsyncOpenAI:
        """A client of the SDK for which only our flags count, not the environment."""
        return openai_client(self.access)


def openai_client(access: Access) -> AsyncOpenAI:
    """A client of the SDK without retries; what it would read from the environment, the key apart, does not count."""
    import openai

    client = openai.AsyncOpenAI(
        api_key=access.sent_key,
        base_url=access.base_url or VENDOR,
        max_retries=0,
        timeout=access.timeout,
        http_client=access.http_client(openai),
    )
    client.organization = client.project = client.admin_api_key = None
    return quiet(client)


def _is_vendor(base_url: str | None) -> bool:
    host = urlsplit(base_url or VENDOR).hostname or ""
    return host == "api.openai.com" or host.endswith(".api.openai.com")


def first_choice(choices: Any) -> dict[str, Any] | None:
    """The only choice; None if there is none."""
    return choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else None


def _ending(finish: Any, message: dict[str, Any]) -> str:
    if message.get("refusal"):
        return "refused"
    if message.get("tool_calls") and finish in ("stop", "tool_calls"):
        return "tool_call"
    return _ENDINGS.get(finish, "unfinished") if isinstance(finish, str) else "unfinished"


def content_text(content: Any) -> str:
    """The text of a message's content, which some servers give in parts; their parts of thinking are left out."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") in ("text", "output_text")]
        return "".join([text for part in parts if isinstance(text := part.get("text"), str)])
    return content if isinstance(content, str) else ""


def token_usage(counts: Any) -> Usage | None:
    """OpenAI counts cached and written tokens within the prompt's, and DeepSeek has a name of its own for the first."""
    given, output = count(counts, "prompt_tokens"), count(counts, "completion_tokens")
    if given is None or output is None:
        return None
    details = counts.get("prompt_tokens_details")
    return usage(
        given=given,
        output=output,
        cached=count(details, "cached_tokens") or count(counts, "prompt_cache_hit_tokens") or 0,
        written=count(details, "cache_write_tokens") or 0,
        written_1h=0,
        reasoning=count(counts.get("completion_tokens_details"), "reasoning_tokens") or 0,
    )
