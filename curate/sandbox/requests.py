"""What customers of the full desk ask for: each builder finds one in a start state, with its gold calls."""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curate.sandbox import catalogue as cat

if TYPE_CHECKING:
    from curate.sandbox.world import World

Call = tuple[str, dict[str, Any]]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that a customer asks for.

    Args:
        kind: which builder made it.
        goal: the wish in words, for the task's instruction.
        asked: what the customer knows and can tell, by name.
        gold: the right calls after the customer is known; `$name` is a field of the result before.
        facts: what the answer must say.
        fresh: fields of the last gold result that the answer must say too.
    """

    kind: str
    goal: str
    asked: Mapping[str, Any]
    gold: tuple[Call, ...]
    facts: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()


class Ledger:
    """A start state's customers with their orders and lines, as task builders look at them."""

    def __init__(self, world: World) -> None:
        products = {row["product_id"]: row for row in world.all_rows("products")}
        self.by_name = {product.name: product for product in cat.PRODUCTS}
        self.items: dict[str, Json] = {}
        self.variants: dict[str, list[Json]] = {}
        for row in world.all_rows("items"):
            item = {**row, "name": products[row["product_id"]]["name"]}
            self.items[row["item_id"]] = item
            self.variants.setdefault(row["product_id"], []).append(item)
        self.orders = {row["order_id"]: {**row, "lines": []} for row in world.all_rows("orders")}
        for row in world.all_rows("lines"):
            self.orders[row["order_id"]]["lines"].append({**self.items[row["item_id"]], **row})
        self.customers = [{**row, "orders": []} for row in world.all_rows("customers")]
        by_id = {row["customer_id"]: row for row in self.customers}
        for order in self.orders.values():
            by_id[order["customer_id"]]["orders"].append(order)
        self.slots = [row for row in world.all_rows("slots") if not row["taken"]]
        self.expected = {row["tracking_number"]: row["expected_on"] for row in world.all_rows("parcels")}


def _pick(customer: Json, rng: random.Random, used: set[str], fits: Callable[[Json], object]) -> Json | None:
    orders = [order for order in customer["orders"] if order["order_id"] not in used and fits(order)]
    if not orders:
        return None
    order: Json = rng.choice(orders)
    used.add(order["order_id"])
    return order


def _about(order: Json, **more: Any) -> Json:
    """What a customer knows of an order: its number and a product in it."""
    return {"order_id": order["order_id"], "product": order["lines"][0]["name"], **more}


def _get(order: Json) -> Call:
    return ("get_order", {"order_id": order["order_id"]})


def _label(order: Json) -> str:
    return f"your order {order['order_id']} (with the {order['lines'][0]['name']})"


def _variant(item: Json) -> str:
    """Colour and size in words; the size of what comes in one size only is left out."""
    return str(item["colour"]) if item["size"] == "standard" else f"{item['colour']}, size {item['size']}"


def _article(query: str) -> str:
    """`some` before a plural, else `a` or `an`."""
    head = re.split(r" (?:with|for|of|to) ", query)[0]
    if head.endswith("s"):
        return "some"
    return "an" if head[0] in "aeiou" else "a"


def _age(order: Json) -> int:
    """Days since an order was delivered."""
    return (datetime.date.fromisoformat(cat.TODAY) - datetime.date.fromisoformat(order["due_on"])).days


