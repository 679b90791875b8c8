"""How fast the intake index answers: offers of desk episodes, one after the other, to a redis-server of its own.

The last line is JSON: offers a second, reading and making of trajectories left out, and the 95th percentile of one
offer in milliseconds. Needs the program redis-server (Debian's package of that name).
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# As a script this file stands before the package that it measures a part of.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != Path(__file__).resolve().parent]
from curate.intake.index import IntakeIndex  # noqa: E402
from curate.intake.reading import read  # noqa: E402
from curate.normalise import Input  # noqa: E402
from curate.sandbox.export import export  # noqa: E402


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a server on a free loopback port, which keeps nothing and is ended afterwards."""
    program = shutil.which("redis-server")
    if program is None:
        raise SystemExit("no redis-server here; apt-get install redis-server")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    flags = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder)]
    server = subprocess.Popen([program, *flags], stdout=subprocess.DEVNULL)
    try:
        wait_for(port)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def wait_for(port: int) -> None:
    """Return when the port is open."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("redis-server did not start within 10 s")


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=5000)
    episodes = parser.parse_args().episodes
    with tempfile.TemporaryDirectory() as name, redis_server(Path(name)) as url:
        path = Path(name) / "desk.jsonl"
        export(path, episodes, 0, "full")
        rows = [record.row for record in read(Input(str(path), "desk"))[1] if record.row is not None]
        IntakeIndex.open(url, "warm").offer(rows[0])  # loads the compiled kernels
        index = IntakeIndex.open(url, "desk")
        before = index.client.info("memory")["used_memory"]
        seconds = []
        for row in rows:
            started = time.perf_counter()
            index.offer(row)
            seconds.append(time.perf_counter() - started)
        bytes_a_row = (index.client.info("memory")["used_memory"] - before) / max(1, len(index))
        print(f"{len(rows)} offers, {len(index)} accepted, {bytes_a_row / 1e3:.1f} kB of Redis a row")
    ordered = sorted(seconds)
    print(f"one offer: median {statistics.median(ordered) * 1e3:.2f} ms, most {ordered[-1] * 1e3:.2f} ms")
    p95 = ordered[int(0.95 * len(ordered))] * 1e3
    print(json.dumps({"offers_per_s": round(len(rows) / sum(seconds), 1), "p95_ms": round(p95, 2)}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
