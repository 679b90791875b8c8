import json

import pytest

from curate.errors import UsageError
from curate.sandbox import World
from curate.sandbox.shop import TOOLS


@pytest.fixture(scope="module")
def shared():
    world = World(7)
    yield world
    world.close()


@pytest.fixture
def world(shared):
    shared.reset()
    return shared


def ask(world, tool, **arguments):
    text = world.call(tool, arguments)
    assert not text.startswith("Error"), text
    return json.loads(text)


def an_order(world, status, **more):
    return world.rows("orders", status=status, **more)[0]["order_id"]


def another_variant(world, order, in_stock=True):
    line = order["items"][0]
    product = ask(world, "get_product", product_id=line["product_id"])
    others = [each for each in product["variants"] if each["item_id"] != line["item_id"]]
    return next((each["item_id"] for each in others if (each["in_stock"] > 0) == in_stock), None)


def changeable(world, in_stock=True):
    for row in world.rows("orders", status="processing"):
        order = ask(world, "get_order", order_id=row["order_id"])
        wanted = another_variant(world, order, in_stock)
        if wanted:
            return order, wanted
    raise AssertionError("no order can be changed")


def test_an_unknown_preset_is_a_usage_error():
    with pytest.raises(UsageError, match="preset 'big'"):
        World(0, "big")


def test_same_seed_and_calls_give_same_bytes_and_another_seed_another_state():
    one, two, other = World(3, noise=9), World(3, noise=9), World(4, noise=9)
    assert one.initial_state_id == two.initial_state_id != other.initial_state_id
    order_id = an_order(one, "processing")
    for world in (one, two):
        world.call("cancel_order", {"order_id": order_id, "reason": "no longer needed"})
    calls = [
        ("get_order", {"order_id": order_id}),
        ("get_wait_time", {"team": "chat"}),
        ("calculate", {"expression": "2*3"}),
    ]
    assert [one.call(*call) for call in calls] == [two.call(*call) for call in calls]
    assert one.digest() == two.digest() != World(3).digest()


def test_tools_are_valid_openai_functions(world):
    assert len(world.tools) == len(TOOLS)
    for tool in world.tools:
        assert tool["type"] == "function"
        parameters = tool["function"]["parameters"]
        assert set(parameters["required"]) <= set(parameters["properties"])
    assert set(world.tool_kinds.values()) == {"read", "write", "pure", "volatile", "failing", "terminal"}


def test_customers_are_found_by_email_and_by_name(world):
    row = world.all_rows("customers")[0]
    by_email = world.call("find_customer", {"email": row["email"].upper()})
    names = {name: row[name] for name in ("first_name", "last_name", "postcode")}
    assert world.call("find_customer", names) == by_email
    assert json.loads(by_email)["customer_id"] == row["customer_id"]
    assert world.call("find_customer", {"first_name": "Ana"}).startswith("Error: find_customer needs")
    assert world.call("find_customer", {"email": "nobody@nowhere.example"}) == "Error: no customer matches"


def test_orders_are_listed_and_filtered(world):
    customer_id = world.all_rows("customers")[0]["customer_id"]
    orders = ask(world, "list_orders", customer_id=customer_id)["orders"]
    delivered = ask(world, "list_orders", customer_id=customer_id, status="delivered")["orders"]
    assert delivered == [order for order in orders if order["status"] == "delivered"] != []


def test_search_ranks_by_words_and_respects_the_price(world):
    results = ask(world, "search_products", query="a tent for two people")["results"]
    assert results[0]["name"] == "Ridgeline 2 Tent" and len(results) <= 5
    cheap = ask(world, "search_products", query="tent", max_price=100)["results"]
    assert all(hit["price_from"] <= 100 for hit in cheap)
    assert ask(world, "search_products", query="submarine")["results"] == []


def test_cancelling_shows_its_refund_code_only_on_a_fresh_read(world):
    order_id = an_order(world, "processing")
    before = world.call("get_order", {"order_id": order_id})
    written = world.call("cancel_order", {"order_id": order_id, "reason": "found it cheaper"})
    after = ask(world, "get_order", order_id=order_id)
    assert after["status"] == "cancelled" and after["refund_amount"] == after["total"]
    assert after["refund_code"] not in before + written
    again = world.call("cancel_order", {"order_id": order_id, "reason": "found it cheaper"})
    assert again == f"Error: order {order_id} is cancelled, not processing"


def test_changing_an_item_reprices_the_order_and_moves_stock(world):
    order, wanted = changeable(world)
    old = order["items"][0]["item_id"]
    stock = world.row("items", wanted)["stock"]
    arguments = {"order_id": order["order_id"], "item_id": old, "new_item_id": wanted}
    ask(world, "change_item", **arguments)
    after = ask(world, "get_order", order_id=order["order_id"])
    assert wanted in [line["item_id"] for line in after["items"]] and after["adjustment_code"]
    assert world.row("items", wanted)["stock"] == stock - 1
    assert world.call("change_item", arguments).startswith("Error")


def test_an_item_out_of_stock_or_of_another_product_is_refused(world):
    order, wanted = changeable(world, in_stock=False)
    old = order["items"][0]["item_id"]
    arguments = {"order_id": order["order_id"], "item_id": old}
    assert world.call("change_item", {**arguments, "new_item_id": wanted}).endswith("is out of stock")
    other = next(each for each in world.all_rows("items") if each["product_id"] != order["items"][0]["product_id"])
    assert "not another variant" in world.call("change_item", {**arguments, "new_item_id": other["item_id"]})
    assert world.end_state() == {}


