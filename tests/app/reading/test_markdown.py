"""Markdown of a trajectory: it is set, but nothing in it can act."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.reading.markdown import parts, safe
from tests.app.reading.rows import HOSTILE

ALLOWED = {"text", "softbreak", "hardbreak", "code_inline", "em_open", "em_close", "strong_open", "strong_close"}
ALLOWED |= {"link_open", "link_close", "s_open", "s_close"}
marks = st.sampled_from(
    [*"[]()<>!`$:&\\*_~#|-\n \t@", "javascript:", "https://a.b", "![", "](", "data:", "<img src=x>", "x"]
)
hostile_texts = st.lists(marks, max_size=40).map("".join)


def acting(markdown: str) -> list[str]:
    """What a renderer would do that it must not; HTML is let through so that it would show."""
    found = []
    for block in MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(markdown):
        if block.type == "html_block":
            found.append(block.content)
        for token in block.children or []:
            address = str(token.attrs.get("href", ""))
            if token.type not in ALLOWED or (address and not address.startswith(("http://", "https://"))):
                found.append(f"{token.type} {token.content} {address}")
    return found


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_is_shown_and_does_nothing(text: str) -> None:
    assert acting(safe(text)) == []
    parsed = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", safe(text))
    assert not re.search(r":[\w+-]+:|:material/|:\w+(-\w+)?\[|(?<!\()https?://|www\.|@\w", parsed)
    assert not re.search(r"(?<!\\)\$", safe(text))


@given(hostile_texts)
def test_no_mixture_of_marks_acts(text: str) -> None:
    for part in parts(text):
        if not part.code:
            assert acting(part.text) == []
            assert not re.search(r"(?<!\\)(\\\\)*[$!<]", part.text)


def test_a_link_to_the_web_stays_and_an_image_is_none() -> None:
    assert safe("see [the *docs*](https://a.example/x?y=1)") == r"see [the \*docs\*](https://a.example/x?y=1)"
    assert "](https" not in safe("![x](https://a.example/x.png)").replace("\\]", "")
    assert "](file" not in safe("[x](file:///etc/passwd)").replace("\\]", "")


def test_emphasis_lists_quotes_and_code_are_set() -> None:
    assert safe("# Title #\n\n- **a**\n> b\n\n`c = 1`") == "##### Title\n\n- **a**\n> b\n\n`c = 1`"


def test_code_blocks_stand_apart_as_they_are() -> None:
    text = "before\n```html\n<script>alert(1)</script>\n```\nafter <b>"
    assert list(parts(text)) == [("before", False), ("<script>alert(1)</script>", True), ("after \\<b\\>", False)]
    assert list(parts("~~~\nopen <i>")) == [("open <i>", True)]
    assert list(parts("")) == []


def test_a_megabyte_of_marks_is_rendered_in_time() -> None:
    for mark in ("[", "`", "[](", "> ", "!["):
        assert len(safe(mark * (1_000_000 // len(mark)))) >= 1_000_000
