"""Markdown of a trajectory, rendered without what could act: no images, no HTML, links only to the web.

Everything is escaped but a few marks that only set text: emphasis, headings, lists, quotes, tables, code, and links
whose whole form is known. So what is not understood here is shown, not obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from app.reading.plain import escaped_lines

_FENCE = re.compile(r" {0,9}(`{3,}|~{3,})")
_LINK = re.compile(r"(?<!!)\[([^\[\]\n]{1,300})\]\((https?://[A-Za-z0-9][\w.~:/?#@!&'*+,;=%-]{0,1000})\)", re.ASCII)
_CODE = re.compile(r"(?<![`\\])`([\w .,/()=+*\-]{1,200})`(?!`)")
_HEADING = re.compile(r" {0,3}#{1,6}(?=\s)")
_ACTING = re.compile(r"([\\<>&\[\]!$`])")
_QUOTE = re.compile(r"((?: {0,3}\\>)+)")
_BREAK = "\u200b"
_LOOKED_FOR = re.compile(r":(?=[^\s\d])|www(?=\.)|@(?=\w)", re.IGNORECASE)


class Part(NamedTuple):
    """Text to render, or code to show as it is."""

    text: str
    code: bool


def parts(text: str) -> Iterator[Part]:
    """The text and the code blocks of Markdown; text is safe to render, code is not changed."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        found = _FENCE.match(line)
        if fence and found and found[1].startswith(fence) and not line.strip().strip(fence[0]):
            yield Part("\n".join(lines), True)
            lines, fence = [], ""
        elif not fence and found:
            if "".join(lines).strip():
                yield Part(safe("\n".join(lines)), False)
            lines, fence = [], found[1]
        else:
            lines.append(line)
    if fence or "".join(lines).strip():
        yield Part("\n".join(lines) if fence else safe("\n".join(lines)), bool(fence))


def safe(text: str) -> str:
    """Markdown without code blocks in which nothing can act."""
    return "\n".join(_line(line) for line in text.splitlines())


def _line(line: str) -> str:
    heading = _HEADING.match(line)
    made, done = "", 0
    line = line[heading.end() :].strip().rstrip("#") if heading else line
    for found in sorted([*_LINK.finditer(line), *_CODE.finditer(line)], key=lambda each: each.start()):
        if found.start() >= done:
            made += _still(line[done : found.start()]) + _kept(found)
            done = found.end()
    made += _still(line[done:])
    if heading:
        return f"##### {made.strip()}"
    return _QUOTE.sub(lambda quote: quote[1].replace("\\", ""), made, count=1) if line.lstrip()[:1] == ">" else made


def _kept(found: re.Match[str]) -> str:
    if found.re is _CODE:
        return found[0]
    return f"[{escaped_lines(found[1])}]({found[2]})"


def _still(text: str) -> str:
    return _ACTING.sub(r"\\\1", _LOOKED_FOR.sub(lambda found: found[0] + _BREAK, text))
