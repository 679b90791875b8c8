"""The command `python -m curate.record`: a proxy before a model server that records what agents do as trajectories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path

from curate.cli import out, parse, run, say
from curate.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """Record other people's agents: an OpenAI-compatible reverse proxy that writes what passes as trajectories.

    Give agents the address it prints as their base_url; everything else stays as it is, keys too, which are passed on
    and never stored. A trajectory is written when it was idle for a while, when the proxy stops (Ctrl-C), or when the
    agent says so. Agents may send headers, which are not passed on: x-cacherl-task, x-cacherl-trial and x-cacherl-env
    name what they work on, x-cacherl-end: 1 comes with the last request. A reward comes by
    POST /cacherl/reward {"task_id": "t1", "trial": 0, "reward": 1.0} while the trajectory is open, and ends it.
    """

    upstream: str
    """The model server, like https://api.openai.com/v1 or http://127.0.0.1:8000/v1."""
    out: Path
    """JSONL file to append to; `python -m curate FILE` reads it."""
    listen: str = "8090"
    """PORT of 127.0.0.1, or HOST:PORT; port 0 takes a free one."""
    idle_seconds: float = 300.0
    """A trajectory without a request for so long is finished."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: arguments; None takes those of the process.

    Returns:
        The exit code: 0 after Ctrl-C or SIGTERM, 2 for a setting, a path or a port that cannot be right.
    """
    settings = parse(Settings, "python -m curate.record", cleandoc(Settings.__doc__ or ""), argv)
    return run(lambda: _record(settings))


def _record(settings: Settings) -> int:
    from curate.atomic import exclusive
    from curate.recording_proxy.addresses import parse_listen, parse_upstream

    upstream, listen = parse_upstream(settings.upstream), parse_listen(settings.listen)
    if settings.out.suffix in (".gz", ".zst", ".parquet"):
        raise UsageError(f"--out {settings.out}: lines are appended to a plain .jsonl file")
    if not settings.idle_seconds > 0:
        raise UsageError("--idle-seconds must be above 0")
    if not settings.out.parent.is_dir():
        raise UsageError(f"--out {settings.out}: there is no folder {settings.out.parent}")
    try:
        import aiohttp  # noqa: F401
    except ImportError as error:
        raise UsageError("recording needs aiohttp; pip install 'cacherl[record]'") from error

    import asyncio

    from curate.recording_proxy.recorder import Recorder
    from curate.recording_proxy.server import serve

    def ready(address: str) -> None:
        say(f"recording {upstream.host} to {settings.out}; base_url for agents: {address}{upstream.path}")

    with exclusive(settings.out, str(settings.out)):
        recorder = Recorder(settings.out, upstream.host, settings.idle_seconds)
        recorder.start()
        try:
            asyncio.run(serve(upstream, listen, recorder, ready))
        finally:
            recorder.stop()
    out(recorder.counts.text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