def test_an_address_change_gives_a_new_date_once(world):
    order_id = an_order(world, "processing")
    place = {"street": "Elm Close 1", "city": "Cork", "postcode": "1234 AB"}
    ask(world, "change_address", order_id=order_id, **place)
    assert ask(world, "get_order", order_id=order_id)["address"] == place
    assert "already goes" in world.call("change_address", {"order_id": order_id, **place})
    assert world.call("change_address", {"order_id": an_order(world, "delivered"), **place}).startswith("Error")


def test_a_return_shows_code_and_refund(world):
    order = ask(world, "get_order", order_id=an_order(world, "delivered"))
    item = order["items"][0]["item_id"]
    assert world.call("return_items", {"order_id": order["order_id"], "item_ids": ["I-0"]}).startswith("Error")
    ask(world, "return_items", order_id=order["order_id"], item_ids=[item])
    after = ask(world, "get_order", order_id=order["order_id"])
    assert after["return_code"].startswith("RT-") and 0 < after["refund_amount"] < order["items"][0]["price"]


def test_a_booked_slot_is_taken_and_has_a_drop_off_code(world):
    slot = ask(world, "list_slots", service="ski waxing", day="Friday")["slots"][0]
    customer_id = world.all_rows("customers")[0]["customer_id"]
    arguments = {"customer_id": customer_id, "slot_id": slot["slot_id"]}
    booked = ask(world, "book_slot", **arguments)
    assert slot not in ask(world, "list_slots", service="ski waxing", day="Friday")["slots"]
    shown = ask(world, "get_appointment", appointment_id=booked["appointment_id"])
    assert shown["time"] == slot["time"] and shown["drop_off_code"].startswith("DO-")
    assert world.call("book_slot", arguments).endswith("is taken")


def test_the_carrier_times_out_on_a_schedule_and_then_answers(world):
    numbers = [row["tracking_number"] for row in world.all_rows("parcels")]
    failures = []
    world.reset(noise=5)
    for number in numbers:
        answers = [world.call("track_parcel", {"tracking_number": number}) for _ in range(3)]
        failures.append(sum(answer.startswith("Error: the carrier did not answer") for answer in answers))
        assert not answers[-1].startswith("Error")
    assert set(failures) == {0, 1, 2}
    world.reset(noise=None)
    assert not world.call("track_parcel", {"tracking_number": numbers[0]}).startswith("Error")


def test_the_queue_differs_between_equal_calls(world):
    waits = {world.call("get_wait_time", {"team": "phone"}) for _ in range(8)}
    assert len(waits) > 4


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1.5 + 2", 3.5),
        ("2*(3-1)/4", 1.0),
        ("-3 + 1", -2.0),
        ("2**9", None),
        ("1/0", None),
        ("abs(1)", None),
        ("((", None),
    ],
)
def test_the_calculator_does_arithmetic_and_nothing_else(world, expression, value):
    text = world.call("calculate", {"expression": expression})
    assert text.startswith("Error") if value is None else json.loads(text)["value"] == value
    assert world.call("calculate", {"expression": "1+" * 200 + "1"}).startswith("Error")


def test_think_changes_nothing_and_a_transfer_is_seen(world):
    assert world.call("think", {"thought": "hm"}) == "Noted."
    assert world.end_state() == {}
    world.call("transfer_to_human", {"summary": "torn seam"})
    assert list(world.end_state()) == ["transfers/T-0"]


@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_wrong_arguments_and_ids_are_errors_and_never_exceptions(world, tool):
    fields = TOOLS[tool].fields
    wrong = {name: {"a": 1} for name in fields}
    assert world.call(tool, wrong).startswith("Error: argument")
    assert world.call(tool, None).startswith("Error: the arguments")
    assert world.call(tool, {"nonsense": 1}).startswith("Error")
    if TOOLS[tool].required:
        assert "needs the argument" in world.call(tool, {})
    unknown = {
        name: field.enum[0] if field.enum else {"string": "X-1", "number": 1, "array": ["X-1"]}[field.type]
        for name, field in fields.items()
    }
    if any(name.endswith(("_id", "_number")) for name in fields):
        assert world.call(tool, unknown).startswith("Error")
    assert world.end_state().keys() <= {"transfers/T-0"}
    assert world.call("no_such_tool", {}) == "Error: there is no tool named no_such_tool"


def test_reset_brings_the_start_back(world):
    order_id = an_order(world, "processing")
    before = world.call("get_order", {"order_id": order_id})
    start = world.digest()
    world.call("cancel_order", {"order_id": order_id, "reason": "no longer needed"})
    assert world.end_state()[f"orders/{order_id}"]["status"] == "cancelled" and world.digest() != start
    for _ in range(2):
        world.reset()
        assert world.call("get_order", {"order_id": order_id}) == before and world.digest() == start


def test_the_mini_world_answers_writes_only_on_a_fresh_read():
    world = World(1, "mini")
    rows = world.rows("orders", status="pending")
    order_id = rows[0]["order_id"]
    assert ask(world, "find", customer_id=rows[0]["customer_id"])["order_id"] == order_id
    assert ask(world, "cancel", order_id=order_id) == {"order_id": order_id, "result": "done"}
    assert ask(world, "get", order_id=order_id)["refund_code"][0] == "r"
    assert world.call("cancel", {"order_id": order_id}) == "Error: status cancelled"
    second = rows[1]
    items = ask(world, "list", category="tent")["items"]
    ask(world, "change", order_id=second["order_id"], item_id=items[0]["item_id"])
    after = ask(world, "get", order_id=second["order_id"])
    assert after["price"] != second["price"]
    assert after["status"] == ("pending" if items[0]["stock"] == "in" else "waiting")
    assert world.call("get", {"order_id": "o99"}) == "Error: invalid arguments"
    assert world.call("nothing", {}) == "Error: unknown tool"
    world.close()
