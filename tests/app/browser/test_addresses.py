"""Every view is an address that restores it; an address leads nowhere else, and nothing of a trace acts."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.app_stage import browser, missing, served, visitor
from curate.folder import FolderWriter, Manifest
from curate.readers.messages import message
from curate.schema import TRAJECTORY
from curate.trajectory import ToolCall, trajectory_of

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
HOSTILE = (
    "<script>document.title = 'taken'</script><img src=x onerror=\"document.title = 'taken'\"> "
    "[press](javascript:document.title='taken') ![seen](http://203.0.113.1/x.png) :material/home: $$x$$"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Trajectories about orders, one of which tries to be more than text."""
    out = tmp_path_factory.mktemp("data") / "orders"
    with FolderWriter(out, Manifest("curated", "test", {}, [])) as writer:
        table = writer.table("trajectories", TRAJECTORY)
        table.write([_about(number) for number in range(30)])
        table.write([_hostile()])
        writer.count(trajectories=31)
    return out


def _about(number: int):
    said = []
    for turn in range(30):
        said += [message("user", f"Where is order {number}, item {turn}?"), message("assistant", "On its way.")]
    about = {"source": "desk", "env_id": "desk", "task_id": str(number), "reward": float(number % 2)}
    return trajectory_of(f"order-{number}", said, **about)


def _hostile():
    asked, result = message("assistant", HOSTILE), message("tool", HOSTILE)
    asked["reasoning_content"] = HOSTILE
    asked["tool_calls"] = [ToolCall(id="1", name="look", arguments='{"at": "<b>x</b>"}', args_status="json")]
    result["tool_call_id"] = "1"
    said = [message("user", HOSTILE), asked, result, message("assistant", "Done.")]
    return trajectory_of("hostile", said, source="desk", env_id="desk", task_id="hostile")


@pytest.fixture(scope="module")
def server(folder, tmp_path_factory):
    with served([folder], tmp_path_factory.mktemp("place"), ["--quiet", "--read-only"]) as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    with browser() as found:
        yield found


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/?q=order+7%2C", "1 of 31 traces"),
        ("/?reward=1..", "15 of 31 traces"),
        ("/read?folder=orders&trace=order-3&turn=40", "Where is order 3, item 20?"),
        ("/compare?mode=traces&folder=orders&trace=order-1&folder2=orders&trace2=order-2", "Where is order 2, item 0?"),
        ("/runs?run=orders&part=Manifest", "curated"),
        ("/agreement", "label"),
        ("/read?folder=..%2F..%2Fetc&trace=passwd", "or is not open"),
    ],
)
def test_an_address_is_a_view_also_when_it_is_loaded_again(server, chromium, address, words):
    page = visitor(chromium)
    page.goto(server.url + address)
    for _ in range(2):
        found = page.get_by_text(words).first
        found.wait_for()
        assert found.is_visible()
        page.reload()
    page.context.close()


def test_nothing_of_a_trace_acts_or_is_loaded(server, chromium):
    page = visitor(chromium)
    outside: list[str] = []
    page.on("request", lambda request: outside.append(request.url) if not request.url.startswith(server.url) else None)
    page.on("dialog", lambda dialog: outside.append(dialog.message))
    for way in ("", "&texts=as+Markdown"):
        page.goto(f"{server.url}/read?folder=orders&trace=hostile{way}")
        page.get_by_text("Done.").first.wait_for()
        for result in page.get_by_text("Result, ").all():
            result.click()
        page.wait_for_timeout(1000)
        assert page.title() != "taken"
        assert page.locator("[data-testid=stMain] img").count() == 0
        assert page.locator("a[href^='javascript']").count() == 0
    assert [url for url in outside if not url.startswith(("data:", "blob:", "ws://127.0.0.1"))] == []
    page.context.close()
