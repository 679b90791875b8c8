"""The recorder's thread: a full disk, a journal that grew, strange exchanges, progress."""

from __future__ import annotations

import errno
import json
import os
import time

import pytest

from curate.recording_proxy import recorder as module
from curate.recording_proxy.exchange import Exchange
from curate.recording_proxy.recorder import Recorder


@pytest.fixture
def recorder(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TICK_SECONDS", 0.01)
    made = Recorder(tmp_path / "rec.jsonl", "host", 300.0)
    made.start()
    yield made
    made.stop()


def exchange(text, reply="ok"):
    request = {"messages": [{"role": "user", "content": text}]}
    choice = {"message": {"role": "assistant", "content": reply}, "finish_reason": "stop"}
    return Exchange(json.dumps(request).encode(), json.dumps({"choices": [choice]}).encode(), 1.0, 2.0)


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def texts(path):
    return [json.loads(line)["messages"][0]["content"] for line in path.read_text().splitlines()]


def test_a_full_disk_delays_but_loses_nothing(recorder, tmp_path, monkeypatch, capsys):
    write, full = os.write, [True]

    def half(handle, data):
        if full[0] and len(data) > 1000:
            write(handle, bytes(data)[:500])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, data)

    monkeypatch.setattr(os, "write", half)
    recorder.put(exchange("x" * 2000))
    recorder.put(exchange("second"))
    until(lambda: "No space left on device; trying again" in capsys.readouterr().err)
    full[0] = False
    until(lambda: recorder.counts.recorded == 2)
    recorder.stop()
    assert texts(tmp_path / "rec.jsonl") == ["x" * 2000, "second"]


def test_a_disk_that_stays_full_leaves_the_journal(recorder, tmp_path, monkeypatch, capsys):
    recorder.put(exchange("x" * 2000))
    until(lambda: recorder.counts.recorded == 1)

    def refuse(handle, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        recorder.stop()
    assert "start again to go on" in capsys.readouterr().err
    assert texts(tmp_path / "rec.jsonl") == []
    again = Recorder(tmp_path / "rec.jsonl", "host", 300.0)
    again.start()
    again.stop()
    assert texts(tmp_path / "rec.jsonl") == ["x" * 2000]
    assert not (tmp_path / "rec.jsonl.journal").exists()


def test_a_journal_that_grew_is_rewritten_with_what_is_open(recorder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "COMPACT_BYTES", 3000)
    recorder._idle_seconds = 0.05
    for number in range(30):
        recorder.put(exchange(f"{number} " + "x" * 300))
        time.sleep(0.01)
    until(lambda: recorder.counts.written == 30)
    until(lambda: (tmp_path / "rec.jsonl.journal").stat().st_size < 12_000)  # of 25,000
    recorder.stop()
    assert [text.split()[0] for text in texts(tmp_path / "rec.jsonl")] == [str(number) for number in range(30)]


def test_a_request_under_way_keeps_its_trajectory_open(recorder):
    recorder.running[1] = (time.monotonic(), None)
    recorder._idle_seconds = 0.05
    recorder.put(exchange("q"))
    time.sleep(0.3)
    assert recorder.counts.written == 0
    del recorder.running[1]
    until(lambda: recorder.counts.written == 1)


def test_no_exchange_stops_the_others(recorder, tmp_path):
    deep = b'{"messages": [{"role": "user", "content": ' + b"[" * 900 + b"]" * 900 + b"}]}"
    for request in (b"", b"\xff", deep, b'{"messages": [{"role": "user", "content": "\\ud83d"}], "model": 3}'):
        recorder.put(Exchange(request, exchange("").reply, 1.0, 2.0))
    recorder.put(exchange("last"))
    until(lambda: recorder.counts.recorded + recorder.counts.skipped.total() == 5)
    recorder.stop()
    assert texts(tmp_path / "rec.jsonl")[-1] == "last"


def test_progress_is_told_when_something_changed(recorder, monkeypatch, capsys):
    monkeypatch.setattr(module, "PROGRESS_SECONDS", 0.05)
    recorder.put(exchange("q"))
    until(lambda: "recorded 1; open trajectories 1; written 0" in capsys.readouterr().err)
    time.sleep(0.2)
    assert capsys.readouterr().err == ""
