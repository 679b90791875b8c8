"""The full desk's tools that change nothing: reads, the calculator, thinking, the volatile and the failing one."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from curate.sandbox.spec import ToolFailure

if TYPE_CHECKING:
    from curate.sandbox.world import World

Json = dict[str, Any]

_WORD = re.compile(r"[a-z0-9]+")
_FILLER = frozenset("a an and the for of to in on with by any some i it is my do you have".split())
_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def prepare(world: World) -> None:
    """Keep what never changes beside the tables: variants, product names and their words for the search."""
    products = world.all_rows("products")
    world.extra["names"] = {each["product_id"]: each["name"] for each in products}
    world.extra["items"] = {each["item_id"]: each for each in world.all_rows("items")}
    world.extra["words"] = [
        (each["product_id"], frozenset(_words(f"{each['name']} {each['category']} {each['description']}")))
        for each in products
    ]


def _words(text: str) -> list[str]:
    """Words in lower case, plural s and filler dropped."""
    found = (word for word in _WORD.findall(text.lower()) if word not in _FILLER)
    return [word[:-1] if len(word) > 3 and word.endswith("s") else word for word in found]


def find_customer(
    world: World,
    email: str | None = None,
    first_name: str | None = None,
    last_name: str | None = None,
    postcode: str | None = None,
) -> Json:
    """Find one customer by email, or by full name and postcode."""
    if email is not None:
        found = world.rows("customers", email=email.strip().lower())
    elif first_name and last_name and postcode:
        wanted = (first_name.strip().lower(), postcode.replace(" ", "").lower())
        found = [
            row
            for row in world.rows("customers", last_name=last_name.strip())
            if (row["first_name"].lower(), row["postcode"].replace(" ", "").lower()) == wanted
        ]
    else:
        raise ToolFailure("find_customer needs an email, or first_name, last_name and postcode")
    if not found:
        raise ToolFailure("no customer matches")
    row = found[0]
    payments = world.rows("payments", customer_id=row["customer_id"])
    return {
        "customer_id": row["customer_id"],
        "name": f"{row['first_name']} {row['last_name']}",
        "email": row["email"],
        "address": {"street": row["street"], "city": row["city"], "postcode": row["postcode"]},
        "payment_methods": [{k: each[k] for k in ("payment_id", "kind", "last4")} for each in payments],
    }


def _total(lines: list[Json]) -> float:
    cents: int = sum([each["cents"] for each in lines])
    return cents / 100


def list_orders(world: World, customer_id: str, status: str | None = None) -> Json:
    """List a customer's orders with total and product names."""
    if world.row("customers", customer_id) is None:
        raise ToolFailure(f"no customer {customer_id}")
    names, items = world.extra["names"], world.extra["items"]
    orders = []
    for row in world.rows("orders", customer_id=customer_id):
        if status is not None and row["status"] != status:
            continue
        lines = world.rows("lines", order_id=row["order_id"])
        orders.append(
            {
                "order_id": row["order_id"],
                "status": row["status"],
                "placed_on": row["placed_on"],
                "products": [names[items[line["item_id"]]["product_id"]] for line in lines],
                "total": _total(lines),
            }
        )
    return {"customer_id": customer_id, "orders": orders}


def _line(world: World, line: Json) -> Json:
    item = world.extra["items"][line["item_id"]]
    return {
        "item_id": line["item_id"],
        "product_id": item["product_id"],
        "name": world.extra["names"][item["product_id"]],
        "colour": item["colour"],
        "size": item["size"],
        "price": line["cents"] / 100,
        "final_sale": bool(line["final_sale"]),
        "state": line["state"],
    }


def get_order(world: World, order_id: str) -> Json:
    """Show one order as it stands now."""
    row = world.row("orders", order_id)
    if row is None:
        raise ToolFailure(f"no order {order_id}")
    lines = world.rows("lines", order_id=order_id)
    order: Json = {name: row[name] for name in ("order_id", "customer_id", "status", "placed_on")}
    if row["due_on"] and row["status"] != "cancelled":
        order["delivered_on" if row["status"] in ("delivered", "return requested") else "delivery_on"] = row["due_on"]
    order["items"] = [_line(world, line) for line in lines]
    order["total"] = _total(lines)
    order["address"] = {name: row[name] for name in ("street", "city", "postcode")}
    for name in ("payment_id", "tracking_number", "refund_code", "adjustment_code", "return_code"):
        if row[name]:
            order[name] = row[name]
    if row["refund_cents"]:
        order["refund_amount"] = row["refund_cents"] / 100
    return order


