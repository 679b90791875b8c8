"""A report of one command's run: paragraphs, tables and plots as Markdown and as one self-contained HTML file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from curate.palette import GRID, INK, QUIET

_TEMPLATE = Path(__file__).with_name("report.html.j2")

_MARKDOWN = re.compile(r"[\\|\[\]*`]")

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True)
class _Text:
    text: str


@dataclass(frozen=True)
class _Heading:
    text: str


@dataclass(frozen=True)
class _Table:
    caption: str
    headers: list[str]
    rows: list[list[Cell]]


@dataclass(frozen=True)
class _Plot:
    caption: str
    svg: str


class Report:
    """Collects the parts of a report in order; everything given to it is text, escaped in HTML, but plots' SVG."""

    def __init__(self, title: str) -> None:
        self.title = title
        self._parts: list[_Text | _Heading | _Table | _Plot] = []

    def heading(self, text: str) -> None:
        """Begin a section."""
        self._parts.append(_Heading(text))

    def text(self, paragraph: str) -> None:
        """Add a paragraph of plain text."""
        self._parts.append(_Text(paragraph))

    def table(self, caption: str, headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
        """Add a table; integers and floats are aligned right, floats shown with four significant digits."""
        self._parts.append(_Table(caption, list(headers), [list(row) for row in rows]))

    def plot(self, caption: str, svg: str) -> None:
        """Add a plot made by `curate.plots`; Markdown names it and leaves the picture to the HTML."""
        self._parts.append(_Plot(caption, svg))

    def markdown(self) -> str:
        """The report as GitHub Markdown."""
        blocks = [f"# {_plain(self.title)}"]
        for part in self._parts:
            if isinstance(part, _Heading):
                blocks.append(f"## {_plain(part.text)}")
            elif isinstance(part, _Text):
                blocks.append(_plain(part.text))
            elif isinstance(part, _Plot):
                blocks.append(f"*Plot in report.html: {_plain(part.caption)}.*")
            else:
                blocks.append(_markdown_table(part))
        return "\n\n".join(blocks) + "\n"

    def html(self) -> str:
        """The report as one HTML file without scripts, fonts or pictures from elsewhere."""
        import jinja2

        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
        parts = [
            {
                "kind": type(part).__name__[1:].lower(),
                "part": part,
                "rows": _cells(part) if isinstance(part, _Table) else [],
            }
            for part in self._parts
        ]
        colors = {"ink": INK, "quiet": QUIET, "grid": GRID}
        return environment.from_string(_TEMPLATE.read_text()).render(title=self.title, parts=parts, **colors)


def text_table(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table for the terminal: columns aligned, numbers to the right."""
    body = [list(row) for row in rows]
    cells = [list(headers)] + [[" ".join(_cell(cell).splitlines()) for cell in row] for row in body]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    right = _numeric(len(headers), body)
    lines = ["  ".join(map(_aligned, row, widths, right)).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def _cells(table: _Table) -> list[list[tuple[str, bool]]]:
    """(text, whether its column is aligned right) of each cell."""
    numeric = _numeric(len(table.headers), table.rows)
    return [[(_cell(cell), right) for cell, right in zip(row, numeric, strict=True)] for row in table.rows]


def _numeric(columns: int, rows: Sequence[Sequence[Cell]]) -> list[bool]:
    """Which columns hold numbers only."""
    return [bool(rows) and all(row[i] is None or _is_number(row[i]) for row in rows) for i in range(columns)]


def _aligned(cell: str, width: int, right: bool) -> str:
    return cell.rjust(width) if right else cell.ljust(width)


def _markdown_table(table: _Table) -> str:
    numeric = _numeric(len(table.headers), table.rows)
    lines = [
        "| " + " | ".join(_plain(header) for header in table.headers) + " |",
        "| " + " | ".join("---:" if number else "---" for number in numeric) + " |",
    ]
    lines += ["| " + " | ".join(_plain(_cell(cell)) for cell in row) + " |" for row in table.rows]
    return f"**{_plain(table.caption)}**\n\n" + "\n".join(lines)


def _plain(text: str) -> str:
    """Text that Markdown shows as it stands: no table breaks, no HTML, no links or pictures."""
    escaped = _MARKDOWN.sub(r"\\\g<0>", " ".join(text.splitlines()))
    return escaped.replace("&", "&amp;").replace("<", "&lt;")


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    if isinstance(value, (bool, str)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def _is_number(value: Cell) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
