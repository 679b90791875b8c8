"""A word diff on a page: escaped Markdown in which what went is on red and what came on green, nothing else."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from app.comparing.words import Piece, Side, WordDiff, word_diff
from app.reading.plain import escaped

SHOWN_CHARS = 20_000
"""Characters of one text that are drawn."""
_LONG, _KEPT = 700, 240
"""A longer stretch that both have is drawn with so many characters of its beginning and end."""
_COLORS = {"removed": "red", "added": "green"}
_APART = "\u200b"
"""Keeps a colour from being taken for the end of the text before it."""


def diff_columns(label: str, before: str, after: str) -> None:
    """Two texts beside each other."""
    found = word_diff(before, after)
    left, right = st.columns(2)
    with left:
        _text(label, found, "before")
    with right:
        _text(label, found, "after")
    if found.stopped is not None:
        old, new = (f"{at:,} of {len(text):,}" for at, text in zip(found.stopped, (before, after), strict=True))
        st.caption(f"Compared up to character {old} and {new}; the rest is too long to compare word by word.")


def _text(label: str, found: WordDiff, side: Side) -> None:
    pieces = found.side(side)
    if not pieces:
        st.caption(f"no {label}")
        return
    st.caption(label)
    st.markdown(marked(pieces))


def plain_text(label: str, text: str) -> None:
    """A text that is on one side alone."""
    if text:
        st.caption(label)
        st.markdown(marked([Piece("same", text)]))


def marked(pieces: Iterable[Piece]) -> str:
    """The pieces as Markdown; long stretches that are the same are cut, and so is what is beyond `SHOWN_CHARS`."""
    shown, left = "", SHOWN_CHARS
    for piece in pieces:
        if left <= 0:
            return f"{shown}  \n:gray[\u2026 the text goes on]"
        text = piece.text[:left]
        if piece.kind == "same" and len(text) > _LONG:
            head, tail = text[:_KEPT].rsplit(" ", 1)[0], text[-_KEPT:].split(" ", 1)[-1]
            cut = len(text) - len(head) - len(tail)
            between = f":gray[\u2026 {cut:,} characters that are the same \u2026]"
            shown += f"{_lines(head, piece)}  \n{between}  \n{_lines(tail, piece)}"
            left -= 2 * _KEPT
        else:
            shown += _lines(text, piece)
            left -= len(text)
    return shown


def _lines(text: str, piece: Piece) -> str:
    return "  \n".join(_line(line, _COLORS.get(piece.kind)) for line in text.split("\n"))


def _line(line: str, color: str | None) -> str:
    """One line, escaped; spaces at its ends, which escaping drops, stand outside the colour."""
    core = line.strip()
    if not core:
        return ":gray-background[\u00a0]" if color and line else " " if line else ""
    before, after = " " if line[0].isspace() else "", " " if line[-1].isspace() else ""
    text = escaped(core, len(core) + 1)
    return f"{before}{_APART}:{color}-background[{text}]{after}" if color else f"{before}{text}{after}"
