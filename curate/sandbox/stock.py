"""Start states of the full desk: customers, orders, stock and workshop slots, all drawn from one seed."""

from __future__ import annotations

import datetime
import random
from collections.abc import Mapping
from typing import Any

from curate.sandbox import catalogue as cat

Rows = list[tuple[Any, ...]]

TABLES: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer_id", "first_name", "last_name", "email", "street", "city", "postcode"),
    "payments": ("payment_id", "customer_id", "kind", "last4"),
    "products": ("product_id", "name", "category", "description"),
    "items": ("item_id", "product_id", "colour", "size", "cents", "stock"),
    "orders": (
        "order_id", "customer_id", "status", "placed_on", "due_on", "street", "city", "postcode", "payment_id",
        "tracking_number", "refund_code", "refund_cents", "adjustment_code", "return_code", "cancel_reason", "version",
    ),
    "lines": ("line_id", "order_id", "item_id", "cents", "final_sale", "state"),
    "parcels": ("tracking_number", "carrier", "hub", "expected_on"),
    "slots": ("slot_id", "service", "day", "time", "taken"),
    "appointments": ("appointment_id", "customer_id", "slot_id", "status", "drop_off_code"),
    "transfers": ("transfer_id", "summary"),
}  # fmt: skip

INDEXES = (
    ("customers", "email"),
    ("customers", "last_name"),
    ("payments", "customer_id"),
    ("items", "product_id"),
    ("orders", "customer_id"),
    ("lines", "order_id"),
    ("slots", "service"),
)

CUSTOMERS = 40
_TODAY = datetime.date.fromisoformat(cat.TODAY)
_NAMES = tuple((first, last) for first in cat.FIRST_NAMES for last in cat.LAST_NAMES)
_STATUSES = ("processing", "delivered", "shipped", "processing", "delivered", "cancelled")


def days_from_today(days: int) -> str:
    """The ISO date so many days after (or before) the desk's today."""
    return (_TODAY + datetime.timedelta(days=days)).isoformat()


def build(seed: int) -> dict[str, Rows]:
    """Draw the rows of one start state.

    Args:
        seed: the state's seed.

    Returns:
        The rows of every table.
    """
    rng = random.Random(f"desk-state|{seed}")
    tables: dict[str, Rows] = {name: [] for name in TABLES}
    variants = _products(rng, tables)
    customer_numbers = rng.sample(range(1000, 9999), CUSTOMERS)
    order_numbers = iter(rng.sample(range(10000, 99999), CUSTOMERS * 5))
    parcel_numbers = iter(rng.sample(range(1_000_000, 9_999_999), CUSTOMERS * 5))
    names = rng.sample(_NAMES, CUSTOMERS)
    for number, (first, last) in zip(customer_numbers, names, strict=True):
        customer_id = f"C-{number}"
        email = f"{first}.{last}{rng.randrange(10, 99)}@{rng.choice(('mailbox', 'postino', 'fjordnet'))}.example"
        home = (f"{rng.choice(cat.STREETS)} {rng.randrange(1, 180)}", rng.choice(cat.CITIES), _postcode(rng))
        tables["customers"].append((customer_id, first, last, email.lower(), *home))
        payment_id = f"PM-{number}{rng.randrange(10, 99)}"
        tables["payments"].append(
            (payment_id, customer_id, rng.choice(cat.PAYMENT_KINDS), f"{rng.randrange(10_000):04d}")
        )
        statuses = ["processing", "delivered", *rng.sample(_STATUSES, rng.randrange(1, 3))]
        bought = iter(rng.sample(variants, 2 * len(statuses)))
        for status in statuses:
            order_id = f"O-{next(order_numbers)}"
            tracking = f"TRK{next(parcel_numbers)}" if status in ("shipped", "delivered") else None
            _order(rng, tables, (order_id, customer_id, status, payment_id, tracking, home), bought)
    _slots(rng, tables)
    return tables


def _postcode(rng: random.Random) -> str:
    return f"{rng.randrange(1000, 9999)} {''.join(rng.choices('ABCDEFGHJKLMNPRSTVWXZ', k=2))}"


def _products(rng: random.Random, tables: dict[str, Rows]) -> list[list[tuple[str, int]]]:
    """Fill products and items; return (item_id, cents) lists, one per product."""
    product_ids = rng.sample(range(100, 999), len(cat.PRODUCTS))
    variants = []
    item_numbers = iter(rng.sample(range(1000, 9999), 400))
    for number, product in zip(product_ids, cat.PRODUCTS, strict=True):
        product_id = f"P-{number}"
        tables["products"].append((product_id, product.name, product.category, product.description))
        base = product.euros * 100 + rng.randrange(-8, 9) * 100
        kinds = []
        for colour in product.colours:
            for size in product.sizes:
                item = f"I-{next(item_numbers)}"
                cents = base + rng.randrange(0, 13) * 150
                stock = 0 if rng.random() < 0.3 else rng.randrange(1, 30)
                tables["items"].append((item, product_id, colour, size, cents, stock))
                kinds.append((item, cents))
        variants.append(kinds)
    return variants


def _order(rng: random.Random, tables: dict[str, Rows], head: tuple[Any, ...], bought: Any) -> None:
    """Add one order with one or two lines, of products that the customer has in no other order."""
    order_id, customer_id, status, payment_id, tracking, home = head
    age = {"processing": (1, 4), "shipped": (4, 9), "delivered": (8, 70), "cancelled": (10, 60)}[status]
    placed = rng.randrange(*age)
    due = rng.randrange(3, 9) if status in ("processing", "shipped") else -max(1, placed - rng.randrange(3, 7))
    due_on = None if status == "cancelled" else days_from_today(due)
    if tracking:
        arrives = due_on if status == "delivered" else days_from_today(rng.randrange(1, 6))
        tables["parcels"].append((tracking, rng.choice(cat.CARRIERS), rng.choice(cat.HUBS), arrives))
    codes = (None, None, None, None, None, 0)
    tables["orders"].append(
        (order_id, customer_id, status, days_from_today(-placed), due_on, *home, payment_id, tracking, *codes)
    )
    for number in range(rng.randrange(1, 3)):
        item, cents = rng.choice(next(bought))
        final_sale = int(rng.random() < 0.2)
        tables["lines"].append((f"{order_id}-{number + 1}", order_id, item, cents, final_sale, "ordered"))


def _slots(rng: random.Random, tables: dict[str, Rows]) -> None:
    numbers = iter(rng.sample(range(1000, 9999), 400))
    for service in cat.SERVICES:
        for day in cat.DAYS:
            for time in sorted(rng.sample(cat.TIMES, 6)):
                tables["slots"].append((f"SL-{next(numbers)}", service, day, time, int(rng.random() < 0.3)))
