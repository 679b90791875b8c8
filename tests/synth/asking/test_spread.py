"""Asking from many processes: on a Ray of this machine, whose workers write segments of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from curate.folder import DatasetFolder
from tests.synth.stub_teacher import Stub

pytest.importorskip("ray")


def test_ray_asks_each_turn_once_and_gives_the_same_bytes(orders, augment, tmp_path: Path) -> None:
    source = orders(300)
    with Stub(tmp_path) as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url, "--journal", tmp_path / "journal"]
        done = augment(source, "--out", tmp_path / "ray", *flags, "--engine", "ray", "--workers", 2)
        assert done.returncode == 0, done.stderr
        assert len(stub.requests()) == 1500
        assert len(list((tmp_path / "journal").glob("segment-*.jsonl"))) >= 1
        again = augment(source, "--out", tmp_path / "local", *flags)
        assert again.returncode == 0 and len(stub.requests()) == 1500, again.stderr
    shards = [(tmp_path / name / "trajectories-00000.parquet").read_bytes() for name in ("ray", "local")]
    assert shards[0] == shards[1]
    assert DatasetFolder.open(tmp_path / "ray").manifest.counts["turns"]["silent"] == {"teacher": 900}


def test_what_stops_a_task_stops_the_run(orders, augment, tmp_path: Path) -> None:
    with Stub(tmp_path, faults=[{"fault": "quota", "at": list(range(20, 9999))}]) as stub:
        flags = ["--teacher", "openai:stub-1", "--base-url", stub.url, "--engine", "ray", "--workers", 2]
        done = augment(orders(40), "--out", tmp_path / "out", *flags)
    assert done.returncode == 3 and "insufficient_quota" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


def test_ray_is_for_servers_of_ones_own(orders, augment, tmp_path: Path) -> None:
    done = augment(orders(1), "--out", tmp_path / "out", "--teacher", "openai:stub-1", "--engine", "ray")
    assert done.returncode == 2 and "self-hosted" in done.stderr
