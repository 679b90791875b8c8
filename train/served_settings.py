"""Settings of a model behind a server, as flags; light, so that `--help` needs no SDK."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from curate.errors import UsageError
from synth.settings import ModelSettings, PaceSettings


@dataclass(frozen=True)
class ServerSettings:
    """A model behind an OpenAI-compatible server (vLLM, SGLang, transformers serve, a hosted API).

    Attributes:
        base_url: of the server, e.g. http://127.0.0.1:8000/v1.
        served_model: the model's name, as the server knows it.
        api_key_env: environment variable that holds the server's key, if it wants one.
        concurrency: most requests at once; fewer while the server says that it is too many.
        timeout_s: seconds until an answer counts as lost.
        max_tries: tries of one turn before its rollout counts as crashed.
        give_up_s: the run stops after so many seconds in which no request succeeded.
        max_tokens_field: what the server calls the limit of a turn; "auto" is max_completion_tokens for OpenAI itself
            and max_tokens for others.
        extra_body: JSON object merged into each request, e.g. '{"top_p": 0.95}'.
    """

    base_url: str | None = None
    served_model: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 64
    timeout_s: float = 600.0
    max_tries: int = 5
    give_up_s: float = 900.0
    max_tokens_field: Literal["auto", "max_tokens", "max_completion_tokens"] = "auto"
    extra_body: str | None = None

    def check(self) -> None:
        """Refuse half an address, and amounts that are none.

        Raises:
            UsageError: naming the flag.
        """
        if (self.base_url is None) != (self.served_model is None):
            raise UsageError("--base-url and --served-model go together: the server, and the model's name there")
        least = {"concurrency": 1, "timeout_s": 0.001, "max_tries": 1, "give_up_s": 0}
        for name, bound in least.items():
            if not getattr(self, name) >= bound:
                flag = name.replace("_", "-")
                raise UsageError(f"--{flag} must be at least {bound:g}, not {getattr(self, name):g}")

    def model(self, temperature: float | None) -> ModelSettings:
        """In the terms of a teacher model."""
        return ModelSettings(
            base_url=self.base_url,
            max_tokens_field=self.max_tokens_field,
            temperature=temperature,
            extra_body=self.extra_body,
        )

    def pace(self) -> PaceSettings:
        """How hard the server is pressed."""
        return PaceSettings(
            concurrency=self.concurrency,
            timeout_s=self.timeout_s,
            max_tries=self.max_tries,
            give_up_s=self.give_up_s,
        )
