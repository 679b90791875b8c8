from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from curate import plots
from curate.report import Report, text_table

EVIL = '<script>alert("x")</script>|`a`*b*\\|[link](http://evil)\n# head'


def report() -> Report:
    made = Report(f"Title {EVIL}")
    made.heading(EVIL)
    made.text(EVIL)
    made.table(EVIL, [EVIL, "n"], [[EVIL, 1234567], [None, 0.5]])
    made.plot(EVIL, plots.bars([EVIL, "$x^2$"], [3, 1], xlabel=EVIL))
    return made


def test_html_shows_untrusted_text_as_text() -> None:
    html = report().html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 5


def test_html_needs_nothing_from_elsewhere() -> None:
    html = re.sub(r"<!--.*?-->", "", report().html(), flags=re.DOTALL)
    named = set(re.findall(r"""(?:src|href|xlink:href|url)\s*[=(]\s*["']?([^"')\s>]+)""", html))
    assert all(target.startswith("#") for target in named)
    addresses = {found for found in re.findall(r"https?://[^\s\"'<)\]&]+", html) if found != "http://evil"}
    assert all(address.startswith("http://www.w3.org/") for address in addresses)


def test_markdown_tables_hold_whatever_a_cell_says() -> None:
    text = report().markdown()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 4
    for line in lines:
        bare = re.sub(r"\\.", "", line)
        assert bare.count("|") == 3
    assert "<script" not in text
    assert "](" not in text.replace("\\](", "")
    assert "1,234,567" in text
    assert "\n# head" not in text


def test_the_same_report_gives_the_same_bytes() -> None:
    assert report().html() == report().html()


def test_a_table_for_the_terminal() -> None:
    assert text_table(["name", "n"], [["a\nb", 1000], ["c", None]]).splitlines() == [
        "name      n",
        "----  -----",
        "a b   1,000",
        "c         -",
    ]
    assert text_table(["name", "n"], []).splitlines() == ["name  n", "----  -"]


@pytest.mark.parametrize("labels", [["订单"], ["a" * 500], [""], []])
def test_plots_take_any_label_without_a_warning(labels: list[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plots.bars(labels, [1.0] * len(labels), xlabel="calls").startswith("<svg")


def test_other_plots() -> None:
    assert plots.histogram([], xlabel="n").startswith("<svg")
    assert plots.histogram([1, 2, 2], xlabel="n").startswith("<svg")
    assert plots.stacked(["t"], {"exact": [0.5], "fuzzy": [0.5]}, xlabel="share").startswith("<svg")


def test_the_reports_of_the_real_files(real_three: Path) -> None:
    html, markdown = (real_three / "report.html").read_text(), (real_three / "report.md").read_text()
    assert html.count("<svg") == 6
    for text in (html, markdown):
        assert "call_loop" in text
        assert "tau_bench_airline_gpt4o" in text
        assert "371" in text
    assert str(real_three.parent) not in html + markdown
