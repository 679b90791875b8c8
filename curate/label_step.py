"""Labels on the frame of a run's rows: which rows go, what the others weigh, which turns are not trained on.

It acts on what is left after duplicates were dropped, which is what annotators were shown: a trajectory that a bad
one stood for does not come back in its place.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pyarrow as pa

from curate.decisions import Decisions
from curate.digest import read_chunk, reject_columns
from curate.labels import LabelRules, Labels, Opinion
from curate.report import Cell

STEP = "labels"


@dataclass
class Labelled:
    """What the labels did: figures for the report, in their order."""

    figures: dict[str, int] = field(default_factory=dict)

    def table(self) -> tuple[list[str], list[list[Cell]]]:
        """Headers and rows."""
        return ["figure", "value"], [[name.replace("_", " "), value] for name, value in self.figures.items()]


@dataclass
class _Row:
    """A row that is left, and what people say of it."""

    index: int
    whole: Opinion | None = None
    stale: bool = False
    turns: dict[int, Opinion] = field(default_factory=dict)


def apply_labels(decisions: Decisions, labels: Labels, rules: LabelRules, chunks: Sequence[str]) -> Labelled:
    """Mark what goes, and add the columns `weight` f32 and `untrain` list[i64] (places of messages) to the frame.

    Args:
        decisions: the rows of the run; its frame has the columns `content_hash`, `chunk`, `place` and `facts`.
        labels: what people said.
        rules: what is done about it.
        chunks: the files that the rows stand in.
    """
    rows, figures = _matched(decisions, labels, rules)
    rejects = [reject for row in rows.values() if (reject := _reject(row, rules)) is not None]
    if rules.keep_labels:
        others = [index for index in decisions.left()["index"].to_list() if index not in rows]
        rejects += [_rejected(index, "unlabelled", "nobody has labelled it") for index in others]
    decisions.reject_rows(sorted(rejects, key=lambda reject: int(reject["index"])))
    gone = {reject["index"] for reject in rejects}
    stay = [row for row in rows.values() if row.index not in gone]
    weights = {row.index: weight for row in stay if (weight := _weight(row, rules)) is not None}
    untrained = _trained(decisions.frame, {row.index: _bad_turns(row, rules) for row in stay}, rules, chunks)
    decisions.frame = _with_columns(decisions.frame, weights, untrained)
    figures |= {"trajectories_dropped": len(gone), "trajectories_weighted": len(weights)}
    figures["turns_untrained"] = sum(map(len, untrained.values()))
    return Labelled(figures)


def _matched(decisions: Decisions, labels: Labels, rules: LabelRules) -> tuple[dict[int, _Row], dict[str, int]]:
    """The labelled rows that are left, and where each labelled target was found."""
    columns = decisions.frame.select("trajectory_id", "content_hash", "index", pl.col("reject_step").is_null())
    wanted = columns.filter(pl.col("trajectory_id").is_in(list({target[0] for target in labels.opinions})))
    found = {row_id: (content, index, left) for row_id, content, index, left in wanted.iter_rows()}
    rows: dict[int, _Row] = {}
    places = dict.fromkeys(("applied", "stale", "turned_away_before", "not_in_the_input"), 0)
    open_votes = 0
    for (row_id, content, message), opinion in labels.opinions.items():
        now, index, left = found.get(row_id, (None, None, False))
        place = _place(index, content == now, left)
        places[place] += 1
        if place not in ("applied", "stale") or not left:
            continue
        row = rows.setdefault(index, _Row(index))
        row.stale |= place == "stale"
        if place == "applied":
            open_votes += bool(opinion.verdicts) and not opinion.says(rules.label_votes)
            _note(row, message, opinion)
    figures = {"labels": labels.read, "annotators": labels.annotators, "labelled_targets": len(labels.opinions)}
    return rows, figures | places | {"without_a_verdict_of_enough_votes": open_votes}


def _place(index: int | None, same: bool, left: bool) -> str:
    if index is None:
        return "not_in_the_input"
    if not same:
        return "stale"
    return "applied" if left else "turned_away_before"


def _note(row: _Row, message: int | None, opinion: Opinion) -> None:
    if message is None:
        row.whole = opinion
    else:
        row.turns[message] = opinion


def _reject(row: _Row, rules: LabelRules) -> dict[str, Any] | None:
    """Why a row goes; None if it stays."""
    if row.whole is not None:
        reason = _bad(row.whole, rules.drop_labels, rules)
        if reason is not None:
            return _rejected(row.index, reason, row.whole.told())
    bad = _bad_turns(row, rules) if rules.bad_turns == "drop" else []
    if bad:
        reason = _bad(row.turns[bad[0]], rules.bad_verdicts, rules)
        return _rejected(row.index, f"turn_{reason}", f"message {bad[0]}: {row.turns[bad[0]].told()}")
    said = row.whole.says(rules.label_votes) if row.whole is not None else frozenset()
    if not rules.keep_labels or said & set(rules.keep_labels):
        return None
    if row.whole is None:
        why = "its label is of other content, so it is stale" if row.stale else "nobody has labelled it as a whole"
        return _rejected(row.index, "unlabelled", why)
    return _rejected(row.index, f"not_labelled_{'_or_'.join(rules.keep_labels)}", row.whole.told())


def _bad(opinion: Opinion, verdicts: Collection[str], rules: LabelRules) -> str | None:
    """The reason for which people want something gone: a verdict or a tag; None if they do not."""
    said, tagged = opinion.says(rules.label_votes), opinion.tagged(rules.label_votes)
    reasons = [f"labelled_{name}" for name in verdicts if name in said]
    reasons += [f"tagged_{name}" for name in rules.drop_tags if name in tagged]
    return reasons[0] if reasons else None


def _bad_turns(row: _Row, rules: LabelRules) -> list[int]:
    if rules.bad_turns == "keep":
        return []
    return sorted(
        message for message, opinion in row.turns.items() if _bad(opinion, rules.bad_verdicts, rules) is not None
    )


def _rejected(index: int, reason: str, detail: str) -> dict[str, Any]:
    return {"index": index, **reject_columns(STEP, reason, detail)}


def _weight(row: _Row, rules: LabelRules) -> float | None:
    """The least weight of what is said of the row."""
    weights = rules.weights()
    said = row.whole.says(rules.label_votes) if row.whole is not None else frozenset()
    return min((weights[verdict] for verdict in said if verdict in weights), default=None)


def _trained(
    frame: pl.DataFrame, turns: dict[int, list[int]], rules: LabelRules, chunks: Sequence[str]
) -> dict[int, list[int]]:
    """Row -> the bad turns that would be trained on."""
    wanted = {index: places for index, places in turns.items() if places}
    if rules.bad_turns != "untrain" or not wanted:
        return {}
    rows = frame.filter(pl.col("index").is_in(list(wanted))).select("index", "chunk", "place")
    by_chunk: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for index, chunk, place in rows.iter_rows():
        by_chunk[chunk].append((index, place))
    found: dict[int, list[int]] = {}
    for chunk, places in by_chunk.items():
        found |= _trained_in(chunks[chunk], places, wanted)
    return {index: places for index, places in found.items() if places}


def _trained_in(path: str, places: list[tuple[int, int]], wanted: dict[int, list[int]]) -> dict[int, list[int]]:
    rows: list[Any] = _messages(path, [place for _, place in places])
    return {
        index: [at for at in wanted[index] if 0 <= at < len(messages) and messages[at]["train"]]
        for (index, _), messages in zip(places, rows, strict=True)
    }


def _messages(path: str, places: list[int]) -> list[Any]:
    return read_chunk(path, ["messages"]).column("messages").take(pa.array(places)).to_pylist()


def _with_columns(frame: pl.DataFrame, weights: dict[int, float], untrained: dict[int, list[int]]) -> pl.DataFrame:
    """The frame with the weights, the turns that are not trained on, and the count of such turns among the facts."""
    keys = {"index": pl.Int64}
    heavy = pl.DataFrame({"index": list(weights), "weight": list(weights.values())}, keys | {"weight": pl.Float32})
    bare = pl.DataFrame(
        {"index": list(untrained), "untrain": list(untrained.values())}, keys | {"untrain": pl.List(pl.Int64)}
    )
    for more in (heavy, bare):
        frame = frame.join(more, on="index", how="left", maintain_order="left")
    count = pl.col("facts").struct.field("untrained_turns") + pl.col("untrain").list.len().fill_null(0)
    return frame.with_columns(pl.col("facts").struct.with_fields(untrained_turns=count))


def untrained(messages: pa.ChunkedArray[Any], places: Iterable[Sequence[int] | None]) -> pa.Array[Any]:
    """A chunk's messages with `train` false at the places given for each row."""
    changed: pa.Array[Any] = pa.array(list(_untrained(messages.to_pylist(), places)), messages.type)
    return changed


def _untrained(rows: list[Any], places: Iterable[Sequence[int] | None]) -> Iterator[Any]:
    for messages, bad in zip(rows, places, strict=True):
        for place in bad or ():
            messages[place] = messages[place] | {"train": False}
        yield messages
