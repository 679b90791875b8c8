"""The tables of the labels' database, the views over its events, and the triggers that keep events as they are.

The same on SQLite and PostgreSQL. Times are microseconds since 1970 in UTC; message_index is -1 for a whole trajectory.
"""

from __future__ import annotations

import sqlalchemy as sa

VERSION = 1
"""Of these tables; a database of a newer version is refused."""
WHOLE = -1
"""The message_index of a whole trajectory: unlike NULL it is equal to itself."""

_number = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite counts up an INTEGER PRIMARY KEY alone
metadata = sa.MetaData()

meta = sa.Table(
    "label_meta",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
schemas = sa.Table(
    "label_schemas",
    metadata,
    sa.Column("version", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
events = sa.Table(
    "label_events",
    metadata,
    sa.Column("seq", _number, primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("trajectory_id", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("message_index", sa.Integer, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("verdict", sa.Text),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("action", sa.Text, sa.CheckConstraint("action IN ('label', 'undo', 'adjudicate')"), nullable=False),
    sa.Column("undoes", sa.Text, unique=True),
    sa.Column("schema_version", sa.Text, nullable=False),
    sa.Column("queue", sa.Text),
    sa.Column("shown_ms", sa.BigInteger, nullable=False),
    sa.Column("at", sa.BigInteger, nullable=False),
    sa.CheckConstraint("(action = 'undo') = (undoes IS NOT NULL)"),
    sa.Index("label_events_by_target", "trajectory_id", "content_hash", "message_index", "annotator"),
    sa.Index("label_events_by_annotator", "annotator", "seq"),
    sa.Index("label_events_by_queue", "queue", "annotator"),
    sqlite_autoincrement=True,
)
queues = sa.Table(
    "label_queues",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, nullable=False, unique=True),
    sa.Column("mode", sa.Text, nullable=False),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("seed", sa.BigInteger, nullable=False),
    sa.Column("overlap", sa.Integer, nullable=False),
    sa.Column("annotators", sa.Text, nullable=False),
)
queue_targets = sa.Table(
    "label_queue_targets",
    metadata,
    sa.Column("queue", sa.Text, sa.ForeignKey("label_queues.name"), primary_key=True),
    sa.Column("position", sa.Integer, primary_key=True),
    sa.Column("given", sa.Integer, nullable=False),
    sa.Column("trajectory_id", sa.Text, nullable=False),
    sa.Column("content_hash", sa.Text, nullable=False),
    sa.Column("message_index", sa.Integer, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("score", sa.Double, nullable=False),
    sa.UniqueConstraint("queue", "trajectory_id", "content_hash", "message_index"),
)
accounts = sa.Table(
    "label_accounts",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("folded", sa.Text, nullable=False, unique=True),
    sa.Column("role", sa.Text, sa.CheckConstraint("role IN ('annotator', 'lead')"), nullable=False),
    sa.Column("password", sa.Text),
    sa.Column("issuer", sa.Text),
    sa.Column("subject", sa.Text),
    sa.Column("removed", sa.Integer, nullable=False, default=0),
    sa.Column("failures", sa.Integer, nullable=False, default=0),
    sa.Column("locked_until", sa.BigInteger, nullable=False, default=0),
    sa.Column("created", sa.BigInteger, nullable=False),
    sa.UniqueConstraint("issuer", "subject"),
)
sessions = sa.Table(
    "label_sessions",
    metadata,
    sa.Column("token_hash", sa.Text, primary_key=True),
    sa.Column("annotator", sa.Text, sa.ForeignKey("label_accounts.name"), nullable=False, index=True),
    sa.Column("expires", sa.BigInteger, nullable=False),
)
saved_views = sa.Table(
    "label_views",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("page", sa.Text, nullable=False),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("annotator", sa.Text, nullable=False),
    sa.Column("created", sa.BigInteger, nullable=False),
)

standing = sa.table("label_standing", *(sa.column(column.name, column.type) for column in events.c))
"""A view: the labels and adjudications that no undo took back."""
latest = sa.table("label_latest", *(sa.column(column.name, column.type) for column in events.c))
"""A view: of these the last one of each annotator, target and action."""

_STANDING = (
    "SELECT * FROM label_events e WHERE e.action <> 'undo' "
    "AND NOT EXISTS (SELECT 1 FROM label_events u WHERE u.undoes = e.event_id)"
)
_LATEST = {
    "sqlite": (
        "SELECT * FROM label_standing s WHERE s.seq = (SELECT MAX(o.seq) FROM label_standing o "
        "WHERE o.trajectory_id = s.trajectory_id AND o.content_hash = s.content_hash "
        "AND o.message_index = s.message_index AND o.annotator = s.annotator AND o.action = s.action)"
    ),
    "postgresql": (
        "SELECT DISTINCT ON (annotator, trajectory_id, content_hash, message_index, action) * FROM label_standing "
        "ORDER BY annotator, trajectory_id, content_hash, message_index, action, seq DESC"
    ),
}
VIEWS = {make: {"label_standing": _STANDING, "label_latest": query} for make, query in _LATEST.items()}
"""The views by database: one answer, asked in the way that each is quick at."""
_KEPT = "label events are never changed or deleted"
GUARDS = {
    "sqlite": tuple(
        f"CREATE TRIGGER IF NOT EXISTS label_events_no_{what.lower()} BEFORE {what} ON label_events "
        f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
        for what in ("UPDATE", "DELETE")
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION label_events_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_KEPT}'; END $$",
        "CREATE OR REPLACE TRIGGER label_events_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON label_events "
        "FOR EACH STATEMENT EXECUTE FUNCTION label_events_kept()",
    ),
}