def search_products(world: World, query: str, max_price: float | None = None) -> Json:
    """Rank products by the query's words; the five best."""
    wanted = set(_words(query))
    scored = [(-len(wanted & words), product_id) for product_id, words in world.extra["words"]]
    hits: list[Json] = []
    for score, product_id in sorted(scored):
        if score == 0 or len(hits) == 5:
            break
        prices = [each["cents"] for each in world.rows("items", product_id=product_id)]
        if max_price is None or min(prices) <= max_price * 100:
            name = world.extra["names"][product_id]
            hits.append({"product_id": product_id, "name": name, "price_from": min(prices) / 100})
    return {"query": query, "results": hits}


def get_product(world: World, product_id: str) -> Json:
    """Show one product with the stock and price of its variants."""
    row = world.row("products", product_id)
    if row is None:
        raise ToolFailure(f"no product {product_id}")
    variants = [
        {
            "item_id": each["item_id"],
            "colour": each["colour"],
            "size": each["size"],
            "price": each["cents"] / 100,
            "in_stock": each["stock"],
        }
        for each in world.rows("items", product_id=product_id)
    ]
    return {"product_id": product_id, "name": row["name"], "description": row["description"], "variants": variants}


def list_slots(world: World, service: str, day: str | None = None) -> Json:
    """List the workshop's free slots for a service."""
    wanted = {"service": service, "taken": 0} | ({"day": day} if day else {})
    free = [{name: each[name] for name in ("slot_id", "day", "time")} for each in world.rows("slots", **wanted)]
    free.sort(key=lambda slot: (slot["day"], slot["time"]))
    return {"service": service, "slots": free}


def get_appointment(world: World, appointment_id: str) -> Json:
    """Show one workshop appointment as it stands now."""
    row = world.row("appointments", appointment_id)
    slot = row and world.row("slots", row["slot_id"])
    if not row or not slot:
        raise ToolFailure(f"no appointment {appointment_id}")
    return {**row, "service": slot["service"], "day": slot["day"], "time": slot["time"]}


def track_parcel(world: World, tracking_number: str) -> Json:
    """Ask the carrier; its line times out up to twice for a parcel, on the schedule of the noise seed."""
    row = world.row("parcels", tracking_number)
    if row is None:
        raise ToolFailure(f"no parcel {tracking_number}")
    attempt = world.count(tracking_number)
    if (
        world.noise is not None
        and attempt < (0, 0, 0, 1, 1, 2)[world.draw("carrier", world.noise, tracking_number) % 6]
    ):
        raise ToolFailure("the carrier did not answer in time, try again")
    return {
        "tracking_number": tracking_number,
        "carrier": row["carrier"],
        "last_seen": row["hub"],
        "expected_on": row["expected_on"],
    }


def get_wait_time(world: World, team: str) -> Json:
    """Minutes until a person of that team is free; another figure at every call."""
    return {"team": team, "minutes": 2 + world.draw("queue", world.noise, team, world.count("queue")) % 45}


def calculate(world: World, expression: str) -> Json:
    """Work out a sum of + - * / and brackets, rounded to cents."""
    del world
    if len(expression) > 200:
        raise ToolFailure("the expression is longer than 200 characters")
    try:
        value = _value(ast.parse(expression.strip(), mode="eval").body)
    except (SyntaxError, ValueError, ZeroDivisionError, OverflowError, RecursionError, MemoryError):
        raise ToolFailure(f"cannot work out {expression!r}") from None
    return {"expression": expression, "value": round(value, 2)}


def _value(node: ast.AST) -> float:
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return float(_OPERATORS[type(node.op)](_value(node.left), _value(node.right)))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    raise ValueError("not arithmetic")


def think(world: World, thought: str) -> str:
    """Keep a thought; nothing happens."""
    del world, thought
    return "Noted."
