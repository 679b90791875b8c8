"""Text of a trajectory made plain: for labels and Markdown of Streamlit, where it may be no markup at all."""

from __future__ import annotations

import re

_CUT = "\u2026"
_BREAK = "\u200b"
"""A space of no width: emoji, icons, addresses and arrows, which Streamlit looks for in parsed text too, end there."""
_MANY = 8
"""How many times the limit is looked at, as space is folded."""
# Control characters, and marks that turn the direction of a text around or cannot be seen.
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_MARKUP = re.compile(r"([!-/:-@\[-`{-~])")
_LOOKED_FOR = re.compile(r":(?=[^\s\d])|www(?=\.)|@(?=\w)|[-<>~](?=[-<>=])", re.IGNORECASE)


def one_line(text: str, limit: int = 200) -> str:
    """The beginning of a text on one line, for places that know no markup: a table, an option of a list."""
    looked = text[: limit * _MANY]
    line = " ".join(_UNSEEN.sub(" ", looked).split())
    if len(line) > limit:
        return line[: limit - 1].rstrip() + _CUT
    return line + _CUT if len(looked) < len(text) and text[len(looked) :].strip() else line


def escaped(text: str, limit: int = 200) -> str:
    r"""The beginning of a text on one line, for labels and Markdown of Streamlit: it reads as it was written.

    Every ASCII punctuation mark is escaped (CommonMark 0.31, section 2.4), which leaves no Markdown, HTML, entity or
    LaTeX. Emoji (`:smile:`), icons (`:material/x:`), colours (`:red[x]`), bare addresses and arrows are looked for in
    the parsed text as well, so a space of no width breaks them.
    """
    return _made_plain(one_line(text, limit))


def escaped_lines(text: str) -> str:
    """A whole text for Markdown of Streamlit, its lines kept."""
    lines = (_made_plain(_UNSEEN.sub(" ", line).strip()) for line in text.splitlines())
    return "  \n".join(line or "\u00a0" for line in lines)


def _made_plain(line: str) -> str:
    return _MARKUP.sub(r"\\\1", _LOOKED_FOR.sub(lambda found: found[0] + _BREAK, line))