def status(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Where an order is and when it comes: the carrier knows for shipped ones, the order for the others."""
    order = _pick(customer, rng, used, lambda each: each["status"] in ("shipped", "processing"))
    if order is None:
        return None
    gold, fact = [_get(order)], order["due_on"]
    if order["status"] == "shipped":
        gold.append(("track_parcel", {"tracking_number": order["tracking_number"]}))
        fact = ledger.expected[order["tracking_number"]]
    goal = f"You want to know when {_label(order)} will arrive."
    return Request("status", goal, _about(order), tuple(gold), (fact,))


def cancel(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Cancel an order that is processing."""
    order = _pick(customer, rng, used, lambda each: each["status"] == "processing")
    if order is None:
        return None
    reason = rng.choice(cat.CANCEL_REASONS)
    write: Call = ("cancel_order", {"order_id": order["order_id"], "reason": reason})
    goal = f"You want to cancel {_label(order)} (reason: {reason}) and to know the refund code."
    return Request(
        "cancel", goal, _about(order, reason=reason), (_get(order), write, _get(order)), (), ("refund_code",)
    )


def cancel_refused(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Cancel an order that has left: must be refused."""
    order = _pick(customer, rng, used, lambda each: each["status"] in ("shipped", "delivered"))
    if order is None:
        return None
    asked = _about(order, reason=rng.choice(cat.CANCEL_REASONS))
    goal = f"You want to cancel {_label(order)} (reason: {asked['reason']}); you accept a refusal."
    return Request("cancel_refused", goal, asked, (_get(order),), (order["status"],))


def _change(
    ledger: Ledger, customer: Json, rng: random.Random, used: set[str], in_stock: bool
) -> tuple[Json, Json, Json] | None:
    """An order, a line of it and another variant that is, or is not, in stock."""

    def options(order: Json) -> list[tuple[Json, Json]]:
        return [
            (line, item)
            for line in order["lines"]
            for item in ledger.variants[line["product_id"]]
            if item["item_id"] != line["item_id"] and (item["stock"] > 0) == in_stock
        ]

    order = _pick(customer, rng, used, lambda each: each["status"] == "processing" and options(each))
    return None if order is None else (order, *rng.choice(options(order)))


def change(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Change an item of a processing order to a variant in stock."""
    return _change_request(ledger, _change(ledger, customer, rng, used, in_stock=True), "change")


def change_refused(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Change an item to a variant that is out of stock: must be refused."""
    return _change_request(ledger, _change(ledger, customer, rng, used, in_stock=False), "change_refused")


def _change_request(ledger: Ledger, found: tuple[Json, Json, Json] | None, kind: str) -> Request | None:
    if found is None:
        return None
    order, line, item = found
    asked = _about(order, colour=item["colour"], size=item["size"]) | {"product": line["name"]}
    reads = (_get(order), ("get_product", {"product_id": line["product_id"]}))
    goal = f"You want the {line['name']} in your order {order['order_id']} in {_variant(item)}"
    if kind == "change_refused":
        return Request(kind, f"{goal}; if that cannot be had you leave it.", asked, reads, ("out of stock|sold out",))
    write: Call = (
        "change_item",
        {"order_id": order["order_id"], "item_id": line["item_id"], "new_item_id": item["item_id"]},
    )
    return Request(kind, f"{goal}, and to know the new total.", asked, (*reads, write, _get(order)), (), ("total",))


def address(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Send a processing order to another address."""
    order = _pick(customer, rng, used, lambda each: each["status"] == "processing")
    if order is None:
        return None
    place = {
        "street": f"{rng.choice(cat.STREETS)} {rng.randrange(1, 180)}",
        "city": rng.choice(cat.CITIES),
        "postcode": f"{rng.randrange(1000, 9999)} {''.join(rng.choices('ABCDEFGH', k=2))}",
    }
    write: Call = ("change_address", {"order_id": order["order_id"], **place})
    where = f"{place['street']}, {place['postcode']} {place['city']}"
    goal = f"You want {_label(order)} sent to {where}, and to know the new delivery date."
    asked = _about(order, **place)
    return Request("address", goal, asked, (_get(order), write, _get(order)), (), ("delivery_on",))


def returning(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Return an item of a delivered order in time."""
    order = _pick(
        customer,
        rng,
        used,
        lambda each: each["status"] == "delivered" and _age(each) <= 30 and not each["lines"][0]["final_sale"],
    )
    if order is None:
        return None
    write: Call = ("return_items", {"order_id": order["order_id"], "item_ids": [order["lines"][0]["item_id"]]})
    goal = (
        f"You want to return the {order['lines'][0]['name']} of your order {order['order_id']}: what code, what refund?"
    )
    gold = (_get(order), write, _get(order))
    return Request("return", goal, _about(order), gold, (), ("return_code", "refund_amount"))


def return_refused(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Return an item that is final sale, or too late: must be refused."""
    order = _pick(
        customer,
        rng,
        used,
        lambda each: each["status"] == "delivered" and (_age(each) > 30 or each["lines"][0]["final_sale"]),
    )
    if order is None:
        return None
    facts = ("final sale|30 days",)
    goal = (
        f"You want to return the {order['lines'][0]['name']} of your order {order['order_id']}; you accept a refusal."
    )
    return Request("return_refused", goal, _about(order), (_get(order),), facts)


def search(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Ask what a product, known only by a description, costs in one colour and size."""
    variants = ledger.variants[rng.choice(list(ledger.variants))]
    item = rng.choice(variants)
    product = ledger.by_name[item["name"]]
    query = rng.choice(product.asked_as)
    variant = {"colour": item["colour"], "size": item["size"]}
    asked = {"query": query, "article": _article(query), **variant, "product": product.name}
    gold: tuple[Call, ...] = (
        ("search_products", {"query": query}),
        ("get_product", {"product_id": item["product_id"]}),
    )
    fact = f"{item['cents'] / 100:.2f}" if item["stock"] else "out of stock|sold out"
    goal = f"You look for {asked['article']} {query} in {_variant(item)}, and ask what it costs."
    return Request("search", goal, asked, gold, (product.name, fact))


def spend(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Ask what all orders that are not cancelled cost together."""
    totals = [
        sum(line["cents"] for line in order["lines"]) / 100
        for order in customer["orders"]
        if order["status"] != "cancelled"
    ]
    gold: tuple[Call, ...] = (
        ("list_orders", {"customer_id": customer["customer_id"]}),
        ("calculate", {"expression": " + ".join(f"{total:.2f}" for total in totals)}),
    )
    goal = "You want to know what all your orders that are not cancelled cost together."
    return Request("spend", goal, {}, gold, (f"{sum(totals):.2f}",))


def booking(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Book the first free workshop slot of a day for a service."""
    service, day = rng.choice(cat.SERVICES), rng.choice(cat.DAYS)
    free = sorted(
        (slot["time"], slot["slot_id"]) for slot in ledger.slots if (slot["service"], slot["day"]) == (service, day)
    )
    if not free:
        return None
    time, slot_id = free[0]
    gold: tuple[Call, ...] = (
        ("list_slots", {"service": service, "day": day}),
        ("book_slot", {"customer_id": customer["customer_id"], "slot_id": slot_id}),
        ("get_appointment", {"appointment_id": "$appointment_id"}),
    )
    goal = f"You want the earliest free workshop slot on {day} for {service}, and to know the drop-off code."
    return Request("book", goal, {"service": service, "day": day}, gold, (time,), ("drop_off_code",))


def other_order(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Ask about, or cancel, somebody else's order: must be refused."""
    others = [order for order in ledger.orders.values() if order["customer_id"] != customer["customer_id"]]
    order = rng.choice(others)
    relation = rng.choice(("my brother", "my flatmate", "my neighbour", "a colleague", "my mother", "my partner"))
    asked = {**_about(order), "relation": relation}
    goal = f"You want {relation.replace('my', 'your')}'s order {order['order_id']} cancelled; you accept a refusal."
    return Request("other_order", goal, asked, (_get(order),), ("account",))


def complaint(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    """Complain about a damaged item: a person's matter."""
    order = _pick(customer, rng, used, lambda each: each["status"] == "delivered")
    if order is None:
        return None
    damage = rng.choice(
        ("a torn seam", "a broken buckle", "a crack", "a stuck zip", "a missing part", "deep scratches")
    )
    goal = (
        f"The {order['lines'][0]['name']} of your order {order['order_id']} came with {damage}; you want compensation."
    )
    gold: tuple[Call, ...] = (("transfer_to_human", {"summary": f"{order['order_id']}: {damage}"}),)
    return Request("complaint", goal, _about(order, damage=damage), gold)


Builder = Callable[[Ledger, Any, random.Random, set[str]], Request | None]


def _multi(ledger: Ledger, customer: Json, rng: random.Random, used: set[str]) -> Request | None:
    raise AssertionError("several requests are put together by tasks.py")


KINDS: dict[str, tuple[int, Builder]] = {
    "status": (9, status),
    "cancel": (10, cancel),
    "cancel_refused": (6, cancel_refused),
    "change": (11, change),
    "change_refused": (5, change_refused),
    "address": (9, address),
    "return": (9, returning),
    "return_refused": (6, return_refused),
    "search": (7, search),
    "spend": (4, spend),
    "book": (8, booking),
    "other_order": (4, other_order),
    "complaint": (4, complaint),
    "multi": (16, _multi),
}
"""Weight and builder of every task kind."""

MULTI_KINDS = ("status", "cancel", "change", "address", "return", "book", "search", "return_refused")
