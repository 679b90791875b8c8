"""Tool schemas that record after record repeats are parsed, checked and written out once.

Sets of one world carry the same `tools` in each record, often as half of its bytes. Here they are known again by their
bytes and cut out before the rest of the record is parsed; the record's value is the same either way.
"""

from __future__ import annotations

import json
from collections import deque
from contextlib import suppress

import orjson

from curate.canonical import KnownList

_KEY = b'"tools"'
_KEPT = 8
_PATIENCE = 64
"""Records whose tools were not known before learning stops where nothing is ever known again."""


class ToolsMemory:
    """The tools of the latest records; it changes how long parsing takes, never what comes out."""

    def __init__(self) -> None:
        self._known: deque[KnownList] = deque(maxlen=_KEPT)
        self._misses = self._hits = 0

    def cut(self, raw: bytes) -> tuple[bytes, KnownList] | None:
        """The record's text with null for its tools, and the tools; None if it has none that are known."""
        start = _start(raw)
        if start is None:
            return None
        for place, tools in enumerate(self._known):
            if raw.startswith(tools.text, start):  # a list's text says where it ends
                self._known.rotate(-place)
                self._hits += 1
                return raw[:start] + b"null" + raw[start + len(tools.text) :], tools
        return None

    def learn(self, raw: bytes, value: object) -> None:
        """Take in the tools of a record that was parsed whole."""
        start = _start(raw)
        if start is None or not isinstance(value, dict) or not isinstance(value.get("tools"), list):
            return
        self._misses += 1
        if self._misses > _PATIENCE + self._hits:
            return
        try:
            tools, end = json.JSONDecoder().raw_decode(raw[start:].decode())
        except (ValueError, RecursionError):
            return
        text = raw[start:].decode()[:end].encode()
        if tools == value["tools"]:  # and not of a record inside this one
            self._known.appendleft(KnownList(value["tools"], text))


def parse_known(raw: bytes, memory: ToolsMemory) -> object:
    """The value of a record's JSON text, its tools shared with other records where they are known.

    Raises:
        orjson.JSONDecodeError: if the text is no JSON.
    """
    found = memory.cut(raw)
    if found is not None:
        with suppress(orjson.JSONDecodeError):  # the whole text is to say what is wrong, and where
            value = orjson.loads(found[0])
            if isinstance(value, dict) and "tools" in value and value["tools"] is None:
                value["tools"] = found[1]
                return value
    whole = orjson.loads(raw)
    memory.learn(raw, whole)
    return whole


def _start(raw: bytes) -> int | None:
    """Where the list behind the only key `tools` begins."""
    at = raw.find(_KEY)
    if at < 0 or raw.find(_KEY, at + 1) >= 0:
        return None
    start = at + len(_KEY)
    start += raw[start : start + 1] == b":"
    start += raw[start : start + 1] == b" "
    return start if raw[start : start + 1] == b"[" and raw[at + len(_KEY) : start].strip() == b":" else None
