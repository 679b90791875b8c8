"""The thoughts of benchmarks/checks.py: good ones, and such with a planted fault, from turns of the real files."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
FILES = {
    "tau_bench_airline_gpt4o": "airline",
    "tau_bench_retail_gpt4o": "retail",
    "tau_bench_retail_code_agent": "retail",
}
MONTHS = "January February March April May June July August September October November December".split()


@dataclass
class Turn:
    """One turn of a real trajectory with the offline teacher's thought."""

    file: str
    row: Any
    at: int
    thought: str

    @property
    def message(self) -> Any:
        """The turn's message."""
        return self.row["messages"][self.at]

    @property
    def before(self) -> str:
        """All that is known at the turn, its action included."""
        return self.row["tools"] + "\n".join(text_of(message) for message in self.row["messages"][: self.at + 1])


@dataclass
class Case:
    """One thought to be judged; `code` is what was planted, None in a good one."""

    turn: Turn
    code: str | None
    text: str | None
    held_out: bool = False


def text_of(message: Any) -> str:
    """All words of a message."""
    calls = (f"{call['name']} {call['arguments']}" for call in message["tool_calls"])
    return "\n".join([message["content"] or "", *calls])


def turns_of(folder: Path) -> list[Turn]:
    """The turns that a teacher is asked for, of the three real files."""
    from curate.env import DEFAULT_RULES
    from curate.folder import DatasetFolder
    from curate.pipeline import curate
    from curate.settings import CurateSettings, InputSettings
    from synth.teachers import make_teacher, turn_view
    from synth.thoughts import asked
    from synth.turn_rule import plan_turns

    given = Path(os.environ.get("CACHERL_SHARED") or HERE.parents[1] / "shared")
    data = given / "data" if (given / "data").is_dir() else given
    turns = []
    for stem, env in FILES.items():
        out, inputs = folder / stem, (data / f"{stem}.json.gz",)
        curate(CurateSettings(inputs=inputs, out=out, input=InputSettings(env=(env,))))
        for row in DatasetFolder.open(out).rows("trajectories"):
            teacher = make_teacher("offline")
            for at in asked(plan_turns(row)):  # type: ignore[arg-type]
                thought = teacher.write(turn_view(row, at, DEFAULT_RULES))  # type: ignore[arg-type]
                if thought is not None:
                    turns.append(Turn(stem, row, at, thought.text))
    return turns


# Good thoughts in a freer style


def leaves(value: Any) -> Iterator[Any]:
    """The texts and numbers in parsed JSON, keys that hold digits too."""
    if isinstance(value, dict):
        for key, item in value.items():
            if any(map(str.isdigit, key)):
                yield key
            yield from leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, (str, int, float)) and not isinstance(value, bool):
        yield value


def values_of(messages: Sequence[Any]) -> list[Any]:
    """What results hold, in order, each once."""
    found: dict[Any, None] = {}
    for message in messages:
        if message["role"] == "tool" and message["content"]:
            try:
                parsed = json.loads(message["content"])
            except ValueError:
                parsed = message["content"]
            found.update(dict.fromkeys(leaves(parsed)))
    return list(found)


def amounts(values: Sequence[Any]) -> list[float]:
    """The prices among them."""
    return [value for value in values if isinstance(value, (int, float)) and 20 < value < 5000]


def money(value: float, rng: random.Random) -> str:
    """An amount in one of the usual forms."""
    whole = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return rng.choice([f"${value:,.2f}", f"${whole}", f"{value:.2f} dollars", whole, f"{whole} USD"])


def day(iso: str, rng: random.Random) -> str:
    """A date in one of the usual forms."""
    year, month, number = iso[:4], int(iso[5:7]), int(iso[8:10])
    name = MONTHS[month - 1]
    ending = "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return rng.choice(
        [iso[:10], f"{name} {number}", f"{name[:3]} {number}", f"{name} {number}{ending}",
         f"the {number}{ending} of {name}", f"{name} {number}, {year}", f"{number} {name} {year}",
         f"{month}/{number}/{year}"]
    )  # fmt: skip


