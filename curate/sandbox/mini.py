"""The mini desk: five tools, one order per customer, a closed vocabulary: a tiny model can learn it on two cores.

A write answers `done`; the refund code and the new price can be had only by a fresh `get`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from curate.sandbox.spec import Field, Preset, Tool, ToolFailure

if TYPE_CHECKING:
    from curate.sandbox.world import World

CATEGORIES: Final = ("tent", "boot", "lamp", "pack", "coat", "stove")
CUSTOMERS: Final = tuple(f"c{n:02d}" for n in range(32))
ORDERS: Final = tuple(f"o{n:02d}" for n in range(40))
ITEMS: Final = tuple(f"i{n:02d}" for n in range(24))
PRICES: Final = tuple(f"p{n:02d}" for n in range(32))
REFUNDS: Final = tuple(f"r{n:02d}" for n in range(32))
STATUSES: Final = ("pending", "shipped", "delivered", "cancelled", "waiting")
KINDS: Final = ("STATUS", "CANCEL", "CHANGE")
_FIELDS: Final = ("customer_id", "order_id", "item_id", "category", "status", "price", "refund_code", "items", "stock")
_WORDS: Final = ("result", "done", "in", "out", "refused", "Error", "unknown", "tool", "invalid", "arguments")
_TOOL_NAMES: Final = ("find", "get", "list", "cancel", "change")
VOCABULARY: Final = (
    *KINDS, *_TOOL_NAMES, *_FIELDS, *_WORDS, *STATUSES, *CATEGORIES, *CUSTOMERS, *ORDERS, *ITEMS, *PRICES, *REFUNDS,
)  # fmt: skip
"""Every word that user turns, calls, results and answers of the mini desk are made of."""

POLICY: Final = """You are a mini desk. A request is KIND customer item category.
STATUS: answer the status of the customer's order.
CANCEL: cancel a pending order, then answer its refund_code; answer refused if it is not pending.
CHANGE: change a pending order to the item if the category's list says it is in, then answer the new price;
answer refused if the order is not pending or the item is out."""

Json = dict[str, Any]


def category_of(item_id: str) -> str:
    """The category that an item belongs to."""
    return CATEGORIES[int(item_id[1:]) // 4]


def build(seed: int) -> dict[str, list[tuple[Any, ...]]]:
    """Draw the rows of one start state."""
    rng = random.Random(f"mini-state|{seed}")
    orders = rng.sample(ORDERS, len(CUSTOMERS))
    rows = []
    for order_id, customer_id in zip(orders, CUSTOMERS, strict=True):
        status = "pending" if rng.random() < 0.65 else rng.choice(("shipped", "delivered"))
        rows.append((order_id, customer_id, rng.choice(ITEMS), status, rng.choice(PRICES), None))
    items = [(item, category_of(item), "in" if rng.random() < 0.7 else "out") for item in ITEMS]
    return {"orders": rows, "items": items}


def find(world: World, customer_id: str) -> Json:
    """Find a customer's one order."""
    rows = world.rows("orders", customer_id=customer_id)
    if not rows:
        raise ToolFailure("unknown customer_id")
    return {"customer_id": customer_id, "order_id": rows[0]["order_id"]}


def get(world: World, order_id: str) -> Json:
    """Show an order as it stands now."""
    row = _order(world, order_id)
    shown = {name: row[name] for name in ("order_id", "item_id", "status", "price")}
    return {**shown, "refund_code": row["refund_code"]} if row["refund_code"] else shown


def list_items(world: World, category: str) -> Json:
    """List a category's items and whether each is in."""
    rows = world.rows("items", category=category)
    return {"category": category, "items": [{"item_id": row["item_id"], "stock": row["stock"]} for row in rows]}


def _order(world: World, order_id: str, status: str | None = None) -> Json:
    row = world.row("orders", order_id)
    if row is None:
        raise ToolFailure("unknown order_id")
    if status and row["status"] != status:
        raise ToolFailure(f"status {row['status']}")
    return row


def cancel(world: World, order_id: str) -> Json:
    """Cancel a pending order."""
    _order(world, order_id, "pending")
    code = REFUNDS[world.draw("refund", order_id) % len(REFUNDS)]
    world.update("orders", order_id, status="cancelled", refund_code=code)
    return {"order_id": order_id, "result": "done"}


def change(world: World, order_id: str, item_id: str) -> Json:
    """Change a pending order to another item; one that is out leaves the order waiting."""
    row = _order(world, order_id, "pending")
    item = world.row("items", item_id)
    if item is None:
        raise ToolFailure("unknown item_id")
    step = 1 + world.draw("price", order_id, item_id) % (len(PRICES) - 1)
    price = PRICES[(PRICES.index(row["price"]) + step) % len(PRICES)]
    status = "pending" if item["stock"] == "in" else "waiting"
    world.update("orders", order_id, item_id=item_id, price=price, status=status)
    return {"order_id": order_id, "item_id": item_id, "result": "done"}


_ORDER_ID: Final = {"order_id": Field("the order", enum=ORDERS)}
TOOLS: Final = {
    tool.name: tool
    for tool in (
        Tool("find", "read", "Find a customer's order.", {"customer_id": Field("who", enum=CUSTOMERS)}, find),
        Tool("get", "read", "Show an order.", _ORDER_ID, get),
        Tool("list", "read", "List a category.", {"category": Field("which", enum=CATEGORIES)}, list_items),
        Tool("cancel", "write", "Cancel an order.", _ORDER_ID, cancel),
        Tool("change", "write", "Change an order.", {**_ORDER_ID, "item_id": Field("to", enum=ITEMS)}, change),
    )
}

MINI: Final = Preset(
    name="mini",
    env_id="desk-mini",
    tables={
        "orders": ("order_id", "customer_id", "item_id", "status", "price", "refund_code"),
        "items": ("item_id", "category", "stock"),
    },
    indexes=(("orders", "customer_id"), ("items", "category")),
    unjudged=frozenset(),
    tools=TOOLS,
    build=build,
)
