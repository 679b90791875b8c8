"""The reader's bars, in a real headless Chromium: opening, memory, long traces, labelling, kills.

`python benchmarks/app.py [--trajectories 100000] [--million] [--only open,memory,long,label,kill]`. Makes its corpus
from recordings of the desk in a temporary folder. Prints a table and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.app_stage import Server, browser, missing, served, visitor

FIGURES = (
    "warm_open_s",
    "cold_open_s",
    "rss_mb_1m",
    "long_trace_s",
    "label_p95_ms",
    "labels_lost",
    "labels_duplicated",
    "labels_blind",
)
PARTS = ("open", "memory", "long", "label", "kill")


def main() -> int:
    """Run the parts and print what they measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trajectories", type=int, default=100_000)
    parser.add_argument("--million", type=int, default=1_000_000, help="rows for the memory part")
    parser.add_argument("--labels", type=int, default=200, help="labels an annotator in the kill part")
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--place", type=Path, default=None, help="keep corpora here and use them again")
    given = parser.parse_args()
    why = missing()
    if why is not None:
        sys.stderr.write(f"error: {why}\n")
        return 2
    chosen = given.only.split(",")
    found: dict[str, Any] = dict.fromkeys(FIGURES)
    with tempfile.TemporaryDirectory() as temporary:
        place = given.place or Path(temporary)
        place.mkdir(exist_ok=True)
        for name in PARTS:
            if name in chosen:
                found |= globals()[f"part_{name}"](place, given)
    for name, value in found.items():
        print(f"{name:24} {'not run' if value is None else value}")
    print(json.dumps(found))
    return 0


