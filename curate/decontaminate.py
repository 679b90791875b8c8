"""Decontamination: trajectories that share n-grams of words with the tasks of a benchmark.

Benchmarks are read once into an index that goes to worker processes; each trajectory's user messages and call
arguments are looked up in it. A task told in other words is not found: n-grams see the wording alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

import orjson

from curate.benchmark_tasks import BenchmarkFile, BenchmarkTask, benchmark_files, read_tasks
from curate.canonical import parse_arguments
from curate.errors import UsageError
from curate.ngram_index import NgramIndex, Owner, Place, Words
from curate.normal_words import value_words, values_of, words_of
from curate.report import Cell
from curate.trajectory import ToolCall, Trajectory

SIDES = ("task", "user", "arguments")
"""Where a trajectory is found out: the task it is recorded for, its user messages, or its calls' arguments."""
MIN_WHOLE = 5
"""Words that a text shorter than an n-gram needs to be looked for as a whole; less is said by chance."""
MIN_VALUES = 3
"""Values that such a call must have too: many tasks search for `running shoes with rock plate`."""
SHOWN_TEXT = 200
"""Characters of the matched text in a hit."""
SHOWN_PROBLEMS = 5
"""Unreadable records of a benchmark that are named."""
LONG_INTEGER = re.compile(r"\d{19}")
"""orjson would round such a number to a float."""
SHOWN_TASKS = 20
"""Rows of the table of tasks."""


@dataclass(frozen=True)
class DecontaminateSettings:
    """Which benchmarks must not be trained on, and how much overlap is too much.

    Attributes:
        benchmark: files of evaluation tasks, FILE or FILE:field.path; trajectories of any format, or records that
            state tasks.
        ngram: words of an n-gram; 13 as in the study of GPT-3 (Brown et al. 2020, appendix C).
        min_overlap: n-grams of one task that a trajectory must share to be turned away.
        min_overlap_share: share of a task's n-grams that it must share too, 0 to 1.
        max_ngram_tasks: n-grams that more tasks of their benchmark hold are a template and do not count; None: all
            count.
    """

    benchmark: tuple[str, ...] = ()
    ngram: int = 13
    min_overlap: int = 1
    min_overlap_share: float = 0.0
    max_ngram_tasks: int | None = None

    def check(self) -> None:
        """Refuse thresholds that cannot be right.

        Raises:
            UsageError: for one out of its range.
        """
        if self.ngram < MIN_WHOLE:
            raise UsageError(f"--ngram must be at least {MIN_WHOLE}, not {self.ngram}: shorter ones meet by chance")
        if self.min_overlap < 1:
            raise UsageError(f"--min-overlap must be at least 1, not {self.min_overlap}")
        if not 0 <= self.min_overlap_share <= 1:
            raise UsageError(f"--min-overlap-share must be 0 to 1, not {self.min_overlap_share}")
        if self.max_ngram_tasks is not None and self.max_ngram_tasks < 1:
            raise UsageError(f"--max-ngram-tasks must be at least 1, not {self.max_ngram_tasks}")


@dataclass(frozen=True, slots=True)
class Hit:
    """What a trajectory shares with the task that it shares most of.

    Attributes:
        benchmark: its name.
        task_id: within the benchmark.
        side: of the trajectory: `task`, `user` or `arguments`.
        ngrams: how many distinct ones the two share; 0 if the task is shorter and stands there as a whole, or if the
            trajectory is recorded for it.
        share: of the task's n-grams, 0 to 1.
        text: the longest shared text in normalised words, cut at 200 characters.
        ngram: words of an n-gram.
    """

    benchmark: str
    task_id: str
    side: str
    ngrams: int
    share: float
    text: str
    ngram: int

    @property
    def detail(self) -> str:
        """The hit in one line, for the reject."""
        if self.side == "task":
            return f"recorded for task {self.task_id[:80]} of {self.benchmark}"
        count = f"{self.ngrams:,} {self.ngram}-gram{'s' * (self.ngrams != 1)}, {self.share:.0%}"
        what = count if self.ngrams else "the whole text"
        side = "user messages" if self.side == "user" else "call arguments"
        return f"{side} hold {what} of task {self.task_id[:80]} of {self.benchmark}: {self.text}"


@dataclass
class BenchmarkCounts:
    """What the index holds of one benchmark.

    Attributes:
        name: of the benchmark.
        tasks: records that state a task.
        whole: tasks and gold calls shorter than an n-gram, found as a whole only.
        too_short: tasks that cannot be found: they say less than five words.
        ngrams: distinct ones of each task that count, added up.
        ignored: distinct n-grams left out because more than `max_ngram_tasks` tasks hold them.
        unread: records that could not be read.
        problems: what is wrong with the first of them.
    """

    name: str
    tasks: int = 0
    whole: int = 0
    too_short: int = 0
    ngrams: int = 0
    ignored: int = 0
    unread: int = 0
    problems: list[str] = field(default_factory=list)


