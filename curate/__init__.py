"""Recorded agent trajectories in, clean trajectories out; every other room builds on this one's data model."""

from curate.signals import quiet_start

__version__ = "0.1.0"
"""Of the whole toolkit; stands in every manifest, because another version may give other bytes."""

quiet_start()
