"""Recorded agent trajectories in, clean trajectories out; every other room builds on this one's data model."""
