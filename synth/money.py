"""Money as whole nano-dollars: sums are exact whatever their order, and a figure in a record reads back alike."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

NANO = 1_000_000_000
"""Nano-dollars in a dollar; a token at $0.05 a million costs 50 of them."""


def nano(usd: float | Decimal) -> int:
    """Nano-dollars of an amount in dollars; what is left of one is rounded up."""
    if isinstance(usd, Decimal):
        return int((usd * NANO).to_integral_value(ROUND_CEILING))
    return round(usd * NANO)


def dollars(amount: int) -> float:
    """Dollars of an amount in nano-dollars, for records and reports; `nano` gives the same amount back."""
    return amount / NANO
