"""The full desk: a shop for outdoor and cycling gear with a workshop. Its tools as schemas, and the agents' policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from curate.sandbox import catalogue as cat
from curate.sandbox import reads, stock, writes
from curate.sandbox.spec import Field, Preset, Tool, ToolKind

POLICY: Final = f"""You are the service desk of Ridge & Harbour, a shop for outdoor and cycling gear with a workshop.
Today is {cat.TODAY}, a Monday.

- Find out who the customer is (email, or full name and postcode) before you speak about their data.
- Speak only about orders of that customer. Refuse requests about other people's orders.
- Only an order that is processing can be cancelled, changed or sent to another address. One that is shipped cannot.
- An item can be changed only to another variant (colour, size) of the same product that is in stock.
- A delivered order can be returned up to 30 days after its delivery. Final sale items cannot be returned.
- Before you cancel, change, return or book, say what you are about to do and wait for the customer's yes.
- Never guess codes, totals or dates: after a change, read the order or appointment again and tell the customer its
  refund code, new total, new delivery date, return code or drop-off code.
- Complaints and damage are handled by people: transfer those, and those only, with transfer_to_human.
- The carrier's line times out now and then: try again, at most three times."""


def _tool(
    name: str, kind: ToolKind, handler: Callable[..., object], description: str, **fields: Field
) -> tuple[str, Tool]:
    return name, Tool(name, kind, description, fields, handler)


_ORDER: Final = Field("the order, such as O-77310")
_ITEM: Final = Field("the item (variant), such as I-2084")
_CUSTOMER: Final = Field("the customer, such as C-1042")

TOOLS: Final = dict(
    [
        _tool(
            "find_customer",
            "read",
            reads.find_customer,
            "Find a customer by email, or by first name, last name and postcode.",
            email=Field("email address", required=False),
            first_name=Field("first name", required=False),
            last_name=Field("last name", required=False),
            postcode=Field("postcode", required=False),
        ),
        _tool(
            "list_orders",
            "read",
            reads.list_orders,
            "List a customer's orders with their status, product names and totals.",
            customer_id=_CUSTOMER,
            status=Field("only orders with this status", required=False),
        ),
        _tool("get_order", "read", reads.get_order, "Show one order as it stands now.", order_id=_ORDER),
        _tool(
            "search_products",
            "read",
            reads.search_products,
            "Search the shop's products by free text; the five best matches.",
            query=Field("what the customer looks for, in words"),
            max_price=Field("highest price in euros", type="number", required=False),
        ),
        _tool(
            "get_product",
            "read",
            reads.get_product,
            "Show a product's variants with price and stock.",
            product_id=Field("the product, such as P-318"),
        ),
        _tool(
            "list_slots",
            "read",
            reads.list_slots,
            "List the workshop's free slots for a service.",
            service=Field("what is to be done", enum=cat.SERVICES),
            day=Field("only this day of the week", required=False, enum=cat.DAYS),
        ),
        _tool(
            "get_appointment",
            "read",
            reads.get_appointment,
            "Show one workshop appointment as it stands now.",
            appointment_id=Field("the appointment, such as A-40211"),
        ),
        _tool(
            "track_parcel",
            "failing",
            reads.track_parcel,
            "Ask the carrier where a parcel is and when it is expected. May time out.",
            tracking_number=Field("the parcel, such as TRK4821093"),
        ),
        _tool(
            "get_wait_time",
            "volatile",
            reads.get_wait_time,
            "How many minutes a caller waits for a person just now.",
            team=Field("which team", enum=cat.TEAMS),
        ),
        _tool(
            "calculate",
            "pure",
            reads.calculate,
            "Work out an arithmetic expression.",
            expression=Field("numbers, + - * / and brackets"),
        ),
        _tool("think", "pure", reads.think, "Write down a thought; changes nothing.", thought=Field("what you think")),
        _tool(
            "cancel_order",
            "write",
            writes.cancel_order,
            "Cancel an order that is processing.",
            order_id=_ORDER,
            reason=Field("why", enum=cat.CANCEL_REASONS),
        ),
        _tool(
            "change_item",
            "write",
            writes.change_item,
            "Swap an item of a processing order for another variant of the same product.",
            order_id=_ORDER,
            item_id=_ITEM,
            new_item_id=Field("the variant wanted instead"),
        ),
        _tool(
            "change_address",
            "write",
            writes.change_address,
            "Send a processing order to another address.",
            order_id=_ORDER,
            street=Field("street and house number"),
            city=Field("city"),
            postcode=Field("postcode"),
        ),
        _tool(
            "return_items",
            "write",
            writes.return_items,
            "Start the return of items of a delivered order.",
            order_id=_ORDER,
            item_ids=Field("the items to return", type="array"),
        ),
        _tool(
            "book_slot",
            "write",
            writes.book_slot,
            "Book a free workshop slot for a customer.",
            customer_id=_CUSTOMER,
            slot_id=Field("the slot, such as SL-3301"),
        ),
        _tool(
            "transfer_to_human",
            "terminal",
            writes.transfer_to_human,
            "Hand the conversation over to a person; ends it.",
            summary=Field("what the person needs to know"),
        ),
    ]
)

FULL: Final = Preset(
    name="full",
    env_id="desk",
    tables=stock.TABLES,
    indexes=stock.INDEXES,
    unjudged=frozenset({"summary"}),
    tools=TOOLS,
    build=stock.build,
    prepare=reads.prepare,
)
