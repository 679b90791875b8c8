"""report.md taken apart into headings, paragraphs and tables, so that a page shows its text and renders nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

MAX_ROWS = 2_000
_RULE = re.compile(r"[|\s:-]+")
_ESCAPE = re.compile(r"\\([\\|\[\]*`])")


@dataclass(frozen=True)
class Heading:
    """A title (level 1) or the name of a section."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    caption: str
    frame: pl.DataFrame


Part: TypeAlias = Heading | Paragraph | Table


def parts(markdown: str) -> list[Part]:
    """The parts of a report as `curate.report` writes it; any other Markdown becomes paragraphs."""
    return list(_parts(markdown.split("\n\n")))


def _parts(blocks: Sequence[str]) -> Iterator[Part]:
    caption = ""
    for block in blocks:
        text = block.strip("\n")
        if not text or text.startswith("*Plot in report.html"):
            continue
        if text.startswith("**") and text.endswith("**") and "\n" not in text:
            caption = _plain(text.strip("*"))
        elif text.startswith("|") and "\n" in text:
            yield Table(caption, _frame(text.split("\n")))
            caption = ""
        elif text.startswith("#"):
            level = min(len(text) - len(text.lstrip("#")), 4)
            yield Heading(level, _plain(text.lstrip("# ")))
        else:
            yield Paragraph(_plain(text))


def _frame(lines: Sequence[str]) -> pl.DataFrame:
    headers = _unique(_cells(lines[0]))
    begin = 2 if _RULE.fullmatch(lines[1]) else 1
    rows = [_cells(line) for line in lines[begin : begin + MAX_ROWS]]
    fitted = [(row + [""] * len(headers))[: len(headers)] for row in rows]
    return pl.DataFrame(fitted, schema=dict.fromkeys(headers, pl.String), orient="row")


def _unique(headers: Sequence[str]) -> list[str]:
    return [name if name not in headers[:at] else f"{name} ({at + 1})" for at, name in enumerate(headers)]


def _cells(line: str) -> list[str]:
    cells, cell, escaped = [], "", False
    for sign in line.strip().removeprefix("|").removesuffix("|"):
        if sign == "|" and not escaped:
            cells.append(cell)
            cell = ""
        else:
            cell += sign
        escaped = sign == "\\" and not escaped
    return [_plain(each.strip()) for each in [*cells, cell]]


def _plain(text: str) -> str:
    """Text as it was before `curate.report` escaped it."""
    return _ESCAPE.sub(r"\1", text).replace("&lt;", "<").replace("&amp;", "&")
