"""One typeface, quiet colours, light and dark: what Streamlit is told of looks, and the tiers' colours on a page."""

from __future__ import annotations

from functools import cache
from typing import Any

from PIL.Image import Image, new

from curate.palette import SERIES, TIER_COLORS

FONT = "system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, 'SFMono-Regular', 'DejaVu Sans Mono', monospace"
LIGHT = {
    "primaryColor": "#0072B2",
    "backgroundColor": "#ffffff",
    "secondaryBackgroundColor": "#f4f6f8",
    "textColor": "#22303c",
    "borderColor": "#dde3e8",
    "redBackgroundColor": "#ffd9d4",
    "greenBackgroundColor": "#cdeedd",
}
DARK = {
    "primaryColor": "#2b8ac9",
    "backgroundColor": "#12181e",
    "secondaryBackgroundColor": "#1c242c",
    "textColor": "#dfe6ec",
    "borderColor": "#33404b",
}
DARK_TEXT = ("#0072B2",)
"""Tier colours that white text can be read on; on the others it is dark."""


def theme_options() -> dict[str, Any]:
    """Options of Streamlit's configuration."""
    plain: dict[str, Any] = {
        "theme.font": FONT,
        "theme.codeFont": MONO,
        "theme.baseFontSize": 15,
        "theme.baseRadius": "small",
        "theme.showWidgetBorder": True,
        "theme.chartCategoricalColors": list(SERIES),
    }
    light = {f"theme.light.{name}": value for name, value in LIGHT.items()}
    dark = {f"theme.dark.{name}": value for name, value in DARK.items()}
    return {**plain, **light, **dark}


@cache
def tab_icon() -> Image:
    """The icon of a browser's tab, 32 x 32: three bars. A named icon would be fetched from outside."""
    picture = new("RGB", (32, 32), "white")
    for place, tier in enumerate(("exact", "fuzzy", "best_effort")):
        picture.paste(TIER_COLORS[tier], (3, 4 + 9 * place, 29 - 6 * place, 10 + 9 * place))
    return picture


def ink_on(tier: str) -> str:
    """The colour of text on a tier's colour."""
    return "#ffffff" if TIER_COLORS[tier] in DARK_TEXT else "#12181e"
