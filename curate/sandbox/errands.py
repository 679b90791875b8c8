"""How agents of the full desk handle each kind of request, from its first read to the answer."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any, Final

from curate.sandbox import catalogue as cat
from curate.sandbox.agents import Agent, Ended, GivenUp

Json = dict[str, Any]


def _line(agent: Agent, order: Json) -> Json:
    """The line of an order that the user speaks of."""
    wanted = agent.user.told.get("product")
    lines: list[Json] = order["items"]
    if agent.slips("wrong_pick"):
        return lines[-1]
    return next((line for line in lines if line["name"] == wanted), lines[0])


def _variant(item: Json) -> str:
    return str(item["colour"]) if item["size"] == "standard" else f"{item['colour']}, {item['size']}"


def _euros(value: float) -> str:
    return f"{value:.2f}"


def _foreign(agent: Agent, order: Json) -> str | None:
    """The refusal of an order that is not the customer's, None if it is theirs or nobody looked."""
    if agent.customer is None or order["customer_id"] == agent.customer["customer_id"] or agent.slips("policy"):
        return None
    return agent.say("other_order", order)


def _known(agent: Agent) -> Json:
    """Identify the customer and read the order; a hasty agent with an order number skips the first."""
    if "order_id" not in agent.user.told or not agent.slips("skip_read"):
        agent.need_customer()
    return agent.order()


def status(agent: Agent) -> str:
    """Tell when an order arrives."""
    order = _known(agent)
    date, where = order.get("delivery_on") or order.get("delivered_on") or order["placed_on"], ""
    number = order.get("tracking_number")
    if number and not agent.slips("skip_read"):
        for attempt in range(agent.skill.retries):
            parcel = agent.call("track_parcel", {"tracking_number": number}, "retry" if attempt else None)
            if parcel:
                date, where = parcel["expected_on"], agent.rng.choice((f" ({parcel['carrier']})", "", ""))
                break
        else:
            return agent.say("status_unknown", {**order, "date": date})
    return agent.say("status", {**order, "date": date, "where": where})


def cancel(agent: Agent) -> str:
    """Cancel an order, or say why not."""
    careless = "order_id" in agent.user.told and agent.slips("skip_read") and agent.slips("skip_read")
    if careless:
        agent.identify()
        order: Json = {"order_id": agent.user.told["order_id"], "status": "processing", "total": 0.0}
    else:
        order = _known(agent)
        refusal = _foreign(agent, order)
        if refusal:
            return refusal
        if order["status"] != "processing" and not agent.slips("policy"):
            return agent.say("cancel_refused", order)
    reason = agent.ask("reason", "reason") or "no longer needed"
    if agent.slips("wrong_pick"):
        reason = agent.rng.choice(cat.CANCEL_REASONS)
    slots = {
        "product": agent.user.told.get("product", "it"),
        **order,
        "reason": reason,
        "total": _euros(order["total"]),
    }
    if not careless and not agent.confirmed("cancel", slots):
        return cancel(agent)
    agent.write("cancel_order", {"order_id": order["order_id"], "reason": reason})
    if agent.slips("no_read_back"):
        return agent.say("cancel_blind", slots)
    fresh = agent.order(fresh=True)
    return agent.say("cancel", {"refund_code": "-", **fresh, "total": _euros(fresh["total"])})


def change(agent: Agent) -> str:
    """Change an item to another variant, or say why not."""
    order = _known(agent)
    line = _line(agent, order)
    colour, size = agent.ask("variant", "colour"), agent.user.told.get("size")
    product = agent.call("get_product", {"product_id": line["product_id"]})
    if product is None:
        raise GivenUp(agent.say("trouble"))
    variants: list[Json] = product["variants"]
    wanted = next((each for each in variants if (each["colour"], each["size"]) == (colour, size)), None)
    if wanted is None or agent.slips("wrong_pick"):
        wanted = agent.rng.choice(variants)
    slots = {**order, "product": line["name"], "old": _variant(line), "new": _variant(wanted)}
    if wanted["in_stock"] < 1 and not agent.slips("policy"):
        return agent.say("change_refused", slots)
    if not agent.confirmed("change", slots):
        return change(agent)
    ids = {"order_id": order["order_id"], "item_id": line["item_id"], "new_item_id": wanted["item_id"]}
    agent.write("change_item", ids)
    if agent.slips("no_read_back"):
        stale = order["total"] - line["price"] + wanted["price"]
        return agent.say("change", {**slots, "total": _euros(stale)})
    return agent.say("change", {**slots, "total": _euros(agent.order(fresh=True)["total"])})


def address(agent: Agent) -> str:
    """Send an order elsewhere."""
    order = _known(agent)
    if order["status"] != "processing" and not agent.slips("policy"):
        return agent.say("cancel_refused", order)
    agent.ask("address", "street")
    told = agent.user.told
    place = {name: told.get(name, "") for name in ("street", "city", "postcode")}
    slots = {**order, **place, "date": order.get("delivery_on", "")}
    if not agent.confirmed("address", slots):
        return address(agent)
    if agent.slips("wrong_pick"):
        place["postcode"] = place["postcode"][:4]
    agent.write("change_address", {"order_id": order["order_id"], **place})
    if not agent.slips("no_read_back"):
        slots["date"] = agent.order(fresh=True).get("delivery_on", "")
    return agent.say("address", slots)