class Benchmarks:
    """The index of all benchmarks; it can be pickled.

    Attributes:
        counts: what it holds of each benchmark, in the order given.
    """

    def __init__(self, settings: DecontaminateSettings, reading: _Reading, index: NgramIndex) -> None:
        import numpy as np

        self.counts = reading.counts
        self._settings = settings
        self._tasks = reading.tasks
        self._groups = reading.groups
        self._wholes = reading.wholes
        self._lengths = {
            side: frozenset(text.count(" ") + 1 for text in texts) for side, texts in reading.wholes.items()
        }
        self._index = index
        wanted = np.ceil(index.sizes * settings.min_overlap_share - 1e-9)
        self._needed = np.maximum(np.minimum(index.sizes, settings.min_overlap), wanted).astype(np.int64)

    @classmethod
    def load(cls, settings: DecontaminateSettings) -> Benchmarks:
        """Read the benchmarks' files.

        Raises:
            UsageError: for a threshold out of range, a file that is missing or of no known kind, or one without a
                text that could be looked for.
            InputError: for a file that cannot be read to its end.
        """
        settings.check()
        reading = _Reading(settings.ngram)
        for given in benchmark_files(settings.benchmark):
            reading.add_file(given)
        index = NgramIndex(settings.ngram, reading.owners, settings.max_ngram_tasks)
        for owner, size in zip(reading.owners, index.sizes.tolist(), strict=True):
            reading.counts[owner.kin].ngrams += size
        for kin, ignored in index.ignored.items():
            reading.counts[kin].ignored = ignored
        return cls(settings, reading, index)

    def overlap(self, row: Trajectory) -> Hit | None:
        """What the trajectory shares with a task, if it is too much; the first of the sides that has enough.

        A trajectory recorded for a task of the benchmark (its `task_group` is a hash of the same statement) is a hit
        whatever it says: user simulators reword the task, so that its n-grams find few of them.
        """
        number = self._groups.get(row["task_group"])
        if number is not None:
            name, task_id = self._tasks[number]
            return Hit(name, task_id, "task", 0, 1.0, "", self._settings.ngram)
        sides = {"user": _user_texts(row), "arguments": _call_texts(row)}
        for side, texts in sides.items():
            hit = self._whole(side, texts) or self._shared(side, texts)
            if hit is not None:
                return hit
        return None

    def _whole(self, side: str, texts: list[Words]) -> Hit | None:
        """A short task that one text is, or that all messages of the user are together."""
        lengths, wholes = self._lengths[side], self._wholes[side]
        if not lengths:
            return None
        together = [[word for words in texts for word in words]] if side == "user" and len(texts) > 1 else []
        for words in texts + together:
            if len(words) in lengths and (text := " ".join(words)) in wholes:
                name, task_id = self._tasks[wholes[text]]
                return Hit(name, task_id, side, 0, 1.0, text[:SHOWN_TEXT], self._settings.ngram)
        return None

    def _shared(self, side: str, texts: list[Words]) -> Hit | None:
        for number, places in self._index.shared(texts, self._needed):
            name, task_id = self._tasks[number]
            share = len(places) / int(self._index.sizes[number])
            text = _longest(texts, places, self._settings.ngram)[:SHOWN_TEXT]
            return Hit(name, task_id, side, len(places), share, text, self._settings.ngram)
        return None


class _Reading:
    """What was read so far: tasks by number, the short ones among them, and the texts to index."""

    def __init__(self, ngram: int) -> None:
        self.ngram = ngram
        self.counts: list[BenchmarkCounts] = []
        self.tasks: list[tuple[str, str]] = []
        self.groups: dict[str, int] = {}
        self.wholes: dict[str, dict[str, int]] = {"user": {}, "arguments": {}}
        self.owners: list[Owner] = []

    def add_file(self, given: BenchmarkFile) -> None:
        counts, skipped, keys = BenchmarkCounts(given.name), list[str](), dict[str, int]()
        self.counts.append(counts)
        for task in read_tasks(given, skipped):
            counts.tasks += 1
            self._add(task, counts, keys.setdefault(task.task_id, len(keys)))
        counts.unread, counts.problems = len(skipped), skipped[:SHOWN_PROBLEMS]
        if counts.tasks == counts.too_short:
            first = f" ({skipped[0]})" if skipped else ""
            raise UsageError(
                f"{given.path} states no task of {MIN_WHOLE} words or more{first}; "
                "name the field that does as FILE:field.path"
            )

    def _add(self, task: BenchmarkTask, counts: BenchmarkCounts, key: int) -> None:
        number = len(self.tasks)
        self.tasks.append((counts.name, task.task_id))
        if task.task_group is not None:
            self.groups.setdefault(task.task_group, number)
        statements, messages = _words_of_each(task.statements), _words_of_each(task.messages)
        calls = [(words, len(values_of(call))) for call in task.calls if (words := value_words(call))]
        texts = [*statements, *messages, *(words for words, _ in calls)]
        self.owners.append(Owner(texts, len(self.counts) - 1, key))
        short = [("arguments", words) for words, values in calls if values >= MIN_VALUES and len(words) < self.ngram]
        if all(len(words) < self.ngram for words in statements + messages):
            dialogue = [word for words in messages for word in words]
            short += [("user", words) for words in (*statements, dialogue)]
        whole = [(side, " ".join(words)) for side, words in short if len(words) >= MIN_WHOLE]
        for side, text in whole:
            self.wholes[side].setdefault(text, number)
        counts.whole += len(whole)
        counts.too_short += not whole and all(len(words) < self.ngram for words in texts)


