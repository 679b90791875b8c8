"""From the flags to a teacher's API: its name, where the server is, and the key, which only the environment holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from curate.errors import UsageError
from synth.teachers.anthropic_api import AnthropicApi
from synth.teachers.openai_api import OpenAIApi
from synth.teachers.openai_chat import ChatApi
from synth.teachers.sdk import Access, SdkApi

if TYPE_CHECKING:
    from synth.settings import ModelSettings, PaceSettings

KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}
"""The variable that holds each vendor's key."""
OURS = ("messages", "system", "model", "stream", "max_tokens", "max_completion_tokens", "n")
"""Fields of a body that --extra-body must leave alone: what is asked, and what it can cost at most."""


def make_api(
    teacher: str,
    model: ModelSettings,
    pace: PaceSettings,
    environ: Mapping[str, str] = os.environ,
    *,
    asking: bool = True,
) -> SdkApi:
    """The API of a teacher that is a model.

    Args:
        teacher: "openai:MODEL" or "anthropic:MODEL".
        model: where it is and what it is asked.
        pace: how long an answer may take, and how many are under way at once.
        environ: where the key is.
        asking: False if only `body` and `parse` are needed, which do without a key.

    Raises:
        UsageError: naming the flag or the variable.
    """
    vendor, name = split_teacher(teacher)
    base_url = None if model.base_url is None else checked_url(model.base_url)
    key = _key(KEYS[vendor], environ)
    if asking and not key and base_url is None:
        raise UsageError(f"--teacher {teacher} needs a key in the environment variable {KEYS[vendor]}")
    access = Access(base_url, key, pace.timeout_s, pace.concurrency)
    extra = {} if model.extra_body is None else extra_fields(model.extra_body)
    make = OpenAIApi if vendor == "openai" else AnthropicApi
    return make(name, model, access, extra)


def make_chat(name: str, model: ModelSettings, pace: PaceSettings, environ: Mapping[str, str] = os.environ) -> ChatApi:
    """A model that is given whole dialogues and tools, behind any server that speaks OpenAI's chat completions.

    Args:
        name: the model's name, as the server knows it.
        model: where it is and what it is asked.
        pace: how long an answer may take, and how many are under way at once.
        environ: where the key is, if the server wants one.

    Raises:
        UsageError: naming the flag or the variable.
    """
    base_url = None if model.base_url is None else checked_url(model.base_url)
    access = Access(base_url, _key(KEYS["openai"], environ), pace.timeout_s, pace.concurrency)
    return ChatApi(name, model, access, {} if model.extra_body is None else extra_fields(model.extra_body))


def split_teacher(teacher: str) -> tuple[str, str]:
    """(vendor, model) of `--teacher`.

    Raises:
        UsageError: for anything but openai:MODEL and anthropic:MODEL.
    """
    vendor, _, name = teacher.partition(":")
    fit = name.isprintable() and " " not in name and "://" not in name and 0 < len(name) <= 200
    if vendor not in KEYS or not fit:
        raise UsageError(f"--teacher must be offline, openai:MODEL or anthropic:MODEL, not {teacher[:200]!r}")
    return vendor, name


def checked_url(url: str) -> str:
    """`--base-url` without a slash at its end; it is not repeated in messages, as it may hold a key.

    Raises:
        UsageError: for what is no http(s) address, or one with a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("--base-url is no URL; it looks like http://127.0.0.1:8000/v1") from error
    if parts.scheme not in ("http", "https") or not host or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("--base-url must be an http or https URL, like http://127.0.0.1:8000/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError("--base-url must hold no user, query or fragment; a key goes into the environment")
    return url.rstrip("/")


def extra_fields(text: str) -> dict[str, Any]:
    """`--extra-body`.

    Raises:
        UsageError: if it is no JSON object, or sets what other flags set.
    """
    try:
        extra = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"--extra-body is no JSON: {error}") from error
    if not isinstance(extra, dict):
        raise UsageError("--extra-body must be a JSON object, like '{\"top_p\": 0.9}'")
    if taken := [name for name in OURS if name in extra]:
        raise UsageError(f"--extra-body must not set {', '.join(taken)}; --teacher and --max-tokens do")
    return extra


def _key(variable: str, environ: Mapping[str, str]) -> str:
    key = environ.get(variable, "").strip()
    if not key.isascii() or not key.isprintable() or " " in key:
        raise UsageError(f"{variable} holds characters that no key has")
    return key
