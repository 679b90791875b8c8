"""The command with a model teacher, as a user runs it, against the loopback teacher."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from curate.folder import DatasetFolder
from tests.synth.asking.conftest import KEY
from tests.synth.stub_teacher import Stub

META = "As an AI, the user wants me to write a thought about the recorded action, so here is one for the transcript."


def rows(out: Path) -> list[dict[str, Any]]:
    return list(DatasetFolder.open(out).rows("trajectories"))


def counts(out: Path) -> dict[str, Any]:
    return DatasetFolder.open(out).manifest.counts


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_both_vendors_write_thoughts_and_are_named(orders, augment, tmp_path: Path, vendor: str) -> None:
    with Stub(tmp_path) as stub:
        url = stub.url if vendor == "openai" else stub.host
        done = augment(orders(4), "--out", tmp_path / "out", "--teacher", f"{vendor}:stub-1", "--base-url", url)
        assert done.returncode == 0, done.stderr
        assert len(stub.requests()) == 20
    found = rows(tmp_path / "out")
    entries = [entry for row in found for entry in row["thinking"]]
    assert {entry["teacher"] for entry in entries} == {f"{vendor}:stub-1"}
    assert all(entry["origin"] == "teacher" and entry["prompt_version"].startswith("turn-") for entry in entries)
    calls = [message for row in found for message in row["messages"] if message["tool_calls"]]
    assert all(message["tool_calls"][0]["name"] in message["reasoning_content"] for message in calls)
    asked = counts(tmp_path / "out")["asked"]
    assert [name.split(" ")[0] for name in asked] == ["stub-1-2026-01-01"] and sum(asked.values()) == 20
    assert "stub-1-2026-01-01" in (tmp_path / "out" / "report.md").read_text()
    assert counts(tmp_path / "out")["usd"] > 0


def test_a_trajectory_in_one_request_and_what_it_leaves_out_turn_by_turn(orders, augment, tmp_path: Path) -> None:
    replies = tmp_path / "replies.json"
    good = "The order has to be read before anything can be promised, so get_order with its number is next."
    replies.write_text(json.dumps([f"### step 1\n{good}"]))
    flags = ["--out", tmp_path / "out", "--teacher", "openai:stub-1", "--per", "trajectory"]
    source = orders(2)
    with Stub(tmp_path) as stub:
        done = augment(source, *flags, "--base-url", stub.url)
        assert done.returncode == 0, done.stderr
        assert len(stub.requests()) == 2
        assert counts(tmp_path / "out")["turns"]["silent"] == {"teacher": 6}
    assert "saw each trajectory whole" in (tmp_path / "out" / "report.md").read_text()
    flags[1] = tmp_path / "again"
    with Stub(tmp_path, "--replies", str(replies)) as stub:
        done = augment(source, *flags, "--base-url", stub.url)
        assert done.returncode == 0, done.stderr
        versions = Counter(
            e["prompt_version"].split("-")[0] for row in rows(tmp_path / "again") for e in row["thinking"]
        )
        assert versions["turn"] == 8 and versions["trajectory"] == 2
    refused = augment(source, *flags, "--skip", "future_copy")
    assert refused.returncode == 2 and "hindsight checks" in refused.stderr


def test_failed_thoughts_are_asked_for_twice_more_and_never_again(orders, augment, tmp_path: Path) -> None:
    replies = tmp_path / "replies.json"
    replies.write_text(json.dumps([META]))
    source, journal = orders(2), tmp_path / "journal"
    flags = ["--teacher", "openai:stub-1", "--journal", journal]
    with Stub(tmp_path, "--replies", str(replies)) as stub:
        flags += ["--base-url", stub.url]
        done = augment(source, "--out", tmp_path / "out", *flags)
        assert done.returncode == 0 and "meta_talk 30" in done.stdout, done.stderr
        assert len(stub.requests()) == 30
        turns = [entry for row in rows(tmp_path / "out") for entry in row["thinking"]]
        assert all(entry["origin"] == "none" and "meta_talk" in entry["checks_failed"] for entry in turns)
        assert not any(
            m["train"] for row in rows(tmp_path / "out") for m in row["messages"] if m["role"] == "assistant"
        )
        augment(source, "--out", tmp_path / "second", *flags)
        loose = augment(source, "--out", tmp_path / "loose", *flags, "--skip", "meta_talk", "action_fit", "parroting")
        assert loose.returncode == 0 and len(stub.requests()) == 30, "other thresholds judge what was paid for"
        assert counts(tmp_path / "second")["without_thought"]["meta_talk"] == 10
        assert counts(tmp_path / "loose")["turns"]["silent"] == {"teacher": 6}


@pytest.mark.parametrize(("fault", "code"), [("quota", "insufficient_quota"), ("401", ""), ("402", ""), ("403", "")])
def test_no_money_and_bad_keys_stop_the_run_with_what_is_done_kept(
    orders, augment, tmp_path: Path, fault: str, code: str
) -> None:
    source, flags = orders(8), ["--out", tmp_path / "out", "--teacher", "openai:stub-1", "--concurrency", 2]
    with Stub(tmp_path, faults=[{"fault": fault, "at": list(range(10, 100))}]) as stub:
        stopped = augment(source, *flags, "--base-url", stub.url)
        assert stopped.returncode == 3 and code in stopped.stderr and "Traceback" not in stopped.stderr
        assert 10 < len(stub.requests()) <= 13
    first = tmp_path / "first"
    first.mkdir()
    with Stub(first) as stub:
        assert augment(source, *flags, "--base-url", stub.url).returncode == 0
        assert len(stub.requests()) == 30


def test_the_key_is_nowhere(orders, augment, tmp_path: Path) -> None:
    faults = [{"fault": name, "at": [at]} for at, name in enumerate(["500", "html", "cut", "400", "429_ms", "reset"])]
    with Stub(tmp_path, "--key", KEY, faults=faults) as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url, "--journal", tmp_path / "journal"]
        done = augment(orders(3), "--out", tmp_path / "out", *flags, OPENAI_LOG="debug")
        assert done.returncode == 0, done.stderr
    with Stub(tmp_path, "--key", "another") as stub:
        flags[3] = stub.url
        refused = augment(tmp_path / "orders", "--out", tmp_path / "o2", *flags, "--retry-failed", "--min-chars", 60)
    said = done.stdout + done.stderr + refused.stdout + refused.stderr
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert KEY not in said and not any(KEY.encode() in data for data in files)


def test_a_pilot_is_part_of_the_full_run(orders, augment, tmp_path: Path) -> None:
    source = orders(12)
    with Stub(tmp_path) as stub:
        flags = [source, "--out", tmp_path / "out", "--teacher", "openai:stub-1", "--base-url", stub.url]
        pilot = augment(*flags, "--limit", 25, "--sample-seed", 3)
        assert pilot.returncode == 0 and "asked 25 of 60 turns: 25 thoughts accepted" in pilot.stdout, pilot.stderr
        page = (tmp_path / "out.pilot.html").read_text()
        assert page.count("<article") == 20 or page.count("The thought before it") == 20
        assert len(stub.requests()) == 25 and not (tmp_path / "out").exists()
        augment(*flags, "--limit", 30, "--sample-seed", 3)
        assert len(stub.requests()) == 30, "a larger pilot holds the smaller one"
        assert augment(*flags).returncode == 0
        assert len(stub.requests()) == 60


def test_a_dry_run_asks_nobody_and_leaves_nothing(orders, augment, tmp_path: Path) -> None:
    source = orders(5)
    before = {path.name for path in tmp_path.iterdir()}
    dry = augment(source, "--out", tmp_path / "out", "--teacher", "anthropic:stub-1", "--dry-run", ANTHROPIC_API_KEY="")
    assert dry.returncode == 0 and "25 turns need a teacher" in dry.stdout and "batch" in dry.stdout, dry.stderr
    assert {path.name for path in tmp_path.iterdir()} == before


def test_one_journal_serves_many_outputs_and_one_run_at_a_time(orders, augment, tmp_path: Path) -> None:
    source, journal = orders(4), tmp_path / "journal"
    with Stub(tmp_path) as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url, "--journal", journal]
        augment(source, "--out", tmp_path / "one", *flags)
        other = augment(source, "--out", tmp_path / "two", *flags, "--max-opening-share", 0.9, OPENAI_API_KEY="")
        assert other.returncode == 0 and len(stub.requests()) == 20, other.stderr
        with (journal / "lock").open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            busy = augment(source, "--out", tmp_path / "three", *flags)
        assert busy.returncode == 2 and "journal" in busy.stderr


def test_progress_as_json_lines(orders, augment, tmp_path: Path) -> None:
    with Stub(tmp_path, faults=[{"fault": "500", "at": [2]}]) as stub:
        flags = ["--out", tmp_path / "out", "--teacher", "openai:stub-1", "--base-url", stub.url]
        done = augment(orders(4), *flags, "--progress", "json", "--budget-usd", 5)
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    end = lines[-1]
    assert (end["event"], end["outcome"], end["turns_done"], end["turns_total"]) == ("end", "done", 20, 20)
    assert end["requests"] == 21 and end["retries"] == {"server_error": 1} and end["usd_cap"] == 5
    assert 0 < end["usd_spent"] < 1


def test_a_server_that_is_not_there_ends_the_run_in_time(orders, augment, tmp_path: Path) -> None:
    flags = ["--teacher", "openai:stub-1", "--base-url", "http://127.0.0.1:9/v1", "--give-up-s", 1]
    done = augment(orders(1), "--out", tmp_path / "out", *flags)
    assert done.returncode == 3 and "no request has succeeded" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("vendor", ["openai", "anthropic"])
def test_batches_at_half_the_price_and_re_asked_in_rounds(orders, augment, tmp_path: Path, vendor: str) -> None:
    replies = tmp_path / "replies.json"
    replies.write_text(json.dumps([META]))
    source, online, batch = orders(3), tmp_path / "online", tmp_path / "batch"
    with Stub(tmp_path, "--state-dir", str(tmp_path / "state"), "--replies", str(replies)) as stub:
        flags = ["--teacher", f"{vendor}:stub-1", "--base-url", stub.url if vendor == "openai" else stub.host]
        assert augment(source, "--out", online, *flags).returncode == 0
        done = augment(source, "--out", batch, *flags, "--batch", "--poll-s", 0.05, "--budget-usd", 5)
        assert done.returncode == 0, done.stderr
    half, whole = counts(batch), counts(online)
    assert half["checks"]["attempts"] == {"3": 15} and half["without_thought"] == whole["without_thought"]
    assert half["usd"] == pytest.approx(whole["usd"] / 2, rel=0.1)


def test_cancelled_batches_keep_what_they_did(orders, augment, tmp_path: Path) -> None:
    source = orders(3)
    with Stub(tmp_path, "--state-dir", str(tmp_path / "state"), "--batch-faults", '{"seconds": 20}') as stub:
        flags = ["--out", tmp_path / "out", "--teacher", "openai:stub-1", "--base-url", stub.url, "--poll-s", 0.05]
        with pytest.raises(subprocess.TimeoutExpired):
            augment(source, *flags, "--batch", timeout=5)
        gone = augment(source, *flags, "--cancel-batches")
        assert gone.returncode == 0 and gone.stdout.startswith("1 batches cancelled"), gone.stderr
        again = augment(source, *flags, "--cancel-batches")
        assert again.stdout.startswith("0 batches cancelled")
