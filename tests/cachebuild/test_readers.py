"""Real processes: readers that ask all the time while another adds, withdraws, compacts and compiles anew."""

import json
import subprocess
import sys

import pytest

from cachebuild.__main__ import main
from cachebuild.compact import main as compact
from cachebuild.withdraw import main as withdraw

ASK = """
import sys, json
from cachebuild import ToolCache

def said(cache):
    session, found = cache.session("shop", None, "t0"), []
    for number in range(8):
        for tool, arguments in ("find_shop", {"q": f"near {number}"}), ("get_order", {"order_id": f"W{number}"}):
            answer = session.call(tool, arguments)
            outcomes = [[each.result, each.count, each.source_trajectory_id] for each in answer.outcomes]
            found.append([answer.tier, answer.result, round(answer.p, 9), outcomes])
    return found
"""
READER = (
    ASK
    + """
import pathlib
cache, states, stop = sys.argv[1], json.load(open(sys.argv[2])), pathlib.Path(sys.argv[3])
seen, opens = [0] * len(states), 0
while not stop.exists() or not opens:
    opened = ToolCache.open(cache)
    opens += 1
    first = said(opened)
    seen[states.index(first)] += 1
    for _ in range(5):
        assert said(opened) == first
print(json.dumps([opens, seen]))
"""
)
WRITER = """
import sys
from cachebuild.__main__ import main
from cachebuild.compact import main as compact
from cachebuild.withdraw import main as withdraw
first, more, cache, rounds = sys.argv[1:]
for _ in range(int(rounds)):
    assert main([first, "--out", cache, "--overwrite"]) == 0
    assert main([more, "--out", cache, "--add"]) == 0
    assert withdraw([cache, "--tool", "get_order", "--reason", "x"]) == 0
    assert withdraw([cache, "--tool", "get_order", "--undo"]) == 0
    assert withdraw([cache, "--task", "t1", "--reason", "x"]) == 0
    assert compact([cache, "--drop"]) == 0
"""


def rows(make, name):
    return [
        make(
            f"{name}{number}",
            *([("find_shop", {"q": f"near {n}"}, f"{name} {n} {number % 2}")] for n in range(6)),
            [("get_order", {"order_id": f"W{number}"}, f"{name}{number}")],
            task_id=f"t{number % 3}",
        )
        for number in range(8)
    ]


def read_while_it_changes(make, write_folder, tmp_path, rounds):
    first, more = str(write_folder(rows(make, "a"), name="a")), str(write_folder(rows(make, "b"), name="b"))
    cache, stop = str(tmp_path / "cache"), tmp_path / "stop"
    states = []

    def noted():
        code = ASK + "print(json.dumps(said(ToolCache.open(sys.argv[1]))))"
        found = json.loads(subprocess.run([sys.executable, "-c", code, cache], capture_output=True, check=True).stdout)
        states.append(found) if found not in states else None

    assert main([first, "--out", cache]) == 0
    noted()
    assert main([more, "--out", cache, "--add"]) == 0
    noted()
    assert withdraw([cache, "--tool", "get_order", "--reason", "x"]) == 0
    noted()
    assert withdraw([cache, "--tool", "get_order", "--undo"]) == 0
    assert withdraw([cache, "--task", "t1", "--reason", "x"]) == 0
    noted()
    assert compact([cache, "--drop"]) == 0
    noted()
    assert len(states) == 4, "compacting changes no answer, and undo gives back what was there"
    (tmp_path / "states.json").write_text(json.dumps(states))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    ask = [sys.executable, "-c", READER, cache, str(tmp_path / "states.json"), str(stop)]
    readers = [subprocess.Popen(ask, **pipes) for _ in range(2)]
    try:
        write = [sys.executable, "-c", WRITER, first, more, cache, str(rounds)]
        wrote = subprocess.run(write, capture_output=True, text=True)
    finally:
        stop.touch()
        found = [reader.communicate() for reader in readers]
    assert wrote.returncode == 0, wrote.stderr
    for reader, (_, errors) in zip(readers, found, strict=True):
        assert reader.returncode == 0, errors
    return [json.loads(said) for said, _ in found]


def test_readers_see_one_state_or_another_while_it_changes(make, write_folder, tmp_path):
    for opens, seen in read_while_it_changes(make, write_folder, tmp_path, rounds=1):
        assert opens == sum(seen) > 0


@pytest.mark.slow
def test_readers_see_every_state_in_a_long_run(make, write_folder, tmp_path):
    found = read_while_it_changes(make, write_folder, tmp_path, rounds=30)
    sys.stdout.write(f"openings, and how often each state was seen, of each reader: {found}\n")
    assert all(all(seen) for _, seen in found)