def returning(agent: Agent) -> str:
    """Start a return, or say why not."""
    order = _known(agent)
    line = _line(agent, order)
    delivered = order.get("delivered_on", cat.TODAY)
    slots = {**order, "product": line["name"], "date": delivered}
    if not agent.slips("policy"):
        age = datetime.date.fromisoformat(cat.TODAY) - datetime.date.fromisoformat(delivered)
        if line["final_sale"]:
            return agent.say("return_final", slots)
        if age.days > 30:
            return agent.say("return_late", slots)
    if not agent.confirmed("return", slots):
        return returning(agent)
    agent.write("return_items", {"order_id": order["order_id"], "item_ids": [line["item_id"]]})
    if agent.slips("no_read_back"):
        return agent.say("return_blind", {**slots, "refund": _euros(line["price"])})
    fresh = agent.order(fresh=True)
    refund = _euros(fresh.get("refund_amount", 0))
    return agent.say("return", {"return_code": "-", **slots, **fresh, "refund": refund})


def search(agent: Agent) -> str:
    """Find a product by its description and price one variant."""
    told = agent.user.told
    for name in ("colour", "size"):
        agent.ask("variant", name)
    query = str(told.get("query", "outdoor gear"))
    query = agent.rng.choice((query, query, f"{query} {told.get('colour', '')}".strip(), query.replace("-", " ")))
    answer = agent.call("search_products", {"query": query})
    if not answer or not answer["results"]:
        return agent.say("search_none")
    hits: list[Json] = answer["results"]
    hit = agent.rng.choice(hits) if agent.slips("wrong_pick") else hits[0]
    slots = {
        "name": hit["name"],
        "new": _variant({"size": "standard", **told}),
        "price": _euros(hit["price_from"]),
    }
    if agent.slips("skip_read"):
        return agent.say("search", slots)
    product = agent.call("get_product", {"product_id": hit["product_id"]})
    if product is None:
        return agent.say("search", slots)
    wanted = (told.get("colour"), told.get("size"))
    found = next((each for each in product["variants"] if (each["colour"], each["size"]) == wanted), None)
    if found is None or found["in_stock"] < 1:
        return agent.say("search_out", slots)
    return agent.say("search", {**slots, "new": _variant(found), "price": _euros(found["price"])})


def spend(agent: Agent) -> str:
    """Add up the customer's orders."""
    orders = agent.list_orders()
    careless = agent.slips("wrong_pick")
    totals = [each["total"] for each in orders if careless or each["status"] != "cancelled"]
    if agent.slips("skip_read"):
        return agent.say("spend", {"total": _euros(round(sum(totals[:-1]), -1))})
    answer = agent.call("calculate", {"expression": " + ".join(_euros(each) for each in totals)})
    return agent.say("spend", {"total": _euros(answer["value"] if answer else sum(totals))})


def booking(agent: Agent) -> str:
    """Book the earliest slot of a day."""
    customer = agent.need_customer()
    day = agent.ask("day", "day") or cat.DAYS[0]
    service = agent.user.told["service"]
    answer = agent.call("list_slots", {"service": service, "day": day})
    if answer is None:
        raise GivenUp(agent.say("trouble"))
    slots: list[Json] = answer["slots"]
    if not slots:
        return agent.say("book_none", {"day": day})
    slot = agent.rng.choice(slots) if agent.slips("wrong_pick") else slots[0]
    said = {"service": service, "day": day, "time": slot["time"]}
    if not agent.confirmed("book", said):
        return booking(agent)
    booked = agent.write("book_slot", {"customer_id": customer["customer_id"], "slot_id": slot["slot_id"]})
    if agent.slips("no_read_back"):
        return agent.say("book_blind", said)
    fresh = agent.call("get_appointment", {"appointment_id": booked["appointment_id"]}, "read_back")
    return agent.say("book", {**said, "code": fresh["drop_off_code"]}) if fresh else agent.say("book_blind", said)


def complaint(agent: Agent) -> str:
    """Hand a complaint to a person."""
    agent.need_customer()
    told = agent.user.told
    if agent.slips("policy") and agent.slips("policy"):
        return agent.say("early")
    about = told.get("order_id") or told.get("product")
    if agent.rng.random() < 0.4:
        waiting = agent.call("get_wait_time", {"team": "phone"})
        if waiting:
            agent.tell(f"{agent.say('wait', waiting)} Shall I go ahead?")
    wording = agent.rng.choice(("{about} arrived with {damage}, wants compensation", "Damage ({damage}) on {about}"))
    summary = wording.format(about=about, damage=told.get("damage", "damage"))
    if agent.call("transfer_to_human", {"summary": summary}, "transfer") is None:
        return agent.say("trouble")
    raise Ended


ERRANDS: Final[dict[str, Callable[[Agent], str]]] = {
    "status": status,
    "cancel": cancel,
    "cancel_refused": cancel,
    "other_order": cancel,
    "change": change,
    "change_refused": change,
    "address": address,
    "return": returning,
    "return_refused": returning,
    "search": search,
    "spend": spend,
    "book": booking,
    "complaint": complaint,
}
"""The errand for each kind of request."""
