"""Trajectories for tests of the page that reads: hostile ones, a rollout with evidence, long ones."""

from __future__ import annotations

import json
from typing import Any

from curate.pairing import mark_pairs
from curate.readers.messages import message, tool_call
from curate.trajectory import Message, Thinking, Trajectory, trajectory_of

HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "[click](javascript:document.title='owned')",
    "[data](data:text/html;base64,PHNjcmlwdD4=)",
    "![pixel](https://images.invalid/pixel.png)",
    "[![pixel](https://images.invalid/nested.png)](javascript:alert(1))",
    ":material/delete: :smile: :red[gone] :red-badge[gone]",
    r"$\href{javascript:alert(1)}{x}$ $$\frac{1}{2}$$",
    "<https://auto.invalid> https://bare.invalid www.bare.invalid me@bare.invalid",
    "[ref]\n\n[ref]: javascript:alert(1)",
)
TIERS = ("exact", "normalised", "fuzzy", "best_effort", "unavailable", "simulated")


def turn(text: str | None, *calls: tuple[str, Any], thought: str | None = None, ids: str = "c") -> Message:
    made = message("assistant", text)
    made["tool_calls"] = [tool_call(f"{ids}{at}", name, arguments) for at, (name, arguments) in enumerate(calls)]
    made["reasoning_content"] = thought
    return made


def result(text: str, call: str = "c0", name: str | None = None) -> Message:
    made = message("tool", text)
    made["tool_call_id"], made["name"] = call, name
    return made


def row(trajectory_id: str, messages: list[Message], **columns: Any) -> Trajectory:
    mark_pairs(messages)
    given = {"source": "desk", "env_id": "shop", "task_id": "t1"} | columns
    return trajectory_of(trajectory_id, messages, **given)


def thinking(at: int, **said: Any) -> Thinking:
    empty = dict.fromkeys(Thinking.__annotations__)
    return Thinking(
        **(empty | {"message_index": at, "kind": "silent", "origin": "teacher", "checks_failed": []} | said)
    )  # type: ignore[typeddict-item]


def shop() -> Trajectory:
    """A dialogue whose values come from the user and from results; one thought was replaced, one is flagged."""
    user = {"user_id": "mia_li_3668", "address": {"city": "Austin", "zip": "78750"}, "orders": ["#W100"]}
    messages = [
        message("system", "# Policy\n\n" + "Be kind. " * 200),
        message("user", "I am mia_li_3668, where is my order?"),
        turn(None, ("get_user", {"user_id": "mia_li_3668"}), thought="The user gives an id, so look the user up."),
        result(json.dumps(user), name="get_user"),
        turn(None, ("get_order", {"order_id": "#W100", "city": "Austin"}), thought="The order is #W100."),
        result('{"error": "no such order"}', name="get_order"),
        turn("Your order **#W100** is gone."),
        message("user", "Bye ###STOP###"),
    ]
    thoughts = [
        thinking(2, teacher="offline", prompt_version="3", original="I must look."),
        thinking(4, teacher="offline", checks_failed=["parroting"]),
        thinking(6, origin="none", kind="final", checks_failed=["not_asked"]),
    ]
    return row("shop-1", messages, thinking=thoughts, reward=1.0)


def rollout(parent: str = "shop-1") -> Trajectory:
    """A rollout whose results rest on every tier."""
    messages = [message("user", "Where is my order?")]
    evidence = []
    for at, tier in enumerate(TIERS):
        messages += [turn(None, ("get_order", {"order_id": f"#W10{at}"})), result(json.dumps({"status": tier}))]
        said = {
            "message_index": len(messages) - 2,
            "call_index": 0,
            "tier": tier,
            "p": 1.0 - at / 10,
            "source_trajectory_id": parent if at % 2 == 0 else "elsewhere",
            "source_message_index": 3,
            "reason": f"the same order, {at} fields differ",
            "step_reward": 0.1,
        }
        evidence.append(said)
    messages.append(turn("It is on its way."))
    came = {"trajectory_id": parent, "message_index": 1}
    return row("rollout-1", messages, evidence=evidence, parent=came, metadata='{"status":"final"}', reward=0.4)


def hostile() -> Trajectory:
    """Every place of a trajectory holds markup that must not act."""
    text = "\n\n".join(HOSTILE)
    messages = [
        message("system", text),
        message("user", text),
        turn(text, (text, {text: text, "list": [text]}), thought=text),
        result(text, name=text),
        turn(None, ("raw", text), thought=None, ids="d"),
        result(json.dumps({text: [text], "b": {"c": text}}), "d0"),
        result(text, "nobody", text),
    ]
    thoughts = [
        thinking(2, kind=text, origin=text, teacher=text, prompt_version=text, checks_failed=[text], original=text)
    ]
    told = {"tier": text, "p": 0.5, "source_trajectory_id": text, "source_message_index": 1, "reason": text}
    evidence = [{"message_index": 2, "call_index": 0, "step_reward": None} | told]
    columns: dict[str, Any] = {"source": text, "env_id": text, "task_id": text, "license": text, "split": text}
    came = {"trajectory_id": text, "message_index": 0}
    return row(text, messages, thinking=thoughts, evidence=evidence, parent=came, **columns)


def long(turns: int = 1_000) -> Trajectory:
    """Many turns with a call each."""
    messages = [message("user", "Count with me.")]
    for at in range(turns):
        body = {"n": at, "next": f"id-{at + 1}", "note": "counted " * 10}
        messages.append(turn(f"Step {at}.", ("count", {"token": f"id-{at}"}), thought=f"Now {at}.", ids=f"c{at}-"))
        messages.append(result(json.dumps(body), f"c{at}-0"))
    return row("long-1", messages)


def large(size: int = 5_000_000) -> Trajectory:
    """Two results of megabytes: JSON, and text."""
    records = [{"id": f"rec-{at}", "name": f"Name {at}", "values": [at, at + 1]} for at in range(size // 55)]
    text = "".join(f"line {at} of a log that goes on\n" for at in range(size // 32)) + "the needle\n"
    calls = (("list_all", {"limit": 100_000}), ("read_log", {"path": "/var/log/x"}))
    messages = [message("user", "List all."), turn(None, *calls)]
    messages += [result(json.dumps(records), "c0"), result(text, "c1"), turn("Done.")]
    return row("large-1", messages)
