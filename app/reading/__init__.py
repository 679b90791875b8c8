"""One trajectory as a person reads it: turns, calls, results, thinking, tiers, where values came from."""
