"""Kill `python -m curate` before each of its file system steps and look at what is left; run by test_interrupted.py.

Reads a JSON object from stdin: argv of the command, `root` (only events below it count), `out`, `every` (which of the
steps to try) and `resume` (run again afterwards). Children are forked from this process, so that imports cost once.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2  # noqa: F401
import pandas  # noqa: F401  what a run imports late is imported here, before the forks

from curate import __main__ as command
from curate import curation_report, pipeline, plots, verify  # noqa: F401

STEPS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree", "ctypes.dlsym")


def plain_picture(*_: Any, **__: Any) -> str:
    return "<svg/>"


plots.bars = plots.histogram = plain_picture


def child(work: Callable[[], int]) -> int:
    """Exit code of `work` in a fork; negative if a signal ended it."""
    pid = os.fork()
    if pid == 0:
        with open(os.devnull, "w") as null, contextlib.redirect_stdout(null), contextlib.redirect_stderr(null):
            code = work()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_before(step: int, root: str, argv: list[str]) -> Callable[[], int]:
    def work() -> int:
        left = step

        def watch(event: str, args: tuple[Any, ...]) -> None:
            nonlocal left
            if event in STEPS and (event == "ctypes.dlsym" or any(root in str(arg) for arg in args)):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        return command.main(argv)

    return work


def state(out: Path) -> str:
    """Hash of the folder's files; "absent" without a folder, "broken" where it does not pass curate.verify."""
    if not out.exists():
        return "absent"
    if child(lambda: verify.main([str(out)])):
        return "broken"
    digest = hashlib.sha256()
    for path in sorted(out.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    job = json.load(sys.stdin)
    out, old = Path(job["out"]), Path(job["old"]) if job["old"] else None
    found: list[dict[str, Any]] = []
    for step in range(0, 10_000, job["every"]):
        for path in out.parent.glob(f"*{out.name}*"):
            shutil.rmtree(path)
        if old is not None:
            shutil.copytree(old, out)
        code = child(killed_before(step, job["root"], job["argv"]))
        after = state(out)
        again = child(lambda: command.main(job["argv"]))
        litter = sorted(path.name for path in out.parent.glob(f"*{out.name}*") if path != out)
        found.append({"code": code, "after": after, "again": again, "end": state(out), "litter": litter})
        if code != -signal.SIGKILL:
            break
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