def fact(turn: Turn, rng: random.Random) -> str:
    """A sentence about what earlier results hold, with a computation or a date now and then."""
    values = values_of(turn.row["messages"][: turn.at])
    prices = amounts(values)
    dates = [value for value in values if isinstance(value, str) and re.match(r"\d{4}-\d\d-\d\d", value)]
    texts = [value for value in values if isinstance(value, str) and 4 <= len(value) <= 30 and value not in dates]
    options: list[str] = []
    if len(prices) > 1:
        one, other = rng.sample(prices[-6:], 2)
        high, low = max(one, other), min(one, other)
        options += [
            f"{money(one, rng)} and {money(other, rng)} together come to {money(one + other, rng)}.",
            f"Going from {money(low, rng)} to {money(high, rng)} costs {money(high - low, rng)} more.",
            f"For two people that is 2 x {money(one, rng)} = {money(2 * one, rng)}.",
            f"The gap between the two prices is {money(round(high - low, 2), rng)}.",
            f"A tenth of {money(one, rng)} would be {money(round(one / 10, 2), rng)}.",
        ]
    if dates:
        options += [f"The date on record is {day(rng.choice(dates[-8:]), rng)}.",
                    f"So it is about {day(rng.choice(dates[-8:]), rng)}, which I keep in mind."]  # fmt: skip
    if texts:
        value = rng.choice(texts[-12:])
        options += [f"On file I have {value}.", f'The record says "{value}".',
                    f"What I looked up earlier names {value.lower()}.",
                    f"The earlier result shows {value}."]  # fmt: skip
    options += ["", "There is not much to go by yet.", "I go step by step: first the facts, then the decision."]
    return rng.choice(options)


def purpose(turn: Turn, rng: random.Random) -> str:
    """A sentence that leads to the turn's action."""
    from synth.names import tool_words

    if not turn.message["tool_calls"]:
        return rng.choice([
            "I should tell them where things stand and leave the choice to them.",
            "Best to ask before I touch anything; once they agree I can make the change.",
            "The rules leave no room here, so I have to decline politely.",
            "They need a clear answer, so I sum up what I know and what it means for them.",
            "I cannot go on without that detail; I'll ask for it.",
            "I don't have to look anything up for this, a short reply will do.",
        ])  # fmt: skip
    call = turn.message["tool_calls"][0]
    words = tool_words(call["name"])
    argument = next((str(value) for value in leaves(_arguments(call)) if len(str(value)) < 40), "")
    options = [
        f"I'll {words.action} next and see what is in there.",
        f"Next step: {call['name']}.",
        f"The tool for this is {call['name']}, which will return what I need to decide.",
        f"Let me {words.action}; that should show me whether it is possible.",
        f"If it works, the user gets what they want, so I {words.action} now.",
    ]
    if argument:
        options += [f"I have {argument}, which is all it takes to {words.action}.",
                    f"{argument} is what I pass to {call['name']}."]  # fmt: skip
    return rng.choice(options)


def _arguments(call: Any) -> Any:
    from curate.canonical import parse_arguments

    return parse_arguments(call["arguments"])[0] or {}


def wish(turn: Turn, rng: random.Random) -> str:
    """A sentence about the user."""
    said = [m["content"] or "" for m in turn.row["messages"][: turn.at] if m["role"] == "user"]
    words = re.findall(r"[\w'-]+", said[-1]) if said else []
    few = " ".join(words[:4])
    return rng.choice([
        f'They said "{few}", and that is what I have to deal with.',
        "The customer is waiting for an answer to their last message.",
        "OK so where are we?",
        "The user changed their mind a bit, but the goal is the same.",
        f"Their latest message ({len(words)} words) leaves little doubt about the wish.",
        "We are halfway through this request.",
        "Let me think about what is still missing here.",
    ])  # fmt: skip


def free_thought(turn: Turn, rng: random.Random) -> str:
    """A thought as a person might jot it down."""
    parts = [wish(turn, rng), fact(turn, rng), purpose(turn, rng)]
    if rng.random() < 0.3:
        parts[0], parts[1] = parts[1], parts[0]
    text = " ".join(part for part in parts if part)
    return text.replace(". ", " - ", 1) if rng.random() < 0.15 else text


