from __future__ import annotations

from pathlib import Path

import pytest

from curate.env import EnvRules, load_env_rules, tool_kind
from curate.errors import UsageError
from curate.readers.files import read_records

# Every tool that the three real files call.
REAL_TOOLS = {
    "read": """find_user_id_by_email find_user_id_by_name_zip get_input_from_user get_order_details get_product_details
        get_reservation_details get_user_details list_all_airports list_all_product_types search_direct_flight
        search_onestop_flight""",
    "write": """book_reservation cancel_pending_order cancel_reservation exchange_delivered_order_items
        modify_pending_order_address modify_pending_order_items modify_pending_order_payment modify_user_address
        return_delivered_order_items send_certificate update_reservation_baggages update_reservation_flights
        update_reservation_passengers""",
    "pure": "calculate think",
    "terminal": "transfer_to_human_agents",
}


@pytest.mark.parametrize(("kind", "names"), REAL_TOOLS.items())
def test_kinds_of_the_real_tools(kind: str, names: str) -> None:
    assert {name: tool_kind(name) for name in names.split()} == {name: (kind, "name") for name in names.split()}


def test_no_tool_of_the_real_files_is_missing_above(three_inputs: list[Path]) -> None:
    called = {
        call["function"]["name"]
        for path in three_inputs
        for item in read_records(path)
        for message in item.value["traj"]
        for call in message.get("tool_calls") or []
    }
    assert called == {name for names in REAL_TOOLS.values() for name in names.split()}


@pytest.mark.parametrize(
    ("name", "kind", "evidence"),
    [
        ("fs-read_file", "read", "name"),
        ("readFile", "read", "name"),
        ("github-createIssue", "write", "name"),
        ("HTTPGet", "read", "name"),
        ("mcp-sequential-thinking", "pure", "name"),
        ("frobnicate", "write", "unknown"),
        ("", "write", "unknown"),
    ],
)
def test_names_are_taken_apart(name: str, kind: str, evidence: str) -> None:
    assert tool_kind(name) == (kind, evidence)


def test_the_users_word_wins() -> None:
    rules = EnvRules(kinds={"get_quote": "write", "think": "read"})
    assert tool_kind("get_quote", rules, {"readOnlyHint": True}) == ("write", "user")
    assert tool_kind("think", rules) == ("read", "user")


@pytest.mark.parametrize(
    ("name", "hints", "kind", "evidence"),
    [
        ("update_view", {"readOnlyHint": True}, "read", "mcp"),
        ("get_token", {"readOnlyHint": False}, "write", "mcp"),
        ("get_token", {"destructiveHint": True}, "write", "mcp"),
        ("get_token", {"destructiveHint": False}, "read", "name"),
        ("think", {"readOnlyHint": False}, "pure", "name"),
    ],
)
def test_mcp_hints_go_before_the_name(name: str, hints: dict[str, bool], kind: str, evidence: str) -> None:
    assert tool_kind(name, annotations=hints) == (kind, evidence)


def test_rules_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(
        "shop:\n  stop: '^DONE$'\n  kinds: {frob: read}\n  id_fields: [sku]\n  scopes: {frob: task}\n1: {}\n"
    )
    rules = load_env_rules(file)
    assert rules["shop"] == EnvRules(stop="^DONE$", kinds={"frob": "read"}, id_fields=("sku",), scopes={"frob": "task"})
    assert rules["1"] == EnvRules()
    assert load_env_rules(None) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("- a\n", "mapping"),
        ("shop: 3\n", "shop"),
        ("shop: {stopp: x}\n", "stopp"),
        ("shop: {1: x, a: b}\n", "unknown rule 1"),
        ("shop: {kinds: {frob: reed}}\n", "reed"),
        ("shop: {stop: '('}\n", "no regex"),
        ("shop: {stop: [1]}\n", "stop"),
        ("shop: {scopes: {x: galaxy}}\n", "galaxy"),
        ("a: [\n", "cannot be read"),
    ],
)
def test_wrong_rules_are_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match="rules") as caught:
        load_env_rules(file)
    assert says in str(caught.value)


def test_a_missing_rules_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_env_rules(tmp_path / "none.yaml")
