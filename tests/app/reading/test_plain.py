"""Untrusted text in labels and Markdown: it reads as written and is no markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.reading.plain import escaped, escaped_lines, one_line

HOSTILE = [
    "<script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "[x](javascript:alert(1))",
    "![x](https://evil.example/pixel.png)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "&lt;script&gt;",
    "`code` **bold** _it_ ~~s~~ # head",
    r"$\href{javascript:alert(1)}{x}$",
    ":smile: :material/delete: :red[gone] :red-badge[x] :streamlit:",
    "https://evil.example www.evil.example me@evil.example",
    "a -> b <- c -- d >= e",
]


def as_read(label: str) -> str:
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", label).replace("\u200b", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_label_reads_as_written_and_leaves_no_mark_unescaped(text: str) -> None:
    label = escaped(text)
    assert as_read(label) == text
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\[!-/:-@\[-`{-~]", "", label))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_looked_for_in_parsed_text_is_broken(text: str) -> None:
    parsed = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", escaped(text))
    assert not re.search(r":[\w+-]+:|:material/|:\w+\[|https?://|www\.|@\w|\s(<->|->|<-|--|>=|<=|~=)\s", parsed)


def test_a_label_is_one_line_of_at_most_its_limit() -> None:
    assert escaped("a\n\n b\tc\u2028d") == "a b c d"
    assert one_line("word " * 100, 20) == "word word word word\u2026"
    assert len(one_line("x" * 5_000_000, 200)) == 200
    assert one_line("", 5) == ""


def test_marks_that_hide_or_turn_text_are_gone() -> None:
    assert one_line("abc\u202egnp.exe\u200bx\x00y") == "abc gnp.exe x y"


def test_lines_of_a_whole_text_stay() -> None:
    assert escaped_lines("# a\n\n<b>") == "\\# a  \n\u00a0  \n\\<b\\>"


@given(st.text(), st.integers(1, 50))
def test_any_text_gives_a_short_printable_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit + 1
    assert "\n" not in line
    assert as_read(escaped(text, limit)).replace("\\", "") == line.replace("\\", "")
