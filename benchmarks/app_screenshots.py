"""The pictures of the reader in app/screenshots: `python benchmarks/app_screenshots.py`, on recordings of the desk."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.app_stage import ROOT, browser, missing, served, visitor

COMMANDS = (
    "curate.sandbox --episodes 400 --seed 1 --preset full --out desk.jsonl.gz",
    "curate desk.jsonl.gz --out curated --license Apache-2.0",
    "synth.augment curated --out augmented --teacher offline",
    "cachebuild augmented --out cache",
    "cachebuild.audit cache --queries augmented --out audit",
)
OUT = ROOT / "app" / "screenshots"


def main() -> int:
    """Draw the pages and keep what they look like."""
    why = missing()
    if why is not None:
        sys.stderr.write(f"error: {why}\n")
        return 2
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        for command in COMMANDS:
            subprocess.run([sys.executable, "-m", *command.split()], cwd=place, check=True, capture_output=True)
        folders = [place / name for name in ("curated", "augmented", "cache", "audit")]
        with browser() as found, served(folders, place, ["--read-only"]) as server:
            trace = _first_trace(place / "augmented")
            pages = {
                "browse": "/",
                "read": f"/read?folder=augmented&trace={trace}&turn=2",
                "compare": f"/compare?mode=before_after&folder=augmented&trace={trace}",
                "runs": "/runs?run=audit",
            }
            for name, address in pages.items():
                page = visitor(found, dark=name == "read")
                page.goto(server.url + address)
                page.get_by_test_id("stStatusWidget").wait_for(state="detached")
                page.wait_for_timeout(4000)
                page.screenshot(path=OUT / f"{name}.png")
                page.context.close()
                print(OUT / f"{name}.png")
    return 0


def _first_trace(folder: Path) -> str:
    from curate.folder import DatasetFolder

    rows = DatasetFolder.open(folder).rows("trajectories", ["trajectory_id"])
    return str(next(rows)["trajectory_id"])


if __name__ == "__main__":
    raise SystemExit(main())
