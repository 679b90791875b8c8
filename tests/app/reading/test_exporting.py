"""Exports: files that our own readers read back to the same content."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from app.reading.exporting import EXPORTS, as_json, as_openai, as_sts, file_name
from curate.readers.openai_chat import OpenAIChat
from curate.readers.raw import RawRecord
from curate.readers.registry import detect
from curate.readers.sts import STS
from curate.readers.tau_bench import TauBench
from curate.trajectory import HASHED_MESSAGE_KEYS, Message, Trajectory
from tests.app.reading.rows import hostile, large, rollout, row, shop, turn

ROWS = [shop(), rollout(), hostile(), large(100_000)]


def lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.splitlines()]


def content(messages: list[Message]) -> list[dict[str, Any]]:
    """What a label refers to; a text that is missing and one that is empty are alike in STS."""
    kept: list[dict[str, Any]] = [{key: message[key] for key in HASHED_MESSAGE_KEYS} for message in messages]  # type: ignore[literal-required]
    return [message | {"content": message["content"] or None} for message in kept]


def read_sts(text: str) -> Any:
    records = [RawRecord(at, value) for at, value in enumerate(lines(text))]
    assert detect(records, "export")[0].name == "sts"
    (record,) = STS().assemble(iter(records))
    return STS().convert(record.value)


def read_openai(text: str) -> Any:
    (value,) = lines(text)
    assert detect([RawRecord(0, value)], "export")[0].name == "openai_chat"
    return OpenAIChat().convert(value)


@pytest.mark.parametrize("given", ROWS, ids=lambda given: given["trajectory_id"][:8])
@pytest.mark.parametrize(("write", "read"), [(as_sts, read_sts), (as_openai, read_openai)])
def test_an_export_is_read_back(given: Trajectory, write: Any, read: Any) -> None:
    raw = read(write(given))
    assert content(raw.messages) == content(given["messages"])
    assert (raw.task_id, raw.env_id, raw.reward) == (given["task_id"], given["env_id"], given["reward"])


def test_real_trajectories_are_read_back(shared: Path) -> None:
    import gzip

    records = json.loads(gzip.decompress((shared / "tau_bench_airline_gpt4o.json.gz").read_bytes()))
    for at, record in enumerate(records[:40]):
        messages = TauBench().convert(record).messages
        given = row(f"t{at}", messages, reward=float(record["reward"]))
        assert content(read_sts(as_sts(given)).messages) == content(messages)
        assert content(read_openai(as_openai(given)).messages) == content(messages)


def test_tools_and_recorded_parts_go_along() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    message = turn("ab")
    message["content_json"] = '[{"type":"text","text":"a"},{"type":"image_url","url":"x"},{"type":"text","text":"b"}]'
    given = row("p", [message], tools=json.dumps([tool]))
    raw = read_openai(as_openai(given))
    assert raw.tools == [tool]
    assert json.loads(raw.messages[0]["content_json"]) == json.loads(message["content_json"])
    assert "tools" not in lines(as_openai(row("p", [turn("a")], tools=json.dumps([tool]), tools_inferred=True)))[0]


def test_the_json_is_the_row_and_a_reject_goes_along_with_its_bytes() -> None:
    assert json.loads(as_json(rollout())) == json.loads(json.dumps(rollout()))
    reject: dict[str, Any] = dict.fromkeys(shop()) | {"raw": b"\xff{", "reject_reason": "not_json"}
    assert json.loads(as_json(reject))["raw"] == "\ufffd{"


def test_a_file_name_holds_nothing_of_a_path() -> None:
    assert file_name("../../etc/passwd\x00", ".json") == "etc_passwd.json"
    assert file_name("...", ".json") == "trace.json"
    assert len(file_name("x" * 1_000, ".json")) < 100
    assert list(EXPORTS) == ["json", "sts", "openai"]
