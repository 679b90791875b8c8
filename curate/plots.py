"""Small SVG plots for reports: same figures in, same bytes out. Home of matplotlib."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from curate.palette import GRID, INK, QUIET, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.2
LONGEST_LABEL = 44


def bars(labels: Sequence[str], values: Sequence[float], *, xlabel: str, percent: bool = False) -> str:
    """Horizontal bars in the order given, each with its value; SVG text.

    Args:
        labels: one a bar.
        values: bar lengths; shares of 1 if `percent`.
        xlabel: the axis, with its unit.
        percent: write values as percentages.
    """
    figure, axes = _figure(rows=len(labels))
    scale = 100.0 if percent else 1.0
    drawn = axes.barh(_positions(labels), [value * scale for value in values], color=SERIES[0], height=0.64)
    texts = [f"{value:.1%}" if percent else _number(value) for value in values]
    axes.bar_label(drawn, texts, padding=4, color=QUIET, fontsize=8)
    axes.margins(x=0.12)
    return _finish(figure, axes, labels, xlabel)


def stacked(
    labels: Sequence[str],
    series: Mapping[str, Sequence[float]],
    *,
    xlabel: str,
    colors: Mapping[str, str] | None = None,
) -> str:
    """Horizontal bars split by series, with a legend; SVG text.

    Args:
        labels: one a bar.
        series: name -> one value a bar, drawn from left to right in this order.
        xlabel: the axis, with its unit.
        colors: name -> colour, e.g. `palette.TIER_COLORS`.
    """
    figure, axes = _figure(rows=len(labels), extra=0.45)
    left = [0.0] * len(labels)
    for index, (name, values) in enumerate(series.items()):
        color = (colors or {}).get(name, SERIES[index % len(SERIES)])
        axes.barh(_positions(labels), list(values), left=left, color=color, height=0.64, label=name)
        left = [start + value for start, value in zip(left, values, strict=True)]
    figure.legend(loc="upper center", ncols=min(6, max(1, len(series))), frameon=False, fontsize=8)
    return _finish(figure, axes, labels, xlabel, top=1 - 0.35 / figure.get_figheight())


def intervals(labels: Sequence[str], series: Mapping[str, Sequence[tuple[float, float, float]]], *, xlabel: str) -> str:
    """Points with error bars, the series below each other at each label; SVG text.

    Args:
        labels: one a row.
        series: name -> (value, low, high) of each row.
        xlabel: the axis, with its unit.
    """
    count = max(1, len(series))
    figure, axes = _figure(rows=len(labels) * count, extra=0.45 if count > 1 else 0.0)
    for index, (name, found) in enumerate(series.items()):
        shift = ((count - 1) / 2 - index) * 0.7 / count
        places = [place + shift for place in _positions(labels)]
        values = [value for value, _, _ in found]
        reach = [
            [max(0.0, value - low) for value, low, _ in found],
            [max(0.0, high - value) for value, _, high in found],
        ]
        color = SERIES[index % len(SERIES)]
        axes.errorbar(values, places, xerr=reach, fmt="o", color=color, markersize=4, capsize=3, label=name)
    axes.set_ylim(-0.6, len(labels) - 0.4)
    axes.margins(x=0.08)
    if count == 1:
        return _finish(figure, axes, labels, xlabel)
    figure.legend(loc="upper center", ncols=min(6, count), frameon=False, fontsize=8)
    return _finish(figure, axes, labels, xlabel, top=1 - 0.35 / figure.get_figheight())


def curves(
    series: Mapping[str, Sequence[float | None]],
    *,
    xlabel: str,
    ylabel: str,
    colors: Mapping[str, str] | None = None,
) -> str:
    """How figures went over steps, each with its mean of some steps around it over the single ones; SVG text.

    Args:
        series: name -> one value a step, None where there is none.
        xlabel: the steps.
        ylabel: the figures, with their unit.
        colors: name -> colour, e.g. `palette.TIER_COLORS`.
    """
    figure, axes = _figure(rows=9, extra=0.45)
    last = max((len(values) for values in series.values()), default=1)
    for index, (name, values) in enumerate(series.items()):
        color = (colors or {}).get(name, SERIES[index % len(SERIES)])
        found = [(step, value) for step, value in enumerate(values, 1) if value is not None]
        steps, single = [step for step, _ in found], [value for _, value in found]
        axes.plot(steps, single, color=color, linewidth=0.8, alpha=0.35)
        axes.plot(steps, _smooth(single), "o-" if len(found) == 1 else "-", color=color, markersize=4, label=name)
    axes.set_xlim(0.5, last + 0.5)
    axes.set_ylabel(ylabel, color=QUIET, fontsize=8)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_locator(_whole_ticks())
    if series:
        figure.legend(loc="upper center", ncols=min(6, len(series)), frameon=False, fontsize=8)
    return _finish(figure, axes, None, xlabel, top=1 - 0.35 / figure.get_figheight())


def _smooth(values: Sequence[float]) -> list[float]:
    """The mean of each value and those beside it, a twentieth of all to each side."""
    reach = max(1, len(values) // 20)
    parts = [values[max(0, at - reach) : at + reach + 1] for at in range(len(values))]
    return [sum(part) / len(part) for part in parts]


def histogram(values: Sequence[float], *, xlabel: str, bins: int = 30) -> str:
    """How often which value occurs; SVG text.

    Args:
        values: one a trajectory, turn, ...
        xlabel: the axis, with its unit.
        bins: number of equally wide bins, at most.
    """
    figure, axes = _figure(rows=6)
    if len(values):
        axes.hist(list(values), bins=_edges(values, bins), color=SERIES[0], rwidth=0.92)
    if all(float(value).is_integer() for value in values):
        axes.xaxis.set_major_locator(_whole_ticks())
    axes.set_ylabel("count", color=QUIET, fontsize=8)
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    return _finish(figure, axes, None, xlabel)


def calibration(
    promised: Sequence[float],
    series: Mapping[str, Sequence[float]],
    counts: Sequence[int],
    *,
    xlabel: str,
    ylabel: str,
) -> str:
    """What came true over what was promised, with the diagonal of an honest promise; SVG text.

    Args:
        promised: mean promise of each bin, 0 to 1, rising.
        series: name -> what came true in each bin, 0 to 1.
        counts: answers in each bin, written below the axis of its point.
        xlabel: the promise.
        ylabel: what came true.
    """
    figure, axes = _figure(rows=11, extra=0.45)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle="--", label="honest")
    for index, (name, values) in enumerate(series.items()):
        axes.plot(list(promised), list(values), color=SERIES[index % len(SERIES)], marker="o", markersize=5, label=name)
    for at, (x, count) in enumerate(zip(promised, counts, strict=True)):
        axes.text(x, -0.09 - 0.06 * (at % 2), f"{count:,}", ha="center", color=QUIET, fontsize=7)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.2, 1.05))
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_ylabel(ylabel, color=QUIET, fontsize=8)
    axes.grid(color=GRID, linewidth=0.8)
    figure.legend(loc="upper center", ncols=min(6, 1 + len(series)), frameon=False, fontsize=8)
    return _finish(figure, axes, None, xlabel, top=1 - 0.35 / figure.get_figheight())


def _edges(values: Sequence[float], bins: int) -> list[float] | int:
    """Edges half-way between whole numbers where all values are whole, so that no bin holds more of them by chance."""
    if not all(float(value).is_integer() for value in values):
        return bins
    low, high = int(min(values)), int(max(values))
    step = (high - low) // bins + 1
    return [low - 0.5 + step * index for index in range((high - low) // step + 2)]


def _figure(rows: int, extra: float = 0.0) -> tuple[Figure, Axes]:
    pyplot = _pyplot()
    figure, axes = pyplot.subplots(figsize=(WIDTH, 0.7 + extra + 0.27 * max(rows, 1)))
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(colors=QUIET, labelsize=8, length=0)
    return figure, axes


def _positions(labels: Sequence[str]) -> list[int]:
    return list(range(len(labels) - 1, -1, -1))


def _finish(figure: Figure, axes: Axes, labels: Sequence[str] | None, xlabel: str, top: float = 1.0) -> str:
    axes.set_xlabel(xlabel, color=QUIET, fontsize=8)
    if labels is not None:
        axes.set_yticks(_positions(labels), [_short(label) for label in labels], color=INK, fontsize=8)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
    buffer = io.StringIO()
    with warnings.catch_warnings():
        # A label in a script that our one font lacks is drawn as boxes; the report's tables have it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.tight_layout(rect=(0, 0, 1, top))
        figure.savefig(buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    _pyplot().close(figure)
    svg = buffer.getvalue()
    return svg[svg.index("<svg") :]


def _short(label: str) -> str:
    """A label that fits its column."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def _whole_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(integer=True)


@cache
def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update(
        {"svg.hashsalt": "cacherl", "svg.fonttype": "path", "font.family": "DejaVu Sans", "text.parse_math": False}
    )
    from matplotlib import pyplot

    return pyplot
