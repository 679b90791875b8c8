"""Untrusted text made plain for the Markdown that Streamlit's labels and texts are written in."""

from __future__ import annotations

import re

_SIGNS = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@/])")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


def escaped(text: str, limit: int = 200) -> str:
    """A text in one line in which nothing is Markdown: no link, image, emoji, icon, colour, formula or HTML.

    Args:
        text: of a trajectory, a note, a name.
        limit: characters of the text that are kept; more are told by an ellipsis.
    """
    line = " ".join(_CONTROLS.sub(" ", text[: 4 * limit + 1]).split())
    cut = line[:limit] + ("…" if len(line) > limit or len(text) > 4 * limit else "")
    return _SIGNS.sub(r"\\\1", cut)
