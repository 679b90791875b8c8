"""A person and a browser: from the start page to ten labelled trajectories, by what stands on the screen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from app.labels.store import LabelStore
from app.settings import LabelSettings
from benchmarks.app_stage import Server, browser, missing, served, visitor
from curate.__main__ import main as curate

pytestmark = pytest.mark.skipif(missing() is not None, reason=missing() or "")
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A dataset folder of short conversations that each call a tool."""
    place = tmp_path_factory.mktemp("data")
    lines = [json.dumps({"task_id": n, "trial": 0, "reward": 1.0, "traj": conversation(n)}) for n in range(16)]
    (place / "made.jsonl").write_text("\n".join(lines))
    assert curate(["--input", str(place / "made.jsonl"), "--out", str(place / "curated")]) == 0
    return place / "curated"


def conversation(number: int) -> list[dict]:
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "find_trip", "arguments": json.dumps({"trip": f"T{number}"})},
    }
    return [
        {"role": "user", "content": f"Where does trip T{number} go, and does it stop in city {number * 7}?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "name": "find_trip", "content": f"Trip T{number}: to city {number * 7}"},
        {"role": "assistant", "content": f"Trip T{number} goes to city {number * 7}."},
    ]


@pytest.fixture
def server(folder, tmp_path) -> Iterator[Server]:
    with served([folder], tmp_path, ["--quiet"]) as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


def sign_up(page, name: str) -> None:
    page.get_by_role("link", name="Sign in to label").click()
    page.get_by_role("textbox", name="Name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.get_by_text(f"You are signed in as {name}").wait_for()


def begin(page) -> None:
    page.get_by_role("link", name="Label", exact=True).click()
    page.get_by_role("button", name="Make the queue").click()
    page.get_by_role("button", name="Start").click()
    page.get_by_text("0 done, ").wait_for()


def label(page, key: str, done: int) -> None:
    """Read for half a second, press a key, and see that it counted."""
    page.wait_for_timeout(500)
    page.keyboard.press(key)
    page.get_by_text(f"{done} done, ").wait_for()


def recorded(place: Path) -> pl.DataFrame:
    with LabelStore.open(LabelSettings(label_dir=place / "labels"), read_only=True) as store:
        return store.events()


def test_signs_up_and_labels_ten_trajectories_from_the_start_page(server, chromium, tmp_path):
    page = visitor(chromium)
    page.goto(server.url)
    sign_up(page, "Ada")
    begin(page)
    for done in range(1, 11):
        label(page, "GBU"[done % 3], done)
    page.get_by_text("10 done, ").wait_for()
    events = recorded(tmp_path)
    assert events["trajectory_id"].n_unique() == events.height == 10
    assert set(events["annotator"]) == {"Ada"}
    assert events["verdict"].to_list() == [("good", "bad", "unsure")[done % 3] for done in range(1, 11)]
    assert events["shown_ms"].min() >= 300


def test_a_killed_server_loses_nothing_and_one_stays_signed_in(server, chromium, tmp_path):
    page = visitor(chromium)
    page.goto(server.url)
    sign_up(page, "Ada")
    begin(page)
    for done in range(1, 4):
        label(page, "G", done)
    server.kill()
    page.keyboard.press("B")
    server.start()
    page.get_by_text("Label with a key or a click.").wait_for()  # a new visit, at the first unlabelled trace
    page.get_by_text("3 done, ").wait_for()
    for done in range(4, 7):
        label(page, "B", done)
    page.reload()
    page.get_by_text("6 done, ").wait_for()
    events = recorded(tmp_path)
    assert events["trajectory_id"].n_unique() == events.height == 6
    assert events["verdict"].to_list() == ["good"] * 3 + ["bad"] * 3


def test_keys_rest_while_typing_and_a_double_press_is_one_label(server, chromium, tmp_path):
    page = visitor(chromium)
    page.goto(server.url)
    sign_up(page, "Ada")
    begin(page)
    page.wait_for_timeout(500)
    page.get_by_label("Note").fill("")
    page.get_by_label("Note").press_sequentially("bug")
    page.get_by_role("button", name="Made up").click()
    page.wait_for_timeout(700)
    assert recorded(tmp_path).is_empty()
    for _ in range(3):
        page.keyboard.press("B")
    page.get_by_text("1 done, ").wait_for()
    page.wait_for_timeout(700)
    events = recorded(tmp_path)
    assert (events["note"].to_list(), events["tags"].to_list()) == (["bug"], [["made_up"]])
    page.keyboard.press("Z")
    page.get_by_text("0 done, ").wait_for()
    assert recorded(tmp_path)["action"].to_list() == ["label", "undo"]
