"""Scripted agents of the mini desk: right class copying, clumsy decisions."""

from __future__ import annotations

import random
from typing import Any, Final

import orjson

from curate.sandbox.requests import Request
from curate.sandbox.skills import Skill
from curate.sandbox.transcript import Transcript

_SLIPS: Final = {"expert": 0.0, "skilled": 0.45, "average": 1.0, "hasty": 1.5, "clumsy": 2.0}
"""By skill: factor on the chances below, which are those of the world whose learnability was measured."""
_SKIP_GET: Final = 0.2
_SKIP_READ_BACK: Final = 0.35
_TAKE_OUT: Final = 0.25
_WRONG_FIELD: Final = 0.35
_REPEAT: Final = 0.06


def play_mini(log: Transcript, request: Request, skill: Skill, rng: random.Random) -> None:
    """Serve one request of the mini desk in its one message.

    Args:
        log: where the turns go.
        request: what is asked.
        skill: how often the agent decides wrongly.
        rng: what chooses.
    """
    log.user(request.goal)
    factor = _SLIPS[skill.name]

    def slips(chance: float) -> bool:
        return rng.random() < chance * factor

    def call(tool: str, **arguments: str) -> dict[str, Any] | None:
        text = log.call([(tool, arguments)])[0]
        if slips(_REPEAT):
            text = log.call([(tool, arguments)])[0]
        return None if text.startswith("Error") else orjson.loads(text)

    log.say(_answer(request, call, slips))


def _answer(request: Request, call: Any, slips: Any) -> str:
    asked = request.asked
    found = call("find", customer_id=asked["customer_id"])
    order_id = found["order_id"]
    order: dict[str, Any] = {"status": "pending", "price": "p00"}
    if request.kind == "STATUS" or not slips(_SKIP_GET):
        order = call("get", order_id=order_id) or order
    if request.kind == "STATUS":
        return str(order["price"] if slips(_WRONG_FIELD) else order["status"])
    if order["status"] != "pending":
        return "refused"
    if request.kind == "CANCEL":
        written = call("cancel", order_id=order_id)
    else:
        items = call("list", category=asked["category"])["items"]
        stock = {item["item_id"]: item["stock"] for item in items}
        if stock[asked["item_id"]] == "out" and not slips(_TAKE_OUT):
            return "refused"
        written = call("change", order_id=order_id, item_id=asked["item_id"])
    if written is None:
        return "refused"
    if slips(_SKIP_READ_BACK):
        return str(order["price"])
    order = call("get", order_id=order_id) or order
    field = "refund_code" if request.kind == "CANCEL" else "price"
    return str(order["status"] if slips(_WRONG_FIELD) else order[field])