def part_open(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """A fresh server and a fresh browser to the grid, five times; then the same page again in the same browser."""
    folder = corpus(place, given.trajectories)
    with served([folder], place):
        pass  # the first open makes the index, once a folder
    cold, warm = [], []
    with browser() as found:
        for _ in range(5):
            with served([folder], place) as server:
                page = visitor(found)
                cold.append(_until_grid(page, server.url))
                warm += [_until_grid(page, f"{server.url}/?page=2") for _ in range(3)]
                page.context.close()
    _say("open, cold", cold)
    _say("open, warm", warm)
    return {"warm_open_s": round(statistics.median(warm), 2), "cold_open_s": round(statistics.median(cold), 2)}


def part_memory(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Resident memory of the server over a million trajectories, after browsing, filtering, sorting and a search."""
    folder = corpus(place, given.million)
    with browser() as found, served([folder], place) as server:
        page = visitor(found)
        for query in ("", "?sort=-characters", "?page=2000", "?q=refund"):
            print(f"  browse{query}: {_until_grid(page, f'{server.url}/{query}', 180):.2f} s")
        assert server.process is not None
        peak = _resident_mb(server.process.pid, "VmHWM")
        now = _resident_mb(server.process.pid, "VmRSS")
    print(f"  resident {now:,} MB, at most {peak:,} MB")
    return {"rss_mb_1m": now}


def corpus(place: Path, trajectories: int) -> Path:
    """A dataset folder of that many trajectories, made once."""
    from benchmarks.app_corpus import make

    out = place / f"corpus-{trajectories}"
    if not out.exists():
        begin = time.perf_counter()
        make(out, trajectories, seed=1)
        print(f"corpus of {trajectories:,}: {time.perf_counter() - begin:.0f} s")
    return out


def _until_grid(page: Any, url: str, wait_s: float = 60) -> float:
    """Seconds from the request until the table of trajectories is there."""
    begin = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.get_by_test_id("stDataFrame").first.wait_for(timeout=wait_s * 1000)
    return time.perf_counter() - begin


def _resident_mb(pid: int, name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) // 1024 if found else 0


def _say(what: str, seconds: list[float]) -> None:
    told = ", ".join(f"{each:.2f}" for each in sorted(seconds))
    print(f"{what}: {told} s")


def part_long(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """A trace of 1,000 turns, at its begin and its end, and one with a result of 5 MB, to its first words."""
    folder = long_traces(place)
    seconds = []
    with browser() as found, served([folder], place) as server:
        page = visitor(found)
        _until_grid(page, server.url)  # a reader comes from somewhere
        for trace, turn, words in (
            ("turns", "0", "Where is order 1?"),
            ("turns", "1998", "Where is order 1000?"),
            ("result", "0", "Show me the log."),
        ):
            begin = time.perf_counter()
            page.goto(f"{server.url}/read?folder=long&trace={trace}&turn={turn}", wait_until="commit")
            page.get_by_text(words).first.wait_for()
            seconds.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        page.get_by_text(re.compile("5,000,000 characters")).first.click()
        page.get_by_text("line 1 of the log").first.wait_for()
        seconds.append(time.perf_counter() - begin)
    _say("long traces", seconds)
    return {"long_trace_s": round(max(seconds), 2)}


def long_traces(place: Path) -> Path:
    """A folder with a trace of 1,000 user turns (2,000 messages and more), and one with a result of 5 MB."""
    from curate.folder import FolderWriter, Manifest
    from curate.readers.messages import message
    from curate.schema import TRAJECTORY
    from curate.trajectory import ToolCall, trajectory_of

    out = place / "long"
    if out.exists():
        return out
    turns = []
    for number in range(1, 1001):
        turns += [message("user", f"Where is order {number}?"), message("assistant", f"Order {number} is on its way.")]
    log = "".join(f"line {number} of the log, nothing of note\n" for number in range(200_000))[:5_000_000]
    call = ToolCall(id="c1", name="read_log", arguments='{"name": "main"}', args_status="json")
    asked, result = message("assistant"), message("tool", log)
    asked["tool_calls"] = [call]
    result["tool_call_id"], result["name"] = "c1", "read_log"
    told = [message("user", "Show me the log."), asked, result, message("assistant", "Here it is.")]
    about = {"source": "long", "env_id": "long"}
    with FolderWriter(out, Manifest("curated", "benchmark", {}, [])) as writer:
        table = writer.table("trajectories", TRAJECTORY)
        table.write([trajectory_of("turns", turns, task_id="1", **about)])
        table.write([trajectory_of("result", told, task_id="2", **about)])
        writer.count(trajectories=2)
    return out


SHOWN = """() => {
  const button = document.querySelector('[class*="st-key-label-good-"]');
  return button ? [...button.classList].find((name) => name.startsWith("st-key-label-good-")) : null;
}"""
"""The verdict button that is drawn: its key names the trajectory and the event."""
WATCH = """(shown) => {
  const trace = eval(shown);
  window.benchPressed = null;
  document.addEventListener("keydown", () => {
    const begin = performance.now();
    const drawn = trace();
    const look = () => {
      const now = trace();
      if (now && now !== drawn) window.benchPressed = performance.now() - begin;
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  }, true);
}"""
"""Has the page note how long after a key another trace is drawn."""


def part_label(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """From the key of a verdict to the next trace on the screen, 100 times; each is looked at for .6 s before."""
    folder = corpus(place, given.trajectories)
    took = []
    with tempfile.TemporaryDirectory() as own, browser() as found:
        here = Path(own)
        (here / "index").symlink_to(place / "index") if (place / "index").exists() else None
        with served([folder], here) as server:
            page = _annotator(found, server, "Ada", 200)
            page.evaluate(WATCH, SHOWN)
            for _ in range(100):
                page.wait_for_timeout(600)
                page.evaluate("window.benchPressed = null")
                page.keyboard.press("g")
                page.wait_for_function("window.benchPressed !== null")
                took.append(page.evaluate("window.benchPressed"))
    took.sort()
    p95 = took[int(0.95 * len(took))]
    print(f"label key to next trace: median {statistics.median(took):.0f} ms, p95 {p95:.0f} ms")
    return {"label_p95_ms": round(p95)}


def part_kill(place: Path, given: argparse.Namespace) -> dict[str, Any]:
    """Two annotators label a queue; the server is killed (-9) three times between and during presses."""
    from app.labels.store import LabelStore
    from app.settings import LabelSettings

    folder = long_traces(place) if given.labels <= 2 else corpus(place, max(1000, given.labels))
    seen: dict[str, list[str]] = {"Ada": [], "Ben": []}
    shown: dict[str, set[str]] = {"Ada": set(), "Ben": set()}
    kills = {given.labels // 4, given.labels // 2, 3 * given.labels // 4}
    with tempfile.TemporaryDirectory() as own, browser() as found, served([folder], Path(own)) as server:
        pages = {"Ada": _annotator(found, server, "Ada", given.labels)}
        pages["Ben"] = _annotator(found, server, "Ben", None)
        for number in range(given.labels):
            for name, page in pages.items():
                if number in kills and name == "Ben":
                    page.keyboard.press("b")  # under way, or not, when the server dies
                    shown[name].add(_trace(page.evaluate(SHOWN)))
                    server.kill()
                    server.start()
                    for each in pages.values():
                        each.reload()
                seen[name] += _label(page, shown[name])
        with LabelStore.open(LabelSettings(Path(own) / "labels"), read_only=True) as labels:
            events = labels.events()
    lost = doubled = blind = 0
    for name in pages:
        kept = events.filter(annotator=name)["trajectory_id"].to_list()
        lost += len(set(seen[name]) - set(kept))
        doubled += len(kept) - len(set(kept))
        blind += len(set(kept) - shown[name])
    print(f"{events.height} events of two annotators, {len(kills)} kills")
    return {"labels_lost": lost, "labels_duplicated": doubled, "labels_blind": blind}


def _annotator(found: Any, server: Server, name: str, queue: int | None) -> Any:
    """A visitor who signed up and has the first trace of a queue before them; the first one makes it."""
    page = visitor(found)
    page.goto(server.url)
    page.get_by_role("link", name="Sign in", exact=True).click()
    if queue is None:
        page.get_by_text("Make an account", exact=True).click()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill("correct horse battery")
    page.get_by_label("Password again").fill("correct horse battery")
    page.get_by_role("button", name="Make the account").click()
    page.get_by_text("You are signed in as").wait_for()
    page.get_by_role("link", name="Label", exact=True).first.click()
    if queue is not None:
        page.get_by_role("spinbutton", name="At most").fill(str(queue))
        page.get_by_role("button", name="Make the queue").click()
    page.get_by_role("button", name="Start").click()
    page.wait_for_function(f"({SHOWN})() !== null")
    return page


def _trace(drawn: str) -> str:
    """The trajectory that a verdict button's key names."""
    return drawn.removeprefix("st-key-label-good-").rsplit("-", 1)[0]


def _label(page: Any, shown: set[str]) -> list[str]:
    """Press until the trace that is drawn gives way to the next; returns it, nothing where the queue is done."""
    from playwright.sync_api import TimeoutError

    try:
        page.wait_for_function(f"({SHOWN})() !== null", timeout=5000)
    except TimeoutError:
        return []
    for _ in range(20):
        drawn = page.evaluate(SHOWN)
        if drawn is None:
            break
        shown.add(_trace(drawn))
        page.wait_for_timeout(330)
        page.keyboard.press(random.choice("gbu"))
        try:
            page.wait_for_function(f"({SHOWN})() !== {json.dumps(drawn)}", timeout=3000)
        except TimeoutError:
            continue
        return [_trace(drawn)]
    return []


if __name__ == "__main__":
    raise SystemExit(main())