def _words_of_each(texts: Iterable[str]) -> list[Words]:
    return [words for text in texts if (words := words_of(text))]


def _user_texts(row: Trajectory) -> list[Words]:
    return _words_of_each(
        message["content"] for message in row["messages"] if message["role"] == "user" and message["content"]
    )


def _call_texts(row: Trajectory) -> list[Words]:
    calls = (call for message in row["messages"] for call in message["tool_calls"])
    return [words for call in calls if (words := _call_words(call))]


def _call_words(call: ToolCall) -> Words:
    """The words of a call's arguments; none where they are too few to be looked for, those of the text if unparsed."""
    text = call["arguments"]
    if call["args_status"] == "json":
        # Without escapes, words are parted by a space within a value and by a comma between values.
        if text.isascii() and "\\" not in text and text.count(" ") + text.count(",") + 1 < MIN_WHOLE:
            return []
        if not LONG_INTEGER.search(text):
            with suppress(orjson.JSONDecodeError):
                return value_words(orjson.loads(text))
    arguments, _ = parse_arguments(text)
    return words_of(text) if arguments is None else value_words(arguments)


def _longest(texts: list[Words], places: Iterable[Place], n: int) -> str:
    """The longest stretch that successive n-grams cover."""
    best, start, last = (0, 0, 0), (0, 0), (-1, 0)
    for number, first in sorted(places):
        if (number, first - 1) != last:
            start = (number, first)
        last = (number, first)
        if first + n - start[1] > best[0]:
            best = (first + n - start[1], *start)
    length, number, first = best
    return " ".join(texts[number][first : first + length])


def benchmark_table(benchmarks: Benchmarks, hits: Iterable[Hit]) -> tuple[list[str], list[list[Cell]]]:
    """What was looked for and what was found, a benchmark a row.

    Args:
        benchmarks: the index.
        hits: of the trajectories that were turned away, in any order.

    Returns:
        Headers and rows: benchmark, its counts, tasks met, and trajectories turned away by either side.
    """
    sides: Counter[tuple[str, str]] = Counter()
    met: dict[str, set[str]] = {counts.name: set() for counts in benchmarks.counts}
    for hit in hits:
        sides[hit.benchmark, hit.side] += 1
        met[hit.benchmark].add(hit.task_id)
    headers = ["benchmark", "tasks", "n-grams", "short texts", "not searchable", "ignored n-grams", "unread records"]
    rows: list[list[Cell]] = []
    for item in benchmarks.counts:
        held = (item.name, item.tasks, item.ngrams, item.whole, item.too_short, item.ignored, item.unread)
        rows.append([*held, len(met[item.name]), *(sides[item.name, side] for side in SIDES)])
    return [*headers, "tasks met", *(f"by {side}" for side in SIDES)], rows


def met_tasks_table(hits: Iterable[Hit]) -> tuple[list[str], list[list[Cell]]]:
    """The tasks that most trajectories were turned away for: headers and rows (benchmark, task, rejected, share, text).

    Args:
        hits: in any order; of each task the text of its largest overlap is shown.
    """
    tasks: dict[tuple[str, str], list[Hit]] = {}
    for hit in hits:
        tasks.setdefault((hit.benchmark, hit.task_id), []).append(hit)
    rows: list[list[Cell]] = []
    for (name, task_id), found in sorted(tasks.items(), key=lambda item: (-len(item[1]), item[0]))[:SHOWN_TASKS]:
        best = max(found, key=lambda hit: (hit.share, hit.ngrams, hit.text))
        rows.append([name, task_id[:80], len(found), f"{best.share:.0%}", best.text])
    return ["benchmark", "task", "turned away", "largest share", "shared text"], rows
