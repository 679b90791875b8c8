"""What people said of trajectories: the flags, the file of labels, and what several annotators say together.

The file is labels.parquet as `python -m app.export` writes it: one row an annotator and target. A target is a
trajectory by its id and content hash, or one message of it.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from curate.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

Votes: TypeAlias = Literal["majority", "any", "all"]
FILE = "labels.parquet"
METADATA = b"cacherl.labels"
"""Key of the file's Parquet metadata: JSON with the schema that the labels were given under."""
ADJUDICATE = "adjudicate"
_COLUMNS = ("trajectory_id", "content_hash", "message_index", "annotator", "verdict", "tags", "action")
_TARGET = ("trajectory_id", "content_hash", "message_index")


@dataclass(frozen=True)
class LabelRules:
    """What is done with people's labels.

    Attributes:
        labels: labels of `python -m app.export`: its folder, or labels.parquet.
        drop_labels: verdicts whose trajectories go, e.g. bad.
        keep_labels: verdicts whose trajectories alone stay, e.g. good; what nobody labelled goes too.
        drop_tags: failure tags whose trajectories go.
        label_weights: weights by verdict, e.g. good=2,unsure=.5; what has no such verdict weighs 1.
        label_votes: of several annotators: the verdict of most (none where votes are even), every verdict that any
            gave, or one that all gave; a tag of more than half, of any, of all. An adjudication overrules them.
        bad_turns: what is done about a turn with a verdict of --drop-labels (without any: bad) or a tag of
            --drop-tags: keep, drop its trajectory, or untrain: it stays and is not trained on.
    """

    labels: Path | None = None
    drop_labels: tuple[str, ...] = ()
    keep_labels: tuple[str, ...] = ()
    drop_tags: tuple[str, ...] = ()
    label_weights: tuple[str, ...] = ()
    label_votes: Votes = "majority"
    bad_turns: Literal["keep", "drop", "untrain"] = "keep"

    def check(self) -> None:
        """Refuse rules that cannot be right.

        Raises:
            UsageError: for rules without labels, labels without rules, or rules against each other.
        """
        used = [name for name in ("drop_labels", "keep_labels", "drop_tags", "label_weights") if getattr(self, name)]
        used += ["bad_turns"] if self.bad_turns != "keep" else []
        if self.labels is None:
            idle = used + (["label_votes"] if self.label_votes != "majority" else [])
            if idle:
                raise UsageError(f"--{idle[0].replace('_', '-')} says nothing without --labels")
            return
        if not used:
            raise UsageError(
                "--labels alone changes nothing; say what to do: --drop-labels, --keep-labels, --drop-tags, "
                "--label-weights or --bad-turns"
            )
        both = [verdict for verdict in self.drop_labels if verdict in self.keep_labels]
        if both:
            raise UsageError(f"--drop-labels and --keep-labels both name {both[0]!r}")
        self.weights()

    def weights(self) -> dict[str, float]:
        """Verdict -> weight.

        Raises:
            UsageError: for what is not VERDICT=NUMBER, or a weight that is not above 0.
        """
        found: dict[str, float] = {}
        for part in (part.strip() for given in self.label_weights for part in given.split(",")):
            verdict, _, number = part.partition("=")
            try:
                weight = float(number)
            except ValueError as error:
                raise UsageError(f"--label-weights {part!r} is not VERDICT=WEIGHT, e.g. good=2,unsure=.5") from error
            if not 0 < weight <= 1e6:
                raise UsageError(
                    f"--label-weights {part}: a weight is above 0 and at most 1e6; --drop-labels drops a trajectory"
                )
            if not verdict or verdict in found:
                raise UsageError(f"--label-weights {part!r} names no verdict, or one for the second time")
            found[verdict] = weight
        return found

    @property
    def bad_verdicts(self) -> tuple[str, ...]:
        """Verdicts that make a turn bad."""
        return self.drop_labels or ("bad",)


@dataclass(frozen=True)
class Opinion:
    """What people say of one target together.

    Attributes:
        verdicts: those that were given, one a person; of an adjudicated target the lead's alone.
        tags: the tags of each person; of an adjudicated target the lead's alone.
        adjudicated: whether a lead has settled it.
    """

    verdicts: tuple[str, ...]
    tags: tuple[tuple[str, ...], ...]
    adjudicated: bool = False

    def says(self, votes: Votes) -> frozenset[str]:
        """The verdicts that count."""
        counts = Counter(self.verdicts).most_common()
        if votes == "any" or not counts:
            return frozenset(self.verdicts)
        if votes == "all":
            return frozenset(self.verdicts if len(counts) == 1 else ())
        even = len(counts) > 1 and counts[0][1] == counts[1][1]
        return frozenset(() if even else (counts[0][0],))

    def tagged(self, votes: Votes) -> frozenset[str]:
        """The tags that count."""
        counts = Counter(tag for given in self.tags for tag in set(given))
        least = {"any": 1.0, "majority": len(self.tags) / 2 + 0.5, "all": len(self.tags)}[votes]
        return frozenset(tag for tag, count in counts.items() if count >= least)

    def told(self) -> str:
        """The votes, for people: `2 bad, 1 good`."""
        counts = sorted(Counter(self.verdicts).items(), key=lambda item: (-item[1], item[0]))
        who = "adjudicated: " if self.adjudicated else ""
        return who + (", ".join(f"{count} {verdict}" for verdict, count in counts) or "no verdict")


