"""Saved views: a page's address under a name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from app.labels.database import Database
from app.labels.events import now
from app.labels.tables import saved_views
from curate.errors import UsageError

MAX_NAME = 120


@dataclass(frozen=True)
class View:
    """A page as it was left.

    Attributes:
        name: what it is called.
        page: the page's name.
        params: its query parameters.
        annotator: who saved it; empty without a sign-in.
    """

    name: str
    page: str
    params: Mapping[str, str]
    annotator: str


class SavedViews(Database):
    """The saved views of a database, shared by everybody."""

    def save_view(self, name: str, page: str, params: Mapping[str, str], annotator: str = "") -> View:
        """Save a view; one's own view of that name is replaced.

        Raises:
            UsageError: if the name is empty, too long, or somebody else's.
        """
        name = " ".join(name.split())
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise UsageError(f"a view's name has 1 to {MAX_NAME} printable characters")
        body = json.dumps({str(key): str(value) for key, value in params.items()}, sort_keys=True)
        with self.writing() as connection:
            stands = connection.execute(sa.select(saved_views).where(saved_views.c.name == name)).one_or_none()
            if stands is not None and stands.annotator != annotator:
                raise UsageError(f"a view {name!r} was saved by {stands.annotator or 'nobody by name'}; choose another")
            connection.execute(sa.delete(saved_views).where(saved_views.c.name == name))
            connection.execute(
                sa.insert(saved_views).values(name=name, page=page, params=body, annotator=annotator, created=now())
            )
        return View(name, page, json.loads(body), annotator)

    def views(self, page: str | None = None) -> list[View]:
        """The saved views, of one page or of all, by name."""
        query = sa.select(saved_views)
        if page is not None:
            query = query.where(saved_views.c.page == page)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        found = [View(row.name, row.page, json.loads(row.params), row.annotator) for row in rows]
        return sorted(found, key=lambda view: view.name)

    def drop_view(self, name: str) -> bool:
        """Forget a view; False if there is none of that name."""
        with self.writing() as connection:
            return connection.execute(sa.delete(saved_views).where(saved_views.c.name == name)).rowcount > 0
