"""A person signs up and labels ten trajectories, from the start page, by what can be read on it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

from app.labels.store import LabelStore
from app.settings import LabelSettings
from benchmarks.app_stage import browser, missing, served, visitor
from curate.folder import FolderWriter, Manifest
from curate.readers.messages import message
from curate.schema import TRAJECTORY
from curate.trajectory import trajectory_of

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
MANY = 12
PASSWORD = "correct horse battery"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A dataset folder of trajectories about orders."""
    out = tmp_path / "orders"
    with FolderWriter(out, Manifest("curated", "test", {}, [])) as writer:
        rows = []
        for number in range(MANY):
            told = [message("user", f"Where is order {number}?"), message("assistant", f"Order {number} is here.")]
            rows.append(trajectory_of(f"order-{number}", told, source="desk", env_id="desk", task_id=str(number)))
        writer.table("trajectories", TRAJECTORY).write(rows)
        writer.count(trajectories=MANY)
    return out


@contextmanager
def _at_a_queue(folder: Path, place: Path):
    """A server, and the page of one who has signed up and begun a queue."""
    place.mkdir()
    with browser() as found, served([folder], place) as server:
        page = visitor(found)
        page.goto(server.url)
        _sign_up(page, "Ada")
        _make_queue(page)
        page.get_by_role("button", name="Start").click()
        yield server, page


def test_ten_trajectories_are_labelled_from_the_start_page(folder, tmp_path):
    place = tmp_path / "place"
    with _at_a_queue(folder, place) as (server, page):
        shown = [_label(page, "bgu"[done % 3]) for done in range(5)]
        server.kill()
        with page.expect_websocket():
            server.start()
        shown += [_label(page, "g") for _ in range(5)]
        page.reload()
        page.get_by_text(f"10 done, {MANY - 10} left").wait_for()
        page.context.close()
    with LabelStore.open(LabelSettings(place / "labels"), read_only=True) as labels:
        kept = labels.events().sort("at")
    assert kept.height == 10
    assert kept["annotator"].unique().to_list() == ["Ada"]
    assert kept["verdict"].to_list() == ["bad", "good", "unsure", "bad", "good"] + ["good"] * 5
    assert kept["trajectory_id"].to_list() == [f"order-{number}" for number in shown]
    assert kept["shown_ms"].min() >= 300


def _sign_up(page, name: str) -> None:
    page.get_by_role("link", name="Sign in", exact=True).click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the account").click()
    page.get_by_role("link", name=name).wait_for()


def _make_queue(page) -> None:
    page.get_by_role("link", name="Label", exact=True).first.click()
    page.get_by_role("button", name="Make the queue").click()


def _label(page, key: str) -> int:
    """Read which order is asked about, and press a key until another is; returns the order."""
    from playwright.sync_api import TimeoutError

    asked = page.get_by_text(re.compile(r"Where is order \d+\?")).first
    asked.wait_for()
    words = asked.inner_text()
    for _ in range(10):  # a page that connects anew does not hear a key
        page.wait_for_timeout(400)
        page.keyboard.press(key)
        try:
            page.get_by_text(words, exact=True).first.wait_for(state="detached", timeout=8000)
            break
        except TimeoutError:
            pass
    found = re.search(r"\d+", words)
    assert found is not None
    return int(found[0])


def test_a_key_pressed_at_once_labels_nothing(folder, tmp_path):
    place = tmp_path / "place"
    with _at_a_queue(folder, place) as (_, page):
        page.get_by_text(re.compile(r"Where is order \d+\?")).first.wait_for()
        page.wait_for_timeout(400)
        for _ in range(6):
            page.keyboard.press("g")
            page.wait_for_timeout(20)
        page.wait_for_timeout(1000)
        page.context.close()
    with LabelStore.open(LabelSettings(place / "labels"), read_only=True) as labels:
        kept = labels.events()
    assert not kept.is_empty()
    assert kept.filter(pl.col("shown_ms") < 300).is_empty()
    assert kept["trajectory_id"].is_unique().all()
