"""Opens what the settings name and runs Streamlit's server in this process; pages find it in `app.opened`."""

from __future__ import annotations

import logging
import socket
from importlib.util import find_spec
from pathlib import Path

from app.opened import Opened, use
from app.settings import LOOPBACK, AppSettings
from app.theme import theme_options
from curate.cli import out
from curate.errors import UsageError

SCRIPT = Path(__file__).parent / "entry" / "reader.py"


def serve(settings: AppSettings) -> int:
    """Serve the pages until the process is stopped; returns the exit code.

    Raises:
        UsageError: if the extra is not installed, the port is taken, or a folder or the database cannot be opened.
    """
    if find_spec("streamlit") is None or find_spec("sqlalchemy") is None:
        raise UsageError("the pages need the extra: pip install -e '.[app]'")
    _need_free(settings.server.host, settings.server.port)
    with Opened.of(settings) as opened:
        use(opened)
        _preload()
        if not settings.server.quiet:
            out(f"{opened.library.told()}\nhttp://{_shown(settings.server.host)}:{settings.server.port}")
        _run(settings)
    return 0


def _preload() -> None:
    from app.navigation import preload

    logging.getLogger("streamlit").setLevel(logging.ERROR)  # it warns that no page is being drawn
    preload()


def _run(settings: AppSettings) -> None:
    from streamlit.web import bootstrap

    options = {
        "server.address": settings.server.host,
        "server.port": settings.server.port,
        "server.allowedHosts": list(LOOPBACK) if settings.server.host in LOOPBACK else [],  # no other name of ours
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "logger.level": "warning",
        "logger.hideWelcomeMessage": True,
        **theme_options(),
    }
    flags = {name.replace(".", "_"): value for name, value in options.items()}
    bootstrap.load_config_options(flags)
    bootstrap.run(str(SCRIPT), False, [], flags)


def _need_free(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind((host, port))
        except OSError as error:
            raise UsageError(
                f"{host}:{port} cannot be listened on ({error.strerror}); choose another --port"
            ) from error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
