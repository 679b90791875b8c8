"""Recorded tool calls become a three-tier, state-aware cache that says how far to trust each answer."""
