"""What `python -m app` refuses before it opens anything, and what it says."""

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from app.settings import AppSettings, LabelSettings, ServerSettings
from curate.errors import UsageError

ROOT = Path(__file__).parents[2]


def refused(settings):
    with pytest.raises(UsageError) as caught:
        settings.check()
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (AppSettings(()), "at least one dataset folder"),
        (AppSettings((Path("a"),), server=ServerSettings(port=0)), "--port 0"),
        (AppSettings((Path("a"),), server=ServerSettings(host="0.0.0.0")), "add --auth"),
        (AppSettings((Path("a"),), server=ServerSettings(auth=True, read_only=True)), "--read-only"),
        (AppSettings((Path("a"),), LabelSettings(database="labels.sqlite")), "--database is a URL"),
        (AppSettings((Path("a"),), LabelSettings(backup_minutes=-1)), "--backup-minutes -1 is below 0"),
        (AppSettings((Path("a"),), LabelSettings(keep_backups=0)), "--keep-backups 0"),
    ],
)
def test_what_cannot_be_served_is_refused_with_its_remedy(settings, words):
    assert words in refused(settings)


def test_other_machines_are_let_in_only_with_accounts():
    open_to_all = ServerSettings(host="0.0.0.0", auth=True)
    AppSettings((Path("a"),), server=open_to_all).check()
    assert "add --auth" in refused(AppSettings((Path("a"),), server=replace(open_to_all, auth=False)))


def command(*words, cwd):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run([sys.executable, "-m", "app", *words], cwd=cwd, env=env, capture_output=True, text=True)


def test_a_taken_port_and_a_missing_folder_are_one_line_each(tmp_path):
    with socket.socket() as line:
        line.bind(("127.0.0.1", 0))
        line.listen()
        port = line.getsockname()[1]
        done = command("nowhere", "--port", str(port), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == f"error: 127.0.0.1:{port} cannot be listened on (Address already in use); choose another --port\n"
    )
    done = command("nowhere", "--port", str(port), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "error: nowhere does not exist; name a dataset folder\n")
