"""The colours of every plot, report and page: tiers that colour-blind people can tell apart, quiet everything else."""

from __future__ import annotations

# Okabe & Ito, "Color Universal Design" (2008): distinguishable with the common forms of colour blindness.
TIER_COLORS = {
    "exact": "#0072B2",
    "normalised": "#56B4E9",
    "fuzzy": "#009E73",
    "best_effort": "#E69F00",
    "unavailable": "#999999",
    "simulated": "#CC79A7",
}
SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999", "#F0E442")
INK = "#22303c"
QUIET = "#5b6b7a"
GRID = "#e3e8ec"