# Faults


def inserted(text: str, sentence: str, rng: random.Random) -> str:
    """The sentence at a random place between those of the text."""
    parts = re.split(r"(?<=[.!?]) (?=[A-Z])", text)
    parts.insert(rng.randrange(len(parts) + 1), sentence)
    return " ".join(parts)


def later_value(turn: Turn, rng: random.Random) -> str | None:
    """A value of a later result that stands nowhere before, in a form of its own."""
    known = re.sub(r"(?<=\d),(?=\d{3})", "", turn.before.lower())
    values = values_of(turn.row["messages"][turn.at + 1 :])
    rng.shuffle(values)
    for value in values:
        text = str(value).lstrip("#")
        if isinstance(value, float) and value.is_integer():
            text = str(int(value))
        new = text.lower() not in known and text.lower().replace("_", " ") not in known
        if (
            not new
            or text.startswith("-")
            or (len(text) < 4 and not text.isdigit())
            or len(text.replace(".", "").strip("0")) < 3
            or len(text) > 60
        ):
            continue
        if isinstance(value, (int, float)):
            if abs(value) < 100 and float(value).is_integer():
                continue
            return money(value, rng)
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            if f"-{text[5:]}" in known or MONTHS[int(text[5:7]) - 1].lower() in known:
                continue
            return day(text, rng)
        if any(map(str.isdigit, text)) and " " not in text:
            return rng.choice([str(value), text, text.lower()])
        if " " in text or "_" in text:
            return rng.choice(['"{}"', "\u201c{}\u201d", "'{}'"]).format(text)
    return None


def later_copy(turn: Turn, rng: random.Random) -> str | None:
    """Ten to sixteen words in a row of a later message that no earlier one holds."""
    known = " ".join(re.findall(r"\w+", turn.before.lower()))
    later = [m["content"] or "" for m in turn.row["messages"][turn.at + 1 :] if m["role"] in ("user", "assistant")]
    rng.shuffle(later)
    for text in later:
        words = text.replace("*", "").replace("###STOP###", "").split()
        if len(words) < 14:
            continue
        size = rng.randint(10, 16)
        at = rng.randrange(max(1, len(words) - size))
        part = " ".join(words[at : at + size]).strip(" .,:;-")
        pieces = re.findall(r"\w+", part.lower())
        if len(pieces) >= 10 and all(" ".join(pieces[i : i + 5]) not in known for i in range(len(pieces) - 4)):
            return rng.choice([part, part.lower(), part.replace(",", "").replace("'", "\u2019")])
    return None


def parroted(turn: Turn, rng: random.Random) -> str | None:
    """A thought that is little else than what was said before."""
    said = [m["content"] or "" for m in turn.row["messages"][: turn.at] if m["role"] in ("user", "assistant")]
    said += [turn.message["content"] or ""]
    words = [text.replace("*", "").split() for text in said]
    long = [part for part in words if len(part) >= 25]
    if not long:
        return None
    part = rng.choice(long)
    copied = " ".join(part[: rng.randint(25, 60)]).rstrip(" ,.:-")
    return rng.choice(
        ["{}. That is why I go on like this.", "So: {}.", "It was said that {}, and I act on it.", "{}."]
    ).format(copied)


def good_thoughts(turns: Sequence[Turn], count: int, seed: int) -> Iterator[Case]:
    """The offline teacher's thoughts and free ones in turns; half of the free ones with a sentence near to a fault."""
    wordings = yaml.safe_load((HERE / "checks.yaml").read_text(encoding="utf-8"))["good"]
    rng = random.Random(f"{seed} good")
    for number, turn in enumerate(rng.sample(turns, min(len(turns), count))):
        if number % 2:
            yield Case(turn, None, turn.thought)
            continue
        text, near = free_thought(turn, rng), number // 2 % 4
        if not any(message["role"] == "tool" for message in turn.row["messages"][: turn.at]):
            near = 2  # Some of these sentences speak of earlier results.
        if near < 2:
            text = inserted(text, rng.choice(wordings["held_out" if near else "tuned"]), rng)
        yield Case(turn, None, text, held_out=near == 1)


