"""The toolkit's exceptions. A message names the value, the place and the remedy; commands print it and exit."""

from __future__ import annotations


class CacheRLError(Exception):
    """Base of every error that a user can cause and mend; `exit_code` is what a command exits with."""

    exit_code = 2


class UsageError(CacheRLError):
    """A flag, a setting or a path that cannot be right."""


class InputError(CacheRLError):
    """An input file that cannot be read to its end, or is of no known format.

    Args:
        fact: what is wrong, and where.
        remedy: what to do about it; left out where the run goes on without the damaged part.
    """

    def __init__(self, fact: str, remedy: str = "") -> None:
        super().__init__(f"{fact}; {remedy}" if remedy else fact)
        self.fact = fact


class RecordError(CacheRLError):
    """One record that cannot become a trajectory; readers turn it into a counted reject.

    Args:
        reason: short code for the funnel, e.g. `"wrong_type"`.
        detail: what was found and where.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class FolderError(CacheRLError):
    """A dataset folder that is unfinished, changed after it was written, or of another format version."""


class UpToDate(CacheRLError):
    """The output folder already holds the result of these settings and inputs."""

    exit_code = 0
