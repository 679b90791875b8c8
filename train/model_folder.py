"""The folder of a trained model: a checkpoint as transformers saves it, `training.json` and `metrics.parquet`.

It appears whole or not at all. Checkpoints of an unfinished run stand in OUT.checkpoints, which goes when OUT is there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from curate.atomic import exclusive, publish_folder, recover_folder, write_file
from curate.canonical import canonical_json
from curate.errors import FolderError, UpToDate, UsageError
from curate.folder import check_parent
from train.ranks import first, part, rank

TRAINING = "training.json"
METRICS = "metrics.parquet"
CHECKPOINTS = ".checkpoints"
STATE = "trainer_state.json"
"""Of a checkpoint: how far it is."""


class ModelFolder:
    """Where a run writes: `checkpoints` while it runs, `partial` at its end.

    Args:
        out: the folder of the model.
        identity: what decides the weights: settings, data, model.
        overwrite: replace a model of this project that stands there.
    """

    def __init__(self, out: Path, identity: Mapping[str, Any], *, overwrite: bool) -> None:
        check_parent(out)
        self.out = out
        self.partial = out.with_name(f".{out.name}.partial")
        self.checkpoints = out.with_name(f"{out.name}{CHECKPOINTS}")
        self.identity = hashlib.sha256(canonical_json(identity).encode()).hexdigest()
        self._told = dict(identity)
        self._overwrite = overwrite

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the folder for a run; where there are several ranks the first holds it for all.

        Raises:
            UpToDate: if OUT is what this run would give.
            UsageError: if something else stands there, or in OUT.checkpoints.
        """
        with ExitStack() as held:
            held.callback(part)
            first(lambda: self._begin(held))
            finished = False
            try:
                yield
                finished = True
            finally:
                if not rank() and (finished or self.last_checkpoint() is None):  # else there is one to go on from
                    shutil.rmtree(self.checkpoints, ignore_errors=True)

    def _begin(self, held: ExitStack) -> None:
        self._refuse()
        self.checkpoints.mkdir(exist_ok=True)
        held.enter_context(exclusive(self.checkpoints / "lock", str(self.out)))
        recover_folder(self.out)
        shutil.rmtree(self.partial, ignore_errors=True)  # of a run that was killed while it wrote the model
        known = self.checkpoints / "run.json"
        if known.exists() and json.loads(known.read_bytes()).get("identity") != self.identity:
            raise UsageError(
                f"{self.checkpoints} is of a run with other settings or data; remove it, or choose another --out"
            )
        write_file(known, json.dumps({"identity": self.identity}).encode())

    def last_checkpoint(self) -> Path | None:
        """The last checkpoint that was written whole."""
        found = [path for path in self.checkpoints.glob("checkpoint-*") if _is_whole(path)]
        return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)

    def publish(
        self, metrics: Iterable[Mapping[str, Any]], counts: Mapping[str, Any], columns: Sequence[str] = ()
    ) -> None:
        """Give what stands in `partial` its name, with what it was made of and how the loss went.

        Args:
            metrics: what was logged, a row a step.
            counts: of the data.
            columns: metrics that are columns even where nothing was logged of them; they come first.
        """
        import polars as pl

        rows = [{name: value for name, value in row.items() if isinstance(value, (int, float))} for row in metrics]
        frame = pl.DataFrame(rows, infer_schema_length=None)
        missing = [pl.lit(None, pl.Float64).alias(name) for name in columns if name not in frame.columns]
        others = sorted(name for name in frame.columns if name not in columns)  # a resumed run logs in another order
        frame.with_columns(missing).select(*columns, *others).write_parquet(self.partial / METRICS)
        told = {"identity": self.identity, "made_from": self._told, "counts": counts}
        write_file(self.partial / TRAINING, (json.dumps(told, indent=2, ensure_ascii=False) + "\n").encode())
        publish_folder(self.partial, self.out)

    def _refuse(self) -> None:
        out = self.out
        if not out.exists() or (out.is_dir() and not any(out.iterdir())):
            return
        if not (out / TRAINING).is_file():
            raise UsageError(f"{out} exists and is not a model of this project; choose another --out")
        if training_of(out).get("identity") == self.identity and not self._overwrite:
            raise UpToDate(f"{out} is up to date: same settings, same data")
        if not self._overwrite:
            raise UsageError(f"{out} was trained with other settings or data; use --overwrite or another --out")


def _is_whole(checkpoint: Path) -> bool:
    """Whether its state, which the trainer writes last and in place, was written to its end."""
    try:
        return isinstance(json.loads((checkpoint / STATE).read_bytes()), dict)
    except (OSError, ValueError):
        return False


def trained_identity(model: Path | str) -> str | None:
    """The identity of a model that this project trained, wherever it stands; None of any other."""
    path = Path(model)
    return str(training_of(path)["identity"]) if (path / TRAINING).is_file() else None


def training_of(folder: Path) -> dict[str, Any]:
    """What `training.json` of a model folder says.

    Raises:
        FolderError: if it is damaged.
    """
    try:
        told: dict[str, Any] = json.loads((folder / TRAINING).read_bytes())
        if not isinstance(told, dict) or not isinstance(told.get("identity"), str):
            raise ValueError("it names no identity")
    except (OSError, ValueError) as error:
        raise FolderError(f"{folder / TRAINING} cannot be read ({error})") from error
    return told
