"""Where the proxy listens and what stands behind it, from the flags."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from curate.errors import UsageError

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class Upstream:
    """A model server.

    Attributes:
        origin: scheme, host and port.
        path: what its API stands under, e.g. `/v1`; empty for none.
        host: what records say of it.
    """

    origin: str
    path: str
    host: str

    def url(self, target: str) -> str:
        """The address of a request's target; agents may leave out the upstream's path or repeat it."""
        path = target.split("?", 1)[0]
        under = path == self.path or path.startswith(f"{self.path}/")
        return self.origin + (target if under else self.path + target)


def parse_upstream(url: str) -> Upstream:
    """`--upstream`; the URL is not repeated in messages, as it may hold a key.

    Raises:
        UsageError: for what is no http(s) address, or one with a user, a query or a fragment.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise UsageError("--upstream is no URL; it looks like https://api.openai.com/v1") from error
    if parts.scheme not in ("http", "https") or not host:
        raise UsageError("--upstream must be an http or https URL, like https://api.openai.com/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError("--upstream must hold no user, query or fragment: keys stay in the agents' own requests")
    name = f"[{host}]" if ":" in host else host
    name = name if port is None else f"{name}:{port}"
    return Upstream(f"{parts.scheme}://{name}", parts.path.rstrip("/"), name)


def parse_listen(text: str) -> tuple[str, int]:
    """`--listen`: (host, port); a port alone listens on this machine only.

    Raises:
        UsageError: for anything else.
    """
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdecimal() or int(port) > 65_535:
        raise UsageError(f"--listen takes PORT or HOST:PORT, not {text!r}")
    return host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port)