Maker = Callable[[Turn, random.Random], "str | None"]


def by_form(thought: str, others: Sequence[str], rng: random.Random) -> dict[str, str | None]:
    """Thoughts whose form alone is wrong."""
    loop = rng.choice([part for part in re.split(r"(?<=[.!?]) ", thought) if len(part) > 20] or [thought])
    words = thought.rstrip('.!?\u201d"').split()
    return {
        "no_thought": rng.choice([None, "", "  \n ", "\n"]),
        "too_short": rng.choice(["OK.", "Done.", "I go on.", "Next step.", "A call is needed here."]),
        "too_long": " ".join(rng.sample(others, 30)),
        "repetition": rng.choice([" ".join([thought, *[loop] * rng.randint(2, 5)]), " ".join([loop] * 4),
                                  thought + " " + "and then I check again " * rng.randint(4, 9) + "."]),
        "unfinished": " ".join(words[: max(6, rng.randrange(len(words) // 2, len(words)))]).rstrip(".,;:!?\"'\u201d)"),
    }  # fmt: skip


def planted(turns: Sequence[Turn], each: int, seed: int) -> Iterator[Case]:
    """So many thoughts with each fault."""
    wordings = yaml.safe_load((HERE / "checks.yaml").read_text(encoding="utf-8"))
    others = [turn.thought for turn in turns]
    makers: dict[str, Maker] = {"future_copy": later_copy, "parroting": parroted}
    wordings.pop("good")
    codes = ("no_thought", "too_short", "too_long", "unfinished", "repetition", *makers, *wordings)
    for code in codes:
        rng, made = random.Random(f"{seed} {code}"), 0
        for number, turn in enumerate(rng.sample(turns, len(turns))):
            if made == each:
                break
            base = turn.thought if number % 2 else free_thought(turn, rng)
            held_out = code in wordings and made % 2 == 1
            if code in makers:
                text = makers[code](turn, rng)
                if text is not None and code == "future_copy":
                    text = inserted(base, rng.choice(["{}.", "I gather that {}.", "As in: {}."]).format(text), rng)
            elif code in wordings:
                text = worded(turn, code, wordings[code], base, held_out, rng)
            else:
                text = by_form(base, others, rng)[code]
            if text is not None or code == "no_thought":
                made += 1
                yield Case(turn, code, text, held_out)


def worded(turn: Turn, code: str, wordings: Any, base: str, held_out: bool, rng: random.Random) -> str | None:
    """The thought with one of the wordings, or that wording alone where it leads to another action."""
    from synth.checks.action import tool_names
    from synth.names import tool_words

    calls = turn.message["tool_calls"]
    if "tool" in wordings:
        wordings = wordings["tool" if calls else "text"]
    earlier = {call["name"] for message in turn.row["messages"][: turn.at] for call in message["tool_calls"]}
    if code == "hindsight_words" and calls and calls[0]["name"] in earlier:
        return None
    value = later_value(turn, rng) if code == "future_entity" else ""
    if value is None:
        return None
    called = calls[0]["name"] if calls else "search"
    tools = sorted(tool_names(json.loads(turn.row["tools"])) - {call["name"] for call in calls})
    sentence = rng.choice(wordings["held_out" if held_out else "tuned"]).format(
        value=value, tool=called, action=tool_words(called).action, other=rng.choice(tools or ["search"])
    )
    if (code == "action_fit" and calls) or (code == "language" and "\ufffd" not in sentence):
        return sentence if len(sentence) >= 40 else f"{sentence} {sentence}"
    return inserted(base, sentence, rng)


def shifted(turns: Sequence[Turn]) -> Iterator[Case]:
    """Each turn with the offline thought of the next turn, which often knows more; no wording of it is made up."""
    for turn, following in pairwise(turns):
        if turn.row is following.row:
            yield Case(turn, "shifted", following.thought)
