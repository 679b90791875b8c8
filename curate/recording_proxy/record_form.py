"""A finished session as the JSON record that `python -m curate` reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from curate.recording_proxy.exchange import Scope
from curate.recording_proxy.sessions import Session


def trajectory(session: Session, upstream: str) -> dict[str, Any]:
    """One OpenAI chat record; where a request asked for several choices and went on from none, the first one counts.

    Args:
        session: a finished one.
        upstream: the model server's host.
    """
    scope = Scope(*session.scope)
    facts = {"task_id": scope.task_id, "trial": scope.trial, "env_id": scope.env_id, "reward": session.reward}
    record: dict[str, Any] = {
        "messages": [*session.messages, *session.choices[:1]],
        "tools": session.tools,
        **{key: value for key, value in facts.items() if value is not None},
        "metadata": _metadata(session, upstream),
    }
    return record if session.tools else {key: value for key, value in record.items() if key != "tools"}


def _metadata(session: Session, upstream: str) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "recording_id": session.id,
        "upstream": upstream,
        "models": session.models,
        "started": _time(session.started),
        "finished": _time(session.finished),
        "requests": session.requests,
        "request_ids": session.request_ids,
        "usage": session.usage,
        "sampling": session.sampling,
        "finish_reason": session.finish_reason,
    }
    if not session.complete:
        facts["incomplete"] = True
    if session.replaced:
        facts["replaced_replies"] = session.replaced
    if session.most_choices > 1:
        facts["choices"] = session.most_choices
    if session.parent:
        facts["parent"] = {"recording_id": session.parent[0], "message_index": session.parent[1]}
    return facts


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
