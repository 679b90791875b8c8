"""An annotator in a process of its own, who may be killed: `python labeller.py FOLDER URL NAME DONE`.

Labels what the queue gives, sends every label twice, and writes a line to DONE after each `record` that returned.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from app.labels.events import Event, new_event_id
from app.labels.store import LabelStore
from app.settings import LabelSettings


def main(folder: str, url: str, name: str, done: str) -> None:
    settings = LabelSettings(Path(folder), url or None, backup_minutes=0.0002, export_minutes=0)
    log = os.open(done, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    with LabelStore.open(settings) as store:
        while (target := store.next("q", name)) is not None:
            event = Event(new_event_id(), name, target, "good", queue="q", schema_version=store.schema.version)
            store.record(event)
            os.write(log, f"{event.event_id}\n".encode())
            assert store.record(event) is False


if __name__ == "__main__":
    main(*sys.argv[1:])
