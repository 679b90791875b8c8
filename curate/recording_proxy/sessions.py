"""Trajectories that are still growing: which one a request goes on from, and what each has seen so far.

A turn (one request with its reply, without what the session knew before) is plain JSON: the journal keeps turns, and
`Sessions.apply` makes the same sessions of them after a restart.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from curate.recording_proxy.exchange import Asked, Scope
from curate.recording_proxy.message_keys import START, chain, message_key
from curate.recording_proxy.replies import Reply

HINTS = 50_000
"""Replies remembered for `parent` hints, those of written trajectories too."""

Turn = dict[str, Any]


@dataclass(slots=True)
class Session:
    """One growing trajectory; fields are plain JSON.

    Attributes:
        messages: up to the last request's end.
        choices: replies to the last request; the next request says which one it goes on from.
        asked: chain hash of `messages`.
        parent: (session, message_index) of a reply that its first request repeats.
    """

    id: str
    scope: list[Any]
    started: float
    parent: list[Any] | None = None
    messages: list[dict[str, Any]] = field(default_factory=list)
    choices: list[dict[str, Any]] = field(default_factory=list)
    asked: str = START
    complete: bool = True
    finish_reason: str | None = None
    finished: float = 0.0
    requests: int = 0
    replaced: int = 0
    most_choices: int = 1
    reward: float | None = None
    models: list[str] = field(default_factory=list)
    request_ids: list[str] = field(default_factory=list)
    sampling: dict[str, Any] = field(default_factory=dict)
    usage: dict[str, int] = field(default_factory=dict)
    offered: list[dict[str, Any]] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)

    def tips(self) -> Iterator[str]:
        """Chain hashes that a request which goes on from here starts with, one a choice."""
        return (chain(self.asked, [choice])[0] for choice in self.choices)


class Sessions:
    """All growing trajectories, found by hashes of what a next request must start with."""

    def __init__(self) -> None:
        self.open: dict[str, Session] = {}
        self._tips: dict[str, list[tuple[str, int]]] = {}
        self._asked: dict[str, list[str]] = {}
        self._hints: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def turn(
        self, asked: Asked, reply: Reply, scope: Scope, started: float, finished: float, retry: bool = False
    ) -> tuple[Turn, str | None]:
        """Link an exchange to the session it goes on from, or to a new one.

        Args:
            asked: the request.
            reply: what came back.
            scope: only sessions of the same scope are gone on with.
            started: Unix time in seconds.
            finished: likewise.
            retry: the client asks the same again, although the last reply was whole.

        Returns:
            The turn, not yet applied, and the session that ends with it: one that the request repeats under another
            scope.
        """
        hashes = chain(START, asked.messages)
        session, keep, choice, ended = self._goes_on_from(hashes, scope)
        if session is None:
            session, keep = self._asks_again(hashes[-1], scope, retry), len(asked.messages)
        turn: Turn = {
            "kind": "turn",
            "session": session.id if session else uuid.uuid4().hex,
            "scope": list(scope),
            "choice": choice,
            "again": session is not None and choice is None,
            "messages": asked.messages[keep:] if session else asked.messages,
            "asked": hashes[-1],
            "choices": reply.choices,
            "complete": reply.complete,
            "finish_reason": next(iter(reply.finish_reasons), None),
            "models": [name for name in dict.fromkeys((asked.model, reply.model)) if name],
            "request_id": reply.request_id,
            "sampling": asked.sampling,
            "usage": {key: value for key, value in reply.usage.items() if type(value) is int},
            "started": started,
            "finished": finished,
        }
        if session is None:
            turn["parent"] = self._parent(asked)
        if session is None or session.offered != asked.tools:
            turn["tools"] = asked.tools
        return turn, ended

    def apply(self, turn: Turn) -> Session:
        """Take a turn into its session; a session that is not open starts here."""
        session = self.open.get(turn["session"])
        if session is None:
            session = Session(turn["session"], turn["scope"], turn["started"], turn.get("parent"))
            self.open[session.id] = session
        self._forget(session)
        if turn["again"]:
            session.replaced += 1
        elif turn["choice"] is not None:
            session.messages.append(session.choices[turn["choice"]])
        session.messages.extend(turn["messages"])
        session.asked, session.choices = turn["asked"], turn["choices"]
        session.complete, session.finish_reason = turn["complete"], turn["finish_reason"]
        session.finished, session.sampling = turn["finished"], turn["sampling"]
        session.requests += 1
        session.most_choices = max(session.most_choices, len(session.choices))
        _add_facts(session, turn)
        self._remember(session)
        return session

    def restore(self, state: dict[str, Any]) -> None:
        """Take back a session that `snapshot` gave."""
        session = Session(**state)
        self.open[session.id] = session
        self._remember(session)

    def snapshot(self) -> Iterator[dict[str, Any]]:
        """All open sessions as plain JSON."""
        return (asdict(session) for session in self.open.values())

    def close(self, session_id: str) -> Session | None:
        """Take a session out; None if it is not open."""
        session = self.open.pop(session_id, None)
        if session is not None:
            self._forget(session)
        return session

    def named(self, task_id: str, trial: int | None) -> list[Session]:
        """Open sessions of a task, of all its trials if none is named."""
        scopes = ((session, Scope(*session.scope)) for session in self.open.values())
        return [session for session, scope in scopes if scope.task_id == task_id and trial in (None, scope.trial)]

    def _goes_on_from(self, hashes: list[str], scope: Scope) -> tuple[Session | None, int, int | None, str | None]:
        """(session, messages it knows, choice, session that ends) for the longest start of the request we know."""
        for index in range(len(hashes) - 1, 0, -1):
            found = [(self.open[name], choice) for name, choice in self._tips.get(hashes[index], ())]
            for session, choice in found:
                if Scope(*session.scope) == scope:
                    return session, index + 1, choice, None
            if found:
                return None, 0, None, found[0][0].id
        return None, 0, None, None

    def _asks_again(self, asked: str, scope: Scope, retry: bool) -> Session | None:
        """The session whose last request this one repeats because no whole reply reached the client.

        An equal request after a whole reply is another attempt at the task: a session of its own.
        """
        for name in self._asked.get(asked, ()):
            session = self.open[name]
            if Scope(*session.scope) == scope and (retry or not session.complete):
                return session
        return None

    def _parent(self, asked: Asked) -> list[Any] | None:
        """The latest reply in the request that another trajectory holds: its history was edited, cut or forked."""
        for message in reversed(asked.messages):
            if message.get("role") == "assistant":
                hint = self._hints.get(message_key(message))
                if hint is not None:
                    return list(hint)
        return None

    def _remember(self, session: Session) -> None:
        self._asked.setdefault(session.asked, []).append(session.id)
        for choice, tip in enumerate(session.tips()):
            self._tips.setdefault(tip, []).append((session.id, choice))
        for reply in session.choices:
            self._hints[message_key(reply)] = (session.id, len(session.messages))
        while len(self._hints) > HINTS:
            self._hints.popitem(last=False)

    def _forget(self, session: Session) -> None:
        _drop(self._asked, session.asked, session.id)
        for choice, tip in enumerate(session.tips()):
            _drop(self._tips, tip, (session.id, choice))


def _drop(index: dict[str, list[Any]], key: str, entry: Any) -> None:
    entries = index.get(key, [])
    if entry in entries:
        entries.remove(entry)
        if not entries:
            del index[key]


def _add_facts(session: Session, turn: Turn) -> None:
    session.models = list(dict.fromkeys([*session.models, *turn["models"]]))
    if turn["request_id"]:
        session.request_ids.append(turn["request_id"])
    for key, count in turn["usage"].items():
        session.usage[key] = session.usage.get(key, 0) + count
    if "tools" in turn:
        session.offered = turn["tools"]
        # A call may name a tool that only an earlier request offered.
        by_name = {_tool_name(tool): tool for tool in session.tools}
        session.tools = list((by_name | {_tool_name(tool): tool for tool in session.offered}).values())


def _tool_name(tool: dict[str, Any]) -> str:
    function = tool.get("function")
    return str(function.get("name") if isinstance(function, dict) else tool.get("name"))
