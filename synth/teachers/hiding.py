"""Keeps the key out of everything that is written down: what a server says, and what the libraries below log."""

from __future__ import annotations

import logging
import re

from curate.secrets import find_secrets

SHORT = 200
"""Characters of a server's words that are kept."""
READ = 2_000
"""Characters of them that are looked at."""
PIECE = 8
"""A word that holds so many characters of the key in a row is taken for it: servers like to repeat half a key."""
HIDDEN = "[key]"
_WORD = re.compile(r"[^\s\"',;]{1,2000}")
_STARRED = re.compile(r"[\w\-]{0,80}\*{3}[\w\-*]{0,200}")
_LOGGERS = (
    "openai",
    "openai._base_client",
    "openai._legacy_response",
    "openai._response",
    "anthropic",
    "anthropic._base_client",
    "anthropic._response",
    "httpx2",
    "httpcore2",
    "httpcore2.connection",
    "httpcore2.http11",
    "httpcore2.proxy",
    "httpcore2.socks",
    "aiohttp.client",
    "aiohttp.internal",
    "asyncio",
)
"""Who may log a server's headers or an exception's text."""


class Hider:
    """Takes one key, and whatever else looks like a key, out of text.

    Args:
        key: "" for none.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        size = min(PIECE, len(key))
        self._pieces = frozenset(key[at : at + size] for at in range(len(key) - size + 1)) if key else frozenset()

    def __repr__(self) -> str:
        return "Hider()"

    def holds_key(self, text: str) -> bool:
        """Whether the whole key stands in a text."""
        return bool(self._key) and self._key in text

    def words(self, text: str) -> str:
        """A server's words in short: on one line, printable, without keys."""
        text = text.replace(self._key, HIDDEN) if self._key else text
        whole = len(text) <= READ
        text = " ".join("".join([c if c.isprintable() else " " for c in text[:READ]]).split())
        if not whole:
            text = text.rpartition(" ")[0]  # the last word may be half a key
        text = _STARRED.sub(HIDDEN, _WORD.sub(self._without_pieces, text))
        for finding in reversed(find_secrets(text)):
            text = text[: finding.start] + HIDDEN + text[finding.end :]
        return text if len(text) <= SHORT else text[: SHORT - 3] + "..."

    def token(self, value: object) -> str | None:
        """A name or id that a server gave; None for what is no text."""
        return self.words(value) or None if isinstance(value, str) else None

    def guard_logs(self) -> None:
        """Keep the key out of what the SDKs and their transports log, at any level."""
        if self._key:
            for name in _LOGGERS:
                logging.getLogger(name).addFilter(self._clean)

    def unguard_logs(self) -> None:
        """Take the guard away again."""
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(self._clean)

    def _without_pieces(self, match: re.Match[str]) -> str:
        word = match[0]
        return HIDDEN if any([piece in word for piece in self._pieces]) else word

    def _clean(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
        except Exception:
            return False  # a record that cannot be written cannot be checked either
        if self._key in trace:
            record.exc_info, record.exc_text = None, None
            said = f"{said} (traceback left out: it holds the key)"
        if self._key in said or self._key in trace:
            record.msg, record.args = said.replace(self._key, HIDDEN), None
        return True
