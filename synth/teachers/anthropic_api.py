"""Anthropic's Messages, and servers that speak them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from curate.errors import UsageError
from synth.teachers.answering import Answer, count, judged, not_an_answer, usage
from synth.teachers.asks import Prompt, Reply, Usage
from synth.teachers.sdk import Access, SdkApi, answer_tokens, quiet

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

    from synth.settings import ModelSettings

VENDOR = "https://api.anthropic.com"
MOST_TOKENS = 21_333
"""Longest answer that the API gives in one piece: more could take above ten minutes (the SDK's own rule)."""
_ENDINGS = {
    "end_turn": "ok",
    "stop_sequence": "ok",
    "max_tokens": "cut_off",
    "model_context_window_exceeded": "cut_off",
    "refusal": "refused",
    "tool_use": "tool_call",
}


class AnthropicApi(SdkApi):
    """One model behind Messages.

    Args:
        model: the model's name, as the server knows it.
        settings: what is asked of it.
        access: where the server is, and the key.
        extra: merged into each body.

    Raises:
        UsageError: for answers that are too long to be given in one piece.
    """

    path = "/v1/messages"

    def __init__(self, model: str, settings: ModelSettings, access: Access, extra: dict[str, Any]) -> None:
        super().__init__(f"anthropic:{model}", access)
        if settings.max_tokens > MOST_TOKENS:
            raise UsageError(
                f"--max-tokens must be at most {MOST_TOKENS:,} with Anthropic, not {settings.max_tokens:,}"
            )
        self._model = model
        self._settings = settings
        self._extra = extra

    def body(self, prompt: Prompt) -> dict[str, Any]:
        """The request body for a prompt."""
        system, parts = [_block(prompt.system)], [_block(part) for part in prompt.parts]
        if self._settings.cache_prompts:
            (parts[-2] if len(parts) > 1 else system[0])["cache_control"] = {"type": "ephemeral"}
        body: dict[str, Any] = {
            "model": self._model,
            "max_tokens": answer_tokens(self._settings, prompt),
            "system": system,
            "messages": [{"role": "user", "content": parts}],
        }
        if self._settings.effort is None:
            body["thinking"] = {"type": "disabled"}
        else:
            body["thinking"] = {"type": "adaptive"}
            body["output_config"] = {"effort": self._settings.effort}
        if self._settings.temperature is not None:
            body["temperature"] = self._settings.temperature
        return {**body, **deepcopy(self._extra)}

    def parse(self, raw: Any) -> Reply:
        """The reply in a decoded Message."""
        content = raw.get("content") if isinstance(raw, dict) and raw.get("type", "message") == "message" else None
        if not isinstance(content, list):
            return not_an_answer(raw, self.hider)
        finish = raw.get("stop_reason")
        return judged(
            Answer(
                text=_text(content),
                finish=finish,
                ending=_ENDINGS.get(finish, "unfinished") if isinstance(finish, str) else "unfinished",
                model=raw.get("model"),
                usage=_usage(raw.get("usage")),
            ),
            self.hider,
        )

    def make_client(self) -> AsyncAnthropic:
        """A client of the SDK for which only our flags count, not the environment."""
        return anthropic_client(self.access)


def anthropic_client(access: Access) -> AsyncAnthropic:
    """A client of the SDK without retries; what it would read from the environment, the key apart, does not count."""
    import anthropic

    client = anthropic.AsyncAnthropic(
        api_key=access.sent_key,
        base_url=(access.base_url or VENDOR).removesuffix("/v1"),
        max_retries=0,
        timeout=access.timeout,
        http_client=access.http_client(anthropic),
        open_telemetry=False,
    )
    return quiet(client)


def _block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _text(content: list[Any]) -> str:
    """The text blocks; thinking, which is a summary and may be empty, is never the answer."""
    blocks = [block for block in content if isinstance(block, dict) and block.get("type") == "text"]
    return "".join([text for block in blocks if isinstance(text := block.get("text"), str)])


def _usage(counts: Any) -> Usage | None:
    """Anthropic counts cached and written tokens beside the input's, not within."""
    plain, output = count(counts, "input_tokens"), count(counts, "output_tokens")
    if plain is None or output is None:
        return None
    cached = count(counts, "cache_read_input_tokens") or 0
    all_written = count(counts, "cache_creation_input_tokens") or 0
    hour = min(count(counts.get("cache_creation"), "ephemeral_1h_input_tokens") or 0, all_written)
    return usage(
        given=plain + cached + all_written,
        output=output,
        cached=cached,
        written=all_written - hour,
        written_1h=hour,
        reasoning=count(counts.get("output_tokens_details"), "thinking_tokens") or 0,
    )