Target: TypeAlias = tuple[str, str, int | None]
"""trajectory_id, content_hash, message_index; None for the whole trajectory."""


@dataclass(frozen=True)
class Labels:
    """The labels of one file.

    Attributes:
        sha256: of the file.
        size: its bytes.
        read: labels in it.
        annotators: how many people gave them.
        opinions: what is said of each target.
    """

    sha256: str
    size: int
    read: int = 0
    annotators: int = 0
    opinions: dict[Target, Opinion] = field(default_factory=dict)

    @classmethod
    def load(cls, rules: LabelRules) -> Labels | None:
        """The labels that the rules name; None if they name none.

        Raises:
            UsageError: for a file that is not there or holds no labels, or a rule on what nobody can have said.
        """
        if rules.labels is None:
            return None
        path = rules.labels / FILE if rules.labels.is_dir() else rules.labels
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UsageError(f"--labels {path} cannot be read: {error.strerror}") from error
        frame, told = _parsed(data, path)
        _refuse_unknown(rules, frame, told, path)
        sha256 = hashlib.sha256(data).hexdigest()
        people = frame["annotator"].n_unique()
        return cls(sha256, len(data), frame.height, people, dict(_opinions(frame)))

    def recorded(self, rules: LabelRules) -> dict[str, Any]:
        """What stands of them in a manifest's settings."""
        said = asdict(rules)
        del said["labels"]
        return said | {"label_weights": rules.weights(), "sha256": self.sha256}

    def described(self) -> dict[str, Any]:
        """How the file stands among a manifest's inputs."""
        return {"name": "labels", "kind": "file", "sha256": self.sha256, "bytes": self.size, "format": "labels"}


def _parsed(data: bytes, path: Path) -> tuple[pl.DataFrame, dict[str, Any]]:
    """The labels of a file, those that speak of something; and what its metadata say."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
        told = json.loads((table.schema.metadata or {}).get(METADATA, b"{}"))
        missing = [name for name in _COLUMNS if name not in table.column_names]
        if missing:
            raise UsageError(f"--labels {path} has no column {missing[0]}; write it with python -m app.export")
        frame = pl.DataFrame(pl.from_arrow(table.select(_COLUMNS)))
        kinds = {name: pl.String for name in _COLUMNS} | {"message_index": pl.Int32, "tags": pl.List(pl.String)}
        frame = frame.cast(kinds)  # type: ignore[arg-type]
    except (pa.ArrowException, pl.exceptions.PolarsError, ValueError) as error:
        why = str(error).splitlines()[0]
        raise UsageError(f"--labels {path} is no file of labels ({why}); write it with python -m app.export") from error
    spoken = frame.filter(pl.col("action").is_in(["label", ADJUDICATE]))
    return spoken.drop_nulls(["trajectory_id", "content_hash", "annotator"]), told if isinstance(told, dict) else {}


def _refuse_unknown(rules: LabelRules, frame: pl.DataFrame, told: dict[str, Any], path: Path) -> None:
    """Refuse a name that neither the schema nor any label knows: a slip that would do nothing."""
    given = {
        "drop-labels": (rules.drop_labels, "verdicts"),
        "keep-labels": (rules.keep_labels, "verdicts"),
        "label-weights": (tuple(rules.weights()), "verdicts"),
        "drop-tags": (rules.drop_tags, "tags"),
    }
    seen = {"verdicts": frame["verdict"].drop_nulls(), "tags": frame["tags"].explode().drop_nulls()}
    for flag, (names, kind) in given.items():
        known = set(_schema_names(told, kind)) | set(seen[kind].to_list())
        for name in names:
            if name not in known:
                there = ", ".join(sorted(known)) or "none"
                raise UsageError(f"--{flag} {name}: the labels of {path} know no such name; {kind}: {there}")


def _schema_names(told: dict[str, Any], kind: str) -> Iterable[str]:
    schema = told.get("schema")
    choices = schema.get(kind) if isinstance(schema, dict) else None
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(choice.get("name"), str):
            yield choice["name"]


def _opinions(frame: pl.DataFrame) -> Iterable[tuple[Target, Opinion]]:
    """The opinion on each target, in the order of the targets' first labels; of one person the last label counts."""
    import polars as pl

    last = frame.unique([*_TARGET, "annotator", "action"], keep="last", maintain_order=True)
    groups = last.group_by(_TARGET, maintain_order=True).agg(pl.col("action", "verdict", "tags"))
    for *target, actions, verdicts, tags in groups.iter_rows():
        ruled = [place for place, action in enumerate(actions) if action == ADJUDICATE]
        counted = ruled[-1:] or range(len(actions))
        yield (target[0], target[1], target[2]), _opinion(counted, verdicts, tags, bool(ruled))


def _opinion(
    counted: Sequence[int], verdicts: Sequence[str | None], tags: Sequence[Sequence[str] | None], ruled: bool
) -> Opinion:
    given = (verdicts[place] for place in counted)
    marks = tuple(tuple(tag for tag in tags[place] or () if tag) for place in counted)
    return Opinion(tuple(verdict for verdict in given if verdict), marks, ruled)
