"""The full desk's tools that change rows. Codes, totals and dates that follow need a new read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from curate.sandbox.spec import ToolFailure
from curate.sandbox.stock import days_from_today

if TYPE_CHECKING:
    from curate.sandbox.world import World

Json = dict[str, Any]
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"


def _code(world: World, prefix: str, *parts: object) -> str:
    drawn = world.draw(prefix, *parts)
    return f"{prefix}-" + "".join(_LETTERS[drawn >> 5 * i & 31] for i in range(6))


def _order(world: World, order_id: str, status: str) -> Json:
    """Return an order that must have a status for the write to be allowed."""
    row = world.row("orders", order_id)
    if row is None:
        raise ToolFailure(f"no order {order_id}")
    if row["status"] != status:
        raise ToolFailure(f"order {order_id} is {row['status']}, not {status}")
    return row


def cancel_order(world: World, order_id: str, reason: str) -> Json:
    """Cancel an order that is still processing; the refund code appears on the order."""
    row = _order(world, order_id, "processing")
    cents = sum(line["cents"] for line in world.rows("lines", order_id=order_id))
    code = _code(world, "RF", order_id, row["version"])
    changes = {"status": "cancelled", "refund_code": code, "refund_cents": cents, "cancel_reason": reason}
    world.update("orders", order_id, **changes, version=row["version"] + 1)
    return {"order_id": order_id, "accepted": True, "note": "the refund is being registered"}


def change_item(world: World, order_id: str, item_id: str, new_item_id: str) -> Json:
    """Swap an item for another variant of the same product; the order shows its new total."""
    row = _order(world, order_id, "processing")
    line = next((each for each in world.rows("lines", order_id=order_id) if each["item_id"] == item_id), None)
    if line is None:
        raise ToolFailure(f"order {order_id} has no item {item_id}")
    old, new = world.row("items", item_id), world.row("items", new_item_id)
    if old is None or new is None:
        raise ToolFailure(f"no item {new_item_id}")
    if new["product_id"] != old["product_id"] or item_id == new_item_id:
        raise ToolFailure(f"item {new_item_id} is not another variant of the same product")
    if new["stock"] < 1:
        raise ToolFailure(f"item {new_item_id} is out of stock")
    rebate = world.draw("exchange", order_id, row["version"]) % 19 * 25
    world.update("lines", line["line_id"], item_id=new_item_id, cents=new["cents"] - rebate)
    world.update("items", new_item_id, stock=new["stock"] - 1)
    world.update("items", item_id, stock=old["stock"] + 1)
    code = _code(world, "AD", order_id, row["version"])
    world.update("orders", order_id, adjustment_code=code, version=row["version"] + 1)
    return {"order_id": order_id, "new_item_id": new_item_id, "accepted": True, "note": "the order is being repriced"}


def change_address(world: World, order_id: str, street: str, city: str, postcode: str) -> Json:
    """Send an order that is still processing elsewhere; the order shows its new delivery date."""
    row = _order(world, order_id, "processing")
    if (row["street"], row["city"], row["postcode"]) == (street, city, postcode):
        raise ToolFailure(f"order {order_id} already goes to that address")
    due = days_from_today(4 + world.draw("due", order_id, row["version"]) % 12)
    place = {"street": street, "city": city, "postcode": postcode}
    world.update("orders", order_id, **place, due_on=due, version=row["version"] + 1)
    return {"order_id": order_id, "accepted": True, "note": "the delivery is being planned anew"}


def return_items(world: World, order_id: str, item_ids: list[str]) -> Json:
    """Start the return of items of a delivered order; the order shows the return code and the refund."""
    row = _order(world, order_id, "delivered")
    lines = {each["item_id"]: each for each in world.rows("lines", order_id=order_id)}
    for item_id in item_ids:
        if item_id not in lines:
            raise ToolFailure(f"order {order_id} has no item {item_id}")
    cents = sum(lines[item_id]["cents"] for item_id in set(item_ids))
    fee = 195 + world.draw("fee", order_id, row["version"]) % 9 * 50
    for item_id in set(item_ids):
        world.update("lines", lines[item_id]["line_id"], state="return requested")
    code = _code(world, "RT", order_id, row["version"])
    changes = {"status": "return requested", "return_code": code, "refund_cents": cents - fee}
    world.update("orders", order_id, **changes, version=row["version"] + 1)
    return {"order_id": order_id, "item_ids": item_ids, "accepted": True, "note": "the return label is being made"}


def book_slot(world: World, customer_id: str, slot_id: str) -> Json:
    """Book a free workshop slot; the appointment shows the drop-off code."""
    if world.row("customers", customer_id) is None:
        raise ToolFailure(f"no customer {customer_id}")
    slot = world.row("slots", slot_id)
    if slot is None:
        raise ToolFailure(f"no slot {slot_id}")
    if slot["taken"]:
        raise ToolFailure(f"slot {slot_id} is taken")
    appointment_id = f"A-{10_000 + world.draw('appointment', slot_id) % 90_000}"
    world.update("slots", slot_id, taken=1)
    code = _code(world, "DO", slot_id, customer_id)
    row = {"appointment_id": appointment_id, "customer_id": customer_id, "slot_id": slot_id}
    world.insert("appointments", {**row, "status": "booked", "drop_off_code": code})
    return {"appointment_id": appointment_id, "slot_id": slot_id, "accepted": True}


def transfer_to_human(world: World, summary: str) -> str:
    """Hand the conversation to a person; it ends there."""
    world.insert("transfers", {"transfer_id": f"T-{world.count('transfer')}", "summary": summary})
    return "Transferred to a human colleague."
